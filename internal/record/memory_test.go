package record_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
)

// witness tells what one recorder says of members now: as JSON, without the ids of what is only tried.
type witness struct {
	t *testing.T
	r *record.Recorder
}

func (w witness) says(ref string, now time.Time) string {
	w.t.Helper()
	var out []any
	lots, _, err := w.r.ViewLots(w.t.Context(), "shop", ref, now)
	out = append(out, lots, fmt.Sprint(err))
	all, _, err := w.r.ViewProgress(w.t.Context(), "shop", ref, now)
	out = append(out, all, fmt.Sprint(err))
	spend := redeem(ref, "hundred", now)
	spend.Now = now
	tried, err := w.r.Simulate(w.t.Context(), "shop", []record.Request{tried(ref, now), spend, tried(ref, now)}, record.SimOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var drawn []string
	for _, o := range tried {
		out = append(out, fmt.Sprint(o.Err))
		if o.Err == nil {
			out = append(out, o.Result.Decision, o.Result.Account)
			drawn = append(drawn, o.Result.Fact.ID, "(id)")
			for _, due := range o.Result.Dues {
				drawn = append(drawn, due.Fact.ID, "(id)")
			}
			for _, given := range o.Result.Decision.Redemptions {
				drawn = append(drawn, given.ID, "(id)")
			}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.NewReplacer(drawn...).Replace(string(text))
}

func tried(ref string, now time.Time) record.Request {
	p := purchase(ref, "130", now)
	p.Now = now
	return p
}

// Two recorders on one database, as two processes are, remember what they read; a third one, who knows nothing, says what holds. Whoever writes, and whatever it is,
// and whatever time brings, they say the same.
func TestARememberedAccountIsAsItStands(t *testing.T) {
	t.Parallel()
	dbtest.EachLayout(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		other := record.New(d, &version.Cache{})
		t.Cleanup(other.Close)
		both := []*record.Recorder{k.r, other}
		rnd := rand.New(rand.NewPCG(7, 11))
		now := day(1)
		var members, bought []string
		for i := range 4 {
			members = append(members, k.enrol(fmt.Sprint(i)))
		}
		merged := map[string]bool{}
		for step := range 40 {
			r, n := both[rnd.IntN(2)], rnd.IntN(len(members))
			req := record.Request{Program: "shop", Member: members[n], Now: now}
			switch what := rnd.IntN(12); {
			case what < 5:
				req = purchase(members[n], fmt.Sprint(50+rnd.IntN(400)), now)
			case what == 5: // it comes late
				req = purchase(members[n], fmt.Sprint(50+rnd.IntN(400)), now.AddDate(0, -rnd.IntN(14), 0))
			case what == 6:
				req = redeem(members[n], "hundred", now)
			case what == 7 && len(bought) > 0:
				req = record.Request{Program: "shop", Fact: engine.Fact{Kind: engine.ReturnK, Parent: bought[rnd.IntN(len(bought))]}}
			case what == 8:
				req.Fact = engine.Fact{Kind: engine.ActivityK, Activity: &engine.Activity{Kind: "visit"}}
			case what == 9:
				now = now.AddDate(0, rnd.IntN(4), rnd.IntN(20))
				if rnd.IntN(2) == 0 {
					if _, err := r.BringUp(t.Context(), []books.Ref{{Program: "shop", Member: members[n]}}, now); err != nil {
						t.Fatal(err)
					}
				}
				req.Member = ""
			case what == 10 && len(merged) < 2:
				into := members[(n+1)%len(members)]
				if merged[members[n]] || merged[into] {
					continue
				}
				merged[members[n]] = true
				req.Fact = engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: into}}
			case what == 11:
				publishPer(t, d, 1+rnd.IntN(3), now)
				req.Member = ""
			default:
				now = now.Add(time.Hour)
				req.Member = ""
			}
			if req.Member != "" || req.Fact.Parent != "" {
				req.Program, req.Now = "shop", now
				if res, err := r.Record(t.Context(), req); err == nil && req.Fact.Kind == engine.PurchaseK {
					bought = append(bought, res.Fact.ID)
				}
			}
			fresh := record.New(d, &version.Cache{})
			for i := range members {
				for _, ref := range []string{members[i], "ext:" + fmt.Sprint(i)} {
					want := witness{t, fresh}.says(ref, now)
					for at, r := range both {
						if got := (witness{t, r}).says(ref, now); got != want {
							t.Fatalf("after step %d recorder %d says of %s\n%s\nand it is\n%s", step, at, ref, got, want)
						}
					}
				}
			}
			fresh.Close()
		}
	})
}

// Who is looked at again is found, and seen to be as before, in one read; after a fact the lots are read anew.
func TestALookAgainIsOneRead(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.must(purchase(k.enrol("a"), "100", day(1)))
		for i, want := range []int{3, 1, 1, 2, 1} { // the first one knows neither whom ext:a names nor anything of the account
			if i == 3 {
				k.must(purchase("ext:a", "100", day(2)))
			}
			if n, err := k.r.ReadsToLook(t.Context(), "shop", "ext:a", day(3)); err != nil || n != want {
				t.Errorf("look %d is %d reads, want %d: %v", i, n, want, err)
			}
		}
	})
}

// What a reference names is looked up each time, whomever it named before.
func TestARememberedNameIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		a, b := k.enrol("a"), k.enrol("b")
		k.must(purchase(a, "100", day(1)))
		k.must(purchase(b, "200", day(1)))
		move := func(from, to string) {
			t.Helper()
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				p := k.v.Known("shop").Latest()
				i := member.Identifier{Kind: "card", Value: "1001"}
				if from != "" {
					if _, err := member.RemoveIdentifier(t.Context(), tx, p, from, i, day(2)); err != nil {
						return err
					}
				}
				_, err := member.AddIdentifier(t.Context(), tx, p, to, i, day(2))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		move("", a)
		for range 2 {
			if n := k.balance("card:1001", day(2)); n != 100 {
				t.Fatalf("the card of a has %d", n)
			}
		}
		move(a, b)
		if n := k.balance("card:1001", day(2)); n != 200 {
			t.Errorf("the card of b has %d", n)
		}
	})
}

// publishPer puts a version in force that gives a point for so many kroner.
func publishPer(t *testing.T, d *db.DB, kroner int, now time.Time) {
	t.Helper()
	doc, err := program.Parse([]byte(strings.Replace(shop, "per: 1.00", fmt.Sprintf("per: %d.00", kroner), 1)), "shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(t.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: now})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
