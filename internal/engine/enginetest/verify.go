package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/program"
)

// Verify proves the books: every member's lots, holdings and counters follow from the postings and facts, nothing is
// negative but debt, no more is taken back than was given, and what members moved between them sums to zero.
func (d *Desk) Verify() error {
	var wrong []error
	moved := map[string]int64{}
	if err := d.verifyReversals(); err != nil {
		wrong = append(wrong, err)
	}
	for _, id := range d.Members() {
		if err := warned(d.members[id].past); err != nil {
			wrong = append(wrong, fmt.Errorf("member %s: %w", id, err))
		}
		if err := d.verify(id, moved); err != nil {
			wrong = append(wrong, fmt.Errorf("member %s: %w", id, err))
		}
	}
	home := map[string]int64{}
	for i := range d.log {
		engine.OnTheWay(&d.log[i].Fact, &d.log[i].Decision, func(unit string, n int64) { home[unit] += n })
	}
	for unit, n := range home {
		if n < 0 {
			wrong = append(wrong, fmt.Errorf("%d more of %s came home than went", -n, unit))
		}
		moved[unit] -= n
	}
	for unit, n := range moved {
		if n != 0 {
			wrong = append(wrong, fmt.Errorf("%d of %s are lost between members", n, unit))
		}
	}
	return errors.Join(wrong...)
}

// warned proves of a drawn program that a fading benefit took no step sooner than FadeWarning after the member was told of it, and
// that each step was told of once. A merged member's warnings are in other books.
func warned(past []engine.Past) error {
	told := map[string]time.Time{}
	var last time.Time // the purchase that is counted from
	for _, p := range past {
		switch p.Fact.Kind {
		case engine.MergeIn:
			return nil
		case engine.Enrolment: // a purchase at that very moment changes nothing
			last = p.Fact.OccurredAt
		case engine.PurchaseK:
			var cost int64
			for _, l := range p.Decision.Lines {
				cost += l.Amount
			}
			if cost > 0 && p.Fact.OccurredAt.After(last) {
				last = p.Fact.OccurredAt
				clear(told) // what was told of is off
			}
		case engine.ReturnK: // may bring back what was so before
			if slices.ContainsFunc(p.Decision.Events, func(e engine.Event) bool { return e.Type == engine.EvPurchase || e.Type == engine.EvReturn }) {
				return nil
			}
		}
		for _, e := range p.Decision.Events {
			if e.Data["benefit"] != "fading" || p.Fact.Kind != engine.Due {
				continue
			}
			at, was := told[e.Data["benefit"]]
			switch e.Type {
			case engine.EvBenefitFading:
				if was {
					return fmt.Errorf("%s: warned twice of one step, first at %s", p.Fact.ID, at)
				}
				at = p.Fact.OccurredAt
				if p.Fact.RecordedAt.After(at) {
					at = p.Fact.RecordedAt
				}
				told[e.Data["benefit"]] = at
			case engine.EvBenefitFaded:
				if !was || p.Fact.OccurredAt.Before(at.Add(FadeWarning-time.Hour)) { // an hour for the change of clocks
					return fmt.Errorf("%s: a step at %s, told of at %s", p.Fact.ID, p.Fact.OccurredAt, at)
				}
				delete(told, e.Data["benefit"])
			}
		}
	}
	return nil
}

type place struct {
	unit    string
	lot     int64
	account string
}

