package record_test

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/record"
)

// Behind a pooler the URL of PostgreSQL names a mode in which nothing is prepared; then rows come as text.
func TestEachQueryModeOfTheURLWorks(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, db.Postgres)
			sign := "?"
			if strings.Contains(url, "?") {
				sign = "&"
			}
			d, err := db.Open(t.Context(), url+sign+"default_query_exec_mode="+mode, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
			k := open(t, d)
			k.enrol("anna")
			k.enrol("bo")
			reqs := []record.Request{}
			for _, who := range []string{"anna", "bo", "anna", "bo"} { // gathered, so that look-ups are shared
				req := purchase("ext:"+who, "150", noon)
				req.Program, req.Now = "shop", noon
				reqs = append(reqs, req)
			}
			for _, out := range k.r.Batch(t.Context(), reqs) {
				if out.Err != nil {
					t.Fatal(out.Err)
				}
			}
			k.must(redeem("ext:anna", "hundred", noon))
		})
	}
}
