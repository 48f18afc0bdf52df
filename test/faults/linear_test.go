package faults

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// step is what an operation asks of one member's points.
type step struct {
	delta, need int64
	kind, id    string
}

// seen is what the client saw of it.
type seen struct {
	refused bool
	balance *int64
}

// account is the sequential program: a number that is changed by one operation after another.
var account = porcupine.Model{
	Init: func() any { return int64(0) },
	Step: func(state, input, output any) (bool, any) {
		balance, in, out := state.(int64), input.(step), output.(seen)
		if out.refused {
			return in.need > balance, balance
		}
		if in.need > 0 && balance < in.need {
			return false, balance
		}
		balance += in.delta
		return out.balance == nil || *out.balance == balance, balance
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(step), output.(seen)
		switch {
		case out.refused:
			return fmt.Sprintf("%s %s needs %d: refused", in.kind, in.id, in.need)
		case out.balance == nil:
			return fmt.Sprintf("%s %s %+d", in.kind, in.id, in.delta)
		}
		return fmt.Sprintf("%s %s %+d = %d", in.kind, in.id, in.delta, *out.balance)
	},
}

// linearizable proves for each member that there is an order of the operations, within the time in which each was under way,
// that explains every answer and the final balance. What was left unknown and is in the books may have happened at any
// time after it was sent.
func (b *bank) linearizable(applied map[*op]bool, final []int64) {
	b.Helper()
	histories := make([][]porcupine.Operation, people)
	last := b.now()
	add := func(member int, o *op, in step, out seen) {
		ret := o.ret
		if o.out == unknown {
			ret = math.MaxInt64
		}
		in.kind, in.id = o.kind, o.id
		histories[member] = append(histories[member], porcupine.Operation{ClientId: o.client, Input: in, Call: o.call, Output: out, Return: ret})
	}
	for _, o := range b.log {
		switch {
		case o.kind == "spark" || o.kind == "flash" || o.last.unsent && o.out == refused:
			continue
		case o.out == refused:
			add(o.member, o, step{need: o.need}, seen{refused: true})
		case o.kind == "read" && o.out != acked || o.out == unknown && !applied[o]:
			continue
		default:
			add(o.member, o, step{delta: o.delta, need: o.need}, seen{balance: o.balance})
			if o.other >= 0 {
				add(o.other, o, step{delta: -o.delta}, seen{})
			}
		}
	}
	for member := range histories {
		read := op{id: "end", kind: "read", out: acked, call: last, ret: last}
		add(member, &read, step{}, seen{balance: &final[member]})
		history := histories[member]
		b.count("linearized", len(history))
		switch porcupine.CheckOperationsTimeout(account, history, time.Minute) {
		case porcupine.Ok:
		case porcupine.Unknown:
			b.Errorf("member %d: it is not known within a minute whether the %d operations can be put into an order", member, len(history))
		case porcupine.Illegal:
			b.Errorf("member %d: %v\n%s", member, errIllegal, tellHistory(history))
		}
	}
}

// tellHistory lists the shortest beginning of the history that has no order, with its last operations.
func tellHistory(history []porcupine.Operation) string {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	n := len(history)
	for from, to := 1, n; from < to; {
		n = (from + to) / 2
		if porcupine.CheckOperationsTimeout(account, history[:n], 10*time.Second) == porcupine.Illegal {
			to = n
		} else {
			from = n + 1
		}
		n = to
	}
	var lines strings.Builder
	for _, o := range history[max(n-25, 0):n] {
		fmt.Fprintf(&lines, "  %12.3f %12.3f ms  client %d  %s\n", float64(o.Call)/1e6, float64(o.Return)/1e6, o.ClientId, account.DescribeOperation(o.Input, o.Output))
	}
	return lines.String()
}
