// Package demo fills a database with a sample program, its members and two years of what they did.
//
// It owns the imagined shop: people with habits, goods with seasons, till receipts; the coffee bar's menu is written out, any other
// blueprint sells what its rules speak of. Everything goes the road that a
// till's requests go, so that the books of the demo are books like any others. What always holds: the same seed and the
// same end give the same people and the same purchases; a database that holds anything is never filled.
package demo

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/version"
)

// Blueprint is the sample program when none is named, coffee the id of its program.
const (
	Blueprint = "coffee-stars"
	coffee    = "kaffebaren"
)

// Filled is the action in the audit log that says a database was filled to the end.
const Filled = "demo.filled"

// actor is who recorded what the demo holds.
const actor = "demo"

// Input says where to and how much; zero values are the demo's.
type Input struct {
	DB       *db.DB
	Recorder *record.Recorder
	// Now is the end of the history.
	Now time.Time
	// Blueprint is the sample program, the constant of that name when empty.
	Blueprint string
	// Seed makes the people, 1 when 0. Members is how many there are, 500 when 0; Weeks how far back it goes, 104 when 0.
	Seed    uint64
	Members int
	Weeks   int
	// Progress, when set, is told how many weeks of how many are done.
	Progress func(done, of int)
}

// Summary counts what was made.
type Summary struct {
	Program     string
	Members     int
	Purchases   int
	Returns     int
	Activities  int
	Redemptions int
	Facts       int
	// Example is a member who comes often, Receipt one of their latest purchases as SOURCE/NUMBER.
	Example, Receipt string
}

// filler is a demo being made.
type filler struct {
	in      Input
	world   *world
	program string
	p       *program.Compiled
	out     Summary
}

// Fill makes the program and its history. The database must be migrated and empty.
func Fill(ctx context.Context, in Input) (Summary, error) {
	if in.Seed == 0 {
		in.Seed = 1
	}
	if in.Members == 0 {
		in.Members = 500
	}
	if in.Weeks == 0 {
		in.Weeks = 104
	}
	if in.Blueprint == "" {
		in.Blueprint = Blueprint
	}
	text, err := program.Blueprint(in.Blueprint)
	if err != nil {
		return Summary{}, errs.NotFound("no_blueprint", "There is no such blueprint.").Because(err)
	}
	doc, err := program.Parse(text, in.Blueprint)
	if err != nil {
		return Summary{}, err
	}
	p, err := program.Compile(doc, 0)
	if err != nil {
		return Summary{}, err
	}
	zone := p.Zone
	now := in.Now.In(zone)
	y, m, d := now.Date()
	monday := time.Date(y, m, d-(int(now.Weekday())+6)%7-7*in.Weeks, 0, 0, 0, 0, zone)
	f := &filler{in: in, program: doc.Program, p: p, world: newWorld(in.Seed, tradeOf(p), zone, monday, now, in.Members)}
	if err := f.publish(ctx, doc, monday); err != nil {
		return Summary{}, err
	}
	for week := 0; week <= in.Weeks; week++ {
		if in.Progress != nil {
			in.Progress(week, in.Weeks+1)
		}
		if err := f.week(ctx, monday.AddDate(0, 0, 7*week)); err != nil {
			return f.out, err
		}
	}
	if _, err := sweep.Run(ctx, in.DB, in.Recorder, in.Now); err != nil {
		return f.out, err
	}
	f.out.Program, f.out.Members = doc.Program, in.Members
	f.out.Example = f.world.people[0].ref
	return f.out, in.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := audit.Append(ctx, tx, audit.Entry{Program: f.program, At: in.Now, Actor: actor, Action: Filled, Target: in.Blueprint})
		return err
	})
}