func (d *Desk) verify(member string, moved map[string]int64) error {
	f := d.members[member]
	at := map[place]int64{}
	for _, p := range f.past {
		if err := within(p.Decision.Postings, at); err != nil {
			return fmt.Errorf("%s %s: %w", p.Fact.Kind, p.Fact.ID, err)
		}
	}
	sums := map[string]*ledger.Holding{}
	for k, n := range at {
		h := sums[k.unit]
		if h == nil {
			h = &ledger.Holding{}
			sums[k.unit] = h
		}
		count(h, k.account, n)
		moved[k.unit] += map[bool]int64{true: n}[k.account == ledger.Transferred]
		if l := f.lots[k.lot]; ledger.MemberAccount(k.account) && k.account != ledger.Debt && (l == nil || l.Unit != k.unit) {
			return fmt.Errorf("there is no lot %d of %s", k.lot, k.unit)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.lots)) {
		l := f.lots[id]
		of := func(account string) int64 { return at[place{l.Unit, id, account}] }
		if l.Spendable != of(ledger.Spendable) || l.Pending != of(ledger.Pending) || l.Reserved != of(ledger.Reserved) {
			return fmt.Errorf("lot %d holds %d+%d+%d, its postings come to %d+%d+%d", id, l.Spendable, l.Pending, l.Reserved,
				of(ledger.Spendable), of(ledger.Pending), of(ledger.Reserved))
		}
		if l.Left() > l.Amount {
			return fmt.Errorf("lot %d of %d has %d left", id, l.Amount, l.Left())
		}
	}
	for unit, h := range f.state.Units {
		want := sums[unit]
		if want == nil {
			want = &ledger.Holding{}
		}
		got := *h
		got.ActiveAt, got.InactiveWarned, got.InactiveEnds = nil, false, nil
		if got != *want {
			return fmt.Errorf("the holding of %s is %+v, its postings come to %+v", unit, got, *want)
		}
	}
	if wrong := engine.CheckReserved(&f.state); wrong != "" {
		return errors.New(wrong)
	}
	if wrong := engine.CheckGrants(&f.state, f.past); wrong != "" {
		return errors.New(wrong)
	}
	if wrong := engine.CheckChallenges(&f.state, f.past, f.tallies); wrong != "" {
		return errors.New(wrong)
	}
	if err := d.verifyTarget(f); err != nil {
		return err
	}
	return d.verifyTallies(f)
}

// verifyTarget proves of a challenge whose prizes can always be broken that all that was counted is either in the counter or was
// paid for prizes.
func (d *Desk) verifyTarget(f *file) error {
	h := d.At(f.state.At).Challenges["target"]
	if h == nil || f.state.Status == engine.Merged {
		return nil
	}
	for period, total := range f.tallies[engine.TotalTally(h)] {
		open, won := f.tallies[h.Tally][period], f.tallies[engine.WonTally(h)][period]
		if open+won*h.Goal != total {
			return fmt.Errorf("challenge %s counted %d in %s: %d are open, and %d prizes cost %d each", h.ID, total, period, open, won, h.Goal)
		}
		if open >= h.Goal {
			return fmt.Errorf("challenge %s has %d open in %s, and nobody gave the prize", h.ID, open, period)
		}
	}
	return nil
}

// within applies postings one by one and tells which one takes what is not there.
func within(postings []ledger.Posting, at map[place]int64) error {
	for _, p := range postings {
		if p.Amount <= 0 {
			return fmt.Errorf("a posting of %d %s", p.Amount, p.Unit)
		}
		from := place{p.Unit, p.Lot, p.From}
		if p.From == ledger.Debt || p.To == ledger.Debt {
			// Debt has no lot.
			at[place{p.Unit, 0, ledger.Debt}] += map[bool]int64{true: -p.Amount, false: p.Amount}[p.From == ledger.Debt]
		}
		if p.From != ledger.Debt {
			at[from] -= p.Amount
		}
		if p.To != ledger.Debt {
			at[place{p.Unit, p.Lot, p.To}] += p.Amount
		}
		if ledger.MemberAccount(p.From) && p.From != ledger.Debt && at[from] < 0 {
			return fmt.Errorf("%s of lot %d goes to %d", p.From, p.Lot, at[from])
		}
		if n := at[place{p.Unit, 0, ledger.Debt}]; n > 0 {
			return fmt.Errorf("more debt of %s is paid than there is: %d", p.Unit, n)
		}
	}
	return nil
}

