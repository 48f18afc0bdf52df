package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

// someone is who a scenario is about when it names nobody.
const someone = "Kari"

// tick is how far the clock moves with every step that says no time.
const tick = time.Minute

var begins = moment("2026-01-05 12:00") // a Monday

// player plays one scenario.
type player struct {
	sheet *sheet
	story *story
	place int

	desk    desk
	doc     *node
	p       *program.Compiled
	now     time.Time
	started bool
	members map[string]string // nickname to id
	only    string            // who is meant when a step names nobody
	names   map[string]engine.Fact
	owner   map[string]string // name of a step to the nickname of its member
	seen    map[string]int64  // nickname to the number of the last fact that was looked at
	kept    map[string]string // name of a step that kept a purchase to its id
	links   bool              // something was kept for an identifier
	whose   *string           // who a step turned out to be about; nobody for ""
	step    int
	line    int
	out     []Difference
	count   int
}

func (pl *player) differ(what, expected, got string) {
	pl.out = append(pl.out, Difference{Step: pl.step, Line: pl.line, What: what, Expected: expected, Got: got})
}

// play plays the scenario from the start. A fault of the scenario itself is told as a difference.
func (pl *player) play(ctx context.Context, open func(context.Context, string) (desk, error)) Result {
	pl.line = pl.sheet.at(pl.place, "").line
	r := Result{File: pl.sheet.name, Line: pl.line, Scenario: pl.story.Scenario, Title: pl.story.Title}
	if err := pl.all(ctx, open); err != nil {
		pl.differ(err.Error(), "", "")
	}
	r.Steps, r.Differences = pl.count, pl.out
	return r
}

func (pl *player) all(ctx context.Context, open func(context.Context, string) (desk, error)) error {
	pl.kept = map[string]string{}
	pl.members, pl.names, pl.owner, pl.seen = map[string]string{}, map[string]engine.Fact{}, map[string]string{}, map[string]int64{}
	var err error
	if pl.doc, err = pl.document(); err != nil {
		return err
	}
	st := pl.story
	if len(st.Given) == 0 && !slices.ContainsFunc(st.When, func(s step) bool { return s.Enrol != nil || s.Guest || s.Keep != nil || s.Check != nil }) {
		st.Given = map[string]person{someone: {}}
	}
	if pl.doc != nil && slices.ContainsFunc(append(slices.Clone(st.Before), st.When...), func(s step) bool { return s.Check == nil }) {
		d, err := pl.compile(pl.doc)
		if err != nil {
			return err
		}
		if pl.desk, err = open(ctx, st.Scenario); err != nil {
			return err
		}
		clock := st.Clock
		if clock == "" {
			clock = begins
		}
		if pl.now, err = clock.in(pl.p.Zone); err != nil {
			return err
		}
		if err := pl.desk.publish(ctx, d, nil, pl.now); err != nil {
			return fmt.Errorf("publish the program: %w", err)
		}
		if err := pl.enrolAll(ctx); err != nil {
			return fmt.Errorf("given: %w", err)
		}
		if err := pl.follow(ctx); err != nil {
			return err
		}
	}
	for i := range st.Before {
		pl.step, pl.line = i+1, st.Before[i].line
		out, err := pl.perform(ctx, &st.Before[i])
		if err != nil {
			return fmt.Errorf("this must succeed before the scenario begins: %w", err)
		}
		if st.Before[i].Then != nil {
			if err := pl.expect(ctx, &st.Before[i], out, nil, st.Before[i].Then); err != nil {
				return err
			}
		}
	}
	for i := range st.When {
		pl.step, pl.line = len(st.Before)+i+1, st.When[i].line
		if err := pl.when(ctx, &st.When[i]); err != nil {
			return err
		}
	}
	if st.Then != nil {
		pl.step, pl.line, pl.whose = 0, pl.sheet.at(pl.place, "/then").line, nil
		return pl.expect(ctx, &step{}, nil, nil, st.Then)
	}
	return nil
}

// document gives the scenario's program: its own, or that of the file, patched by its with.
func (pl *player) document() (*node, error) {
	s := pl.sheet
	var base *node
	if s.folio.source.given() {
		var err error
		if base, err = s.document(s.folio.source, nil); err != nil {
			return nil, err
		}
	}
	return s.document(pl.story.source, base)
}