// publish puts the program in force on the day before the first purchase.
func (f *filler) publish(ctx context.Context, doc *program.Document, monday time.Time) error {
	return f.in.DB.Write(ctx, func(tx *db.Tx) error {
		all, err := version.Programs(ctx, tx)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return errs.Conflict("not_empty", "The database holds a program already, and a demo is made in an empty one.")
		}
		_, err = version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: doc, By: actor, Now: monday.Add(-24 * time.Hour)})
		return err
	})
}

// act is a request with whom it is about.
type act struct {
	req    record.Request
	person *person
}

// week lets a week pass.
func (f *filler) week(ctx context.Context, monday time.Time) error {
	w := f.world
	sunday := monday.AddDate(0, 0, 7)
	var enrolments, acts []act
	add := func(list *[]act, p *person, fact engine.Fact) {
		if fact.OccurredAt.After(f.in.Now) || fact.OccurredAt.Before(p.joins) {
			return
		}
		*list = append(*list, act{f.request(p, fact), p})
	}
	for _, p := range w.people {
		if !p.joins.Before(monday) && p.joins.Before(sunday) {
			add(&enrolments, p, engine.Fact{Kind: engine.Enrolment, OccurredAt: p.joins,
				Enrolment: &engine.EnrolmentBody{Store: w.stores[p.store], Channel: w.channels[0], Invited: f.friend(p)}})
		}
		if p.joins.Before(sunday) && p.leaves.After(monday) {
			f.live(p, monday, func(fact engine.Fact) { add(&acts, p, fact) })
		}
	}
	f.returns(monday, func(p *person, fact engine.Fact) { add(&acts, p, fact) })
	byTime := func(a, b act) int { return a.req.Fact.OccurredAt.Compare(b.req.Fact.OccurredAt) }
	slices.SortStableFunc(enrolments, byTime)
	slices.SortStableFunc(acts, byTime)
	if err := f.record(ctx, enrolments); err != nil {
		return err
	}
	if err := f.record(ctx, acts); err != nil || !w.referral && f.p.Recognition == nil {
		return err
	}
	if sunday.After(f.in.Now) {
		sunday = f.in.Now
	}
	return errand.CatchUp(ctx, f.in.DB, f.in.Recorder, f.program, sunday)
}

// friend is who brings somebody: now and then a member who was there before the week began.
func (f *filler) friend(p *person) *engine.Invitation {
	w := f.world
	if !w.referral || w.rnd.Float64() > 0.3 {
		return nil
	}
	if by := w.people[w.rnd.IntN(len(w.people))]; by.id != "" && by != p {
		return &engine.Invitation{By: by.id}
	}
	return nil
}

// takePart has a newcomer join the challenges that one joins, and most be seen in the lists.
func (f *filler) takePart(p *person, add func(engine.Fact)) {
	for i := range f.p.Doc.Challenges {
		c := &f.p.Doc.Challenges[i]
		b := engine.ChallengeBody{Challenge: c.ID, Join: c.Join}
		if c.Leaderboard && f.world.rnd.Float64() < 0.7 {
			b.Show = &p.new.GivenName
		}
		if b.Join || b.Show != nil {
			add(engine.Fact{Kind: engine.ChallengeK, OccurredAt: p.joins.Add(30 * time.Minute), Challenge: &b})
		}
	}
}

// thank thanks somebody who was there before the week began.
func (f *filler) thank(p *person, at time.Time, add func(engine.Fact)) {
	r, w := f.p.Recognition, f.world
	if r == nil {
		return
	}
	to := w.people[w.rnd.IntN(1+len(w.people)/4)] // some are thanked more than others
	unit := f.p.Doc.Recognition.Gives
	amount := min(int64(10+5*w.rnd.IntN(6))*money.Pow10(f.p.Units[unit].Precision), p.balance[unit])
	if to.id == "" || to == p || amount <= 0 {
		return
	}
	b := &engine.RecognitionBody{Do: engine.RecognitionGive, To: to.id, Amount: new(money.FromMinor(amount, f.p.Units[unit].Precision)), Message: "Tusen takk!"}
	if values := f.p.Doc.Recognition.Values; len(values) > 0 {
		b.Value = values[w.rnd.IntN(len(values))].ID
	}
	add(engine.Fact{Kind: engine.RecognitionK, OccurredAt: at, Recognition: b})
}

