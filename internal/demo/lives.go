package demo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/partner"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/reward"
)

// What people do besides buying follows from what the program has: whoever may thank thanks, firms buy together, miles come from partners too.

// purse is what an account has, as the last answer said it: a person's own, or that of the firm they act for.
type purse struct {
	balance map[string]int64
	// given are the rewards that may be had at no price.
	given []string
	// refused says until when it is no use asking for a reward again.
	refused map[string]time.Time
	// vouchers are redemptions whose codes can be used, waiting are thanks that nobody has approved, passed what no friend has claimed.
	vouchers []voucher
	waiting  []string
	passed   []engine.PassedOn
	// rights are the benefits that are there to be used, now and then looked up.
	rights []string
	tiers  map[string]string
}

type voucher struct{ redemption, reward string }

func newPurse() *purse {
	return &purse{balance: map[string]int64{}, refused: map[string]time.Time{}, tiers: map[string]string{}}
}

// house is a household or a firm of some of the people.
type house struct {
	id, kind string
	people   []*person
	purse    *purse
}

// purse is what somebody has to spend.
func (p *person) purse() *purse {
	if p.firm != nil {
		return p.firm.purse
	}
	return p.own
}

// may says whether somebody's place in a firm lets them do something; on their own people may all.
func (f *filler) may(p *person, what string) bool {
	return p.firm == nil || len(f.p.Doc.Organizations.Roles) == 0 || slices.Contains(f.p.Doc.Organizations.Roles[p.role], what)
}

// atTop says whether an account holds the highest tier of all sets.
func (f *filler) atTop(a *purse) bool {
	for id, set := range f.p.Doc.Tiers {
		if len(set.Steps) > 0 && a.tiers[id] != set.Steps[len(set.Steps)-1].ID {
			return false
		}
	}
	return true
}

// bringBack moves the campaigns that lie ahead back by whole years, so that the history has them.
func bringBack(doc *program.Document, now time.Time) {
	today := now.Format(time.DateOnly)
	years := func(from string) (n int) {
		for from > today {
			n, from = n+1, earlier(from, 1)
		}
		return n
	}
	span := func(from, until *string) {
		n := years(cmp.Or(*from, *until))
		*from, *until = earlier(*from, n), earlier(*until, n)
	}
	for i := range doc.Earn {
		span(&doc.Earn[i].From, &doc.Earn[i].Until)
	}
	for i := range doc.Challenges {
		span(&doc.Challenges[i].From, &doc.Challenges[i].Until)
	}
	for i := range doc.Coupons {
		span(&doc.Coupons[i].From, &doc.Coupons[i].Until)
	}
	for i := range doc.Rewards {
		r := &doc.Rewards[i]
		span(&r.From, &r.Until)
		if t := r.Gives.Raffle; t != nil {
			t.Draw = earlier(t.Draw, years(t.Draw))
		}
	}
}

// earlier is a date, or a time that begins with one, some years before.
func earlier(date string, years int) string {
	var y int
	if _, err := fmt.Sscanf(date, "%4d-", &y); err != nil || years == 0 || len(date) < len(time.DateOnly) {
		return date
	}
	return fmt.Sprintf("%04d", y-years) + strings.Replace(date[4:], "-02-29", "-02-28", 1)
}

// together lets people who belong together find each other: in a program for firms most are in one, in one for households some.
func (f *filler) together(ctx context.Context, monday time.Time) error {
	var kind string
	var most int
	wait := time.Duration(0)
	switch {
	case f.p.Doc.Organizations != nil:
		kind, most = engine.Organization, 5
	case f.p.Doc.Households != nil:
		kind, most, wait = engine.Household, 3, 5*7*24*time.Hour
	default:
		return nil
	}
	at := monday.Add(6 * time.Hour)
	for _, p := range f.world.people {
		if p.id == "" || p.asked || p.joins.Add(wait).After(monday) || at.After(f.in.Now) {
			continue
		}
		p.asked = true
		if !p.keen && p.number > 0 && f.world.rnd.Float64() < 0.2 {
			continue // on their own
		}
		at = at.Add(time.Minute)
		if h := f.forming; h == nil || len(h.people) >= most {
			if err := f.open(ctx, kind, p, at); err != nil {
				return err
			}
		} else if err := f.join(ctx, h, p, at); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) open(ctx context.Context, kind string, p *person, at time.Time) error {
	h := &house{id: ids.New(record.HousePrefix(kind), at), kind: kind, purse: newPurse()}
	r, err := f.in.Recorder.Record(ctx, record.Request{Program: f.program, Holder: h.id, Now: at, Actor: actor, Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: at,
		Enrolment: &engine.EnrolmentBody{Kind: kind}, House: &engine.HouseBody{Do: engine.HouseOpen, Kind: kind, Member: p.id}}})
	if err != nil {
		return fmt.Errorf("open a %s: %w", kind, err)
	}
	h.id, f.forming, f.purses[r.Fact.Member] = r.Fact.Member, h, h.purse
	f.out.Facts++
	f.belong(h, p, f.role(p, true))
	return nil
}

