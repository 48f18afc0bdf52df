package scenario

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/errs"
)

//nolint:dupword // a key of a scenario, and one of its document
const shop = ` # a shop
program:
  program: shop
  name: Shop
  time_zone: Europe/Oslo
  currency: NOK
  units: {star: {name: {en: {one: star, other: stars}}, expires: {after: 12 months}}, mark: {name: mark}}
  earn:
    - {id: base, on: purchase, give: {unit: star, amount: 1, per: 10.00}}
    - {id: sundays, on: purchase, when: {weekdays: sunday}, give: {unit: star, amount: 5}}
  tiers: {club: {by: {sum: spend}, steps: [{id: base, from: 0}, {id: gold, from: 1000.00}]}}
  rewards:
    - {id: mug, title: Mug, price: {star: 10}, gives: {product: MUG}}
    - {id: cup, title: Cup, price: {star: 5}, gives: {voucher: {money: 20.00, valid: 30 days}}}
`

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "case.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Whatever is expected wrongly is told; what is expected rightly is not.
func TestDifferences(t *testing.T) {
	t.Parallel()
	const buy = "when: [{purchase: 200.00, then: {"
	for _, c := range []struct{ name, text, want string }{
		{"earned", buy + "earned: {star: 21}}}]", "step 1, line 15: earned: expected 21 star, got 20 star"},
		{"earned right", buy + "earned: {star: 20}}}]", ""},
		{"earned of another unit", buy + "earned: {mark: 20}}}]", "earned: expected 20 mark, got 0 mark"},
		{"earned of more units than said", buy + "earned: {mark: 0}}}]", "earned: expected none of star, got 20 star"},
		{"a unit that is not there", buy + "earned: {coin: 1}}}]", `earned: expected 1 of "coin", got no such unit`},
		{"balance", buy + "balance: {star: 19}}}]", "balance: expected 19 star, got 20 star"},
		{"pending", buy + "pending: {star: 1}}}]", "pending: expected 1 star, got 0 star"},
		{"debt", buy + "debt: {star: 1}}}]", "debt: expected 1 star, got 0 star"},
		{"refusal", buy + "refused: member_blocked}}]", "the step: expected to be refused with member_blocked, got it was taken"},
		{"no refusal", "when: [{redeem: mug}]", "the step: expected to be taken, got refused with balance_too_low"},
		{"another refusal", "when: [{redeem: mug, then: {refused: out_of_stock}}]", "refused: expected out_of_stock, got balance_too_low"},
		{"places of mistakes", "when: [{purchase: {amount: -1}, then: {refused: {reason: invalid_purchase, at: [/lines]}}}]", "the mistakes: expected /lines, got /amount"},
		{"lots", buy + "lots: []}}]", "open lots: expected 0, got 1: 20 star"},
		{"what is left of a lot", buy + "lots: [{left: 21}]}}]", "lot 1, left: expected 21, got 20 star"},
		{"the end of a lot", buy + "lots: [{left: 20, expires: 2027-01-04}]}}]", "lot 1, expires: expected 2027-01-05 00:00:00, got 2027-01-06 00:00:00"},
		{"the right end of a lot", buy + "lots: [{left: 20, expires: 2027-01-05}]}}]", ""},
		{"no end of a lot", buy + "lots: [{left: 20, expires: never}]}}]", "lot 1, expires: expected never, got 2027-01-06 00:00:00"},
		{"postings", buy + "postings: [{amount: 20, to: pending}]}}]", "postings: expected 20 ? → pending, got 20 star program:issued → member (lot 1)"},
		{"more postings", buy + "postings: []}}]", "postings: expected none, got 20 star program:issued → member (lot 1)"},
		{"rows", buy + "rows: 0}}]", "rows: expected 0, got 1: 20 star"},
		{"all rows", buy + "all_rows: 2}}]", "all rows: expected 2, got 1"},
		{"events", buy + "events: [points.earned]}}]", "events: expected points.earned, got points.earned; purchase.recorded"},
		{"what a rule gave", buy + "rules: {base: 19}}}]", "rule base: expected to give 19, got it gave 20 star"},
		{"why a rule did not", buy + "rules: {sundays: ended}}}]", "rule sundays: expected ended, got condition, cond_weekday"},
		{"because of what", buy + "rules: {sundays: {because: cond_hours}}}}]", "rule sundays: expected the step cond_hours, got condition, cond_weekday"},
		{"a rule that is not there", buy + "rules: {mondays: 1}}}]", "rule mondays: expected to be considered, got rules considered: base; sundays"},
		{"basis", buy + "rules: {base: {basis: 199.00}}}}]", "rule base, basis: expected 199.00, got 200.00"},
		{"notes", buy + "notes: [late]}}]", "notes: expected late, got"},
		{"sentences", buy + "says: {nb: torsdag}}}]", `the explanation in nb: expected "torsdag", got`},
		{"tier", buy + "tier: {club: gold}}}]", "tier in club: expected gold, got base"},
		{"progress", buy + "progress: {club: {missing: 700.00}}}}]", "progress in club, missing: expected 700.00, got 800.00"},
		{"totals", buy + "totals: {earned: {star: 2}}}}]", "earned over all time: expected 2 star, got 20 star"},
		{"totals of nothing known", buy + "totals: {found: {star: 2}}}}]", "totals: expected one of adjusted; closed"},
		{"between", buy + "between: [{from: 2026-01-01, to: 2026-01-05, earned: {star: 20}}]}}]", "earned from 2026-01-01 to 2026-01-05: expected 20 star, got 0 star"},
		{"offers", buy + "offers: {mug: {can: false}}}}]", "offer mug, can be had: expected false, got true"},
		{"version", buy + "version: 2}}]", "version: expected 2, got 1"},
		{"duplicate", buy + "duplicate: true}}]", "duplicate: expected true, got false"},
		{"a redemption that is not there", buy + "redemption: {price: {star: 1}}}}]", "redemption: expected one, got none"},
		{"price", "given: {Kari: {has: {star: 50}}}\nwhen: [{redeem: mug, then: {redemption: {price: {star: 9}, product: CUP}}}]", "redemption, price: expected 9 star, got 10 star"},
		{"voucher", "given: {Kari: {has: {star: 50}}}\nwhen: [{redeem: cup, then: {redemption: {voucher: {money: 21.00}}}}]", "voucher, money: expected 21.00, got 20.00"},
		{"status", buy + "status: blocked}}]", "status: expected blocked, got active"},
		{"others", "given: {Kari: {}, Ola: {}}\nwhen: [{member: Kari, purchase: 200.00, then: {of: {Ola: {balance: {star: 20}}}}}]", "Ola: balance: expected 20 star, got 0 star"},
		{"nobody by that name", "given: {Kari: {}}\nwhen: [{member: Per, purchase: 200.00}]", `there is no member "Per" in this scenario`},
		{"outcomes", "when: [{purchase: 10.00, times: 3, then: {outcomes: {ok: 2}}}]", "outcomes: expected 2 × ok, got 3 × ok"},
		{"at the end", "when: [{purchase: 200.00}]\nthen: {balance: {star: 1}}", "balance: expected 1 star, got 20 star"},
		{"before", "before: [{redeem: mug}]\nwhen: [{purchase: 1.00}]", "this must succeed before the scenario begins"},
		{"what is left out is not compared", buy + "rules: {base: {fired: true}}}}]", ""},
		{"mistakes of a document", "when: [{check: {with: {currency: kroner}}, then: {problems: /time_zone}}]", "the mistakes of the document: expected /time_zone, got"},
		{"a document without mistakes", "when: [{check: {with: {currency: SEK}}, then: {problems: /currency}}]", "the mistakes of the document: expected /currency, got none"},
		{"a program with mistakes", "with: {currency: kroner}\nwhen: [{purchase: 1.00}]", "the program has mistakes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := play(t.Context(), []string{file(t, "scenario: X1"+shop+c.text)}, 1, openMemory)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			r.Write(&out)
			switch {
			case c.want == "" && r.Failed > 0:
				t.Errorf("a right expectation is told as wrong:\n%s", out.String())
			case c.want != "" && (r.Failed != 1 || !strings.Contains(out.String(), c.want)):
				t.Errorf("want %q in\n%s", c.want, out.String())
			}
		})
	}
}