// plan makes up what becomes of somebody's paid membership in a week: many take one once, most of them pay on.
func (f *filler) plan(p *person, monday time.Time, add func(engine.Fact)) {
	w := f.world
	told := func(what, plan string, at time.Time) {
		add(engine.Fact{Kind: engine.PlanK, OccurredAt: at, Plan: &engine.PlanBody{Plan: plan, What: what}})
	}
	switch {
	case p.plan != "" && p.until.Before(monday.AddDate(0, 0, 7)) && !p.until.Before(monday):
		if w.rnd.Float64() < 0.06 {
			told(engine.PlanCancelled, p.plan, p.until.Add(-time.Hour))
			p.plan = ""
		} else {
			told(engine.PlanPaid, p.plan, p.until.Add(-time.Minute))
		}
	case !p.planned:
		p.planned = true
		if w.rnd.Float64() < 0.6 || p.number == 0 {
			p.plan = w.plans[w.rnd.IntN(len(w.plans))].ID
			told(engine.PlanStarted, p.plan, p.joins.Add(time.Hour))
		}
	}
}

// request makes a request that was recorded shortly after it happened, as by a till.
func (f *filler) request(p *person, fact engine.Fact) record.Request {
	now := fact.OccurredAt.Add(time.Duration(1+f.world.rnd.IntN(4000)) * time.Millisecond)
	if now.After(f.in.Now) {
		now = f.in.Now
	}
	req := record.Request{Program: f.program, Member: p.ref, Fact: fact, Now: now, Actor: actor}
	switch fact.Kind {
	case engine.Enrolment:
		req.Member, req.Enrol = "", &p.new
	case engine.ReturnK:
		req.Member = ""
	}
	return req
}

// live makes up what somebody does in a week.
func (f *filler) live(p *person, monday time.Time, add func(engine.Fact)) {
	w := f.world
	if !p.begun {
		p.begun = true
		f.takePart(p, add)
	}
	if len(w.plans) > 0 {
		f.plan(p, monday, add)
	}
	if w.rnd.Float64() < 0.6 {
		f.thank(p, w.visit(p, monday), add)
	}
	n := w.drawn(p.perWeek * w.trade.visits * season(monday))
	days := map[int]bool{}
	for range n {
		at := w.visit(p, monday)
		if at.After(p.leaves) {
			continue
		}
		add(w.purchase(p, at))
		if w.daily != "" && p.ownCup > 0 && !days[at.YearDay()] && w.rnd.Float64() < p.ownCup {
			days[at.YearDay()] = true
			add(engine.Fact{Kind: engine.ActivityK, OccurredAt: at.Add(5 * time.Second), Activity: &engine.Activity{Kind: w.daily, Store: w.stores[p.store]}})
		}
		for _, h := range w.habits {
			if w.rnd.Float64() < h.often {
				add(engine.Fact{Kind: engine.ActivityK, OccurredAt: at.Add(3 * time.Hour), Activity: &engine.Activity{Kind: h.kind, Properties: h.of(w.rnd)}})
			}
		}
	}
	if n > 0 && w.rnd.Float64() < p.spends {
		if reward := f.wish(p); reward != "" {
			add(engine.Fact{Kind: engine.Redeem, OccurredAt: w.visit(p, monday).Add(20 * time.Second), Redemption: &engine.Redemption{
				Spend: engine.Spend{Reward: reward, Quantity: 1}, Store: w.stores[p.store], Channel: w.channels[0]}})
		}
	}
	if w.rnd.Float64() < 0.0004 {
		sorry := money.New(25, 0)
		add(engine.Fact{Kind: engine.AdjustmentK, OccurredAt: w.visit(p, monday), Adjustment: &engine.Adjustment{Unit: f.p.UnitIDs[0], Amount: &sorry, Reason: "Waited too long"}})
	}
}