func (f *filler) join(ctx context.Context, h *house, p *person, at time.Time) error {
	role := f.role(p, false)
	for i, b := range []engine.HouseBody{{Do: engine.HouseInvite, Member: p.id, Role: role, By: h.people[0].id}, {Do: engine.HouseJoin, Member: p.id}} {
		then := at.Add(time.Duration(i) * 10 * time.Second)
		if h.kind == engine.Household {
			b.Role = ""
		}
		req := record.Request{Program: f.program, Now: then, Actor: actor, Fact: engine.Fact{Kind: engine.HouseK, OccurredAt: then, House: &b}}
		req.Name(h.id)
		if _, err := f.in.Recorder.Record(ctx, req); err != nil {
			return fmt.Errorf("%s into a %s: %w", b.Do, h.kind, err)
		}
		f.out.Facts++
	}
	f.belong(h, p, role)
	return nil
}

func (f *filler) belong(h *house, p *person, role string) {
	h.people = append(h.people, p)
	if p.role = role; h.kind == engine.Organization {
		p.firm = h
	} else {
		p.home = h
	}
}

// role is what somebody is in a firm: who opens it may all, of the others those who come often buy.
func (f *filler) role(p *person, first bool) string {
	o := f.p.Doc.Organizations
	if o == nil {
		return ""
	}
	var roles []string
	for _, id := range slices.Sorted(maps.Keys(o.Roles)) {
		may := o.Roles[id]
		manages := slices.Contains(may, program.MayManage)
		if first && manages {
			return id
		}
		if !manages && (!p.keen && p.number > 0 || slices.Contains(may, program.MayBuy)) {
			roles = append(roles, id)
		}
	}
	if len(roles) == 0 {
		return ""
	}
	return roles[p.number%len(roles)]
}

// atPartners makes up what somebody does at partners in a week.
func (f *filler) atPartners(p *person, monday time.Time, add func(engine.Fact)) {
	w := f.world
	for i := range f.p.Doc.Partners {
		c := &f.p.Doc.Partners[i]
		if w.rnd.Float64() > 0.06*p.eager {
			continue
		}
		for _, unit := range slices.Sorted(maps.Keys(c.Accepts)) {
			scale := money.Pow10(f.p.Units[unit].Precision)
			if has := p.purse().balance[unit] / scale; has >= 1000 && !f.saves(p) && w.rnd.Float64() < 0.3 {
				add(engine.Fact{Kind: engine.PartnerK, OccurredAt: w.visit(p, monday), Partner: &engine.PartnerBody{Partner: c.ID, Do: engine.PartnerAccept,
					Unit: unit, Amount: new(money.New(min(has/2, 500+100*int64(w.rnd.IntN(20))), 0))}})
			}
		}
		for _, unit := range slices.Sorted(maps.Keys(c.Awards)) {
			n := int64(100 + 50*w.rnd.IntN(16))
			if c.Most != nil {
				if most, err := c.Most.Minor(0); err == nil {
					n = min(n, most)
				}
			}
			add(engine.Fact{Kind: engine.PartnerK, OccurredAt: w.visit(p, monday), Partner: &engine.PartnerBody{Partner: c.ID, Do: engine.PartnerAward,
				Unit: unit, Amount: new(money.New(n, 0))}})
		}
	}
}

// payAhead has the partners pay that pay ahead, each quarter for as many points as all members may come to.
func (f *filler) payAhead(ctx context.Context, week int, monday time.Time) error {
	if week%13 != 0 {
		return nil
	}
	for i := range f.p.Doc.Partners {
		c := &f.p.Doc.Partners[i]
		if c.Pays != "ahead" {
			continue
		}
		err := f.in.DB.Write(ctx, func(tx *db.Tx) error {
			set, err := f.in.Recorder.Versions().Get(ctx, tx, f.program)
			if err != nil {
				return err
			}
			_, _, err = partner.Pay(ctx, tx, partner.New{Program: set.At(monday), Partner: c.ID, Reference: fmt.Sprintf("demo-%d", week), Amount: money.New(int64(500*len(f.world.people)), 0),
				PaidAt: monday, Actor: actor, Now: monday})
			return err
		})
		if err != nil {
			return fmt.Errorf("have %s pay ahead: %w", c.ID, err)
		}
	}
	return nil
}

