package books

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
)

// decoder reads what encoder wrote. It knows JSON as far as that goes; the first fault stays, and after it every read gives
// nothing.
type decoder struct {
	s   string
	at  int
	err error
}

var errStored = errors.New("it is not what was stored")

func (d *decoder) fail() {
	if d.err == nil {
		d.err = fmt.Errorf("%w, at byte %d", errStored, d.at)
	}
	d.at = len(d.s)
}

// space skips what a database may have put between the values.
func (d *decoder) space() {
	for d.at < len(d.s) && (d.s[d.at] == ' ' || d.s[d.at] == '\n' || d.s[d.at] == '\t' || d.s[d.at] == '\r') {
		d.at++
	}
}

func (d *decoder) peek() byte {
	d.space()
	if d.at < len(d.s) {
		return d.s[d.at]
	}
	return 0
}

func (d *decoder) take(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.at++
	return true
}

func (d *decoder) must(c byte) {
	if !d.take(c) {
		d.fail()
	}
}

// more says whether another element of a list or object follows, and steps over the comma before it.
func (d *decoder) more(first *bool, end byte) bool {
	switch {
	case d.err != nil:
		return false
	case d.take(end):
		return false
	case *first:
		*first = false
		return true
	}
	d.must(',')
	return d.err == nil
}

// list calls each for every element. each must read it.
func (d *decoder) list(each func()) {
	d.must('[')
	for first := true; d.more(&first, ']'); {
		each()
	}
}

// tuple reads a list whose elements differ: each gets the place of the element, and must read it.
func (d *decoder) tuple(each func(i int)) {
	i := 0
	d.list(func() {
		each(i)
		i++
	})
}

// object calls each for every name. each must read the value.
func (d *decoder) object(each func(name string)) {
	d.must('{')
	for first := true; d.more(&first, '}'); {
		name := d.text()
		d.must(':')
		if d.err == nil {
			each(name)
		}
	}
}

func (d *decoder) text() string {
	if d.peek() != '"' {
		d.fail()
		return ""
	}
	start := d.at + 1
	for i := start; i < len(d.s); i++ {
		switch d.s[i] {
		case '"':
			d.at = i + 1
			return d.s[start:i]
		case '\\':
			return d.escaped()
		}
	}
	d.fail()
	return ""
}

// escaped reads a text with escapes in it.
func (d *decoder) escaped() string {
	start := d.at
	for i := start + 1; i < len(d.s); i++ {
		switch d.s[i] {
		case '\\':
			i++
		case '"':
			var out string
			if json.Unmarshal([]byte(d.s[start:i+1]), &out) != nil {
				d.fail()
				return ""
			}
			d.at = i + 1
			return out
		}
	}
	d.fail()
	return ""
}

func (d *decoder) int() int64 {
	negative := d.take('-')
	start := d.at
	var n uint64
	for d.at < len(d.s) && d.s[d.at] >= '0' && d.s[d.at] <= '9' {
		if n > (math.MaxInt64+1)/10 {
			d.fail()
			return 0
		}
		n = n*10 + uint64(d.s[d.at]-'0')
		d.at++
	}
	switch {
	case d.at == start, !negative && n > math.MaxInt64, negative && n > math.MaxInt64+1:
		d.fail()
		return 0
	case negative:
		return -int64(n)
	}
	return int64(n)
}

func (d *decoder) bool() bool {
	d.space()
	for word, value := range map[string]bool{"true": true, "false": false} {
		if strings.HasPrefix(d.s[d.at:], word) {
			d.at += len(word)
			return value
		}
	}
	d.fail()
	return false
}

func (d *decoder) time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, d.text())
	if err != nil {
		d.fail()
	}
	return t
}

func (d *decoder) timeAt() *time.Time {
	t := d.time()
	return &t
}

