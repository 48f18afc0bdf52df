package condition

import (
	"strings"
	"sync"
	"testing"

	"lojal.dev/lojal/internal/money"
)

var (
	onPurchase = Context{Trigger: "purchase", Exponent: 2, Units: []string{"star", "bonus"}, TierSets: []string{"club"}}
	onReview   = Context{Trigger: "activity:review", Exponent: 2, Properties: map[string]string{
		"rating": "whole", "distance": "number", "text": "text", "with_picture": "yes/no",
	}}
)

func basket() map[string]any {
	return map[string]any{
		"basis": int64(60000), "total": int64(61000), "items": int64(3), "store": "oslo-1", "channel": "till",
		"payments": []string{"card", "gift_card"}, "tier": map[string]string{"club": "gold"}, "purchases": int64(4),
		"first_purchase": false, "weekday": "tuesday", "hour": int64(14), "balance": map[string]int64{"star": 120},
		"member": Member{Days: 400, Language: "nb", Attributes: map[string]string{"city": "Oslo"}},
		"lines": []Line{
			{SKU: "1", Category: "coffee", Brand: "Solberg", Tags: []string{"organic"}, Quantity: 2, Amount: 9000},
			{SKU: "2", Category: "bakery", Quantity: 1, Amount: 51000},
		},
	}
}

