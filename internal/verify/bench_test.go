package verify_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/seal"
	"lojal.dev/lojal/internal/verify"
	"lojal.dev/lojal/internal/version"
)

// large fills a database with purchases of three lines each, twenty a member.
func large(b *testing.B, d *db.DB, facts int) *version.Cache {
	b.Helper()
	doc, err := program.Parse([]byte(shop), "shop.yaml")
	if err != nil {
		b.Fatal(err)
	}
	err = d.Write(b.Context(), func(tx *db.Tx) error {
		_, err := version.Publish(b.Context(), tx, version.PublishInput{Program: "shop", Document: doc, By: "test", Now: noon})
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	v := &version.Cache{}
	r := record.New(d, v)
	defer r.Close()
	amount := func(s string) *money.Decimal { n := money.MustParse(s); return &n }
	for done := 0; done < facts; {
		var reqs []record.Request
		for len(reqs) < 4200 {
			ext := fmt.Sprint("m", done+len(reqs))
			reqs = append(reqs, record.Request{Program: "shop", Now: noon, Fact: engine.Fact{Kind: engine.Enrolment}, Enrol: &member.New{Profile: member.Profile{ExternalID: ext}}})
			for i := range 20 {
				reqs = append(reqs, record.Request{Program: "shop", Member: "ext:" + ext, Now: day(i), Fact: engine.Fact{
					Kind: engine.PurchaseK, Source: "till", ExternalID: fmt.Sprint(ext, "-", i), Purchase: &engine.Purchase{Lines: []engine.Line{
						{ID: "a", SKU: "x", Quantity: amount("3"), Amount: amount("60")}, {ID: "b", SKU: "y", Amount: amount("41.50")}, {ID: "c", SKU: "z", Amount: amount("9.90")}}}}})
			}
		}
		for _, o := range r.Batch(b.Context(), reqs) {
			if o.Err != nil {
				b.Fatal(o.Err)
			}
		}
		done += len(reqs)
	}
	return v
}

// BenchmarkVerify proves some thousand facts; LOJAL_BENCH_FACTS asks for more.
func BenchmarkVerify(b *testing.B) {
	facts := 21_000
	if n, err := strconv.Atoi(os.Getenv("LOJAL_BENCH_FACTS")); err == nil {
		facts = n
	}
	for _, dialect := range []db.Dialect{db.SQLite, db.Postgres} {
		b.Run(string(dialect), func(b *testing.B) {
			d := dbtest.Open(b, dialect)
			v := large(b, d, facts)
			dbtest.Settle(b, d)
			b.Run("seal", func(b *testing.B) {
				n := 0.0
				for b.Loop() {
					if err := d.Write(b.Context(), func(tx *db.Tx) error {
						_, err := tx.Exec(b.Context(), `DELETE FROM seals`)
						return err
					}); err != nil {
						b.Fatal(err)
					}
					out, err := seal.Program(b.Context(), d, "shop", noon)
					if err != nil {
						b.Fatal(err)
					}
					n += float64(out.Facts)
				}
				b.ReportMetric(n/b.Elapsed().Seconds(), "facts/s")
			})
			for _, c := range []struct {
				name string
				opts verify.Options
			}{{"all", verify.Options{}}, {"one worker", verify.Options{Workers: 1}}, {"one moment", verify.Options{OneMoment: true}}} {
				b.Run(c.name, func(b *testing.B) {
					n := 0.0
					for b.Loop() {
						report, err := verify.Run(b.Context(), d, v, "shop", c.opts)
						if err != nil || !report.OK() {
							b.Fatal(err, report)
						}
						n += float64(report.Facts)
					}
					b.ReportMetric(n/b.Elapsed().Seconds(), "facts/s")
				})
			}
		})
	}
}