// any leaves a value to encoding/json.
func (d *decoder) any(into any) {
	start := d.at
	d.skip()
	if d.err == nil && json.Unmarshal([]byte(d.s[start:d.at]), into) != nil {
		d.fail()
	}
}

// skip steps over a value.
func (d *decoder) skip() {
	switch d.peek() {
	case '"':
		d.text()
	case '{':
		d.object(func(string) { d.skip() })
	case '[':
		d.list(d.skip)
	default:
		start := d.at
		for d.at < len(d.s) && !strings.ContainsRune(",]} \n\t\r", rune(d.s[d.at])) {
			d.at++
		}
		if d.at == start {
			d.fail()
		}
	}
}

// end gives the fault, also that of something behind the value.
func (d *decoder) end() error {
	if d.space(); d.at < len(d.s) {
		d.fail()
	}
	return d.err
}

func decodeDecision(text string, out *engine.Decision) error {
	if strings.HasPrefix(strings.TrimLeft(text, " {\n"), `"version"`) {
		return readJSON(text, out)
	}
	*out = engine.Decision{}
	d := &decoder{s: text}
	d.object(func(name string) {
		switch name {
		case "v":
			out.Version = d.int()
		case "p":
			d.list(func() { out.Postings = append(out.Postings, d.posting()) })
		case "a":
			d.list(func() { out.Awards = append(out.Awards, d.award()) })
		case "l":
			d.list(func() { out.Lines = append(out.Lines, d.line()) })
		case "c":
			out.Counters = d.counters()
		case "r":
			d.list(func() { out.Reversals = append(out.Reversals, d.reversal()) })
		case "x":
			d.any(&out.Redemptions)
		case "g":
			d.any(&out.Grants)
		case "h":
			d.any(&out.Counts)
		case "b":
			d.any(&out.Broken)
		case "m":
			d.any(&out.Moved)
		case "k":
			d.any(&out.Carried)
		case "w":
			d.list(func() { out.Explanation.Rules = append(out.Explanation.Rules, d.trace()) })
		case "n":
			out.Explanation.Notes = d.notes()
		default:
			d.fail()
		}
	})
	return d.end()
}

func (d *decoder) posting() (p ledger.Posting) {
	d.tuple(func(i int) {
		switch i {
		case 0:
			p.Unit = d.text()
		case 1:
			p.Lot = d.int()
		case 2:
			p.From = d.text()
		case 3:
			p.To = d.text()
		case 4:
			p.Amount = d.int()
		case 5:
			p.Rule = d.text()
		case 6:
			p.Of = d.text()
		default:
			d.fail()
		}
	})
	return p
}

func (d *decoder) award() (a engine.Award) {
	d.tuple(func(i int) {
		switch i {
		case 0:
			a.Rule = d.text()
		case 1:
			a.Unit = d.text()
		case 2:
			a.Lot = d.int()
		case 3:
			a.Amount = d.int()
		case 4:
			d.list(func() { a.Lines = append(a.Lines, d.int()) })
		case 5:
			a.Counters = d.counters()
		default:
			d.fail()
		}
	})
	return a
}

func (d *decoder) line() (l engine.LineSum) {
	d.tuple(func(i int) {
		switch i {
		case 0:
			l.ID = d.text()
		case 1:
			l.Quantity = d.int()
		case 2:
			l.Amount = d.int()
		default:
			d.fail()
		}
	})
	return l
}

func (d *decoder) counters() (out []engine.Counter) {
	d.list(func() {
		var c engine.Counter
		d.tuple(func(i int) {
			switch i {
			case 0:
				c.Name = d.text()
			case 1:
				c.Period = d.text()
			case 2:
				c.Add = d.int()
			default:
				d.fail()
			}
		})
		out = append(out, c)
	})
	return out
}