// A file that cannot be read as meant is refused with file, line and what is wrong.
func TestMistakesInFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"an unknown field", "scenario: X\nuse: plain\nwhen:\n  - purchase: 5.00\n    than: {earned: 5}\n", `case.yaml:5: there is no field "than" here`},
		{"an unknown field deep down", "scenarios:\n  - scenario: X\n    when:\n      - purchase:\n          lines:\n            - {sku: A, price: 5.00}\n", `case.yaml:6: there is no field "price" here`},
		{"an unknown expectation", "scenario: X\nwhen:\n  - purchase: 5.00\n    then: {points: 5}\n", `case.yaml:4: there is no field "points" here`},
		{"two things in one step", "scenario: X\nwhen:\n\n  - purchase: 5.00\n    activity: x\n", "case.yaml:4: a step is one thing; here are purchase and activity"},
		{"a name written twice", "scenario: X\nuse: a\nuse: b\n", `case.yaml:3: "use" is written twice`},
		{"no number", "scenario: X\nwhen:\n  - purchase: lots\n", "case.yaml:3: "},
		{"no YAML", "scenario: [X\n", "case.yaml:"},
		{"an anchor", "scenario: &x X\n", "case.yaml:1: "},
		{"no id", "title: X\nwhen: []\n", "case.yaml:1: a scenario needs its id"},
		{"two times", "scenario: X\nwhen: [{at: 2026-01-01, after: 1 day, sweep: true}]\n", "case.yaml:2: say either at or after"},
		{"nothing", "", "the file is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := play(t.Context(), []string{file(t, c.text)}, 1, openMemory)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

func TestPathsThatAreNotThere(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), []string{filepath.Join(t.TempDir(), "no.yaml")}, Options{}); !errs.Is(err, errs.CodeNotFound, "file_not_found") {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Run(t.Context(), []string{t.TempDir()}, Options{}); !errs.Is(err, errs.CodeInvalid, "no_scenarios") {
		t.Errorf("a folder without scenarios: %v", err)
	}
}

