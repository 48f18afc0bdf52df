// Package demo fills a database with a sample program, its members and two years of what they did.
//
// It owns the imagined shop: people with habits, goods with seasons, till receipts; the coffee bar's menu is written out, any other
// blueprint sells what its rules speak of. Everything goes the road that a
// till's requests go, so that the books of the demo are books like any others. What always holds: the same seed and the
// same end give the same people and the same purchases; a database that holds anything is never filled.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
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
	"lojal.dev/lojal/internal/raffle"
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

	// purses are what the accounts have, by id; taken counts how often each reward was redeemed.
	purses map[string]*purse
	taken  map[string]int
	// forming is the house that others may join, codes are the accounts of coupons' codes that nobody used, unspent the gift cards.
	forming *house
	codes   map[string][]string
	unspent []card
	week0   time.Time
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
	bringBack(doc, in.Now)
	p, err := program.Compile(doc, 0)
	if err != nil {
		return Summary{}, err
	}
	zone := p.Zone
	now := in.Now.In(zone)
	y, m, d := now.Date()
	monday := time.Date(y, m, d-(int(now.Weekday())+6)%7-7*in.Weeks, 0, 0, 0, 0, zone)
	f := &filler{in: in, program: doc.Program, p: p, world: newWorld(in.Seed, tradeOf(p), zone, monday, now, in.Members),
		purses: map[string]*purse{}, taken: map[string]int{}, codes: map[string][]string{}}
	if err := f.publish(ctx, doc, monday); err != nil {
		return Summary{}, err
	}
	if err := f.stock(ctx, monday.Add(-time.Hour)); err != nil {
		return Summary{}, err
	}
	for week := 0; week <= in.Weeks; week++ {
		if in.Progress != nil {
			in.Progress(week, in.Weeks+1)
		}
		if err := f.payAhead(ctx, week, monday.AddDate(0, 0, 7*week)); err != nil {
			return f.out, err
		}
		if err := f.week(ctx, week, monday.AddDate(0, 0, 7*week)); err != nil {
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
		at := monday.Add(-24 * time.Hour)
		out, err := version.Publish(ctx, tx, version.PublishInput{Program: doc.Program, Document: doc, By: actor, Now: at})
		if err != nil {
			return err
		}
		return raffle.Keep(ctx, tx, out, at)
	})
}

// act is a request with whom it is about.
type act struct {
	req    record.Request
	person *person
}

// week lets a week pass.
func (f *filler) week(ctx context.Context, week int, monday time.Time) error {
	w := f.world
	sunday := monday.AddDate(0, 0, 7)
	if err := f.together(ctx, monday); err != nil {
		return err
	}
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
			f.live(p, week, monday, func(fact engine.Fact) { add(&acts, p, fact) })
		}
	}
	f.returns(monday, func(p *person, fact engine.Fact) { add(&acts, p, fact) })
	byTime := func(a, b act) int { return a.req.Fact.OccurredAt.Compare(b.req.Fact.OccurredAt) }
	slices.SortStableFunc(enrolments, byTime)
	slices.SortStableFunc(acts, byTime)
	if err := f.record(ctx, enrolments); err != nil {
		return err
	}
	if err := f.record(ctx, acts); err != nil {
		return err
	}
	if err := f.cards(ctx, monday); err != nil {
		return err
	}
	if sunday.After(f.in.Now) {
		sunday = f.in.Now
	}
	if f.p.FollowsUp() {
		if err := errand.CatchUp(ctx, f.in.DB, f.in.Recorder, f.program, sunday); err != nil {
			return err
		}
	}
	return f.draw(ctx, sunday)
}

// draw draws the raffles whose time has come.
func (f *filler) draw(ctx context.Context, now time.Time) error {
	for i := range f.p.Doc.Rewards {
		if r := f.p.Rewards[f.p.Doc.Rewards[i].ID]; r.Draws != nil && !r.Draws.After(now) && now.Sub(*r.Draws) < 14*24*time.Hour {
			return (&raffle.Draws{DB: f.in.DB, Recorder: f.in.Recorder}).Work(ctx, now)
		}
	}
	return nil
}

// friend is who brings somebody: now and then a member who was there before the week began.
func (f *filler) friend(p *person) *engine.Invitation {
	w := f.world
	if !w.referral || w.rnd.Float64() > 0.3 {
		return nil
	}
	if by := w.people[w.rnd.IntN(len(w.people))]; by.id != "" && by != p {
		p.least = f.qualifies()
		return &engine.Invitation{By: by.id}
	}
	return nil
}