// compile reads a document and gives it the id of the scenario's own program.
func (pl *player) compile(n *node) (*program.Document, error) {
	d, err := program.Parse(n.yaml(), "")
	if err != nil {
		return nil, fmt.Errorf("the program has mistakes:\n%w", err)
	}
	if pl.p, err = program.Compile(d, 0); err != nil {
		return nil, err
	}
	return d, nil
}

func (pl *player) enrolAll(ctx context.Context) error {
	given := pl.story.Given
	if len(given) == 1 {
		pl.only = slices.Collect(maps.Keys(given))[0]
	}
	names := sortedFields(given)
	slices.SortStableFunc(names, func(a, b string) int { return strings.Compare(given[a].Invited, given[b].Invited) }) // who is invited by nobody comes first
	for _, name := range names {
		who := given[name]
		if err := pl.arrive(ctx, name, &who); err != nil {
			return err
		}
	}
	return nil
}

// arrive enrols a member and gives what was said: lots, balances and tiers, by hand.
func (pl *player) arrive(ctx context.Context, name string, who *person) error {
	at, err := pl.joined(who)
	if err != nil {
		return err
	}
	if at.After(pl.now) {
		pl.now = at
	}
	if _, err := pl.enrol(ctx, name, who, at); err != nil {
		return fmt.Errorf("enrol %s: %w", name, err)
	}
	lots := slices.Clone(who.Lots)
	slices.SortStableFunc(lots, func(a, b opening) int { return pl.earned(a).Compare(pl.earned(b)) })
	for _, l := range lots {
		a := adjusting{Unit: l.Unit, Amount: &l.Amount, Expires: l.Expires, Release: l.Release, Reason: "opening balance"}
		if a.Expires == "" {
			a.Expires = "never"
		}
		if err := pl.put(ctx, name, a, pl.earned(l)); err != nil {
			return err
		}
	}
	for _, unit := range sortedFields(who.Has) {
		d := who.Has[unit]
		if d.IsZero() {
			continue
		}
		if err := pl.put(ctx, name, adjusting{Unit: unit, Amount: &d, Expires: "never", Reason: "opening balance"}, pl.now); err != nil {
			return err
		}
	}
	for _, set := range sortedFields(who.Tier) {
		f := engine.Fact{Kind: engine.TierGrant, OccurredAt: pl.now, Tier: &engine.TierBody{Set: set, Tier: who.Tier[set], Reason: "opening tier"}}
		if _, err := pl.desk.take(ctx, order{member: pl.members[name], fact: f, now: pl.now}); err != nil {
			return err
		}
	}
	return nil
}

func (pl *player) joined(who *person) (time.Time, error) {
	if who.Joined != "" {
		return who.Joined.in(pl.p.Zone)
	}
	at := pl.now
	for _, l := range who.Lots {
		if e := pl.earned(l); e.Before(at) {
			at = e
		}
	}
	return at, nil
}

func (pl *player) earned(l opening) time.Time {
	if t, err := l.Earned.in(pl.p.Zone); err == nil {
		return t
	}
	return pl.now
}

func (pl *player) put(ctx context.Context, name string, a adjusting, at time.Time) error {
	body, err := pl.adjustment(&a)
	if err != nil {
		return err
	}
	_, err = pl.desk.take(ctx, order{member: pl.members[name], fact: engine.Fact{Kind: engine.AdjustmentK, OccurredAt: at, Adjustment: body}, now: pl.now})
	return err
}

func (pl *player) enrol(ctx context.Context, name string, who *person, at time.Time) (*outcome, error) {
	if _, known := pl.members[name]; known {
		return nil, fmt.Errorf("there is a member %s already", name)
	}
	f := engine.Fact{Kind: engine.Enrolment, OccurredAt: at, Enrolment: &engine.EnrolmentBody{
		Zone: who.Zone, Language: who.Language, Store: who.Store, Channel: who.Channel, Attributes: who.Attributes, Birthday: engine.Birthday(who.Birth)}}
	if who.Invited != "" {
		f.Enrolment.Invited = &engine.Invitation{By: pl.id(who.Invited)}
	}
	out, err := pl.desk.take(ctx, order{fact: f, enrol: who, now: pl.now})
	if err == nil {
		pl.members[name] = out.fact.Member
		if pl.only == "" {
			pl.only = name
		}
	}
	return out, err
}

