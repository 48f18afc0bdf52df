package api

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/web"
)

// Benefit is a benefit as it stands for a member now.
type Benefit struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Picture     string `json:"picture,omitempty"`
	// Available says whether the member may have it now.
	Available bool `json:"available"`
	// Reason says why not: not_active, not_begun, ended, not_granted, condition, limit_reached, faded, nothing_yet, not_open. Why says it in
	// sentences.
	Reason string   `json:"reason,omitempty"`
	Why    []string `json:"why,omitempty"`
	// Missing is what the member lacks; of several, any one may do.
	Missing []Lack `json:"missing,omitempty"`
	// Value is what it is worth now, Full what it would be had it not faded.
	Value *BenefitValue `json:"value,omitempty"`
	Full  *BenefitValue `json:"full,omitempty"`
	// From is since when the member has it, or, where only time is missing, from when. Until is when it ends, as far as is known.
	From  *time.Time `json:"from,omitempty"`
	Until *time.Time `json:"until,omitempty"`
	// Tiers (as SET/TIER), Plans and Grants (numbers of what was given or passed on) are those that bring it to this member.
	Tiers  []string `json:"tiers,omitempty"`
	Plans  []string `json:"plans,omitempty"`
	Grants []int64  `json:"grants,omitempty"`
	// Left is how often it may still be used, RenewsAt when it may be used more often again.
	Left     *int64     `json:"left,omitempty"`
	RenewsAt *time.Time `json:"renews_at,omitempty"`
	// Fades is the next step down, unless something is bought; Grows the next step up.
	Fades *NextFade   `json:"fades,omitempty"`
	Grows *NextGrowth `json:"grows,omitempty"`
	// OpensAt is when what was asked for opens for this member.
	OpensAt *time.Time `json:"opens_at,omitempty"`
}

// BenefitValue is what a benefit is worth. One of the three is there.
type BenefitValue struct {
	// Percent is the part off, Money the money off, Ahead how long before others, for example "1 day".
	Percent Amount `json:"percent,omitempty"`
	Money   Amount `json:"money,omitempty"`
	Ahead   string `json:"ahead,omitempty"`
	// Text is the same for people.
	Text string `json:"text"`
}

// Lack is something that a member lacks for a benefit: a tier, a plan, or time.
type Lack struct {
	// Tier, as SET/TIER, takes Amount more of Metric, before Until where the window ends then. TierName is for people.
	Tier     string     `json:"tier,omitempty"`
	TierName string     `json:"tier_name,omitempty"`
	Metric   string     `json:"metric,omitempty"`
	Amount   Amount     `json:"amount,omitempty"`
	Until    *time.Time `json:"until,omitempty"`
	// Plan is one that would bring it.
	Plan string `json:"plan,omitempty"`
	// At is when the membership is old enough.
	At *time.Time `json:"at,omitempty"`
}

// NextFade is the next step of a benefit that fades.
type NextFade struct {
	// At is when it comes, unless something is bought. Told says whether the member was warned: it never comes sooner than the warning's time
	// after that.
	At   time.Time `json:"at"`
	Told bool      `json:"told"`
	// To is what it falls to; not there where it ends.
	To *BenefitValue `json:"to,omitempty"`
}

// NextGrowth is the next step of a benefit that grows: at a time, with a tier, or when Missing more of Metric is reached.
type NextGrowth struct {
	To      *BenefitValue `json:"to"`
	At      *time.Time    `json:"at,omitempty"`
	Metric  string        `json:"metric,omitempty"`
	Missing Amount        `json:"missing,omitempty"`
	Tier    string        `json:"tier,omitempty"`
}

// BenefitUse says that a member used a benefit.
type BenefitUse struct {
	Store   string `json:"store,omitempty"`
	Channel string `json:"channel,omitempty"`
	FactKey
}

// BenefitUndo takes the use of a benefit back.
type BenefitUndo struct {
	FactKey
	Reason string `json:"reason,omitempty"`
}

// BatchUse is the use of a benefit in a batch or simulation.
type BatchUse struct {
	// Member is the member's id, or KIND:VALUE of an identifier.
	Member  string `json:"member"`
	Benefit string `json:"benefit"`
	BenefitUse
}

func (b BatchUse) fact() engine.Fact { return b.BenefitUse.fact(b.Benefit) }

func (b BenefitUse) fact(id string) engine.Fact {
	f := b.FactKey.fact(engine.UseK)
	f.Use = &engine.UseBody{Benefit: id, Store: b.Store, Channel: b.Channel}
	return f
}