func TestInt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		`basis > 50000 ? floor(basis/50) : floor(basis/100)`: 1200,
		`money("12.50")`:                      1250,
		`basis / 7`:                           8571,
		`floor(basis / 7)`:                    8571,
		`ceil(basis / 7)`:                     8572,
		`round(basis / 7)`:                    8571,
		`round(5 / 2)`:                        3,
		`floor(-5 / 2)`:                       -3,
		`ceil(-5 / 2)`:                        -2,
		`round(-5 / 2)`:                       -3,
		`floor(items)`:                        3,
		`min(items, 2) + max(1, 2, items, 0)`: 5,
		`abs(0 - items) % 2`:                  1,
		`sum(lines.map(l, l.amount))`:         60000,
		`sum(lines.filter(l, "organic" in l.tags).map(l, l.quantity))`: 2,
		`size(lines) + lines.size() + size(payments) + size(store)`:    12,
		`lines[0].amount`:                      9000,
		`balance.star + balance["bonus"]`:      120,
		`member.days / 365 + purchases + hour`: 19,
	} {
		f, err := Compile(onPurchase, Int, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := f.Int(basket())
		if err != nil || got != want {
			t.Errorf("%s = %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestBool(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`tier.club == "gold" && weekday == "tuesday"`:              true,
		`tier["club"] in ["silver", "gold"]`:                       true,
		`lines.exists(l, l.category == "coffee")`:                  true,
		`lines.all(l, l.amount > money("100"))`:                    false,
		`lines.exists_one(l, l.brand == "")`:                       true,
		`"card" in payments && !first_purchase`:                    true,
		`member.attributes.city == "Oslo"`:                         true,
		`member.attributes["shoe"] == ""`:                          true,
		`"shoe" in member.attributes`:                              false,
		`"city" in member.attributes`:                              true,
		`store.startsWith("oslo") || channel.endsWith("x")`:        true,
		`member.language == "nb" && member.days >= 365`:            true,
		`lines.exists(l, l.tags.exists(x, x.contains("organic")))`: true,
	} {
		f, err := Compile(onPurchase, Bool, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := f.Bool(basket())
		if err != nil || got != want {
			t.Errorf("%s = %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestProperties(t *testing.T) {
	t.Parallel()
	f, err := Compile(onReview, Int, `property.with_picture && property.text != "" ? property.rating * 2 + property.distance : 1`)
	if err != nil {
		t.Fatal(err)
	}
	for name, vars := range map[string]map[string]any{
		"in a group": {"property": map[string]any{"rating": int64(5), "distance": money.MustParse("12.5"), "text": "good", "with_picture": true}},
		"by name":    {"property.rating": 5, "property.distance": int64(12500), "property.text": "good", "property.with_picture": true},
	} {
		if got, err := f.Int(vars); got != 12510 || err != nil {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
	if _, err := f.Int(map[string]any{"property": map[string]any{}}); err == nil || !strings.Contains(err.Error(), "no value for property.") {
		t.Errorf("a missing property: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		ctx        Context
		want       Result
		text, says string
	}{
		{onPurchase, Int, ``, "empty"},
		{onPurchase, Int, ` `, "empty"},
		{onPurchase, Int, "\xff", "UTF-8"},
		{onPurchase, Int, strings.Repeat("1+", 1000) + "1", "characters"},
		{onPurchase, Int, `basis +`, "cannot be read"},
		{onPurchase, Int, `basis * 1.5`, `money("12.50")`},
		{onPurchase, Int, `basis > 1`, "yes or no, but a whole number"},
		{onPurchase, Bool, `basis`, "a whole number, but yes or no"},
		{onPurchase, Int, `bassis`, `did you mean "basis"`},
		{onPurchase, Int, `bassis`, "known are: "},
		{onPurchase, Bool, `member.lang == "nb"`, "no field"},
		{onPurchase, Bool, `lines.exists(l, l.catgory == "a")`, `did you mean "category"`},
		{onPurchase, Bool, `store == 3`, "does not go with"},
		{onPurchase, Int, `double(basis)`, "cannot be used"},
		{onPurchase, Bool, `store.matches("a*")`, "cannot be used"},
		{onPurchase, Bool, `has(member.days)`, "cannot be used"},
		{onPurchase, Bool, `timestamp("2027-01-01T00:00:00Z") > timestamp("2027-01-01T00:00:00Z")`, "cannot"},
		{onPurchase, Int, `5u`, "without u"},
		{onPurchase, Int, `size(b"a")`, "without b"},
		{onPurchase, Int, `money("12.505")`, "2 decimals"},
		{onPurchase, Int, `money("12,50")`, "decimal number"},
		{onPurchase, Int, `money(store)`, "in quotes"},
		{onPurchase, Int, `money(12)`, "in quotes"},
		{onPurchase, Int, `ceil(basis)`, "needs a division"},
		{onPurchase, Int, `9223372036854775808`, ""},
		{onPurchase, Int, `line{amount: 1}.amount`, "cannot make"},
		{onPurchase, Int, `balance.stra`, `did you mean "star"`},
		{onPurchase, Bool, `tier["clb"] == "gold"`, `did you mean "club"`},
		{onPurchase, Bool, `lines.exists(a, lines.exists(b, a.sku == b.sku))`, "too costly"},
		{onPurchase, Bool, `property.rating > 1`, "not known"},
		{onReview, Int, `basis`, "not known"},
		{onReview, Int, `property.ratng`, "not known"},
		{Context{Trigger: "enrolment"}, Int, `basis`, "not known"},
		{Context{Trigger: "reward"}, Int, `store`, "not known"},
		{Context{Trigger: "moon"}, Int, `1`, "trigger"},
	}
	for _, c := range cases {
		f, err := Compile(c.ctx, c.want, c.text)
		if err == nil {
			t.Errorf("%s was accepted: %v", c.text, f.Names())
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error does not say %q: %v", c.text, c.says, err)
		}
	}
}

func TestRuntimeErrors(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`basis * 9223372036854775807`:               "overflow",
		`basis / (items - 3)`:                       "zero",
		`floor(basis / (items - 3))`:                "zero",
		`lines[7].amount`:                           "",
		`abs(-9223372036854775807 - 1 + items - 3)`: "overflow",
	} {
		f, err := Compile(onPurchase, Int, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if n, err := f.Int(basket()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s = %d, %v", text, n, err)
		}
	}
	f, err := Compile(onPurchase, Int, "basis")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Int(nil); err == nil || !strings.Contains(err.Error(), "no value for basis") {
		t.Errorf("no values: %v", err)
	}
	if _, err := f.Int(map[string]any{"basis": "much"}); err == nil {
		t.Error("a text for a number was taken")
	}
}

// What the estimate lets through also runs on the largest purchase it was estimated with.
func TestWhatIsAcceptedRuns(t *testing.T) {
	t.Parallel()
	tags := make([]string, maxTags)
	for i := range tags {
		tags[i] = strings.Repeat("x", maxString)
	}
	lines := make([]Line, maxLines)
	for i := range lines {
		lines[i] = Line{SKU: tags[0], Category: tags[0], Brand: tags[0], Tags: tags, Quantity: 1, Amount: 1}
	}
	vars := basket()
	vars["lines"] = lines
	f, err := Compile(onPurchase, Bool, `lines.all(l, !("organic" in l.tags) && l.sku != "a") && sum(lines.map(l, l.amount)) == 1000`)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := f.Bool(vars); !ok || err != nil {
		t.Error(ok, err)
	}
}

func TestNamesAndSeen(t *testing.T) {
	t.Parallel()
	f, err := Compile(onPurchase, Bool, `tier["club"] == "gold" && balance.star > 10 && lines.exists(l, l.amount > basis) && member.attributes.city == "x" && "card" in payments`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Names(), " "); got != "balance basis lines member payments tier" {
		t.Error(got)
	}
	seen := f.Seen(basket())
	for k, want := range map[string]any{"tier.club": "gold", "balance.star": int64(120), "basis": int64(60000), "member.attributes.city": "Oslo"} {
		if seen[k] != want {
			t.Errorf("%s = %v", k, seen[k])
		}
	}
	if _, ok := seen["lines"]; ok || len(seen) != 5 {
		t.Errorf("seen %v", seen)
	}
	g, err := Compile(onReview, Bool, `property.rating > 3`)
	if err != nil {
		t.Fatal(err)
	}
	if s := g.Seen(map[string]any{"property": map[string]any{"rating": int64(4)}}); s["property.rating"] != int64(4) {
		t.Error(s)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	f, err := Compile(onPurchase, Int, `sum(lines.map(l, l.amount)) + balance.star`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if n, err := f.Int(basket()); n != 60120 || err != nil {
					t.Error(n, err)
				}
			}
		})
	}
	wg.Wait()
}

// Whatever is written: no panic; what is accepted gives a value or an error, and always the same.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{
		`basis > 50000 ? floor(basis/50) : floor(basis/100)`, `money("12.50")`, `lines.exists(l, l.category == "coffee")`, `1.5`, `[1][0]`,
		`{"a": 1}["a"]`, `tier.club`, `floor(1/0)`, `[[1], [2]].map(x, x[0])`, `lines.map(l, lines)`, `((((((1))))))`, `-9223372036854775808`,
		`min(1, 2, 3, 4, 5)`, `"a" < "b"`, `payments + payments`, `x.y.z`, "'\\u0000'", `dyn(1)`, `type(1)`, `balance["x"]`,
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, isBool bool) {
		want := Int
		if isBool {
			want = Bool
		}
		c, err := Compile(onPurchase, want, text)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without words")
			}
			return
		}
		c.Seen(basket())
		if isBool {
			a, errA := c.Bool(basket())
			b, errB := c.Bool(basket())
			if a != b || (errA == nil) != (errB == nil) {
				t.Fatalf("%s gives %v and %v", text, a, b)
			}
			return
		}
		a, errA := c.Int(basket())
		b, errB := c.Int(basket())
		if a != b || (errA == nil) != (errB == nil) {
			t.Fatalf("%s gives %d and %d", text, a, b)
		}
	})
}

func BenchmarkInt(b *testing.B) {
	f, err := Compile(onPurchase, Int, `basis > 50000 ? floor(basis/50) : floor(basis/100)`)
	if err != nil {
		b.Fatal(err)
	}
	vars := basket()
	for b.Loop() {
		if _, err := f.Int(vars); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	f, err := Compile(onPurchase, Bool, `lines.exists(l, l.category == "none") || tier.club == "gold"`)
	if err != nil {
		b.Fatal(err)
	}
	vars := basket()
	for b.Loop() {
		if _, err := f.Bool(vars); err != nil {
			b.Fatal(err)
		}
	}
}
