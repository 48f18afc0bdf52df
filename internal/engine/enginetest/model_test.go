package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
)

// The model keeps every single point as a coin and knows neither lots nor sums: what a member has is counted. Of the engine
// it takes only how much each fact earns, costs or takes back, and when what is earned ends.

type where byte

const (
	waiting where = 'w'
	free    where = 'f'
	held    where = 'h'
	spent   where = 's'
	lost    where = 'x' // ended, and not yet asked for
	away    where = 'a'
)

type coin struct {
	lot        int64
	from       time.Time
	ends, free *time.Time // nil is never
	confirm    bool       // waits for an activity
	fact       string
	at         where
	hold       string // the redemption it went to
	turn       int    // in the order of spending
}

type purse struct {
	coins []*coin
	debt  int
	now   time.Time
	holds map[string]time.Time
	turn  int
}

type model struct {
	purses map[string]*purse
	order  string
	clamp  bool
}

func (p *purse) clone() *purse {
	c := *p
	c.coins = nil
	for _, x := range p.coins {
		y := *x
		c.coins = append(c.coins, &y)
	}
	c.holds = maps.Clone(p.holds)
	return &c
}

func (p *purse) count(at where) (n int) {
	for _, c := range p.coins {
		if c.at == at {
			n++
		}
	}
	return n
}

func over(end *time.Time, at time.Time) bool { return end != nil && !end.After(at) }

// pay pays what is owed with the free coins of a lot.
func (p *purse) pay(lot int64, at time.Time) {
	for _, c := range p.coins {
		if c.lot == lot && c.at == free && p.debt > 0 && !over(c.ends, at) {
			c.at = away
			p.debt--
		}
	}
}

// advance lets time pass, one moment after the other.
func (p *purse) advance(until time.Time) {
	for {
		var next *time.Time
		soon := func(t *time.Time) {
			if t != nil && !t.After(until) && (next == nil || t.Before(*next)) {
				next = t
			}
		}
		for _, c := range p.coins {
			if c.at == waiting {
				soon(c.free)
			}
			if c.at == waiting || c.at == free {
				soon(c.ends)
			}
		}
		for _, t := range p.holds {
			soon(&t)
		}
		if next == nil {
			break
		}
		at := *next
		for _, id := range slices.Sorted(maps.Keys(p.holds)) {
			if !p.holds[id].After(at) {
				p.letGo(id, at)
			}
		}
		for _, c := range p.coins {
			if c.at == waiting && over(c.free, at) {
				c.at, c.free, c.confirm = free, nil, false
				p.pay(c.lot, at)
			}
		}
		for _, c := range p.coins {
			if (c.at == waiting || c.at == free) && over(c.ends, at) {
				c.at = lost
			}
		}
	}
	if until.After(p.now) {
		p.now = until
	}
}

func (p *purse) letGo(id string, at time.Time) {
	delete(p.holds, id)
	var mine []*coin
	for _, c := range p.coins {
		if c.at == held && c.hold == id {
			c.at, c.hold = free, ""
			mine = append(mine, c)
		}
	}
	slices.SortFunc(mine, func(a, b *coin) int { return a.turn - b.turn })
	for _, c := range mine {
		p.pay(c.lot, at)
	}
}

// open lists the free coins in the order of spending.
func (m *model) open(p *purse, at time.Time, later bool) []*coin {
	var out []*coin
	for _, c := range p.coins {
		if c.at == free && !over(c.ends, at) && (later || !c.from.After(at)) {
			out = append(out, c)
		}
	}
	end := func(c *coin) int64 {
		if c.ends == nil {
			return 1 << 62
		}
		return c.ends.Unix()
	}
	slices.SortStableFunc(out, func(a, b *coin) int {
		if d := end(a) - end(b); m.order == "" && d != 0 {
			return map[bool]int{true: -1, false: 1}[d < 0]
		}
		if d := a.from.Compare(b.from); d != 0 {
			return d
		}
		return int(a.lot - b.lot)
	})
	return out
}

func (m *model) spend(p *purse, n int, at time.Time, to where, hold string) (missing int) {
	for _, c := range m.open(p, at, false)[:min(n, len(m.open(p, at, false)))] {
		p.turn++
		c.at, c.hold, c.turn = to, hold, p.turn
		n--
	}
	return n
}

// giveBack frees n coins of a redemption, the last spent first.
func (p *purse) giveBack(id string, n int, at time.Time) {
	var mine []*coin
	for _, c := range p.coins {
		if c.hold == id && c.at == spent {
			mine = append(mine, c)
		}
	}
	slices.SortFunc(mine, func(a, b *coin) int { return b.turn - a.turn })
	lots := []int64{}
	for _, c := range mine[:min(n, len(mine))] {
		c.at, c.hold = free, ""
		if !slices.Contains(lots, c.lot) {
			lots = append(lots, c.lot)
		}
	}
	for _, lot := range lots {
		p.pay(lot, at)
	}
}