// qualifies is what a friend has to buy for, for which most come: nothing where the program asks for no sum.
func (f *filler) qualifies() int64 {
	c := f.p.Doc.Referral.Qualifies.When
	if c == nil || c.Total == nil || c.Total.From == nil || f.world.rnd.Float64() < 0.3 {
		return 0
	}
	least, err := c.Total.From.Minor(f.p.Exponent)
	if err != nil {
		return 0
	}
	return least
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
	if w.rnd.Float64() < 0.3 {
		to = w.people[min(1+10*w.rnd.IntN(1+len(w.people)/10), len(w.people)-1)]
	}
	unit := f.p.Doc.Recognition.Gives
	amount := min(int64(10+5*w.rnd.IntN(9))*money.Pow10(f.p.Units[unit].Precision), p.purse().balance[unit])
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
		} else if w.rnd.Float64() < 0.05 { // the card had run out, and is mended
			told(engine.PlanFailed, p.plan, p.until.Add(-time.Minute))
			told(engine.PlanPaid, p.plan, p.until.Add(52*time.Hour))
		} else {
			told(engine.PlanPaid, p.plan, p.until.Add(-time.Minute))
		}
	case !p.planned:
		p.planned = true
		if w.rnd.Float64() < 0.6 || p.number == 0 || p.keen {
			p.plan = w.plans[w.rnd.IntN(len(w.plans))].ID
			if p.keen {
				p.plan = w.plans[p.number/10%len(w.plans)].ID
			}
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
	case engine.UseK:
		if p.firm != nil {
			req.Member = ""
			req.Name(p.firm.id)
		}
	default:
	}
	return req
}

// live makes up what somebody does in a week.
func (f *filler) live(p *person, week int, monday time.Time, add func(engine.Fact)) {
	w := f.world
	f.week0 = monday
	p.later = slices.DeleteFunc(p.later, func(fact engine.Fact) bool {
		due := fact.OccurredAt.Before(monday.AddDate(0, 0, 7))
		if due {
			add(fact)
		}
		return due
	})
	if !p.begun {
		p.begun = true
		f.takePart(p, add)
	}
	if len(w.plans) > 0 {
		f.plan(p, monday, add)
	}
	if p.keen && week%6 == 5 && (f.saves(p) || !f.atTop(p.purse())) { // not there yet: what would it take?
		p.eager, p.much = min(p.eager*1.5, 8), min(p.much*2, 16)
	}
	f.approve(p, monday, add)
	if w.rnd.Float64() < 0.6 {
		f.thank(p, w.visit(p, monday), add)
	}
	f.atPartners(p, monday, add)
	f.passOn(p, monday, add)
	f.giveAway(p, monday, add)
	n := 0
	if !w.idle && f.may(p, program.MayBuy) {
		n = w.drawn(p.perWeek * w.trade.visits * season(monday))
	}
	if p.least > 0 && !monday.After(p.joins.AddDate(0, 0, 21)) { // whom a friend told of it comes soon
		n = max(n, 1)
	}
	days := map[int]bool{}
	for range n {
		at := w.visit(p, monday)
		if at.After(p.leaves) || at.Before(p.joins) {
			continue
		}
		fact := w.purchase(p, at)
		f.bring(p, &fact)
		add(fact)
		f.confirm(p, &fact)
		if w.daily != "" && p.ownCup > 0 && !days[at.YearDay()] && w.rnd.Float64() < p.ownCup {
			days[at.YearDay()] = true
			add(engine.Fact{Kind: engine.ActivityK, OccurredAt: at.Add(5 * time.Second), Activity: &engine.Activity{Kind: w.daily, Store: w.stores[p.store]}})
		}
		for i := range w.habits {
			if h := &w.habits[i]; w.rnd.Float64() < h.often {
				add(engine.Fact{Kind: engine.ActivityK, OccurredAt: at.Add(3 * time.Hour), Activity: &engine.Activity{Kind: h.kind, Properties: h.of(w.rnd)}})
			}
		}
	}
	f.do(p, monday, add)
	often := p.spends
	if len(p.purse().given) > 0 {
		often = 0.7
	}
	if (n > 0 || w.idle || p.keen || len(p.purse().given) > 0) && w.rnd.Float64() < often && f.may(p, program.MaySpend) {
		if spend := f.wish(p); spend.Reward != "" {
			at := w.visit(p, monday).Add(20 * time.Second)
			if spend.Household {
				at = evening(monday)
			}
			add(engine.Fact{Kind: engine.Redeem, OccurredAt: at, Redemption: &engine.Redemption{
				Spend: spend, Store: w.stores[p.store], Channel: w.channels[0]}})
		}
	}
	f.useRight(p, monday, add)
	if w.rnd.Float64() < 0.0004 {
		sorry := money.New(25, 0)
		add(engine.Fact{Kind: engine.AdjustmentK, OccurredAt: w.visit(p, monday), Adjustment: &engine.Adjustment{Unit: f.p.UnitIDs[0], Amount: &sorry, Reason: "Waited too long"}})
	}
}