// count adds what moved to an account to the holding, the other way round for what leaves the program.
func count(h *ledger.Holding, account string, n int64) {
	switch account {
	case ledger.Spendable:
		h.Spendable += n
	case ledger.Pending:
		h.Pending += n
	case ledger.Reserved:
		h.Reserved += n
	case ledger.Debt:
		h.Debt -= n
	case ledger.Issued:
		h.Earned -= n
	case ledger.Reversed:
		h.Reversed += n
	case ledger.Redeemed:
		h.Spent += n
	case ledger.Expired:
		h.Expired += n
	case ledger.Adjusted:
		h.Adjusted -= n
	case ledger.Transferred:
		h.Transferred -= n
	case ledger.Closed:
		h.Closed += n
	default:
		h.Partners -= n
	}
}

// verifyReversals sees that no more of an award is taken back than was given, whoever's books it stands in.
func (d *Desk) verifyReversals() error {
	awards := map[string][]engine.Award{}
	back := map[string]map[int]int64{}
	for _, p := range d.log {
		awards[p.Fact.ID] = p.Decision.Awards
		for _, r := range p.Decision.Reversals {
			if r.Award == engine.NoAward {
				continue // of a period, not of the purchase
			}
			if back[p.Fact.Parent] == nil {
				back[p.Fact.Parent] = map[int]int64{}
			}
			back[p.Fact.Parent][r.Award] += r.Amount
		}
		for _, a := range p.Decision.Awards {
			var sum int64
			for _, n := range a.Lines {
				sum += n
			}
			if len(a.Lines) > 0 && sum != a.Amount {
				return fmt.Errorf("the lines of %s in %s come to %d, not to %d", a.Rule, p.Fact.ID, sum, a.Amount)
			}
		}
	}
	for fact, byAward := range back {
		for i, n := range byAward {
			if i >= len(awards[fact]) || n > awards[fact][i].Amount {
				return fmt.Errorf("%d of award %d of %s was taken back", n, i, fact)
			}
		}
	}
	return nil
}

// verifyTallies counts every tier metric anew by the newest version.
func (d *Desk) verifyTallies(f *file) error {
	p := d.At(f.state.At)
	for _, name := range f.state.Tallied {
		if !slices.Contains(engine.TallyNames(p), name) {
			continue
		}
		want := engine.Rebuild(p, name, f.past)
		got := maps.Clone(f.tallies[name])
		for _, m := range []map[string]int64{want, got} {
			maps.DeleteFunc(m, func(_ string, n int64) bool { return n == 0 })
		}
		if !maps.Equal(want, got) {
			return fmt.Errorf("%s counts %v, its facts come to %v", name, got, want)
		}
	}
	return nil
}

// decidedBy is the version that decided a fact: one that was published later may be in force at its time now.
func (d *Desk) decidedBy(p engine.Past) *program.Compiled {
	now := d.At(p.Fact.OccurredAt)
	for _, v := range d.versions {
		if v.p.Version == p.Decision.Version && now.Version != p.Decision.Version {
			return v.p
		}
	}
	return now
}

// Replay decides every fact again, in the order in which they were decided, from empty books, and compares.
func (d *Desk) Replay() error {
	again := &Desk{versions: d.versions, members: map[string]*file{}, counters: map[string]map[string]int64{}}
	for name := range d.counted {
		again.counters[name] = maps.Clone(d.counters[name])
	}
	for _, p := range d.log {
		dec, err := again.decideBy(again.decidedBy(p), p.Fact)
		if err != nil {
			return fmt.Errorf("replay %s %s: %w", p.Fact.Kind, p.Fact.ID, err)
		}
		if !reflect.DeepEqual(dec, p.Decision) {
			return fmt.Errorf("replay %s %s: decided otherwise\nfirst %+v\nagain %+v", p.Fact.Kind, p.Fact.ID, p.Decision, dec)
		}
	}
	for _, m := range d.Members() {
		if a, b := d.account(m), again.account(m); !reflect.DeepEqual(a, b) {
			return fmt.Errorf("replay: member %s ends otherwise\nfirst %+v\nagain %+v", m, a, b)
		}
	}
	return nil
}