// passOn makes up what somebody passes on to friends; a friend claims it in a week after.
func (f *filler) passOn(p *person, monday time.Time, add func(engine.Fact)) {
	w := f.world
	a := p.purse()
	for i := range f.p.Doc.Shares {
		if w.rnd.Float64() < 0.05*p.eager {
			add(engine.Fact{Kind: engine.ShareK, OccurredAt: evening(monday), Share: &engine.ShareBody{Do: engine.ShareMake, Share: f.p.Doc.Shares[i].ID}})
		}
	}
	for _, s := range a.passed {
		to := w.people[w.rnd.IntN(len(w.people))]
		at := evening(monday)
		if to.id != "" && to != p && at.Before(s.Until) {
			add(engine.Fact{Kind: engine.ShareK, Parent: s.ID, OccurredAt: at, Share: &engine.ShareBody{Do: engine.ShareClaim, To: to.id}})
		}
	}
	a.passed = nil
}

// evening is that of a week's Sunday, when people see to each other.
func evening(monday time.Time) time.Time { return monday.AddDate(0, 0, 6).Add(21 * time.Hour) }

// giveAway gives points to somebody, where members may.
func (f *filler) giveAway(p *person, monday time.Time, add func(engine.Fact)) {
	t, w := f.p.Doc.Transfers, f.world
	if t == nil || w.rnd.Float64() > 0.01 {
		return
	}
	to := w.people[w.rnd.IntN(len(w.people))]
	unit := t.Units[0]
	n := int64(10)
	if t.Min != nil {
		if least, err := t.Min.Minor(0); err == nil {
			n = least
		}
	}
	if to.id == "" || to == p || p.purse().balance[unit] < n*money.Pow10(f.p.Units[unit].Precision) {
		return
	}
	add(engine.Fact{Kind: engine.TransferOut, OccurredAt: evening(monday), Transfer: &engine.Transfer{Unit: unit, Amount: money.New(n, 0), Other: to.id}})
}

// useRight uses a benefit that somebody has.
func (f *filler) useRight(p *person, monday time.Time, add func(engine.Fact)) {
	a, w := p.purse(), f.world
	if len(a.rights) == 0 || w.rnd.Float64() > 0.3 {
		return
	}
	add(engine.Fact{Kind: engine.UseK, OccurredAt: w.visit(p, monday), Use: &engine.UseBody{Benefit: a.rights[w.rnd.IntN(len(a.rights))], Store: w.stores[p.store]}})
	a.rights = nil
}

// approve has somebody look at the thanks that wait: nearly all are well meant.
func (f *filler) approve(p *person, monday time.Time, add func(engine.Fact)) {
	a := p.purse()
	for _, id := range a.waiting {
		b := &engine.RecognitionBody{Do: engine.RecognitionApprove}
		if f.world.rnd.Float64() < 0.08 {
			b.Do, b.Reason = engine.RecognitionDecline, "Sent twice"
		}
		add(engine.Fact{Kind: engine.RecognitionK, Parent: id, OccurredAt: monday.Add(9 * time.Hour), Recognition: b})
	}
	a.waiting = nil
}

// bring makes up what is brought with a purchase to lower its price: a voucher, a coupon, points.
func (f *filler) bring(p *person, fact *engine.Fact) {
	a, w, b := p.purse(), f.world, fact.Purchase
	switch {
	case len(a.vouchers) > 0 && w.rnd.Float64() < 0.7:
		v := a.vouchers[0]
		a.vouchers = a.vouchers[1:]
		b.Codes = []engine.CodeUse{{Redemption: v.redemption, Reward: v.reward}}
		return
	case len(f.p.Doc.Coupons) > 0 && w.rnd.Float64() < 0.15:
		c := &f.p.Doc.Coupons[w.rnd.IntN(len(f.p.Doc.Coupons))]
		day := fact.OccurredAt.In(w.zone).Format(time.DateOnly)
		switch {
		case day < c.From || c.Until != "" && day > c.Until:
		case c.Word != "":
			b.Codes = []engine.CodeUse{{Coupon: c.ID}}
		case len(f.codes[c.ID]) > 0:
			b.Codes = []engine.CodeUse{{Coupon: c.ID, Holder: f.codes[c.ID][0]}}
			f.codes[c.ID] = f.codes[c.ID][1:]
		}
		return
	}
	if f.saves(p) {
		return
	}
	for i := range f.p.Doc.Rewards {
		r := f.p.Rewards[f.p.Doc.Rewards[i].ID]
		if r.Pay == nil || a.balance[r.Pay.Unit] < max(r.PayMin, r.PayPoints) || !f.may(p, program.MaySpend) || w.rnd.Float64() > p.spends {
			continue
		}
		b.Spend = []engine.Spend{{Reward: r.ID, Max: true}}
		return
	}
}

