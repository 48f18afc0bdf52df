package demo_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/demo"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// newYear has a whole year before it, with every campaign of the blueprints.
var newYear = time.Date(2027, 1, 6, 15, 0, 0, 0, time.UTC)

// unused is what nobody uses in a demo of a year, with the reason.
var unused = map[string]string{
	"gym-tenure benefit own_locker": "it is for those who have been members for three years",
}

// Every blueprint comes to life: all that it names is used by somebody, and the books prove themselves.
func TestAllThatABlueprintNamesIsUsedInItsDemo(t *testing.T) {
	t.Parallel()
	for _, name := range program.Blueprints() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, db.SQLite)
			r := record.New(d, &version.Cache{})
			defer r.Close()
			members := 22
			if name == demo.Blueprint { // where nobody lives by it
				members = 60
			}
			s, err := demo.Fill(t.Context(), demo.Input{DB: d, Recorder: r, Now: newYear, Blueprint: name, Members: members, Weeks: 53})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v", s)
			seen := used(t, d, r, s.Program)
			for _, what := range named(document(t, name)) {
				why, excused := unused[name+" "+what]
				switch {
				case seen[what] && excused:
					t.Errorf("%s is used; strike it from the list", what)
				case !seen[what] && !excused:
					t.Errorf("nobody used %s", what)
				case excused:
					t.Logf("%s is not used: %s", what, why)
				}
			}
			report, err := verify.Run(t.Context(), d, &version.Cache{}, s.Program, verify.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				t.Error(f)
			}
		})
	}
}

// named is all that a program has for its members to use.
func named(d *program.Document) (out []string) {
	add := func(words ...string) { out = append(out, strings.Join(words, " ")) }
	for i := range d.Earn {
		add("rule", d.Earn[i].ID)
	}
	for i := range d.Rewards {
		add("reward", d.Rewards[i].ID)
	}
	for i := range d.Challenges {
		add("challenge", d.Challenges[i].ID)
	}
	for _, set := range slices.Sorted(maps.Keys(d.Tiers)) {
		for i := range d.Tiers[set].Steps {
			add("tier", set+"/"+d.Tiers[set].Steps[i].ID)
		}
	}
	for i := range d.Benefits {
		add("benefit", d.Benefits[i].ID)
	}
	for i := range d.Plans {
		for _, what := range []string{engine.PlanStarted, engine.PlanPaid} {
			add("plan", d.Plans[i].ID, what)
		}
	}
	if len(d.Plans) > 0 {
		add("a plan", engine.PlanFailed)
		add("a plan", engine.PlanCancelled)
	}
	for i := range d.Partners {
		c := &d.Partners[i]
		if len(c.Awards) > 0 {
			add("partner", c.ID, engine.PartnerAward)
		}
		if len(c.Accepts) > 0 {
			add("partner", c.ID, engine.PartnerAccept)
		}
		if len(c.Awards)+len(c.Accepts) == 0 {
			add("partner", c.ID)
		}
	}
	for i := range d.Shares {
		add("share", d.Shares[i].ID, "made")
		add("share", d.Shares[i].ID, "claimed")
	}
	for i := range d.Coupons {
		add("coupon", d.Coupons[i].ID)
	}
	for kind := range d.Activities {
		add("activity", kind)
	}
	if d.Recognition != nil {
		add("thanks", engine.RecognitionGive)
		add("thanks", engine.RecognitionApprove)
		for _, v := range d.Recognition.Values {
			add("thanks for", v.ID)
		}
	}
	if d.Referral != nil {
		add(engine.EvReferralQualified)
	}
	if d.Households != nil {
		add("household")
		add("spent together")
	}
	if d.Organizations != nil {
		add("firm with several who buy")
	}
	if d.GiftCards != nil {
		add("gift card issued")
		add("gift card spent")
	}
	if d.Transfers != nil {
		add("transfer")
	}
	return out
}

