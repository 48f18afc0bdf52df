package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

type memberCmd struct {
	Show     memberShowCmd     `cmd:"" help:"Show a member: who, what they have, and the last facts."`
	Forecast memberForecastCmd `cmd:"" help:"Look ahead: what a member will have if nothing happens but time."`
	Benefits memberBenefitsCmd `cmd:"" help:"Show which benefits a member may have now, and what is missing to the others."`
	Rewards  memberRewardsCmd  `cmd:"" help:"Show which rewards a member may have now, and what is missing to the others."`
	Houses   memberHousesCmd   `cmd:"" help:"Show the household and the organization that a member belongs to."`
}

type memberShowCmd struct {
	jsonFlag
	Ref   string `arg:"" name:"member" help:"Id (mem_…, or that of an organization or a household), or KIND:VALUE such as card:1001, phone:+4790000000, email:kari@example.org, ext:4711."`
	Facts int    `default:"10" placeholder:"N" help:"How many of the last facts to show, ${default} when left out."`
	Lang  string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	inProgram
}

func (memberShowCmd) Help() string {
	return `What they have is shown as it stands now, with what has expired or been released meanwhile. Behind it stand sums over all time: what
was earned is told as the rules gave it, and what was taken back of it by itself.

Examples:

    lojal member show card:1001
    lojal member show mem_01k8zv… --json`
}

// shown is a member as JSON.
type shown struct {
	Member   member.Member           `json:"member"`
	Status   string                  `json:"status"`
	JoinedAt time.Time               `json:"joined_at"`
	Balances map[string]shownBalance `json:"balances"`
	Tiers    map[string]string       `json:"tiers"`
	// Plans are in words, by plan.
	Plans map[string]string `json:"plans"`
	// InvitedBy is who brought the member; Invited are those whom the member brought.
	InvitedBy *engine.ReferralState `json:"invited_by,omitempty"`
	Invited   []string              `json:"invited"`
	// Challenges are in words; Grants are what the member may have and did not pay for.
	Challenges map[string]string `json:"challenges"`
	Grants     []engine.Grant    `json:"grants"`
	Facts      []shownFact       `json:"facts"`
}

type shownBalance struct {
	Balance  string      `json:"balance"`
	Pending  string      `json:"pending"`
	Reserved string      `json:"reserved"`
	Debt     string      `json:"debt"`
	Lots     []shownLot  `json:"lots"`
	Totals   shownTotals `json:"totals"`
}

// shownTotals are sums over all time: earned by rules, before what was taken back; the rest as the names say. Earned less taken back,
// spent, expired and closed, with adjusted, transferred and partners, is what the member has, on hold and set aside with it.
type shownTotals struct {
	Earned      string `json:"earned"`
	TakenBack   string `json:"taken_back"`
	Spent       string `json:"spent"`
	Expired     string `json:"expired"`
	Adjusted    string `json:"adjusted"`
	Transferred string `json:"transferred"`
	Partners    string `json:"partners"`
	Closed      string `json:"closed"`
}