// PlanEvent is what billing tells of a member's plan.
type PlanEvent struct {
	Head
	// Plan is its id in the program document.
	Plan string `json:"plan"`
	// What is started (it began, with its trial where there is one, else with the first period paid), paid (the next period), failed
	// (the payment), cancelled, resumed (the cancellation is taken back) or changed.
	What string `json:"what"`
	// Until is the end of the trial or of what is paid for, where billing says it; else it is counted by the program. An end that is known already
	// changes nothing, so that a period counts once.
	Until *time.Time `json:"until,omitempty"`
	// Trial false starts without the trial.
	Trial *bool `json:"trial,omitempty"`
	// To is the plan it changes to.
	To string `json:"to,omitempty"`
	// At is now or period end: when a cancellation (period end, when left out) or a change (now) takes effect.
	At     string `json:"at,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Told is the event in the engine's form.
func (e PlanEvent) Told() *engine.PlanBody {
	return &engine.PlanBody{Plan: e.Plan, What: e.What, Until: e.Until, Trial: e.Trial, To: e.To, At: e.At, Reason: e.Reason}
}

func (e PlanEvent) fact() engine.Fact {
	f := e.FactKey.fact(engine.PlanK)
	f.Plan = e.Told()
	return f
}

// MemberPlan is where a member stands in a plan.
type MemberPlan struct {
	Plan        string `json:"plan"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	// Price is what a period costs, Every how long it lasts.
	Price Amount `json:"price,omitempty"`
	Every string `json:"every"`
	// Status is none, trial, active, grace (the period has ended and the payment is waited for) or ended.
	Status string     `json:"status"`
	Since  *time.Time `json:"since,omitempty"`
	// Until is the end of the trial or of what is paid for; in the grace, when it ends unless it is paid.
	Until *time.Time `json:"until,omitempty"`
	// Cancelled says that it ends then, Next that it becomes another plan then.
	Cancelled bool   `json:"cancelled,omitzero"`
	Next      string `json:"next,omitempty"`
	// EndedAt is when it ended, EndedBy why: cancelled, unpaid, changed or closed.
	EndedAt *time.Time `json:"ended_at,omitempty"`
	EndedBy string     `json:"ended_by,omitempty"`
	// Trial says that the member may have the trial.
	Trial    bool     `json:"trial"`
	Benefits []string `json:"benefits,omitempty"`
}

type benefitsIn struct {
	Call
	MemberPath
	// Opens, for benefits that come ahead of others, is when what is asked for opens for everybody, with offset: opens_at then says when for this member.
	Opens *time.Time `query:"opens"`
	Shown
}

func (s *Server) listBenefits(ctx context.Context, in *benefitsIn) (*Page[Benefit], error) {
	list, err := s.benefits(ctx, &in.Call, in.Member, "", in.Opens)
	return &Page[Benefit]{Items: list}, err
}

type benefitIn struct {
	Call
	MemberPath
	// Benefit is its id in the program document.
	Benefit string `path:"benefit"`
	// Opens, for a benefit that comes ahead of others, is when what is asked for opens for everybody, with offset: opens_at then says when for this
	// member, and available whether it has.
	Opens *time.Time `query:"opens"`
	Shown
}

func (s *Server) getBenefit(ctx context.Context, in *benefitIn) (*Benefit, error) {
	list, err := s.benefits(ctx, &in.Call, in.Member, in.Benefit, in.Opens)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, web.NotFound("benefit")
	}
	return &list[0], nil
}

func (s *Server) benefits(ctx context.Context, c *Call, member, benefit string, opens *time.Time) ([]Benefit, error) {
	if opens != nil && (opens.Year() < 1900 || opens.Year() > latestYear) {
		return nil, errs.Malformed("invalid_parameter", "The time must lie between the years 1900 and 2200.",
			errs.Field{Pointer: "opens", Reason: "out_of_range", Message: "Give a time between the years 1900 and 2200."})
	}
	list, _, p, err := s.Recorder.Benefits(ctx, c.program(), member, benefit, opens, c.now)
	if err != nil {
		return nil, err
	}
	v := c.view(p)
	out := make([]Benefit, len(list))
	for i := range list {
		out[i] = v.benefit(&list[i])
	}
	return out, nil
}

