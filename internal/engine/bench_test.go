package engine_test

import (
	"testing"

	"lojal.dev/lojal/internal/engine"
)

// BenchmarkDecide prints what one purchase of three lines costs under three rules and a tier set.
func BenchmarkDecide(b *testing.B) {
	t := &testing.T{}
	p := compile(t, `
earn:
  - {id: base, on: purchase, give: {unit: pt, amount: 1, per: 10.00}}
  - {id: tuesday, on: purchase, lines: {category: coffee}, when: {weekdays: [monday], tier: {club: member}}, multiply: 2, limit: {per: day, times: 3}}
  - {id: big, on: purchase, when: {amount: {from: 500.00}}, give: {unit: pt, amount: 50}}
tiers:
  club:
    by: {sum: spend, window: rolling 12 months}
    steps: [{id: member, from: 0}, {id: gold, from: 3000.00}]
`)
	acc := member(t, p)
	f := engine.Fact{ID: "pur_1", Kind: engine.PurchaseK, Member: "mem_1", OccurredAt: start, Purchase: &engine.Purchase{
		Lines: []engine.Line{line("a 49.00 coffee"), line("b 32.00 bun"), line("c 120.00 beans")}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := engine.Decide(p, engine.Input{Account: acc, Fact: f}); err != nil {
			b.Fatal(err)
		}
	}
}
