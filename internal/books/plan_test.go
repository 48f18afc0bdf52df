package books

import (
	"strings"
	"testing"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// What is asked in a request finds its rows by a key: the cost must not grow with the number of members.
func TestLookUpsGoByKey(t *testing.T) {
	t.Parallel()
	dbtest.EachServer(t, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			name string
			look *db.Lookup
			text string
		}{
			{"accounts", readAccounts, ""},
			{"open lots", openLots, ""},
			{"lots by number", someLots, ""},
			{"counters", someTallies, ""},
			{"all counters", allTallies, ""},
			{"program counters", readCounters, ""},
			{"redemptions", someRedemptions, ""},
			{"facts by id", factsByID, ""},
			{"facts by parent", factsByParent, ""},
			{"history", wholeHistory, ""},
			{"owners", factOwners, ""},
			{"redemption owners", redemptionOwners, ""},
			{"receipts", someReceipts, ""},
			{"answers", someAnswers, ""},
			{"facts page", nil, memberFacts + newestFirst},
			{"postings page", nil, memberPostings},
			{"lots page", nil, memberLots},
			{"open lots page", nil, memberOpenLots},
			{"redemptions page", nil, memberRedemptions},
			{"newest redemptions", nil, newestFacts},
			{"fold", nil, foldPostings},
			{"earned", nil, earnedPostings},
			{"feed", nil, feedFrom + feedOrder}, {"place in the feed", nil, feedStart},
			{"due", nil, dueAccounts},
			{"recognition", nil, recognitions},
			{"tickets", nil, raffleTickets},
			{"old answers", nil, oldAnswers},
		} {
			query := c.text
			if c.look != nil {
				query = c.look.Text(d.Dialect())
			}
			if plan := explain(t, d, "look_"+strings.ReplaceAll(c.name, " ", "_"), query); strings.Contains(plan, "stored table") {
				t.Errorf("%s reads a whole table:\n%s", c.name, plan)
			}
		}
	})
}

// explain gives the plan, with what reads a table from end to end marked.
func explain(t *testing.T, d *db.DB, name, query string) string {
	t.Helper()
	ctx := t.Context()
	var plan []string
	// Parameters stand as literals of their types: the plan does not depend on their values.
	err := d.Write(ctx, func(tx *db.Tx) error {
		if d.Dialect() == db.SQLite {
			return db.Collect(ctx, tx, func(row db.Scanner) error {
				var id, parent, unused int
				var text string
				err := row.Scan(&id, &parent, &unused, &text)
				if strings.HasPrefix(text, "SCAN ") && !strings.HasPrefix(text, "SCAN want") && !strings.Contains(text, "CONSTANT ROW") &&
					!strings.HasPrefix(text, "SCAN moves") {
					text += " (stored table)"
				}
				plan = append(plan, text)
				return err
			}, "EXPLAIN QUERY PLAN "+query, make([]any, parameters(query))...)
		}
		for _, set := range []string{"SET LOCAL enable_seqscan = off", "SET LOCAL plan_cache_mode = force_generic_plan", "PREPARE " + name + " AS " + query} {
			if _, err := tx.Exec(ctx, set); err != nil {
				return err
			}
		}
		null := strings.TrimSuffix(strings.Repeat("NULL,", parameters(query)), ",")
		return db.Collect(ctx, tx, func(row db.Scanner) error {
			var text string
			err := row.Scan(&text)
			if strings.Contains(text, "Seq Scan on") {
				text += " (stored table)"
			}
			plan = append(plan, text)
			return err
		}, "EXPLAIN EXECUTE "+name+"("+null+")")
	})
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	return strings.Join(plan, "\n")
}

func parameters(query string) int {
	n := 0
	for strings.Contains(query, "$"+string(rune('0'+n+1))) && n < 9 {
		n++
	}
	for _, two := range []string{"$10", "$11", "$12", "$13", "$14", "$15", "$16", "$17", "$18"} {
		if strings.Contains(query, two) {
			n++
		}
	}
	return n
}