type shownLot struct {
	Amount    string     `json:"amount"`
	EarnedAt  time.Time  `json:"earned_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

type shownFact struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	OccurredAt time.Time `json:"occurred_at"`
	Summary    string    `json:"summary"`
}

func (c *memberShowCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *memberShowCmd) run(e *env, d *db.DB, id string) (err error) {
	var versions version.Cache
	r := record.New(d, &versions)
	defer r.Close()
	acc, p, err := r.ViewProgress(e.ctx, id, c.Ref, e.now())
	if err != nil {
		return memberHint(err, c.Ref)
	}
	var m member.Member
	var facts []books.Entry
	var set *version.Set
	var invited []string
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		if m, err = member.Get(e.ctx, tx, id, acc.Member); err != nil {
			return err
		}
		if set, err = versions.Get(e.ctx, tx, id); err != nil {
			return err
		}
		ref := books.Ref{Program: id, Member: acc.Member}
		if facts, err = books.Facts(e.ctx, tx, ref, books.Page{Limit: max(c.Facts, 1)}); err != nil {
			return err
		}
		invited, err = friends(e.ctx, tx, ref)
		return err
	})
	if err != nil {
		return err
	}
	if c.Facts <= 0 {
		facts = nil
	}
	if c.JSON {
		out := c.shown(m, acc, p, set, facts)
		out.Invited = append(out.Invited, invited...)
		for _, g := range engine.ChallengesOf(p, acc, e.now()) {
			out.Challenges[g.Challenge] = explain.Challenge(&g, p, c.Lang, false)
		}
		return e.json(out)
	}
	c.print(e, m, acc, p, set, facts, invited)
	return nil
}

// friends are the members whom a member brought, the newest first, of the last 500 steps.
func friends(ctx context.Context, tx *db.Tx, ref books.Ref) ([]string, error) {
	thanks, err := books.Facts(ctx, tx, ref, books.Page{Limit: 500, Kinds: []engine.Kind{engine.ThanksK}})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range thanks {
		if b := thanks[i].Fact.Thanks; b.For == "referral" && !slices.Contains(out, b.From) {
			out = append(out, b.From)
		}
	}
	return out, nil
}

func memberHint(err error, ref string) error {
	if errs.Is(err, errs.CodeNotFound, "member_not_found") {
		return errs.NotFound("member_not_found", fmt.Sprintf("There is no member %s in this program.", ref))
	}
	return err
}

func unitAmount(p *program.Compiled, unit string, minor int64) string {
	return money.Format(minor, scaleOf(p, unit))
}

func scaleOf(p *program.Compiled, unit string) int {
	if u := p.Units[unit]; u != nil {
		return u.Precision
	}
	return 0
}

// summary is a fact in one sentence, in the words of the version that decided it.
func (c *memberShowCmd) summary(set *version.Set, p *program.Compiled, f *books.Entry) string {
	if by := set.Version(f.Decision.Version); by != nil {
		p = by
	}
	return explain.Summary(explain.Whole(f.Fact.Kind, f.Decision.Explanation), p, c.Lang, false)
}

func (c *memberShowCmd) shown(m member.Member, acc *engine.Account, p *program.Compiled, set *version.Set, facts []books.Entry) shown {
	out := shown{Member: m, Status: acc.State.Status, JoinedAt: acc.State.JoinedAt, Balances: map[string]shownBalance{}, Tiers: map[string]string{}, Plans: map[string]string{}, InvitedBy: acc.State.Referral, Invited: []string{}, Challenges: map[string]string{}, Grants: append([]engine.Grant{}, acc.State.Grants...), Facts: []shownFact{}}
	for unit, h := range acc.State.Units {
		b := shownBalance{Balance: unitAmount(p, unit, h.Balance()), Pending: unitAmount(p, unit, h.Pending), Reserved: unitAmount(p, unit, h.Reserved),
			Debt: unitAmount(p, unit, h.Debt), Lots: []shownLot{}, Totals: shownTotals{
				Earned: unitAmount(p, unit, h.Earned), TakenBack: unitAmount(p, unit, h.Reversed), Spent: unitAmount(p, unit, h.Spent), Expired: unitAmount(p, unit, h.Expired),
				Adjusted: unitAmount(p, unit, h.Adjusted), Transferred: unitAmount(p, unit, h.Transferred), Partners: unitAmount(p, unit, h.Partners), Closed: unitAmount(p, unit, h.Closed)}}
		for _, l := range acc.Lots {
			if l.Unit == unit && l.Open() {
				b.Lots = append(b.Lots, shownLot{unitAmount(p, unit, l.Left()), l.EarnedAt, l.ExpiresAt})
			}
		}
		out.Balances[unit] = b
	}
	for id, t := range acc.State.Tiers {
		out.Tiers[id] = t.Tier
	}
	for id, s := range acc.State.Plans {
		out.Plans[id] = explain.PlanStanding(id, s, p, c.Lang)
	}
	for i := range facts {
		f := &facts[i]
		out.Facts = append(out.Facts, shownFact{f.Fact.ID, string(f.Fact.Kind), f.Fact.OccurredAt, c.summary(set, p, f)})
	}
	return out
}

func (c *memberShowCmd) print(e *env, m member.Member, acc *engine.Account, p *program.Compiled, set *version.Set, facts []books.Entry, invited []string) {
	name := m.DisplayName()
	switch {
	case name != "":
	case acc.State.Kind == engine.Household:
		name = explain.Say(c.Lang, explain.LabelHousehold)
	case acc.State.Kind == engine.Organization:
		name = explain.Say(c.Lang, explain.LabelOrganization)
	default:
		name = explain.Say(c.Lang, explain.LabelNameless)
	}
	e.printf("%s  %s\n", name, m.ID)
	var known []string
	for _, i := range m.Identifiers {
		known = append(known, i.String())
	}
	e.printf("  %s", explain.Say(c.Lang, explain.LabelJoined, lang.Date(c.Lang, acc.State.JoinedAt, p.Zone), explain.Status(acc.State.Status, c.Lang)))
	if len(known) > 0 {
		e.printf("; %s", strings.Join(known, ", "))
	}
	e.printf("\n")
	for _, unit := range sortedUnits(acc, p) {
		if acc.State.Units[unit] == nil && p.GiftCards != nil && p.GiftCards.Unit == unit {
			continue // only gift cards have it
		}
		c.printUnit(e, unit, acc, p)
	}
	for _, set := range p.TierIDs {
		ts := acc.State.Tiers[set]
		if ts == nil || ts.Tier == "" {
			continue
		}
		e.printf("  %s", explain.Say(c.Lang, explain.LabelTierSince, explain.TierSet(p, set, c.Lang), explain.Tier(p, set+"/"+ts.Tier, c.Lang), lang.Date(c.Lang, ts.Since, p.Zone)))
		if ts.FallsAt != nil {
			e.printf(", %s", explain.Say(c.Lang, explain.LabelFalls, lang.Date(c.Lang, *ts.FallsAt, p.Zone)))
		}
		e.printf("\n")
	}
	for _, id := range slices.Sorted(maps.Keys(acc.State.Plans)) {
		if text := explain.PlanStanding(id, acc.State.Plans[id], p, c.Lang); text != "" {
			e.printf("  %s\n", text)
		}
	}
	if r := acc.State.Referral; r != nil {
		e.printf("  %s\n", explain.Say(c.Lang, explain.LabelInvitedBy, r.By, lang.Date(c.Lang, r.At, p.Zone), explain.Referred(r.Status, c.Lang)))
	}
	if len(invited) > 0 {
		e.printf("  %s\n", explain.Say(c.Lang, explain.LabelInvited, lang.And(c.Lang, invited)))
	}
	for _, g := range engine.ChallengesOf(p, acc, e.now()) {
		e.printf("  %s\n", explain.Challenge(&g, p, c.Lang, false))
	}
	for i := range acc.State.Grants {
		e.printf("  %s\n", explain.Grant(&acc.State.Grants[i], p, c.Lang, false))
	}
	if len(facts) > 0 {
		e.printf("  %s:\n", explain.Say(c.Lang, explain.LabelLastFacts))
	}
	width := 0
	for i := range facts {
		width = max(width, utf8.RuneCountInString(explain.Kind(facts[i].Fact.Kind, c.Lang)))
	}
	for i := range facts {
		f := &facts[i]
		e.printf("    %s  %-*s  %s  %s\n", f.Fact.OccurredAt.In(p.Zone).Format("2006-01-02 15:04"), width, explain.Kind(f.Fact.Kind, c.Lang), f.Fact.ID, c.summary(set, p, f))
	}
}

func sortedUnits(acc *engine.Account, p *program.Compiled) []string {
	out := slices.Clone(p.UnitIDs)
	for unit := range acc.State.Units {
		if !slices.Contains(out, unit) {
			out = append(out, unit)
		}
	}
	slices.Sort(out)
	return out
}

func (c *memberShowCmd) printUnit(e *env, unit string, acc *engine.Account, p *program.Compiled) {
	h := acc.State.Units[unit]
	if h == nil {
		h = &ledger.Holding{}
	}
	number := func(minor int64) string { return lang.Minor(c.Lang, minor, scaleOf(p, unit)) }
	e.printf("  %s", explain.Amount(p, unit, h.Balance(), c.Lang))
	for _, part := range []struct {
		n     int64
		label explain.Label
	}{{h.Pending, explain.LabelPending}, {h.Reserved, explain.LabelReserved}, {h.Debt, explain.LabelOwed}} {
		if part.n != 0 {
			e.printf(", %s", explain.Say(c.Lang, part.label, number(part.n)))
		}
	}
	totals := []string{explain.Say(c.Lang, explain.LabelEarned, number(h.Earned))}
	for _, part := range []struct {
		n     int64
		label explain.Label
		// always tells it where it is nothing, too.
		always bool
	}{
		{h.Reversed, explain.LabelTaken, false}, {h.Spent, explain.LabelSpent, true}, {h.Expired, explain.LabelExpired, true}, {h.Adjusted, explain.LabelAdjusted, false},
		{h.Transferred, explain.LabelMoved, false}, {h.Partners, explain.LabelPartners, false}, {h.Closed, explain.LabelClosed, false},
	} {
		if part.n != 0 || part.always {
			totals = append(totals, explain.Say(c.Lang, part.label, number(part.n)))
		}
	}
	e.printf(" (%s)\n", strings.Join(totals, ", "))
	ends := map[time.Time]int64{}
	for _, l := range acc.Lots {
		if l.Unit == unit && l.ExpiresAt != nil && l.Spendable+l.Pending > 0 {
			ends[*l.ExpiresAt] += l.Spendable + l.Pending
		}
	}
	days := make([]time.Time, 0, len(ends))
	for day := range ends {
		days = append(days, day)
	}
	slices.SortFunc(days, time.Time.Compare)
	for i, day := range days {
		if i == 3 {
			break
		}
		e.printf("    %s\n", explain.Say(c.Lang, explain.LabelUntil, explain.Amount(p, unit, ends[day], c.Lang), explain.Upto(p, day, c.Lang)))
	}
}

type explainCmd struct {
	jsonFlag
	Fact string `arg:"" help:"Id of the fact, or SOURCE:NUMBER of a receipt."`
	Lang string `default:"en" enum:"nb,sv,da,en" placeholder:"LANG" help:"Language of the sentences: nb, sv, da or en (the default)."`
	For  string `default:"staff" enum:"staff,member" placeholder:"WHO" help:"Who reads it: staff (the default) or member."`
	inProgram
}

func (explainCmd) Help() string {
	return `Every rule that was considered is told, with what it gave or why not, and the arithmetic.

Examples:

    lojal explain pur_01k8zv… --lang nb
    lojal explain till-1:100234 --json`
}

func (c *explainCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *explainCmd) run(e *env, d *db.DB, id string) (err error) {
	var entry books.Entry
	var p *program.Compiled
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		source, external, natural := strings.Cut(parentOf(c.Fact), "/")
		if _, ok := ids.BucketOf(c.Fact); ok || !natural {
			entry, _, err = books.Find(e.ctx, tx, id, c.Fact)
		} else {
			entry, _, err = books.FindByKey(e.ctx, tx, books.NaturalKey{Program: id, Source: source, ExternalID: external})
		}
		if err != nil {
			return err
		}
		set, err := version.Load(e.ctx, tx, id)
		if err != nil {
			return err
		}
		if p = set.Version(entry.Decision.Version); p == nil {
			p = set.At(entry.Fact.OccurredAt)
		}
		return nil
	})
	if errs.CodeOf(err) == errs.CodeNotFound {
		return errs.NotFound("fact_not_found", fmt.Sprintf("There is no fact %s in this program: give its id, or SOURCE:NUMBER.", c.Fact))
	}
	if err != nil {
		return err
	}
	told := explain.Whole(entry.Fact.Kind, entry.Decision.Explanation)
	if c.JSON {
		return e.json(struct {
			Fact        engine.Fact        `json:"fact"`
			Version     int64              `json:"version"`
			Sentences   []explain.Sentence `json:"sentences"`
			Explanation engine.Explanation `json:"explanation"`
		}{entry.Fact, entry.Decision.Version, explain.Sentences(told, p, c.Lang, c.For == "member"), entry.Decision.Explanation})
	}
	e.printf("%s %s, %s\n", explain.Kind(entry.Fact.Kind, c.Lang), entry.Fact.ID, lang.DateTime(c.Lang, entry.Fact.OccurredAt, p.Zone))
	if text := explain.Summary(told, p, c.Lang, c.For == "member"); text != "" {
		e.printf("%s\n", text)
	}
	for _, line := range explain.Lines(told, p, c.Lang, c.For == "member") {
		e.printf("  %s\n", line)
	}
	return nil
}