// Without a database the runner makes one of its own, and the report can be read by programs.
func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	name := file(t, "scenario: X1"+shop+"when: [{purchase: 200.00, then: {balance: {star: 1}}}]")
	r, err := Run(t.Context(), []string{name}, Options{Out: &out, JSON: true})
	if err != nil || r.Failed != 1 {
		t.Fatal(r, err)
	}
	var back Report
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	want := Difference{Step: 1, Line: 15, What: "balance", Expected: "1 star", Got: "20 star"}
	if s := back.Scenarios[0]; s.Scenario != "X1" || s.Steps != 1 || !slices.Equal(s.Differences, []Difference{want}) {
		t.Errorf("got %+v", s)
	}
}

// A program may be named, patched, or come with lojal.
func TestWherePrograms(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"blueprint": "scenario: X\nblueprint: coffee-stars\nwhen: [{purchase: 1.00}]",
		"file":      "scenario: X\nprogram_file: ../shop.yaml\nwith: {currency: SEK}\nwhen: [{purchase: 200.00, then: {earned: {star: 20}}}]",
		"named":     "programs: {one: " + inline(shop) + "}\nscenarios: [{scenario: X, use: one, when: [{purchase: 200.00, then: {earned: {star: 20}}}]}]",
		"in folder": "scenario: X\nuse: shop\nwhen: [{purchase: 200.00, then: {earned: {star: 20}}}]",
		"of file":   "program: " + inline(shop) + "\nscenarios: [{scenario: X, with: {earn: null}, when: [{purchase: 200.00, then: {earned: {star: 0}}}]}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			body := strings.ReplaceAll(strings.TrimPrefix(strings.TrimSpace(shop), "# a shop\nprogram:\n"), "\n  ", "\n")
			for file, text := range map[string]string{"shop.yaml": body[2:], "programs/shop.yaml": body[2:], "a/case.yaml": text} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r, err := play(t.Context(), []string{filepath.Join(dir, "a")}, 1, openMemory)
			var out bytes.Buffer
			r.Write(&out)
			if err != nil || r.Failed > 0 {
				t.Error(err, out.String())
			}
		})
	}
}

// inline writes the program on one line.
func inline(text string) string {
	n, err := tree([]byte(text))
	if err != nil {
		panic(err)
	}
	return string(n.get("program").flow())
}