func (v view) benefit(s *engine.Standing) Benefit {
	b := s.Benefit
	out := Benefit{
		ID: b.ID, Title: explain.Benefit(v.p, b.ID, v.lang), Description: b.Description.In(v.lang), Picture: b.Picture, Available: s.Can, Reason: s.Reason,
		Value: v.worth(s.Worth), From: v.moment(s.From), Until: v.moment(s.Until), Tiers: s.Tiers, Plans: s.Plans, Grants: s.Grants, Left: s.Left,
		RenewsAt: v.moment(s.Renews), OpensAt: v.moment(s.Opens),
	}
	if s.Full != s.Worth {
		out.Full = v.worth(s.Full)
	}
	if !s.Can {
		out.Why = explain.Standing(s.Why, v.p, v.lang, v.forMember)
	}
	for _, l := range s.Missing {
		one := Lack{Tier: l.Tier, Until: v.moment(l.Until), Plan: l.Plan, At: v.moment(l.At)}
		if l.Tier != "" {
			one.TierName = explain.Tier(v.p, l.Tier, v.lang)
			if one.Metric = l.Metric; l.Metric != "tenure" {
				one.Amount = v.metric(l.Metric, l.Amount)
			}
		}
		out.Missing = append(out.Missing, one)
	}
	if f := s.Fades; f != nil {
		out.Fades = &NextFade{At: v.time(f.At), Told: f.Told}
		if !f.Ends {
			out.Fades.To = v.worth(f.To)
		}
	}
	if g := s.Grows; g != nil {
		out.Grows = &NextGrowth{To: v.worth(g.To), At: v.moment(g.At), Metric: g.Metric, Tier: g.Tier}
		if g.Missing > 0 {
			out.Grows.Missing = v.metric(g.Metric, g.Missing)
		}
	}
	return out
}

func (v view) worth(w program.Worth) *BenefitValue {
	out := &BenefitValue{Text: explain.Worth(v.p, w, v.lang)}
	switch w.Kind {
	case program.WorthPercent:
		out.Percent = Amount(w.Percent())
	case program.WorthMoney:
		out.Money = v.money(w.Amount)
	case program.WorthAhead:
		out.Ahead = w.Ahead.String()
	default:
		return nil
	}
	return out
}

type useIn struct {
	Call
	MemberPath
	// Benefit is its id in the program document.
	Benefit string `path:"benefit"`
	Included
	Body *BenefitUse
}

func (s *Server) useBenefit(ctx context.Context, in *useIn) (*Answered[Recorded], error) {
	if in.Body == nil {
		in.Body = &BenefitUse{}
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, in.Body.fact(in.Benefit))
}

type undoUseIn struct {
	Call
	// Use is the use, by the id of its fact.
	Use string `path:"use"`
	Included
	Body *BenefitUndo
}

func (s *Server) undoUse(ctx context.Context, in *undoUseIn) (*Answered[Recorded], error) {
	if _, ok := ids.BucketOf(in.Use); !ok {
		return nil, web.NotFound("fact")
	}
	if in.Body == nil {
		in.Body = &BenefitUndo{}
	}
	f := in.Body.FactKey.fact(engine.UseK)
	f.Parent = in.Use
	f.Use = &engine.UseBody{Undo: true, Reason: in.Body.Reason}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

type planEventIn struct {
	Call
	Included
	Body PlanEvent
}

func (s *Server) recordPlanEvent(ctx context.Context, in *planEventIn) (*Answered[Recorded], error) {
	if in.Body.Member == "" {
		return nil, required("/member", "Say whose plan it is.")
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Body.Member, in.Body.fact())
}

type plansIn struct {
	Call
	MemberPath
	Spoken
}

func (s *Server) listPlans(ctx context.Context, in *plansIn) (*Page[MemberPlan], error) {
	acc, p, err := s.Recorder.View(ctx, in.program(), in.Member, in.now)
	if err != nil {
		return nil, err
	}
	v := in.view(p)
	out := &Page[MemberPlan]{Items: []MemberPlan{}}
	for i := range p.Doc.Plans {
		out.Items = append(out.Items, v.plan(p.Plans[p.Doc.Plans[i].ID], acc.State.Plans[p.Doc.Plans[i].ID]))
	}
	return out, nil
}

func (v view) plan(p *program.CompiledPlan, s *engine.PlanState) MemberPlan {
	out := MemberPlan{Plan: p.ID, Title: explain.Plan(v.p, p.ID, v.lang), Description: p.Description.In(v.lang), Every: p.Every.String(), Status: "none",
		Trial: p.Trial != nil && (s == nil || !s.Tried), Benefits: p.Benefits}
	if p.Price >= 0 {
		out.Price = v.money(p.Price)
	}
	if s == nil || s.Status == "" {
		return out
	}
	out.Status, out.Cancelled, out.Next, out.EndedAt, out.EndedBy = s.Status, s.Cancelled, s.Next, v.moment(s.EndedAt), s.Ended
	if !s.Since.IsZero() {
		out.Since = v.moment(&s.Since)
	}
	switch s.Status {
	case engine.PlanGrace:
		ends := s.GraceUntil(p, v.p.Zone)
		out.Until = v.moment(&ends)
	case engine.PlanTrial, engine.PlanActive:
		out.Until = v.moment(&s.Until)
	}
	return out
}