// used is what was used, in the same words.
func used(t *testing.T, d *db.DB, r *record.Recorder, id string) map[string]bool {
	t.Helper()
	seen := map[string]bool{}
	add := func(words ...string) { seen[strings.Join(words, " ")] = true }
	var accounts []string
	var p *program.Compiled
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		set, err := version.Load(t.Context(), tx, id)
		if err != nil {
			return err
		}
		p, accounts = set.Latest(), nil
		return db.Collect(t.Context(), tx, func(row db.Scanner) error {
			var one string
			err := row.Scan(&one)
			accounts = append(accounts, one)
			return err
		}, `SELECT DISTINCT member_id FROM facts ORDER BY member_id`)
	})
	if err != nil {
		t.Fatal(err)
	}
	shares := map[string]string{}
	for _, account := range accounts {
		var past []books.Entry
		err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
			past = nil
			for before := int64(0); ; {
				page, err := books.Facts(t.Context(), tx, books.Ref{Program: id, Member: account}, books.Page{Before: before, Limit: 500})
				if err != nil || len(page) == 0 {
					return err
				}
				past = append(past, page...)
				before = page[len(page)-1].Seq
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(past)
		buyers := map[string]bool{}
		for i := range past {
			f, dec := &past[i].Fact, &past[i].Decision
			for _, tr := range dec.Explanation.Rules {
				if tr.Fired || zero(p, tr) {
					add("rule", tr.Rule)
				}
			}
			for _, a := range dec.Awards {
				add("rule", a.Rule)
			}
			for k := range dec.Redemptions {
				if x := &dec.Redemptions[k]; x.Status == engine.StatusCommitted {
					add("reward", x.Reward)
				}
			}
			for k := range dec.Grants {
				if g := &dec.Grants[k]; g.Reward != "" && strings.HasPrefix(g.Source, "raffle:") {
					add("reward", g.Reward)
				}
			}
			for _, e := range dec.Events {
				switch e.Type {
				case engine.EvTierUp:
					add("tier", e.Data["set"]+"/"+e.Data["tier"])
				case engine.EvChallengeDone:
					add("challenge", e.Data["challenge"])
				default:
					add(e.Type)
				}
			}
			switch f.Kind {
			case engine.UseK:
				add("benefit", f.Use.Benefit)
			case engine.PlanK:
				add("plan", f.Plan.Plan, f.Plan.What)
				add("a plan", f.Plan.What)
			case engine.PartnerK:
				add("partner", f.Partner.Partner, f.Partner.Do)
			case engine.ShareK:
				switch f.Share.Do {
				case engine.ShareMake:
					shares[f.ID] = f.Share.Share
					add("share", f.Share.Share, "made")
				case engine.ShareClaim:
					add("share", shares[f.Parent], "claimed")
				}
			case engine.CouponK:
				for _, c := range []string{f.Coupon.Coupon, coupon(past)} {
					add("coupon", c)
				}
			case engine.ActivityK:
				add("activity", f.Activity.Kind)
			case engine.RecognitionK:
				add("thanks", f.Recognition.Do)
				add("thanks for", f.Recognition.Value)
			case engine.TransferOut:
				add("transfer")
				if f.Transfer.Household != "" {
					add("spent together")
				}
			case engine.Enrolment:
				switch f.Enrolment.Kind {
				case engine.Household:
					add("household")
				case engine.GiftCard:
					add("gift card issued")
				}
			case engine.Redeem:
				if past[0].Fact.Enrolment != nil && past[0].Fact.Enrolment.Kind == engine.GiftCard {
					add("gift card spent")
				}
			case engine.PurchaseK:
				if buyers[f.Purchase.By] = true; f.Purchase.By != "" && len(buyers) > 1 {
					add("firm with several who buy")
				}
			default:
			}
		}
		if !strings.HasPrefix(account, member.IDPrefix+"_") && !strings.HasPrefix(account, member.OrganizationPrefix+"_") {
			continue
		}
		list, acc, _, err := r.Benefits(t.Context(), id, account, "", nil, newYear)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			if b.Can {
				add("benefit", b.Benefit.ID)
			}
		}
		for set, state := range acc.State.Tiers {
			add("tier", set+"/"+state.Tier)
			for _, c := range state.History {
				add("tier", set+"/"+c.Tier)
			}
		}
	}
	for i := range p.Doc.Partners {
		for _, b := range p.Doc.Partners[i].Benefits {
			if seen["benefit "+b] {
				add("partner", p.Doc.Partners[i].ID)
			}
		}
	}
	return seen
}

// zero says whether a rule that gives nothing for some lines was met.
func zero(p *program.Compiled, tr engine.RuleTrace) bool {
	for i := range p.Doc.Earn {
		if r := &p.Doc.Earn[i]; r.ID == tr.Rule && r.Give != nil && r.Give.Amount != nil && r.Give.Amount.IsZero() {
			return tr.Why.Code == engine.WhyZero
		}
	}
	return false
}

// coupon is the coupon of which an account is a code.
func coupon(past []books.Entry) string {
	if c := past[0].Fact.Card; c != nil {
		return c.Coupon
	}
	return ""
}