// id is the id of a member by nickname; a name that nobody has stays as it is, for what must be refused.
func (pl *player) id(name string) string {
	if id, known := pl.members[name]; known {
		return id
	}
	return name
}

// issue makes a gift card, which is called as the step says.
func (pl *player) issue(ctx context.Context, s *step) (*outcome, error) {
	at, err := pl.move(s)
	if err != nil {
		return nil, err
	}
	if s.Member == "" || pl.members[s.Member] != "" {
		return nil, errors.New("say what the card is called, by a name that nobody has: member: card")
	}
	if s.CouponCode != "" {
		return pl.issued(ctx, s, engine.Fact{Kind: engine.Enrolment, OccurredAt: at, Enrolment: &engine.EnrolmentBody{Kind: engine.CouponCode}, Card: &engine.Card{Coupon: s.CouponCode}})
	}
	c := &engine.Card{Amount: &s.GiftCard.Amount, Inactive: s.GiftCard.Inactive, Sample: s.GiftCard.Sample}
	if s.GiftCard.Expires != "" {
		t, err := s.GiftCard.Expires.end(pl.p.Zone)
		if err != nil {
			return nil, err
		}
		c.ExpiresAt = &t
	}
	f := engine.Fact{Kind: engine.Enrolment, OccurredAt: at, Enrolment: &engine.EnrolmentBody{Kind: engine.GiftCard}, Card: c}
	return pl.issued(ctx, s, f)
}

// issued takes the fact that makes a holder, which is called as the step says.
func (pl *player) issued(ctx context.Context, s *step, f engine.Fact) (*outcome, error) {
	out, err := pl.desk.take(ctx, order{fact: f, now: pl.now})
	if err == nil {
		pl.members[s.Member] = out.fact.Member
		pl.name(s, out)
	}
	return out, err
}

// house makes a household or an organization of the step's member.
func (pl *player) house(ctx context.Context, s *step) (*outcome, error) {
	at, err := pl.move(s)
	if err != nil {
		return nil, err
	}
	if s.House.House == "" || pl.members[s.House.House] != "" {
		return nil, errors.New("say what it is called, by a name that nobody has: house: {house: hansens, do: open}")
	}
	kind := or(s.House.Kind, engine.Household)
	f := engine.Fact{Kind: engine.Enrolment, OccurredAt: at, Enrolment: &engine.EnrolmentBody{Kind: kind},
		House: &engine.HouseBody{Do: engine.HouseOpen, Kind: kind, Member: pl.members[pl.who(s)]}}
	out, err := pl.desk.take(ctx, order{fact: f, now: pl.now})
	if err == nil {
		pl.members[s.House.House] = out.fact.Member
		pl.name(s, out)
	}
	return out, err
}

// belongs compares who belongs together.
func (pl *player) belongs(prefix string, st *engine.State, want *standing) {
	if want.People != nil {
		got := map[string]string{}
		for _, p := range st.People() {
			got[pl.called(p.Member)] = p.Role
		}
		if !maps.Equal(got, *want.People) {
			pl.differ(prefix+"people", fmt.Sprint(*want.People), fmt.Sprint(got))
		}
	}
	if want.Belongs != nil {
		got := []string{}
		for _, kind := range []string{engine.Household, engine.Organization} {
			if in := st.In(kind); in != nil {
				got = append(got, pl.called(in.House))
			}
		}
		if !slices.Equal(got, *want.Belongs) {
			pl.differ(prefix+"belongs", fmt.Sprint(*want.Belongs), fmt.Sprint(got))
		}
	}
}

// kinds names what a step does.
func (s *step) kinds() []string {
	var out []string
	v := reflect.ValueOf(*s)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if !slices.Contains(notKinds, name) && !v.Field(i).IsZero() {
			out = append(out, name)
		}
	}
	return out
}

var notKinds = []string{"", "at", "after", "member", "guest", "as", "receipt", "key", "parallel", "times", "then"}

// when plays a step and compares.
func (pl *player) when(ctx context.Context, s *step) error {
	pl.count++
	if err := pl.mark(ctx); err != nil {
		return err
	}
	if s.Parallel > 1 || s.Times > 1 {
		return pl.many(ctx, s)
	}
	out, err := pl.perform(ctx, s)
	var refused *errs.Error
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	then := s.Then
	if then == nil {
		then = &expectation{}
	}
	return pl.expect(ctx, s, out, refused, then)
}