// wish is what somebody would like for what they had at the end of last week: mostly something they can have, now and then
// something better that they saved for, and never twice what one has only one of. What is theirs at no price they take first.
func (f *filler) wish(p *person) string {
	if len(p.given) > 0 {
		reward := p.given[0]
		p.given = p.given[1:]
		return reward
	}
	var can []string
	for i := range f.p.Doc.Rewards {
		r := f.p.Rewards[f.p.Doc.Rewards[i].ID]
		if r.Pay != nil || len(r.Price) == 0 || p.had[r.ID] > 0 && slices.ContainsFunc(r.Limits, func(l program.CompiledLimit) bool { return l.Per == "lifetime" }) {
			continue
		}
		rich := true
		for unit, price := range r.Price {
			rich = rich && p.balance[unit] >= price+price/10
		}
		if rich {
			can = append(can, r.ID)
		}
	}
	if len(can) == 0 {
		return ""
	}
	reward := can[f.world.rnd.IntN(len(can))]
	p.had[reward]++
	return reward
}

// returns brings some of the last weeks' purchases back.
func (f *filler) returns(monday time.Time, add func(*person, engine.Fact)) {
	w := f.world
	var rest []receipt
	for _, r := range w.recent {
		if r.at.Before(monday.AddDate(0, 0, -14)) {
			continue
		}
		rest = append(rest, r)
		if r.at.Before(monday) && w.rnd.Float64() < 0.003 {
			line := strconv.Itoa(1 + w.rnd.IntN(r.lines))
			add(r.person, engine.Fact{Kind: engine.ReturnK, Parent: "till/" + r.key, Source: "till", ExternalID: r.key + "-r" + line, OccurredAt: w.visit(r.person, monday),
				Return: &engine.Return{Lines: []engine.ReturnLine{{Line: line}}, Reason: "Not what it should be"}})
		}
	}
	w.recent = rest
}

// record takes the week's facts into the books and remembers what people have.
func (f *filler) record(ctx context.Context, acts []act) error {
	reqs := make([]record.Request, len(acts))
	for i := range acts {
		reqs[i] = acts[i].req
	}
	for i, out := range f.in.Recorder.Batch(ctx, reqs) {
		kind := acts[i].req.Fact.Kind
		if out.Err != nil {
			// A wish may meet a limit or stars that have ended, a line may have come back before, a challenge be over: that is life.
			if code := errs.CodeOf(out.Err); kind == engine.Redeem || kind == engine.ReturnK || kind == engine.ChallengeK || kind == engine.RecognitionK {
				if code != errs.CodeInternal && code != errs.CodeUnavailable {
					continue
				}
			}
			return fmt.Errorf("record %s of %s: %w", kind, acts[i].person.ref, out.Err)
		}
		f.count(kind, acts[i].person, out.Result)
	}
	return nil
}

func (f *filler) count(kind engine.Kind, p *person, r *record.Result) {
	f.out.Facts += 1 + len(r.Dues)
	p.id = r.Fact.Member
	switch kind {
	case engine.PurchaseK:
		f.out.Purchases++
		if p.number == 0 {
			f.out.Receipt = r.Fact.Source + "/" + r.Fact.ExternalID
		}
	case engine.ReturnK:
		f.out.Returns++
	case engine.ActivityK:
		f.out.Activities++
	case engine.Redeem:
		f.out.Redemptions++
	default:
	}
	st := &r.Account.State
	for unit, h := range st.Units {
		p.balance[unit] = h.Balance()
	}
	p.given = p.given[:0]
	for i := range st.Grants {
		if g := &st.Grants[i]; g.Status == engine.GrantOpen && g.Reward != "" && !g.HandsOver {
			p.given = append(p.given, g.Reward)
		}
	}
	if plan := st.Plans[p.plan]; plan != nil {
		p.until = plan.Until
	}
}