func (d *decoder) reversal() (r engine.Reversal) {
	d.tuple(func(i int) {
		switch i {
		case 0:
			r.Award = int(d.int())
		case 1:
			r.Rule = d.text()
		case 2:
			r.Unit = d.text()
		case 3:
			r.Amount = d.int()
		case 4:
			r.Owed = d.int()
		case 5:
			r.Forgiven = d.int()
		case 6:
			r.Spent = d.int()
		case 7:
			r.At = d.time()
		default:
			d.fail()
		}
	})
	return r
}

func (d *decoder) trace() (t engine.RuleTrace) {
	d.tuple(func(i int) {
		switch i {
		case 0:
			t.Rule = d.text()
		case 1:
			flags := d.int()
			t.Fired, t.DryRun = flags&flagFired != 0, flags&flagDryRun != 0
		case 2:
			t.Why = d.note()
		case 3:
			t.Steps = d.notes()
		case 4:
			t.Unit = d.text()
		case 5:
			t.Amount = d.int()
		default:
			d.fail()
		}
	})
	return t
}

func (d *decoder) notes() (out []engine.Note) {
	d.list(func() { out = append(out, d.note()) })
	return out
}

func (d *decoder) note() (n engine.Note) {
	if d.peek() == '"' {
		n.Code = d.text()
		return n
	}
	d.tuple(func(i int) {
		switch i {
		case 0:
			n.Code = d.text()
		case 1:
			n.Args = engine.Args{}
			d.object(func(name string) { n.Args[name] = d.value() })
		default:
			d.fail()
		}
	})
	return n
}

func (d *decoder) value() (v engine.Value) {
	switch d.peek() {
	case '{':
	case '[':
		d.tuple(func(i int) {
			switch i {
			case 0:
				v.Unit = d.text()
			case 1:
				v.Amount = d.int()
			default:
				d.fail()
			}
		})
		return v
	default:
		n := d.int()
		v.Money = &n
		return v
	}
	d.object(func(name string) {
		switch name {
		case keyMoney:
			n := d.int()
			v.Money = &n
		case keyUnit:
			v.Unit = d.text()
		case keyAmount:
			v.Amount = d.int()
		case keyNumber:
			v.Number = d.text()
		case keyTime:
			v.Time = d.timeAt()
		case keyDay:
			v.Day = d.text()
		case keyRule:
			v.Rule = d.text()
		case keyReward:
			v.Reward = d.text()
		case keyTier:
			v.Tier = d.text()
		case keySet:
			v.Set = d.text()
		case keyWord:
			v.Word = d.text()
		case keyText:
			v.Text = d.text()
		case keyList:
			v.List = d.texts()
		case keyWords:
			v.Words = d.texts()
		case keyTiers:
			v.Tiers = d.texts()
		case keyBenefit:
			v.Benefit = d.text()
		case keyPlans:
			v.Plans = d.texts()
		case keyPercent:
			v.Percent = d.text()
		default:
			d.fail()
		}
	})
	return v
}

func (d *decoder) texts() (out []string) {
	d.list(func() { out = append(out, d.text()) })
	return out
}

// decodeEvents reads what a fact told.
func decodeEvents(text string) ([]engine.Event, error) {
	var out []engine.Event
	d := &decoder{s: text}
	d.list(func() {
		var e engine.Event
		d.tuple(func(i int) {
			switch i {
			case 0:
				e.Type = d.text()
			case 1:
				e.Data = map[string]string{}
				d.object(func(name string) { e.Data[name] = d.text() })
			default:
				d.fail()
			}
		})
		out = append(out, e)
	})
	return out, d.end()
}