// mark notes the last fact of every member, so that what a step adds can be told.
func (pl *player) mark(ctx context.Context) error {
	if pl.desk == nil {
		return nil
	}
	for name, id := range pl.members {
		past, err := pl.desk.facts(ctx, id, pl.seen[name])
		if err != nil {
			return err
		}
		pl.seen[name] += int64(len(past))
	}
	return nil
}

// many does a step several times: at once, or one after another.
func (pl *player) many(ctx context.Context, s *step) error {
	pl.whose = nil
	n := max(s.Parallel, s.Times)
	failed := make([]error, n)
	var run func(i int)
	if s.Claim != nil && pl.kept[s.Claim.Of] != "" {
		if _, err := pl.move(s); err != nil {
			return err
		}
		run = func(i int) { _, failed[i] = pl.desk.claim(ctx, pl.kept[s.Claim.Of], pl.id(pl.who(s)), pl.now) }
	} else {
		o, err := pl.order(s)
		if err != nil {
			return err
		}
		run = func(i int) { _, failed[i] = pl.desk.take(ctx, o) }
	}
	if s.Parallel > 1 {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { run(i) })
		}
		all.Wait()
	} else {
		for i := range n {
			run(i)
		}
	}
	got := map[string]int{}
	for _, err := range failed {
		switch {
		case err == nil:
			got["ok"]++
		case errs.CodeOf(err) == errs.CodeInternal:
			return err
		default:
			got[errs.As(err).Reason]++
		}
	}
	if s.Then == nil || s.Then.Outcomes == nil {
		pl.differ("this step is done several times", "outcomes in then", "none")
		return nil
	}
	if !maps.Equal(got, s.Then.Outcomes) {
		pl.differ("outcomes", counts(s.Then.Outcomes), counts(got))
	}
	return pl.expect(ctx, s, nil, nil, s.Then)
}

func counts(m map[string]int) string {
	parts := make([]string, 0, len(m))
	for _, k := range sortedFields(m) {
		parts = append(parts, fmt.Sprintf("%d × %s", m[k], k))
	}
	return strings.Join(parts, ", ")
}

// move sets the clock for a step and gives its business time.
func (pl *player) move(s *step) (time.Time, error) {
	if pl.p == nil {
		return time.Time{}, nil
	}
	at := pl.now
	switch {
	case s.At != "":
		t, err := s.At.in(pl.p.Zone)
		if err != nil {
			return t, err
		}
		at = t
	case s.After != nil:
		at = s.After.After(pl.now, pl.p.Zone)
	case pl.started && len(s.kinds()) > 0:
		at = pl.now.Add(tick)
	}
	pl.started = true
	if at.After(pl.now) {
		pl.now = at
	}
	return at, nil
}

// perform does a step, and what follows from it for other members.
func (pl *player) perform(ctx context.Context, s *step) (*outcome, error) {
	pl.whose = nil
	out, err := pl.act(ctx, s)
	if s.Check == nil {
		err = cmp.Or(pl.follow(ctx), err)
	}
	return out, err
}

func (pl *player) follow(ctx context.Context) error {
	if pl.p == nil || !pl.p.FollowsUp() && !pl.links {
		return nil
	}
	if err := pl.desk.follow(ctx, pl.now); err != nil {
		return fmt.Errorf("what follows: %w", err)
	}
	return nil
}

