package dbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lojal.dev/lojal/internal/db"
)

// Nodes gives the URLs of the machines of a real distributed engine, the coordinator's first: those in
// LOJAL_TEST_DISTRIBUTED_URL, separated by commas. None when it is not set.
func Nodes() []string {
	list := strings.Split(os.Getenv("LOJAL_TEST_DISTRIBUTED_URL"), ",")
	if list[0] == "" {
		return nil
	}
	return list
}

// Distributed gives a fresh database that is distributed, closed and removed when the test ends: on the engine of
// [Nodes], entered by one machine after the other from test to test, or else a mirror that says that it is distributed.
func Distributed(tb testing.TB) *db.DB {
	tb.Helper()
	if nodes := Nodes(); len(nodes) > 0 {
		urls := DistributedURLs(tb)
		return open(tb, urls[int(entries.Add(1))%len(urls)], db.Options{})
	}
	d := Mirror(tb)
	if err := d.NoteDistributed(tb.Context(), time.Unix(0, 0)); err != nil {
		tb.Fatal(err)
	}
	return d
}

// entries counts the tests that entered by one of the machines.
var entries atomic.Int32

// DistributedURLs gives the URLs, one a machine and the coordinator's first, of a fresh distributed database on the engine of
// [Nodes], removed when the test ends.
func DistributedURLs(tb testing.TB) []string {
	tb.Helper()
	urls := EmptyClusterURLs(tb)
	d, err := db.Open(tb.Context(), urls[0], db.Options{Migrate: true, Connections: 1})
	if err != nil {
		tb.Fatalf("migrate on the coordinator: %v", err)
	}
	_, err = d.Distribute(tb.Context(), time.Unix(0, 0))
	if e := d.Close(); err == nil {
		err = e
	}
	if err != nil {
		tb.Fatalf("distribute: %v", err)
	}
	return urls
}

// EmptyClusterURLs is [DistributedURLs] of a database without tables, on an engine whose machines know each other.
func EmptyClusterURLs(tb testing.TB) []string {
	tb.Helper()
	nodes := Nodes()
	if len(nodes) == 0 {
		tb.Skip("skipped on a distributed engine: LOJAL_TEST_DISTRIBUTED_URL is not set")
	}
	setup.Lock() // an engine that makes and drops databases on all machines at once loses connections
	defer setup.Unlock()
	name := "lojal_" + strings.ToLower(rand.Text())
	urls := make([]string, len(nodes))
	for i, node := range nodes {
		command(tb, node, `CREATE DATABASE `+name)
		tb.Cleanup(func() {
			setup.Lock()
			defer setup.Unlock()
			command(tb, node, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
		})
		// Few shards, so that a test is not all about making them.
		command(tb, node, `ALTER DATABASE `+name+` SET citus.shard_count = 8`)
		command(tb, node, `ALTER DATABASE `+name+` SET citus.enable_stat_counters = on`) // an engine that lacks it keeps the word
		urls[i] = inCluster(node, name)
		command(tb, urls[i], `CREATE EXTENSION IF NOT EXISTS citus`)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, urls[0])
	if err != nil {
		tb.Fatalf("connect to the coordinator: %v", err)
	}
	defer conn.Close(ctx) // what it did is done
	for i, u := range urls {
		host, port := address(tb, u)
		query := `SELECT citus_add_node($1, $2)`
		if i == 0 {
			query = `SELECT citus_set_coordinator_host($1, $2)`
		}
		for try := 1; ; try++ { // machines lose connections to each other as other tests drop databases
			_, err := conn.Exec(ctx, query, host, port)
			if err == nil {
				break
			}
			if try == 10 {
				tb.Fatalf("%s: %v", query, err)
			}
		}
	}
	if len(urls) > 1 { // else the coordinator holds the shards itself
		host, port := address(tb, urls[0])
		if _, err := conn.Exec(ctx, `SELECT citus_set_node_property($1, $2, 'shouldhaveshards', false)`, host, port); err != nil {
			tb.Fatal(err)
		}
	}
	return urls
}

var setup sync.Mutex

func address(tb testing.TB, rawURL string) (host string, port int) {
	tb.Helper()
	u, err := url.Parse(rawURL)
	if err == nil {
		_, err = fmt.Sscan(u.Port(), &port)
	}
	if err != nil {
		tb.Fatal("LOJAL_TEST_DISTRIBUTED_URL is a list of postgres://HOST:PORT URLs, separated by commas")
	}
	return u.Hostname(), port
}
