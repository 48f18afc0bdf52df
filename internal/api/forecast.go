package api

import (
	"context"
	"slices"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/explain"
)

// Forecast is what a member will have if nothing happens but time.
type Forecast struct {
	Member string `json:"member"`
	// From is now, Until the moment that is looked at.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	// Units are the balances now and then, by unit, each with a sentence.
	Units map[string]ForecastUnit `json:"units"`
	// Changes are what time will bring until then, in order.
	Changes []ForecastChange `json:"changes"`
}

// ForecastUnit is a balance now and then.
type ForecastUnit struct {
	Now  Amount `json:"now"`
	Then Amount `json:"then"`
	// Sentence says it in words.
	Sentence string `json:"sentence"`
}

// ForecastChange is something that time will bring.
type ForecastChange struct {
	At   time.Time `json:"at"`
	Unit string    `json:"unit"`
	// Kind is earned, pending (earned, to be spent later), released, expired, or freed (reserved and not collected).
	Kind   string `json:"kind"`
	Amount Amount `json:"amount"`
	// Balance is what the member has of the unit after it.
	Balance Amount `json:"balance"`
	// Rule is the earning rule it comes of, Title what members call it.
	Rule  string `json:"rule,omitempty"`
	Title string `json:"title,omitempty"`
}

type forecastIn struct {
	Call
	MemberPath
	// Until is how far to look: a year when left out, five at most.
	Until *time.Time `query:"until"`
	Shown
}

func (s *Server) getForecast(ctx context.Context, in *forecastIn) (*Forecast, error) {
	until := in.now.AddDate(1, 0, 0)
	if in.Until != nil {
		until = *in.Until
	}
	o, acc, p, err := s.Recorder.Forecast(ctx, in.program(), in.Member, in.now, until)
	if err != nil {
		return nil, err
	}
	v := in.view(p)
	out := &Forecast{Member: acc.Member, From: v.time(in.now), Until: v.time(until), Units: map[string]ForecastUnit{}, Changes: []ForecastChange{}}
	for unit := range o.Then {
		out.Units[unit] = ForecastUnit{Now: v.unit(unit, o.Now[unit]), Then: v.unit(unit, o.Then[unit]),
			Sentence: explain.Statement(o.Says(unit, until), p, v.lang, v.forMember)}
	}
	for _, c := range o.Changes {
		ch := ForecastChange{At: v.time(c.At), Unit: c.Unit, Kind: c.Kind, Amount: v.unit(c.Unit, c.Amount), Balance: v.unit(c.Unit, c.Balance), Rule: c.Rule}
		if r := p.ByID[c.Rule]; r != nil {
			ch.Title = r.Title.In(v.lang)
		}
		out.Changes = append(out.Changes, ch)
	}
	return out, nil
}

// Targets are the periods for which rules give a part of what is bought.
type Targets struct {
	Member  string   `json:"member"`
	Targets []Target `json:"targets"`
}

// Target is how far a member is in a period.
type Target struct {
	// Rule is the earning rule, Title what members call it.
	Rule  string `json:"rule"`
	Title string `json:"title,omitempty"`
	Unit  string `json:"unit"`
	// Period is the open one, From its first moment and Until the moment after its end.
	Period string    `json:"period"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	// Bought is the money that counts so far, Gives what it would give.
	Bought Amount `json:"bought"`
	Gives  Amount `json:"gives"`
	// Next is the next step.
	Next *TargetStep `json:"next,omitempty"`
	// Sentence says it in words.
	Sentence string `json:"sentence"`
	// Settled are the periods that are over, as they stand after what came back or late, the latest first.
	Settled []SettledPeriod `json:"settled"`
}

// TargetStep is a step that is not reached yet.
type TargetStep struct {
	// From is the money from which Percent counts, Missing what is still to be bought.
	From    Amount `json:"from"`
	Missing Amount `json:"missing"`
	Percent string `json:"percent"`
}

// SettledPeriod is a period that is over.
type SettledPeriod struct {
	Period string `json:"period"`
	// At is when it was settled, Version the program version whose terms hold for it.
	At      time.Time `json:"at"`
	Version int64     `json:"version"`
	Bought  Amount    `json:"bought"`
	Given   Amount    `json:"given"`
}

type targetsIn struct {
	Call
	MemberPath
	Shown
}

func (s *Server) getTargets(ctx context.Context, in *targetsIn) (*Targets, error) {
	targets, acc, p, err := s.Recorder.Targets(ctx, in.program(), in.Member, in.now)
	if err != nil {
		return nil, err
	}
	v := in.view(p)
	out := &Targets{Member: acc.Member, Targets: []Target{}}
	for i := range targets {
		out.Targets = append(out.Targets, v.target(&targets[i]))
	}
	return out, nil
}

func (v view) target(t *engine.Target) Target {
	out := Target{Rule: t.Rule, Title: v.p.ByID[t.Rule].Title.In(v.lang), Unit: t.Unit, Period: t.Period, From: v.time(t.From), Until: v.time(t.Until),
		Bought: v.money(t.Bought), Gives: v.unit(t.Unit, t.Gives), Sentence: explain.Statement(t.Says(), v.p, v.lang, v.forMember), Settled: []SettledPeriod{}}
	if t.Missing > 0 {
		out.Next = &TargetStep{From: v.money(t.NextFrom), Missing: v.money(t.Missing), Percent: t.NextPercent}
	}
	for _, s := range slices.Backward(t.Settled) {
		out.Settled = append(out.Settled, SettledPeriod{Period: s.Period, At: v.time(s.At), Version: s.Version, Bought: v.money(s.Bought), Given: v.unit(s.Unit, s.Paid)})
	}
	return out
}