// takeLetGo takes n free coins, those of some lots first.
func (m *model) takeLetGo(p *purse, lots []int64, n int, at time.Time) {
	for _, lot := range lots {
		for _, c := range p.coins {
			if c.lot == lot && c.at == free && n > 0 {
				c.at = away
				n--
			}
		}
	}
	open := m.open(p, at, true)
	for _, c := range open[:min(n, len(open))] {
		c.at = away
	}
}

func (m *model) takeBack(p *purse, lot int64, n int, at time.Time) {
	own := func(from where) {
		for _, c := range p.coins {
			if c.lot == lot && c.at == from && n > 0 {
				c.at = away
				n--
			}
		}
	}
	own(waiting)
	own(free)
	own(lost)
	for _, c := range m.open(p, at, true) {
		if n > 0 {
			c.at = away
			n--
		}
	}
	if m.clamp {
		n = min(n, p.count(held))
	}
	p.debt += n
}

// take does what a fact that was taken does.
func (m *model) take(t *Taken, past *engine.Past, before func(id string) int) {
	f, d := t.Fact, t.Decision
	p := m.purses[f.Member]
	p.advance(f.OccurredAt)
	at := f.OccurredAt
	redeem := func() {
		for _, r := range d.Redemptions {
			switch {
			case r.Status == engine.StatusReserved:
				m.spend(p, int(r.Price["point"]), at, held, r.ID)
				p.holds[r.ID] = *r.ExpiresAt
			case r.Status == engine.StatusCommitted && (f.Kind == engine.Redeem || r.Purchase == f.ID && before(r.ID) < 0):
				m.spend(p, int(r.Price["point"]), at, spent, r.ID)
			}
		}
	}
	refund := func() {
		for _, r := range d.Redemptions {
			if f.Kind == engine.ReturnK || f.Kind == engine.Refund {
				p.giveBack(r.ID, int(r.Refunded["point"])-max(before(r.ID), 0), at)
			}
		}
	}
	spendsFirst := len(d.Postings) > 0 && d.Postings[0].To == ledger.Redeemed
	if spendsFirst {
		redeem()
	}
	if f.Kind == engine.AdjustmentK && len(d.Postings) > 0 && d.Postings[0].From != ledger.Adjusted || f.Kind == engine.TransferOut {
		var n int
		for _, post := range d.Postings {
			n += int(post.Amount)
		}
		missing := m.spend(p, n, at, away, "")
		p.debt += missing
	}
	if f.Kind == engine.ReturnK { // what paid comes back before what was earned goes
		refund()
	}
	for _, r := range d.Reversals {
		switch {
		case r.Unit != "point" || f.Kind != engine.ReturnK || r.Amount == 0: // what was let go before is taken below, from what came back
		default:
			m.takeBack(p, past.Decision.Awards[r.Award].Lot, int(r.Amount), at)
		}
	}
	m.put(p, f, d, t.Account)
	letGo := func() {
		var back []int64
		var n int
		for _, post := range d.Postings {
			if post.From == ledger.Redeemed && post.To == ledger.Spendable {
				back = append(back, post.Lot)
			}
		}
		for _, r := range d.Reversals {
			if r.Unit == "point" && r.Amount == 0 && r.Forgiven < 0 {
				n -= int(r.Forgiven)
			}
		}
		m.takeLetGo(p, back, n, at)
	}
	if f.Kind == engine.ReturnK {
		letGo()
	}
	switch f.Kind {
	case engine.ActivityK, engine.Release:
		for _, post := range d.Postings {
			for _, c := range p.coins {
				switch {
				case c.lot != post.Lot || c.at != waiting:
				case post.From == ledger.Pending && post.To == ledger.Spendable:
					c.at = free
					if c.confirm { // it lives from now on
						i := slices.IndexFunc(t.Account.Lots, func(l *ledger.Lot) bool { return l.ID == c.lot })
						c.ends, c.confirm = t.Account.Lots[i].ExpiresAt, false
					}
				case post.From == ledger.Pending:
					c.at = away
				}
			}
			p.pay(post.Lot, at)
		}
	case engine.Commit:
		delete(p.holds, f.Parent)
		for _, c := range p.coins {
			if c.hold == f.Parent && c.at == held {
				c.at = spent
			}
		}
	case engine.Cancel:
		p.letGo(f.Parent, at)
	}
	if f.Kind != engine.ReturnK {
		refund()
	}
	if f.Kind == engine.Refund {
		letGo()
	}
	if !spendsFirst {
		redeem()
	}
	p.advance(p.now)
	if t.Other != nil {
		o := m.purses[t.Other.Fact.Member]
		o.advance(at)
		m.put(o, t.Other.Fact, t.Other.Decision, nil)
		o.advance(o.now)
	}
}

