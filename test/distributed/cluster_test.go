package distributed

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
)

// On a real engine, whichever machine a node enters by, a till's day goes to one shard a statement. The engine's own counters say so,
// where it has them (Citus 13.1 and later).
func TestATillOnARealEngineAsksOneShard(t *testing.T) {
	t.Parallel()
	urls := dbtest.DistributedURLs(t)
	secret, now := "", noon
	for i, url := range urls {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !d.Distributed() {
			t.Fatal("the machine does not know that the database is distributed")
		}
		if i == 0 {
			secret = prepare(t, d, noon)
		}
		c := open(t, d, secret, now)
		if i == 0 {
			c.enrol()
		}
		c.do(200, "GET", "/v1/members/ext:a/balances", "") // so that nothing is new to the node
		single, multi, counted := asked(t, urls)
		now = now.AddDate(0, 0, 1)
		c.now = now
		c.day(fmt.Sprint(i))
		moreSingle, moreMulti, _ := asked(t, urls)
		switch {
		case !counted:
			t.Log("the engine does not count: only the answers were tried")
		case moreMulti != multi:
			t.Errorf("machine %d: %d statements asked several shards", i, moreMulti-multi)
		case moreSingle < single+200:
			t.Errorf("machine %d: only %d statements were counted", i, moreSingle-single)
		default:
			t.Logf("machine %d: %d statements asked one shard, none asked several", i, moreSingle-single)
		}
		c.sweep(now)
		c.prove()
		t.Cleanup(func() { d.Close() })
	}
}

// asked sums what the machines counted: statements that asked one shard, and several.
func asked(t *testing.T, urls []string) (single, multi int64, counted bool) {
	t.Helper()
	for _, url := range urls {
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		err = conn.QueryRow(t.Context(), `SELECT to_regclass('citus_stat_counters') IS NOT NULL`).Scan(&counted)
		if err == nil && counted {
			var one, more int64
			err = conn.QueryRow(t.Context(), `
SELECT COALESCE(SUM(query_execution_single_shard), 0), COALESCE(SUM(query_execution_multi_shard), 0)
FROM citus_stat_counters WHERE name = current_database()`).Scan(&one, &more)
			single, multi = single+one, multi+more
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return single, multi, counted
}

// Two nodes at two machines write at once, also for the same members and receipts, and everything counts once.
func TestNodesAtAllMachinesKeepOneSetOfBooks(t *testing.T) {
	t.Parallel()
	urls := dbtest.DistributedURLs(t)
	var counters []*counter
	secret := ""
	for i, url := range urls {
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		if i == 0 {
			secret = prepare(t, d, noon)
		}
		counters = append(counters, open(t, d, secret, noon))
	}
	counters[0].enrol()
	const receipts = 30
	var all sync.WaitGroup
	for i, c := range counters {
		for w := range 3 {
			all.Go(func() {
				for n := range receipts {
					member := []string{"a", "b"}[n%2]
					body := fmt.Sprintf(`{"member": "card:100%s", "amount": "10", "source": "till", "external_id": "%d"}`, member, n)
					req := c.send("POST", "/v1/purchases", body, fmt.Sprintf("k-%d-%d-%d", i, w, n))
					if req.Code != 200 && req.Code != 201 {
						t.Errorf("%d: %s", req.Code, req.Body)
					}
				}
			})
		}
	}
	all.Wait()
	for _, m := range []string{"a", "b"} {
		balances := counters[len(counters)-1].do(200, "GET", "/v1/members/ext:"+m+"/balances", "")["balances"].(map[string]any)
		if got := balances["point"].(map[string]any)["balance"]; got != fmt.Sprint(10*receipts/2) {
			t.Errorf("%s has %v", m, got)
		}
	}
	events := counters[0].do(200, "GET", "/v1/events?type=points.earned&limit=200", "")["items"].([]any)
	if len(events) != receipts {
		t.Errorf("%d events", len(events))
	}
	counters[0].prove()
}

func TestDistributingAgainDoesNothing(t *testing.T) {
	t.Parallel()
	urls := dbtest.DistributedURLs(t)
	d, err := db.Open(t.Context(), urls[0], db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ran, err := d.Distribute(t.Context(), time.Now())
	if err != nil || len(ran) > 0 {
		t.Errorf("%q, %v", ran, err)
	}
	faults, err := d.CheckLayout(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("%q, %v", faults, err)
	}
}