// decodeState reads the state of an account.
func decodeState(text string, s *engine.State) error {
	*s = engine.State{}
	d := &decoder{s: text}
	d.object(func(name string) {
		switch name {
		case "seq":
			s.Seq = d.int()
		case "at":
			s.At = d.time()
		case "status":
			s.Status = d.text()
		case "kind":
			s.Kind = d.text()
		case "card":
			d.any(&s.Card)
		case "merged_into":
			s.MergedInto = d.text()
		case "joined_at":
			s.JoinedAt = d.time()
		case "zone":
			s.Zone = d.text()
		case "language":
			s.Language = d.text()
		case "units":
			s.Units = map[string]*ledger.Holding{}
			d.object(func(unit string) { s.Units[unit] = d.holding() })
		case "tiers":
			s.Tiers = map[string]*engine.TierState{}
			d.object(func(set string) { s.Tiers[set] = d.tier() })
		case "plans":
			d.any(&s.Plans)
		case "fades":
			d.any(&s.Fades)
		case "purchases":
			s.Purchases = d.int()
		case "first_purchase_at":
			s.FirstPurchaseAt = d.timeAt()
		case "last_purchase_at":
			s.LastPurchaseAt = d.timeAt()
		case "house":
			d.any(&s.House)
		case "lots":
			s.Lots = d.int()
		case "attributes":
			d.any(&s.Attributes)
		case "holds":
			d.any(&s.Holds)
		case "grants":
			d.any(&s.Grants)
		case "granted":
			s.Granted = d.int()
		case "referral":
			d.any(&s.Referral)
		case "waiting_thanks":
			d.any(&s.Thanks)
		case "passed":
			d.any(&s.Passed)
		case "taken":
			s.Taken = d.texts()
		case "was":
			s.Was = d.texts()
		case "challenges":
			d.any(&s.Challenges)
		case "tallied":
			s.Tallied = d.texts()
		case "birthday":
			s.Birthday = d.text()
		case "moments":
			s.Moments = map[string]time.Time{}
			d.object(func(kind string) { s.Moments[kind] = d.time() })
		case "settled":
			d.any(&s.Settled)
		case "let_go":
			d.any(&s.LetGo)
		case "joined":
			d.any(&s.Joined)
		case "lot_due":
			s.LotDue = d.timeAt()
		case "due_at":
			s.DueAt = d.timeAt()
		default:
			d.fail()
		}
	})
	return d.end()
}

func (d *decoder) holding() *ledger.Holding {
	h := &ledger.Holding{}
	d.object(func(name string) {
		switch name {
		case "spendable":
			h.Spendable = d.int()
		case "pending":
			h.Pending = d.int()
		case "reserved":
			h.Reserved = d.int()
		case "debt":
			h.Debt = d.int()
		case "earned":
			h.Earned = d.int()
		case "reversed":
			h.Reversed = d.int()
		case "spent":
			h.Spent = d.int()
		case "expired":
			h.Expired = d.int()
		case "adjusted":
			h.Adjusted = d.int()
		case "transferred":
			h.Transferred = d.int()
		case "closed":
			h.Closed = d.int()
		case "partners":
			h.Partners = d.int()
		case "active_at":
			h.ActiveAt = d.timeAt()
		case "inactive_warned":
			h.InactiveWarned = d.bool()
		case "inactive_ends":
			h.InactiveEnds = d.timeAt()
		default:
			d.fail()
		}
	})
	return h
}

func (d *decoder) tier() *engine.TierState {
	t := &engine.TierState{}
	d.object(func(name string) {
		switch name {
		case "tier":
			t.Tier = d.text()
		case "since":
			t.Since = d.time()
		case "falls_at":
			t.FallsAt = d.timeAt()
		case "hold_until":
			t.HoldUntil = d.timeAt()
		case "warned":
			t.Warned = d.bool()
		case "floor":
			t.Floor = d.text()
		case "floor_until":
			t.FloorUntil = d.timeAt()
		case "next_at":
			t.NextAt = d.timeAt()
		case "value":
			t.Value = d.int()
		case "history":
			d.list(func() {
				var c engine.TierChange
				d.object(func(name string) {
					switch name {
					case "at":
						c.At = d.time()
					case "tier":
						c.Tier = d.text()
					default:
						d.fail()
					}
				})
				t.History = append(t.History, c)
			})
		default:
			d.fail()
		}
	})
	return t
}