// put makes the coins of what a fact put in.
func (m *model) put(p *purse, f engine.Fact, d engine.Decision, acc *engine.Account) {
	var lots []int64
	for _, post := range d.Postings {
		fresh := post.From == ledger.Issued || post.From == ledger.Adjusted || post.From == ledger.Transferred
		if !fresh || post.Unit != "point" {
			continue
		}
		c := coin{lot: post.Lot, from: f.OccurredAt, at: free, fact: f.ID}
		if acc != nil {
			i := slices.IndexFunc(acc.Lots, func(l *ledger.Lot) bool { return l.ID == post.Lot })
			c.ends, c.confirm = acc.Lots[i].ExpiresAt, acc.Lots[i].Confirm != ""
		} else {
			moved := f.Transfer.Lots[min(len(lots), len(f.Transfer.Lots)-1)]
			c.from, c.ends = moved.EarnedAt, moved.ExpiresAt
		}
		if post.To == ledger.Pending {
			c.at = waiting
			switch days := map[engine.Kind]int{engine.PurchaseK: 5, engine.Enrolment: 1}[f.Kind]; {
			case c.confirm:
			case f.Kind == engine.AdjustmentK:
				c.free = f.Adjustment.ReleaseAt
			default:
				at := f.OccurredAt.In(oslo).AddDate(0, 0, days)
				c.free = &at
			}
		}
		lots = append(lots, post.Lot)
		for range post.Amount {
			one := c
			p.coins = append(p.coins, &one)
		}
	}
	for _, lot := range lots {
		p.pay(lot, f.OccurredAt)
	}
}

var oslo = func() *time.Location { z, _ := time.LoadLocation("Europe/Oslo"); return z }()

// The engine's lots and sums come to what counting coins comes to, after every fact and at any later time.
func TestCoinsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Program(t, Options{Plain: true})
		d, h := New(p), NewHistory(p, Options{Plain: true}, "kari", "ola")
		m := &model{purses: map[string]*purse{}, clamp: p.Doc.Returns.IfSpent == "clamp"}
		if p.Doc.Spending.Order == "earliest earned" {
			m.order = p.Doc.Spending.Order
		}
		step := func(f engine.Fact) {
			refunded := map[string]int{}
			for id, r := range d.file(f.Member).redemptions {
				refunded[id] = int(r.Refunded["point"])
			}
			past := d.Find(f.Member, f.Parent)
			r := take(t, d, h, f)
			if r == nil { // refused: only time has passed, for all that it names
				for _, member := range []string{f.Member, otherOf(f)} {
					if p := m.purses[member]; p != nil && d.file(member).state.Seq > 0 {
						p.advance(f.OccurredAt)
					}
				}
				return
			}
			m.take(r, past, func(id string) int {
				if n, known := refunded[id]; known {
					return n
				}
				return -1
			})
			for _, member := range h.Members {
				if m.purses[member] == nil || d.file(member).state.Seq == 0 {
					continue
				}
				for _, ahead := range []time.Duration{0, 45 * 24 * time.Hour} {
					at := h.Clock.Add(ahead)
					acc, _, err := d.View(member, at)
					if err != nil {
						t.Fatal(err)
					}
					c := m.purses[member].clone()
					c.advance(at)
					got := ledger.Holding{}
					if u := acc.State.Units["point"]; u != nil {
						got = *u
					}
					want := fmt.Sprintf("free %d, waiting %d, held %d, owed %d", c.count(free), c.count(waiting), c.count(held), c.debt)
					if has := fmt.Sprintf("free %d, waiting %d, held %d, owed %d", got.Spendable, got.Pending, got.Reserved, got.Debt); has != want {
						t.Fatalf("after %s %s, %s has at %s\nby coins  %s\nby engine %s", f.Kind, r.Fact.ID, member, at, want, has)
					}
				}
			}
		}
		for _, member := range h.Members {
			m.purses[member] = &purse{holds: map[string]time.Time{}}
			step(h.Enrol(t, member))
		}
		for range rapid.IntRange(1, 30).Draw(t, "facts") {
			f, ok := h.Next(t)
			if !ok || f.Kind == engine.MergeOut || f.Kind == engine.Status || f.Transfer != nil && f.Transfer.Other == f.Member {
				continue
			}
			step(f)
		}
	})
}