// act does a step. An *errs.Error is a refusal; any other error is a fault of the scenario.
func (pl *player) act(ctx context.Context, s *step) (*outcome, error) {
	switch {
	case s.Check != nil, len(s.kinds()) == 0:
		_, err := pl.move(s)
		return nil, err
	case s.Sweep:
		if _, err := pl.move(s); err != nil {
			return nil, err
		}
		return nil, pl.desk.sweep(ctx, pl.now)
	case s.Publish != nil:
		return nil, pl.publish(ctx, s)
	case s.Pools != nil:
		return nil, pl.load(ctx, s)
	case s.Draw != "":
		if _, err := pl.move(s); err != nil {
			return nil, err
		}
		return nil, pl.desk.draw(ctx, s.Draw, pl.now)
	case s.Partner != nil && s.Partner.Pays != nil:
		if _, err := pl.move(s); err != nil {
			return nil, err
		}
		return nil, pl.desk.pay(ctx, s.Partner.At, *s.Partner.Pays, pl.now)
	case s.Enrol != nil:
		at, err := pl.move(s)
		if err != nil {
			return nil, err
		}
		if s.Member == "" {
			return nil, errors.New("say who is enrolled: member: Ola")
		}
		out, err := pl.enrol(ctx, s.Member, s.Enrol, at)
		pl.name(s, out)
		return out, err
	case s.GiftCard != nil || s.CouponCode != "":
		return pl.issue(ctx, s)
	case s.House != nil && s.House.Do == engine.HouseOpen:
		return pl.house(ctx, s)
	case s.Simulate != nil:
		inner := *s.Simulate
		inner.Member, inner.At, inner.After = or(inner.Member, s.Member), moment(or(string(inner.At), string(s.At))), s.After
		o, err := pl.order(&inner)
		if err != nil {
			return nil, err
		}
		return pl.desk.simulate(ctx, o)
	}
	if out, ok, err := pl.receipt(ctx, s); ok {
		return out, err
	}
	o, err := pl.order(s)
	if err != nil {
		return nil, err
	}
	out, err := pl.desk.take(ctx, o)
	pl.name(s, out)
	return out, err
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (pl *player) name(s *step, out *outcome) {
	if out == nil || out.replayed {
		return
	}
	if s.As != "" {
		pl.names[s.As], pl.owner[s.As] = out.fact, pl.who(s)
	}
}

// who is the nickname of the member that a step is about.
func (pl *player) who(s *step) string {
	if s.Guest {
		return ""
	}
	if pl.whose != nil {
		return *pl.whose
	}
	if s.Member == "" {
		if of := s.about(); of != "" && pl.owner[of] != "" {
			return pl.owner[of]
		}
		return pl.only
	}
	return s.Member
}

// about names the earlier step that a step is about.
func (s *step) about() string {
	if s.Return != nil {
		return s.Return.Of
	}
	if s.Voucher != nil {
		return s.Voucher.Of
	}
	if s.Commit != nil {
		return s.Commit.Of
	}
	if s.Fulfil != nil {
		return s.Fulfil.Of
	}
	for _, a := range []*about{s.Cancel, s.Refund, s.Release} {
		if a != nil {
			return a.Of
		}
	}
	return ""
}

func (pl *player) publish(ctx context.Context, s *step) error {
	if _, err := pl.move(s); err != nil {
		return err
	}
	doc, err := pl.sheet.document(s.Publish.source, pl.doc)
	if err != nil {
		return err
	}
	zone := pl.p.Zone
	d, err := pl.compile(doc)
	if err != nil {
		return err
	}
	var from *time.Time
	if s.Publish.From != "" {
		t, err := s.Publish.From.in(zone)
		if err != nil {
			return err
		}
		from = &t
	}
	if err := pl.desk.publish(ctx, d, from, pl.now); err != nil {
		return err
	}
	pl.doc = doc
	return nil
}

// order makes the fact of a step.
func (pl *player) order(s *step) (order, error) {
	at, err := pl.move(s)
	if err != nil {
		return order{}, err
	}
	o := order{fact: engine.Fact{OccurredAt: at}, key: s.Key, now: pl.now, profile: s.Profile}
	if who := pl.who(s); !s.Guest {
		if o.member = pl.members[who]; o.member == "" {
			return o, fmt.Errorf("there is no member %q in this scenario", who)
		}
		if s.House != nil {
			if o.member = pl.members[s.House.House]; o.member == "" {
				return o, fmt.Errorf("there is no household or organization %q in this scenario", s.House.House)
			}
		}
	}
	if s.Receipt != "" {
		source, number, ok := strings.Cut(s.Receipt, "/")
		if !ok {
			source, number = "till", s.Receipt
		}
		o.fact.Source, o.fact.ExternalID = source, number
	}
	err = pl.body(s, &o.fact)
	if s.Claim != nil { // it is told in the books of who passed it on
		o.member = cmp.Or(pl.names[s.Claim.Of].Member, o.member)
	}
	return o, err
}

func (pl *player) parent(f *engine.Fact, name string) error {
	past, ok := pl.names[name]
	if !ok {
		if name == "" {
			return errors.New("say which earlier step this is about: of: NAME, where that step says as: NAME")
		}
		f.Parent = name // a name that nobody has: for what must be refused
		return nil
	}
	f.Parent = past.ID
	return nil
}

// coupon uses a coupon, or takes a use back.
func (pl *player) coupon(s *couponing, f *engine.Fact) error {
	f.Kind, f.Coupon = engine.CouponK, &engine.CouponStep{Do: engine.CouponUsed, Coupon: s.Coupon, Total: s.Total, By: pl.members[s.By]}
	for _, name := range s.Beside {
		if past, ok := pl.names[name]; ok && past.Redemption != nil {
			f.Coupon.With = append(f.Coupon.With, engine.Beside{Redemption: redemptionOf(past), Reward: past.Redemption.Reward})
		}
	}
	for _, name := range s.Coupons {
		b := engine.Beside{Coupon: name}
		if past, ok := pl.names[name]; ok && past.Card != nil {
			b = engine.Beside{Coupon: past.Card.Coupon, Code: past.Member}
		}
		f.Coupon.With = append(f.Coupon.With, b)
	}
	if s.Undo == "" {
		return nil
	}
	f.Coupon = &engine.CouponStep{Do: engine.CouponUnused}
	return pl.parent(f, s.Undo)
}

// brought looks up what is used with a purchase: code is what a step called the code of a coupon, redemption the redemption of a voucher.
func (pl *player) brought(list []engine.CodeUse) []engine.CodeUse {
	out := slices.Clone(list)
	for i := range out {
		u := &out[i]
		if past, ok := pl.names[u.Code]; ok && past.Card != nil {
			u.Code, u.Coupon, u.Holder = "", past.Card.Coupon, past.Member
		}
		if past, ok := pl.names[u.Redemption]; ok {
			u.Redemption, u.Holder = redemptionOf(past), past.Member
			if past.Redemption != nil {
				u.Reward = past.Redemption.Reward
			}
		}
	}
	return out
}

func (pl *player) body(s *step, f *engine.Fact) error {
	switch {
	case s.Purchase != nil:
		b := s.Purchase.Purchase
		b.Redemptions = slices.Clone(b.Redemptions)
		for i, name := range b.Redemptions {
			if past, ok := pl.names[name]; ok {
				b.Redemptions[i] = redemptionOf(past)
			}
		}
		b.Codes = pl.brought(b.Codes)
		f.Kind, f.Purchase = engine.PurchaseK, &b
	case s.Voucher != nil:
		f.Kind = engine.VoucherK
		f.Voucher = &engine.VoucherStep{Do: or(s.Voucher.Do, engine.VoucherUsed), Total: s.Voucher.Total, By: pl.members[s.Voucher.By]}
		if err := pl.parent(f, s.Voucher.Of); err != nil {
			return err
		}
		if past, ok := pl.names[s.Voucher.Of]; ok {
			f.Parent = redemptionOf(past)
		}
		for _, name := range s.Voucher.Beside {
			if past, ok := pl.names[name]; ok && past.Redemption != nil {
				f.Voucher.With = append(f.Voucher.With, engine.Beside{Redemption: redemptionOf(past), Reward: past.Redemption.Reward})
			}
		}
	case s.Coupon != nil:
		return pl.coupon(s.Coupon, f)
	case s.Load != nil:
		b := *s.Load
		f.Kind, f.Card = engine.Load, &b
	case s.Return != nil:
		b := s.Return.Return
		f.Kind, f.Return = engine.ReturnK, &b
		return pl.parent(f, s.Return.Of)
	case s.Activity != nil:
		b := s.Activity.Activity
		if past, ok := pl.names[b.Confirms]; ok {
			b.Confirms = past.ID
		}
		f.Kind, f.Activity = engine.ActivityK, &b
	case s.Redeem != nil:
		b := s.Redeem.Redemption
		f.Kind, f.Redemption = engine.Redeem, &b
	case s.Reserve != nil:
		b := s.Reserve.Redemption
		f.Kind, f.Redemption = engine.Reserve, &b
	case s.Commit != nil:
		f.Kind = engine.Commit
		if s.Commit.Money != nil {
			f.Redemption = &engine.Redemption{Spend: engine.Spend{Money: s.Commit.Money}}
		}
		return pl.parent(f, s.Commit.Of)
	case s.Fulfil != nil:
		b := s.Fulfil.FulfilBody
		f.Kind, f.Fulfil = engine.FulfilK, &b
		if past, ok := pl.names[s.Fulfil.Of]; ok {
			f.Parent = redemptionOf(past)
		} else if err := pl.parent(f, s.Fulfil.Of); err != nil {
			return err
		}
		if s.Fulfil.Order {
			f.Source, f.ExternalID = engine.OrderSource, f.Parent
		}
	case s.Cancel != nil:
		f.Kind = engine.Cancel
		return pl.parent(f, s.Cancel.Of)
	case s.Refund != nil:
		f.Kind = engine.Refund
		if s.Refund.Points != nil {
			f.Redemption = &engine.Redemption{Spend: engine.Spend{Points: s.Refund.Points}}
		}
		return pl.parent(f, s.Refund.Of)
	case s.Adjust != nil:
		b, err := pl.adjustment(s.Adjust)
		f.Kind, f.Adjustment = engine.AdjustmentK, b
		return err
	case s.Transfer != nil:
		f.Kind = engine.TransferOut
		f.Transfer = &engine.Transfer{Unit: pl.unit(s.Transfer.Unit), Amount: s.Transfer.Amount, Other: pl.members[s.Transfer.To], Message: s.Transfer.Message}
	case s.Reverse != nil:
		return pl.reverse(s, f)
	case s.Release != nil:
		f.Kind, f.Release = engine.Release, &engine.ReleaseBody{Cancel: s.Release.Cancel, Unit: s.Release.Unit, Reason: "scenario"}
		if s.Release.Of != "" {
			return pl.parent(f, s.Release.Of)
		}
	case s.Tier != nil:
		return pl.setTier(s.Tier, f)
	case s.Challenge != nil:
		f.Kind, f.Challenge = engine.ChallengeK, s.Challenge
	case s.Grant != nil:
		return pl.give(s.Grant, f)
	case s.Plan != nil:
		return pl.bill(s.Plan, f)
	case s.Use != "":
		f.Kind, f.Use = engine.UseK, &engine.UseBody{Benefit: s.Use}
	case s.Unuse != "":
		f.Kind, f.Use = engine.UseK, &engine.UseBody{Undo: true, Reason: "scenario"}
		return pl.parent(f, s.Unuse)
	case s.Profile != nil:
		f.Kind = engine.ProfileK
	case s.Status != "":
		f.Kind, f.Status = engine.Status, &engine.StatusBody{To: s.Status, Reason: "scenario"}
	case s.Merge != "":
		f.Kind, f.Merge = engine.MergeOut, &engine.Merge{Other: pl.members[s.Merge], Reason: "scenario"}
	case s.Partner != nil:
		b := &engine.PartnerBody{Partner: s.Partner.At, Unit: pl.unit(s.Partner.Unit)}
		f.Kind, f.Partner = engine.PartnerK, b
		switch {
		case s.Partner.Undo != "":
			b.Do, b.Unit = engine.PartnerUndo, ""
			return pl.parent(f, s.Partner.Undo)
		case s.Partner.Accept != nil:
			b.Do, b.Amount = engine.PartnerAccept, s.Partner.Accept
		default:
			b.Do, b.Amount = engine.PartnerAward, s.Partner.Award
		}
	case s.Share != "":
		f.Kind, f.Share = engine.ShareK, &engine.ShareBody{Do: engine.ShareMake, Share: s.Share}
	case s.Claim != nil:
		f.Kind, f.Share = engine.ShareK, &engine.ShareBody{Do: engine.ShareClaim, To: pl.id(pl.who(s))}
		return pl.parent(f, s.Claim.Of)
	case s.Void != nil:
		f.Kind, f.Share = engine.ShareK, &engine.ShareBody{Do: engine.ShareVoid}
		return pl.parent(f, s.Void.Of)
	case s.Thank != nil:
		f.Kind = engine.RecognitionK
		f.Recognition = &engine.RecognitionBody{Do: engine.RecognitionGive, To: pl.id(s.Thank.To), Amount: &s.Thank.Amount, Value: s.Thank.Value, Message: s.Thank.Message}
	case s.Approve != nil:
		f.Kind, f.Recognition = engine.RecognitionK, &engine.RecognitionBody{Do: engine.RecognitionApprove}
		return pl.parent(f, s.Approve.Of)
	case s.Decline != nil:
		f.Kind, f.Recognition = engine.RecognitionK, &engine.RecognitionBody{Do: engine.RecognitionDecline, Reason: "scenario"}
		return pl.parent(f, s.Decline.Of)
	case s.Unthank != nil:
		f.Kind, f.Recognition = engine.RecognitionK, &engine.RecognitionBody{Do: engine.RecognitionUndo}
		return pl.parent(f, s.Unthank.Of)
	case s.House != nil:
		f.Kind = engine.HouseK
		f.House = &engine.HouseBody{Do: s.House.Do, Member: pl.members[pl.who(s)], Role: s.House.Role, By: pl.members[s.House.By]}
	case s.Invited != "":
		f.Kind, f.Invited = engine.InvitedK, &engine.Invitation{By: pl.id(s.Invited)}
	}
	return nil
}

func redemptionOf(f engine.Fact) string {
	if f.Kind == engine.Commit {
		return f.Parent
	}
	return f.ID
}

func (pl *player) reverse(s *step, f *engine.Fact) error {
	past, ok := pl.names[s.Reverse.Of]
	if !ok || past.Transfer == nil {
		return fmt.Errorf("there is no transfer %q to reverse", s.Reverse.Of)
	}
	f.Kind, f.Member = engine.TransferOut, past.Transfer.Other
	f.Transfer = &engine.Transfer{Unit: past.Transfer.Unit, Amount: past.Transfer.Amount, Other: past.Member, Reverses: past.ID, Force: s.Reverse.Force}
	return nil
}

func (pl *player) setTier(s *setting, f *engine.Fact) error {
	set := s.Set
	if set == "" && len(pl.p.TierIDs) == 1 {
		set = pl.p.TierIDs[0]
	}
	f.Kind, f.Tier = engine.TierGrant, &engine.TierBody{Set: set, Tier: s.To, Reason: or(s.Reason, "scenario")}
	if s.Until != "" {
		t, err := s.Until.end(pl.p.Zone)
		if err != nil {
			return err
		}
		f.Tier.Until = &t
	}
	return nil
}

func (pl *player) give(g *granting, f *engine.Fact) error {
	f.Kind, f.Grant = engine.GrantK, &engine.GrantBody{Reward: g.Reward, Benefit: g.Benefit, Uses: g.Uses, TakeBack: g.TakeBack, Reason: or(g.Reason, "scenario")}
	if g.Waits != "" {
		t, err := g.Waits.in(pl.p.Zone)
		if err != nil {
			return err
		}
		f.Grant.WaitsUntil = &t
	}
	if g.Ends != "" {
		t, err := g.Ends.end(pl.p.Zone)
		if err != nil {
			return err
		}
		f.Grant.EndsAt = &t
	}
	return nil
}

func (pl *player) bill(b *billing, f *engine.Fact) error {
	plan := b.Plan
	if plan == "" && len(pl.p.PlanIDs) == 1 {
		plan = pl.p.PlanIDs[0]
	}
	f.Kind, f.Plan = engine.PlanK, &engine.PlanBody{Plan: plan, What: b.What, Trial: b.Trial, To: b.To, At: b.Takes}
	if b.Until != "" {
		t, err := b.Until.in(pl.p.Zone)
		if err != nil {
			return err
		}
		f.Plan.Until = &t
	}
	return nil
}

// unit is the unit that is meant when none is named: the only one.
func (pl *player) unit(name string) string {
	if name == "" && len(pl.p.UnitIDs) == 1 {
		return pl.p.UnitIDs[0]
	}
	return name
}

func (pl *player) adjustment(a *adjusting) (*engine.Adjustment, error) {
	if a.Challenge != "" {
		return &engine.Adjustment{Unit: a.Unit, Challenge: a.Challenge, Amount: a.Amount, To: a.To, Reason: or(a.Reason, "scenario")}, nil
	}
	b := &engine.Adjustment{Unit: pl.unit(a.Unit), Amount: a.Amount, To: a.To, Reason: or(a.Reason, "scenario"), AllowDebt: a.AllowDebt}
	switch {
	case a.Expires.none():
		b.NeverExpires = true
	case a.Expires != "":
		t, err := a.Expires.end(pl.p.Zone)
		if err != nil {
			return nil, err
		}
		b.ExpiresAt = &t
	}
	if a.Release != "" {
		t, err := a.Release.in(pl.p.Zone)
		if err != nil {
			return nil, err
		}
		b.ReleaseAt = &t
	}
	return b, nil
}