// do makes up the activities of a week that are no part of a visit.
func (f *filler) do(p *person, monday time.Time, add func(engine.Fact)) {
	w := f.world
	for i := range w.habits {
		h := &w.habits[i]
		if h.weekly == 0 || h.once && p.did[h.kind] {
			continue
		}
		for n := min(w.drawn(h.weekly*p.eager), 14); n > 0; n-- {
			if h.once {
				if p.did == nil {
					p.did = map[string]bool{}
				}
				p.did[h.kind], n = true, 1
			}
			add(engine.Fact{Kind: engine.ActivityK, OccurredAt: w.visit(p, monday), Activity: &engine.Activity{Kind: h.kind, Properties: h.of(w.rnd)}})
		}
	}
}

// confirm has the activity follow a purchase that makes its points spendable: the flight that was booked is flown.
func (f *filler) confirm(p *person, fact *engine.Fact) {
	w := f.world
	for _, kind := range slices.Sorted(maps.Keys(w.confirms)) {
		h := w.confirms[kind]
		if w.rnd.Float64() < 0.04 { // not used
			continue
		}
		p.later = append(p.later, engine.Fact{Kind: engine.ActivityK, OccurredAt: fact.OccurredAt.Add(time.Duration(3+w.rnd.IntN(30)) * 24 * time.Hour),
			Activity: &engine.Activity{Kind: kind, Properties: h.of(w.rnd), Confirms: fact.Source + "/" + fact.ExternalID}})
	}
}

// wish is what somebody would like for what they had at the end of last week: mostly something they can have, now and then
// something better that they saved for, and never twice what one has only one of. What is theirs at no price they take first.
// Those who live by the program want what nobody had yet, and save for it.
func (f *filler) wish(p *person) engine.Spend {
	a := p.purse()
	var can, dreams []string
	var home string
	for i := range f.p.Doc.Rewards {
		r := f.p.Rewards[f.p.Doc.Rewards[i].ID]
		if r.Pay != nil || len(r.Price) == 0 || f.week0.Before(a.refused[r.ID]) ||
			p.had[r.ID] > 0 && slices.ContainsFunc(r.Limits, func(l program.CompiledLimit) bool { return l.Per == "lifetime" && l.Times == 1 }) {
			continue
		}
		rich, shared := true, p.home != nil
		for unit, price := range r.Price {
			rich = rich && a.balance[unit] >= price+price/10
			shared = shared && f.pooled(p, unit) >= price+price/10
		}
		switch {
		case rich:
			can = append(can, r.ID)
		case shared && f.taken[r.ID] < 2+len(f.world.people)/20:
			home = r.ID
		}
		if f.taken[r.ID] == 0 {
			dreams = append(dreams, r.ID)
		}
	}
	saves := p.keen && len(dreams) > 0
	if saves {
		if dream := dreams[len(dreams)-1-p.number/10%len(dreams)]; slices.Contains(can, dream) {
			return f.spend(dream)
		}
	}
	if len(a.given) > 0 {
		reward := a.given[0]
		a.given = a.given[1:]
		return f.spend(reward)
	}
	if saves && home == "" && f.world.rnd.Float64() < 0.9 {
		return engine.Spend{}
	}
	if home != "" && f.world.rnd.Float64() < 0.3 {
		s := f.spend(home)
		s.Household = true
		return s
	}
	if len(can) == 0 {
		return engine.Spend{}
	}
	return f.spend(can[f.world.rnd.IntN(len(can))])
}

// saves says whether somebody keeps what they have for a reward that nobody has had yet.
func (f *filler) saves(p *person) bool {
	if !p.keen {
		return false
	}
	for i := range f.p.Doc.Rewards {
		if r := &f.p.Doc.Rewards[i]; len(r.Price) > 0 && f.taken[r.ID] == 0 {
			return true
		}
	}
	return false
}

// pooled is what a household has of a unit together.
func (f *filler) pooled(p *person, unit string) (sum int64) {
	for _, one := range p.home.people {
		sum += one.own.balance[unit]
	}
	return sum
}

