package engine

import (
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/program"
)

// A forecast is what time alone will bring: the due facts up to a moment, decided as they will be and not kept.

// The kinds of a Change.
const (
	ChangeEarned   = "earned"   // by the rule
	ChangePending  = "pending"  // earned, and to be spent later
	ChangeReleased = "released" // can be spent from then on
	ChangeExpired  = "expired"
	ChangeFreed    = "freed" // was reserved and not collected
)

// Change is something that time will do to what a member has of a unit.
type Change struct {
	At   time.Time
	Unit string
	Kind string
	Rule string
	// Amount is in minor units; Balance is what the member has after it.
	Amount, Balance int64
}

// Outlook is what a member has of each unit now, and what it will be if nothing happens but time.
type Outlook struct {
	Now, Then map[string]int64
	Changes   []Change
}

// OutlookOf tells what due facts lead to: all those after now, and the account after the last of them.
func OutlookOf(then *State, dues []Past, now time.Time) Outlook {
	o := Outlook{Now: map[string]int64{}, Then: map[string]int64{}}
	for unit, h := range then.Units {
		o.Then[unit] = h.Balance()
	}
	o.Now = maps.Clone(o.Then)
	dues = slices.Clone(dues)
	dues = slices.DeleteFunc(dues, func(p Past) bool { return !p.Fact.OccurredAt.After(now) })
	for i := range dues {
		for _, p := range dues[i].Decision.Postings {
			o.Now[p.Unit] -= onBalance(p)
		}
	}
	have := maps.Clone(o.Now)
	for i := range dues {
		o.add(&dues[i], have)
	}
	return o
}

// onBalance is how much a posting changes what can be spent less what is owed.
func onBalance(p ledger.Posting) int64 {
	var n int64
	for _, side := range []struct {
		account string
		sign    int64
	}{{p.From, -1}, {p.To, 1}} {
		if side.account == ledger.Spendable || side.account == ledger.Debt {
			n += side.sign * p.Amount
		}
	}
	return n
}

func (o *Outlook) add(due *Past, have map[string]int64) {
	first := len(o.Changes)
	for _, p := range due.Decision.Postings {
		have[p.Unit] += onBalance(p)
		c := Change{At: due.Fact.OccurredAt, Unit: p.Unit, Rule: p.Rule, Amount: p.Amount}
		switch {
		case p.From == ledger.Issued && p.To == ledger.Pending:
			c.Kind = ChangePending
		case p.From == ledger.Issued:
			c.Kind = ChangeEarned
		case p.To == ledger.Expired:
			c.Kind, c.Rule = ChangeExpired, ""
		case p.From == ledger.Pending && p.To == ledger.Spendable:
			c.Kind, c.Rule = ChangeReleased, ""
		case p.From == ledger.Reserved && p.To == ledger.Spendable:
			c.Kind, c.Rule = ChangeFreed, ""
		default:
			continue // what pays a debt changes no balance
		}
		same := func(x Change) bool { return x.Unit == c.Unit && x.Kind == c.Kind && x.Rule == c.Rule }
		if i := slices.IndexFunc(o.Changes[first:], same); i >= 0 {
			o.Changes[first+i].Amount += c.Amount
			o.Changes[first+i].Balance = have[p.Unit]
			continue
		}
		c.Balance = have[p.Unit]
		o.Changes = append(o.Changes, c)
	}
}

// Says tells in one statement what a unit will be at a moment.
func (o *Outlook) Says(unit string, until time.Time) Note {
	now, then := o.Now[unit], o.Then[unit]
	args := Args{"amount": Units(unit, now), "gave": Units(unit, then), "until": Time(until)}
	switch {
	case then > now && now > 0:
		return Note{NoteWillGrow, args}
	case then < now:
		return Note{NoteWillShrink, args}
	}
	return Note{NoteWillStay, args}
}

// Target is how far a member is in a period for which a rule gives a part of what is bought.
type Target struct {
	Rule, Unit, Period string
	From, Until        time.Time
	// Bought counts so far, Gives is what it would give; both in minor units.
	Bought, Gives int64
	// NextFrom is where the next step begins and Missing what is missing to it, 0 where there is none; NextPercent counts then.
	NextFrom, Missing int64
	NextPercent       string
	// Settled are the periods that are over, the latest last.
	Settled []Settlement
}

// TargetNeeds says what an account must have loaded for Targets.
func TargetNeeds(p *program.Compiled, at time.Time) Needs {
	if len(p.Rebates) == 0 {
		return Needs{}
	}
	return Needs{Tallies: tallyRanges(p, at, at)}
}

// Targets tells how far a member is in each period that is open, and what came of those that are over. The account must be brought up
// to the moment and loaded as TargetNeeds says.
func Targets(p *program.Compiled, acc *Account, at time.Time) ([]Target, error) {
	w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at}})
	out := make([]Target, 0, len(p.Rebates))
	for _, r := range p.Rebates {
		if r.DryRun || r.From != nil && at.Before(*r.From) || r.Until != nil && at.After(*r.Until) {
			continue
		}
		t := Target{Rule: r.ID, Unit: r.Give.Unit, Period: program.PeriodKey(r.Bought.Calendar, at, p.Zone),
			From: program.StartOf(r.Bought.Calendar, at, p.Zone), Until: program.EndOf(r.Bought.Calendar, at, p.Zone)}
		t.Bought = max(acc.Tallies[tallyName(r.Bought)][t.Period], 0)
		var err error
		if t.Gives, err = w.partOf(r, t.Bought, t.Until, func(Note) {}); err != nil {
			return nil, err
		}
		for _, s := range r.Shares {
			if s.After == nil && s.From > t.Bought {
				t.NextFrom, t.Missing, t.NextPercent = s.From, s.From-t.Bought, s.Percent.String()
				break
			}
		}
		for _, s := range acc.State.Settled {
			if s.Rule == r.ID && s.Period != "" && s.Member == "" && !s.Out {
				t.Settled = append(t.Settled, s)
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// Says tells in one statement how far the member is.
func (t *Target) Says() Note {
	args := Args{"rule": {Rule: t.Rule}, "money": Money(t.Bought), "gave": Units(t.Unit, t.Gives), "until": Time(t.Until)}
	if t.Missing > 0 {
		args["missing"], args["percent"] = Money(t.Missing), Number(t.NextPercent)
	}
	return Note{NoteTarget, args}
}