// stock puts the codes of batches and pools in place that members use and get.
func (f *filler) stock(ctx context.Context, at time.Time) error {
	size := 20 + len(f.world.people)/5
	for i := range f.p.Doc.Coupons {
		c := &f.p.Doc.Coupons[i]
		for n := 0; c.Word == "" && n < size; n++ {
			id, err := f.holder(ctx, engine.CouponCode, code.CouponPrefix, code.Coupon, &engine.Card{Coupon: c.ID}, c.ID, at)
			if err != nil {
				return err
			}
			f.codes[c.ID] = append(f.codes[c.ID], id)
		}
	}
	pools := map[string]bool{}
	for i := range f.p.Doc.Rewards {
		if g := &f.p.Doc.Rewards[i].Gives; g.Pool != "" {
			pools[g.Pool] = true
		}
	}
	for _, pool := range slices.Sorted(maps.Keys(pools)) {
		list := make([]reward.NewCode, 40*size)
		for i := range list {
			list[i].Text = code.Show(code.Draw())
		}
		err := f.in.DB.Write(ctx, func(tx *db.Tx) error {
			_, err := reward.Load(ctx, tx, f.program, pool, "demo", list, at)
			return err
		})
		if err != nil {
			return fmt.Errorf("load the pool %s: %w", pool, err)
		}
	}
	return nil
}

// holder makes an account that is no member, a gift card or a coupon's code, with the code that opens it.
func (f *filler) holder(ctx context.Context, kind, prefix string, what code.Kind, card *engine.Card, subject string, at time.Time) (string, error) {
	id, text := ids.New(prefix, at), code.Draw()
	req := record.Request{Program: f.program, Holder: id, Now: at, Actor: actor, Fact: engine.Fact{Kind: engine.Enrolment, OccurredAt: at, Enrolment: &engine.EnrolmentBody{Kind: kind}, Card: card}}
	req.Beside = func(ctx context.Context, tx *db.Tx, r *record.Result) error {
		k, err := code.MakeKey(ctx, tx, f.program, at)
		if err != nil {
			return err
		}
		kept, err := k.Of(code.New{Kind: what, Text: text, Holder: id, Subject: cmp.Or(subject, id), Batch: "demo"}, at)
		if err != nil {
			return err
		}
		code.KeepLater(tx, f.program, []code.Code{kept})
		if kind != engine.GiftCard {
			return nil
		}
		return giftcard.Keep(tx, f.program, giftcard.Card{ID: id, Batch: "demo", CreatedAt: r.Fact.RecordedAt})
	}
	r, err := f.in.Recorder.Record(ctx, req)
	if err != nil {
		return "", fmt.Errorf("make a %s: %w", kind, err)
	}
	f.out.Facts++
	return r.Fact.Member, nil
}

// cards sells gift cards in a week, and has those of the weeks before spent.
func (f *filler) cards(ctx context.Context, monday time.Time) error {
	g, w := f.p.Doc.GiftCards, f.world
	at := monday.Add(4*24*time.Hour + 13*time.Hour)
	if g == nil || at.After(f.in.Now) {
		return nil
	}
	for n := w.drawn(0.3 + float64(len(w.people))/100); n > 0; n-- {
		amount := int64(300 + 100*w.rnd.IntN(5))
		id, err := f.holder(ctx, engine.GiftCard, giftcard.IDPrefix, code.GiftCard, &engine.Card{Amount: new(money.New(amount, 0))}, "", at)
		if err != nil {
			return err
		}
		f.unspent = append(f.unspent, card{id, amount})
	}
	var rest []card
	for _, c := range f.unspent {
		if w.rnd.Float64() > 0.2 {
			rest = append(rest, c)
			continue
		}
		spent := min(c.left, int64(60+20*w.rnd.IntN(15)))
		req := record.Request{Program: f.program, Holder: c.id, Now: at.Add(time.Hour), Actor: actor, Fact: engine.Fact{Kind: engine.Redeem, OccurredAt: at.Add(time.Hour),
			Redemption: &engine.Redemption{Spend: engine.Spend{Points: new(money.New(spent, 0))}, Store: w.stores[0]}}}
		if req.Now.After(f.in.Now) {
			req.Now, req.Fact.OccurredAt = f.in.Now, f.in.Now
		}
		if _, err := f.in.Recorder.Record(ctx, req); err != nil {
			return fmt.Errorf("pay with a gift card: %w", err)
		}
		f.out.Facts++
		if c.left -= spent; c.left > 0 {
			rest = append(rest, c)
		}
	}
	f.unspent = rest
	return nil
}

// card is a gift card with what is left on it.
type card struct {
	id   string
	left int64
}
