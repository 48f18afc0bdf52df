package verify_test

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errand"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// What a house says of its people, and they of it, is proved from both sides; people are counted apart from houses. A moment that is still to come is no
// mistake.
func TestAHouseAndItsPeopleSayTheSame(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		doc, err := program.Parse([]byte(shop+"households: {most: 6, shares: [point]}\norganizations: {most: 6}\n"), "shop.yaml")
		if err != nil {
			t.Fatal(err)
		}
		err = d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		v := &version.Cache{}
		r := record.New(d, v)
		t.Cleanup(r.Close)
		must := func(req record.Request) string {
			t.Helper()
			req.Program, req.Now = "shop", day(1)
			out, err := r.Record(t.Context(), req)
			if err != nil {
				t.Fatalf("%s: %v", req.Fact.Kind, err)
			}
			return out.Fact.Member
		}
		enrol := func(ext string) string {
			return must(record.Request{Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: ext}}})
		}
		house := func(kind, role, owner string, others ...string) string {
			id := ids.New(record.HousePrefix(kind), day(1))
			must(record.Request{Holder: id, Fact: engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Kind: kind}, House: &engine.HouseBody{Do: engine.HouseOpen, Member: owner}}})
			for _, m := range others {
				for _, do := range []string{engine.HouseInvite, engine.HouseJoin} {
					must(record.Request{Holder: id, Fact: engine.Fact{Kind: engine.HouseK, House: &engine.HouseBody{Do: do, Member: m, Role: role}}})
				}
			}
			return id
		}
		proves := func(want ...string) *verify.Report {
			t.Helper()
			report := run(t, d, v)
			found := map[string]bool{}
			for _, f := range report.Findings {
				if f.Check != "houses" {
					t.Errorf("%s", f)
				}
				found[f.Member] = true
			}
			for _, m := range want {
				if !found[m] {
					t.Errorf("nothing is found of %s: %v", m, report.Findings)
				}
			}
			if len(found) != len(want) {
				t.Errorf("%v, want %q", report.Findings, want)
			}
			return report
		}
		a, b, c, e, other := enrol("a"), enrol("b"), enrol("c"), enrol("e"), enrol("other")
		home := house(engine.Household, "", a, b, c, e)
		firm := house(engine.Organization, "viewer", b, a, c, e)
		if r := proves(); r.Members != 5 || r.Households != 1 || r.Organizations != 1 || r.CouponCodes != 0 || r.GiftCards != 0 {
			t.Errorf("%+v", r)
		}
		must(record.Request{Member: c, Fact: engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: other}}})
		must(record.Request{Member: e, Fact: engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed}}})
		proves()
		if err := errand.CatchUp(t.Context(), d, r, "shop", day(1)); err != nil {
			t.Fatal(err)
		}
		proves()
		gone := func(holder, who string, body *engine.HouseBody) {
			req := record.Request{Own: true, Fact: engine.Fact{Kind: engine.HouseK, Source: engine.FollowUpSource, ExternalID: strings.Join([]string{holder, who}, "/"), House: body}}
			req.Name(who)
			must(req)
		}
		gone(home, home, &engine.HouseBody{Do: engine.HouseGone, Kind: engine.Household, Member: b})
		proves(b) // b says to belong to it
		gone(firm, a, &engine.HouseBody{Do: engine.HouseGone, Kind: engine.Organization, House: firm})
		proves(b, firm)
		must(record.Request{Member: firm, Fact: engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed}}})
		proves(b)
	})
}
