package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

const head = `
program: test
name: Test
time_zone: Europe/Oslo
currency: NOK
units:
  pt: {name: {en: {one: point, other: points}}}
`

func compile(t *testing.T, text string) *program.Compiled {
	t.Helper()
	doc, err := program.Parse([]byte(head+text), "test.yaml")
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	p, err := program.Compile(doc, 1)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return p
}

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // a Monday

func member(t *testing.T, p *program.Compiled) *engine.Account {
	t.Helper()
	_, acc, err := engine.Decide(p, engine.Input{Account: &engine.Account{Program: "test", Member: "mem_1"},
		Fact: engine.Fact{ID: "enr_1", Kind: engine.Enrolment, Member: "mem_1", OccurredAt: start, Enrolment: &engine.EnrolmentBody{}}})
	if err != nil {
		t.Fatalf("enrol: %v", err)
	}
	return acc
}

func dec(s string) *money.Decimal { d := money.MustParse(s); return &d }

// line reads "sku 12.00 [category] [tag]".
func line(s string) engine.Line {
	f := strings.Fields(s)
	l := engine.Line{SKU: f[0], Amount: dec(f[1])}
	if len(f) > 2 {
		l.Category = f[2]
	}
	l.Tags = f[min(3, len(f)):]
	return l
}

// The rules of earning, each row a case that other systems settle the same way.
func TestEarn(t *testing.T) {
	t.Parallel()
	basket := []string{"123 12 x color=red", "000 100 x color=blue", "0001 40 delivery"}
	per := func(id, rest string) string {
		return fmt.Sprintf("  - {id: %s, on: purchase, give: {unit: pt, amount: 1, per: 1.00}%s}\n", id, rest)
	}
	cases := []struct {
		name, rules string
		lines       []string
		want        int64
	}{
		{"rounds down once a purchase", per("a", ""), []string{"x 19.99"}, 19},
		{"each rule rounds alone", per("a", "") + "  - {id: b, on: purchase, give: {unit: pt, amount: 1, per: 2.00}}\n", []string{"x 19.99"}, 28},
		{"exclusive is alone", per("a", "") + "  - {id: b, on: purchase, give: {unit: pt, amount: 100}, stack: exclusive, priority: 10}\n", []string{"x 19.99"}, 100},
		{"the highest priority of two exclusive", "  - {id: a, on: purchase, give: {unit: pt, amount: 50}, stack: exclusive, priority: 5}\n  - {id: b, on: purchase, give: {unit: pt, amount: 200}, stack: exclusive, priority: 20}\n", []string{"x 1"}, 200},
		{"a multiplier works on what was rounded", per("a", "") + "  - {id: m, on: purchase, multiply: 2}\n", []string{"x 19.99"}, 38},
		{"or before, when rounding comes at the end", per("a", ", round: {once: end}") + "  - {id: m, on: purchase, multiply: 2}\n", []string{"x 19.99"}, 39},
		{"multipliers multiply each other", per("a", "") + "  - {id: m, on: purchase, multiply: 2}\n  - {id: n, on: purchase, multiply: 3}\n", []string{"x 100"}, 600},
		{"an exclusive multiplier is alone, the base stays", per("a", "") + "  - {id: m, on: purchase, multiply: 2}\n  - {id: n, on: purchase, multiply: 5, stack: exclusive, priority: 10}\n", []string{"x 100"}, 500},
		{"a rule of nothing that claims its lines excludes them", per("a", "") + "  - {id: b, on: purchase, lines: {category: GIFT_CARD}, give: {unit: pt, amount: 0, per: 1.00}, claims_lines: true}\n", []string{"g 50 GIFT_CARD", "x 50"}, 50},
		{"formula", "  - {id: a, on: purchase, give: {unit: pt, formula: \"basis > 50000 ? floor(basis / 50) : floor(basis / 100)\"}}\n", []string{"x 600"}, 1200},
		{"a bonus for a product adds", "  - {id: a, on: purchase, give: {unit: pt, amount: 4, per: 1.00}}\n  - {id: b, on: purchase, lines: {sku: '123'}, give: {unit: pt, amount: 100}}\n", basket, 708},
		{"a multiplier on one product", "  - {id: a, on: purchase, give: {unit: pt, amount: 4, per: 1.00}}\n  - {id: m, on: purchase, lines: {sku: '123'}, multiply: 3}\n", basket, 704},
		{"add, multiply by line, then the bonus", "  - {id: a, on: purchase, give: {unit: pt, amount: 4, per: 1.00}}\n  - {id: b, on: purchase, give: {unit: pt, amount: 10, per: 1.00}}\n  - {id: m, on: purchase, lines: {tag: color=red}, multiply: 3}\n  - {id: n, on: purchase, lines: {tag: color=blue}, multiply: 5}\n  - {id: s, on: purchase, lines: {sku: '000'}, give: {unit: pt, amount: 200}}\n", basket, 8264},
		{"a multiplier below one takes away", "  - {id: a, on: purchase, give: {unit: pt, amount: 4, per: 1.00}}\n  - {id: m, on: purchase, lines: {tag: color=red}, multiply: 0}\n  - {id: n, on: purchase, lines: {tag: color=blue}, multiply: 2}\n", basket, 960},
		{"best of a group", per("a", ", stack: best, group: g") + "  - {id: b, on: purchase, give: {unit: pt, amount: 30}, stack: best, group: g}\n", []string{"x 19.99"}, 30},
		{"the most that counts", "  - {id: a, on: purchase, basis: {max: 1000.00}, give: {unit: pt, amount: 1, per: 1.00}}\n", []string{"x 1250"}, 1000},
		{"whole steps only", "  - {id: a, on: purchase, give: {unit: pt, amount: 3, per: 1.00, whole: true}}\n", []string{"x 19.99"}, 57},
		{"parts of steps", "  - {id: a, on: purchase, give: {unit: pt, amount: 3, per: 1.00}}\n", []string{"x 19.99"}, 59},
		{"per item", "  - {id: a, on: purchase, give: {unit: pt, amount: 2, each: item}}\n", []string{"x 5", "y 5"}, 4},
		{"a clip by purchase", per("a", ", limit: {per: purchase, amount: 10}"), []string{"x 19.99"}, 10},
		{"a dry run gives nothing", per("a", "") + "  - {id: d, on: purchase, dry_run: true, give: {unit: pt, amount: 10, per: 1.00}}\n", []string{"x 100"}, 100},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := compile(t, "earn:\n"+c.rules)
			body := &engine.Purchase{}
			for _, l := range c.lines {
				body.Lines = append(body.Lines, line(l))
			}
			d, acc, err := engine.Decide(p, engine.Input{Account: member(t, p), Fact: engine.Fact{ID: "pur_1", Kind: engine.PurchaseK,
				Member: "mem_1", OccurredAt: start, Purchase: body}})
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Sums()["pt"]; got != c.want {
				t.Errorf("earned %d, want %d\n%+v", got, c.want, d.Explanation)
			}
			if h := acc.State.Units["pt"]; h == nil || h.Spendable != c.want {
				t.Errorf("balance %+v, want %d", h, c.want)
			}
			for _, a := range d.Awards {
				var sum int64
				for _, l := range a.Lines {
					sum += l
				}
				if sum != a.Amount {
					t.Errorf("the lines of %s come to %d, not %d", a.Rule, sum, a.Amount)
				}
			}
		})
	}
}
