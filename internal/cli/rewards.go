package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/terms"
	"lojal.dev/lojal/internal/version"
)

type memberRewardsCmd struct {
	jsonFlag
	Ref    string `arg:"" name:"member" help:"Id (mem_…), or KIND:VALUE such as card:1001, phone:+4790000000, email:kari@example.org, ext:4711."`
	Reward string `arg:"" optional:"" help:"Only this one, with all that the program says of it."`
	Own    bool   `help:"What the member has of their own, though they act for an organization."`
	Lang   string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	For    string `default:"staff" enum:"staff,member" placeholder:"WHO" help:"Who reads it: staff (the default) or member."`
	inProgram
}

func (memberRewardsCmd) Help() string {
	return `Says of each reward what it costs, whether the member may have it now, how often it can still be had, and what stands in the way of those that
the member may not have. What is not for the member at all is not shown.

Examples:

    lojal member rewards card:1001
    lojal member rewards ext:4711 coffee --lang nb --for member`
}

// offeredReward is a reward to a member as JSON.
type offeredReward struct {
	Reward    string            `json:"reward"`
	Title     string            `json:"title"`
	Available bool              `json:"available"`
	Reason    string            `json:"reason,omitempty"`
	Why       []string          `json:"why,omitempty"`
	Price     map[string]string `json:"price,omitempty"`
	Money     string            `json:"money,omitempty"`
	Missing   map[string]string `json:"missing,omitempty"`
	// Granted is how many the member may have at no price.
	Granted   int64          `json:"granted,omitzero"`
	StockLeft *int64         `json:"stock_left,omitempty"`
	Limits    []offeredLimit `json:"limits,omitempty"`
	// Terms is all that the program says of it.
	Terms string `json:"terms,omitempty"`

	price string
}

type offeredLimit struct {
	Each     string     `json:"each"`
	Per      string     `json:"per"`
	Times    int64      `json:"times"`
	Left     int64      `json:"left"`
	RenewsAt *time.Time `json:"renews_at,omitempty"`
}

func (c *memberRewardsCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *memberRewardsCmd) run(e *env, d *db.DB, id string) error {
	r := record.New(d, new(version.Cache))
	defer r.Close()
	offers, _, p, err := r.Catalogue(e.ctx, id, c.Ref, c.Own, e.now())
	if err != nil {
		return memberHint(err, c.Ref)
	}
	told := terms.Rewards(p, c.Lang)
	list := []offeredReward{}
	for i := range offers {
		if o := &offers[i]; !o.Hidden && (c.Reward == "" || c.Reward == o.Reward) {
			list = append(list, c.offered(p, o, told[o.Reward]))
		}
	}
	if c.Reward != "" && len(list) == 0 {
		return noSuchReward(p, c.Reward)
	}
	if c.JSON {
		return e.json(list)
	}
	for i := range list {
		c.print(e, &list[i])
	}
	if len(list) == 0 {
		e.printf("%s\n", explain.Say(c.Lang, explain.LabelNoRewards))
	}
	return nil
}

func (c *memberRewardsCmd) offered(p *program.Compiled, o *engine.Offer, told string) offeredReward {
	out := offeredReward{Reward: o.Reward, Title: explain.Reward(p, o.Reward, c.Lang), Available: o.Can, Reason: o.Reason, Price: map[string]string{}, Granted: o.Granted, Terms: told}
	if !o.Can {
		out.Why = explain.Standing(o.Why, p, c.Lang, c.For == "member")
	}
	var price []string
	for _, unit := range slices.Sorted(maps.Keys(o.Price)) {
		if o.Price[unit] > 0 {
			out.Price[unit] = unitAmount(p, unit, o.Price[unit])
			price = append(price, explain.Amount(p, unit, o.Price[unit], c.Lang))
		}
	}
	if o.Money > 0 {
		out.Money = money.Format(o.Money, p.Exponent)
		price = append(price, lang.ExactPrice(c.Lang, p.Doc.Currency, o.Money))
	}
	out.price = lang.And(c.Lang, price)
	for unit, n := range o.Missing {
		if out.Missing == nil {
			out.Missing = map[string]string{}
		}
		out.Missing[unit] = unitAmount(p, unit, n)
	}
	if o.Left >= 0 && p.Rewards[o.Reward].Stock >= 0 {
		out.StockLeft = &o.Left
	}
	for _, l := range o.Limits {
		out.Limits = append(out.Limits, offeredLimit{l.Each, l.Per, l.Times, l.Left, l.Renews})
	}
	return out
}

func (c *memberRewardsCmd) print(e *env, s *offeredReward) {
	say := func(l explain.Label, values ...any) string { return explain.Say(c.Lang, l, values...) }
	parts := []string{say(explain.LabelNo)}
	if s.Available {
		parts[0] = say(explain.LabelYes)
	}
	if s.price != "" {
		parts = append(parts, s.price)
	}
	if s.Available {
		left := int64(-1)
		for _, l := range s.Limits {
			if l.Per != "purchase" && (left < 0 || l.Left < left) {
				left = l.Left
			}
		}
		if left >= 0 {
			parts = append(parts, say(explain.LabelOfferLeft, lang.Number(c.Lang, money.New(left, 0))+" ×"))
		}
		if s.StockLeft != nil {
			parts = append(parts, say(explain.LabelStockLeft, lang.Number(c.Lang, money.New(*s.StockLeft, 0))))
		}
	}
	e.printf("%-28s %s\n", s.Title, strings.Join(parts, ", "))
	for _, why := range s.Why {
		e.printf("%-28s   %s\n", "", why)
	}
	if c.Reward != "" && s.Terms != "" {
		e.printf("%s\n", s.Terms)
	}
}

func noSuchReward(p *program.Compiled, id string) error {
	known := make([]string, len(p.Doc.Rewards))
	for i := range p.Doc.Rewards {
		known[i] = p.Doc.Rewards[i].ID
	}
	if len(known) == 0 {
		return errs.NotFound("reward_not_found", "The program has no rewards.")
	}
	return errs.NotFound("reward_not_found", fmt.Sprintf("There is no reward %s for this member. The rewards are: %s.", id, strings.Join(known, ", ")))
}