// spend asks for a reward, with what else must be said of it.
func (f *filler) spend(reward string) engine.Spend {
	r, w := f.p.Rewards[reward], f.world
	s := engine.Spend{Reward: reward, Quantity: 1, Money: r.Money}
	if n := len(r.Gives.Choice); n > 0 {
		s.Choose = r.Gives.Choice[w.rnd.IntN(n)]
	}
	if len(r.Or) > 0 && w.rnd.Float64() < 0.3 {
		i := w.rnd.IntN(len(r.Or))
		s.Option, s.Money = int64(2+i), r.Or[i].Money
	}
	return s
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
	// What changes the books of two is recorded after the rest, one after the other: in a batch it depends on who comes first what the other has.
	slices.SortStableFunc(acts, func(a, b act) int { return cmp.Compare(ofTwo(&a.req.Fact), ofTwo(&b.req.Fact)) })
	reqs := make([]record.Request, 0, len(acts))
	for i := range acts {
		if ofTwo(&acts[i].req.Fact) == 0 {
			reqs = append(reqs, acts[i].req)
		}
	}
	outs := f.in.Recorder.Batch(ctx, reqs)
	for i := len(reqs); i < len(acts); i++ {
		r, err := f.in.Recorder.Record(ctx, acts[i].req)
		outs = append(outs, record.Outcome{Result: r, Err: err})
	}
	for i, out := range outs {
		kind := acts[i].req.Fact.Kind
		if out.Err != nil {
			// A wish may meet a limit or stars that have ended, a line may have come back before, a challenge be over: that is life.
			if code := errs.CodeOf(out.Err); may(&acts[i].req.Fact) && code != errs.CodeInternal && code != errs.CodeUnavailable {
				if kind == engine.Redeem {
					p := acts[i].person
					p.purse().refused[acts[i].req.Fact.Redemption.Reward] = acts[i].req.Now.AddDate(0, 0, 28)
				}
				continue
			}
			return fmt.Errorf("record %s of %s: %w", kind, acts[i].person.ref, out.Err)
		}
		f.count(kind, acts[i].person, out.Result)
	}
	return nil
}

// ofTwo is 1 for what changes the books of another too.
func ofTwo(fact *engine.Fact) int {
	if fact.Kind == engine.TransferOut || fact.Kind == engine.ShareK || fact.Pooled() {
		return 1
	}
	return 0
}

// may says whether a fact may be refused.
func may(fact *engine.Fact) bool {
	switch fact.Kind {
	case engine.Redeem, engine.ReturnK, engine.ChallengeK, engine.RecognitionK, engine.ShareK, engine.UseK, engine.PartnerK, engine.TransferOut, engine.PlanK:
		return true
	case engine.ActivityK:
		return fact.Activity.Confirms != "" // of a purchase that came back
	case engine.PurchaseK:
		return len(fact.Purchase.Codes) > 0 || len(fact.Purchase.Spend) > 0
	}
	return false
}

func (f *filler) count(kind engine.Kind, p *person, r *record.Result) {
	f.out.Facts += 1 + len(r.Dues)
	switch kind {
	case engine.Enrolment:
		p.id = r.Fact.Member
		f.purses[p.id] = p.own
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
		p.had[r.Fact.Redemption.Reward]++
		f.taken[r.Fact.Redemption.Reward]++
	default:
	}
	a := f.purses[r.Fact.Member]
	if a == nil {
		return
	}
	for i := range r.Decision.Redemptions {
		if d := &r.Decision.Redemptions[i]; d.Voucher != nil && d.Status == engine.StatusCommitted && kind == engine.Redeem {
			a.vouchers = append(a.vouchers, voucher{d.ID, d.Reward})
		}
	}
	st := &r.Account.State
	for unit, h := range st.Units {
		a.balance[unit] = h.Balance()
	}
	for set, t := range st.Tiers {
		a.tiers[set] = t.Tier
	}
	a.given = a.given[:0]
	for i := range st.Grants {
		if g := &st.Grants[i]; g.Status == engine.GrantOpen && g.Reward != "" && !g.HandsOver {
			a.given = append(a.given, g.Reward)
		}
	}
	a.waiting, a.passed = a.waiting[:0], append(a.passed[:0], st.Passed...)
	for i := range st.Thanks {
		a.waiting = append(a.waiting, st.Thanks[i].ID)
	}
	if plan := st.Plans[p.plan]; plan != nil {
		p.until = plan.Until
	}
	if len(f.p.Doc.Benefits) > 0 && f.world.rnd.Float64() < 0.05 {
		a.rights = a.rights[:0]
		for _, b := range engine.Benefits(r.Program, r.Account, "", r.Fact.RecordedAt, nil) {
			if b.Can {
				a.rights = append(a.rights, b.Benefit.ID)
			}
		}
	}
}
