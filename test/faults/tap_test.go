package faults

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// TestATapSeesTheCommitItLooksFor says what a program says to PostgreSQL, in chunks of every size: of all COMMITs that go by, a tap for a
// key sees the one of the transaction that carried it, where its last byte is.
func TestATapSeesTheCommitItLooksFor(t *testing.T) {
	t.Parallel()
	var text []byte
	var ends []int // of each COMMIT
	say := func(list ...pgproto3.FrontendMessage) {
		for _, one := range list {
			var err error
			if text, err = one.Encode(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	run := func(statement string, values ...string) {
		b := &pgproto3.Bind{PreparedStatement: statement, ParameterFormatCodes: []int16{0}, Parameters: [][]byte{nil}}
		for _, v := range values {
			b.Parameters = append(b.Parameters, []byte(v))
		}
		say(b)
		if statement == "commit" {
			ends = append(ends, len(text))
		}
		say(&pgproto3.Execute{})
	}
	say(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "commit"}})
	say(&pgproto3.Parse{Name: "commit", Query: "COMMIT"}, &pgproto3.Parse{Name: "write", Query: "INSERT INTO t VALUES ($1, $2)"}, &pgproto3.Sync{})
	simple := func(statement string) {
		say(&pgproto3.Query{String: statement})
		if statement == "commit;" {
			ends = append(ends, len(text))
		}
	}
	simple("BEGIN") // 0: a job
	run("write", "job", "commit")
	run("commit")
	simple("BEGIN") // it carries the key, and is undone
	run("write", "key1")
	simple("ROLLBACK")
	simple("begin") // 1: another request, with a longer key
	run("write", "key10")
	simple("commit;")
	simple("BEGIN READ ONLY") // 2: the one
	run("write", "x", "key1")
	run("write", "job")
	run("commit")
	simple("BEGIN") // 3: a part of it
	run("write", "\x00\x00\x00\x01\x00\x00\x00\x05other\x00\x00\x00\x06key1#0\xff\xff\xff\xff")
	simple("commit;")
	simple("BEGIN") // 4: behind it
	run("write", "job")
	run("commit")

	for _, c := range []struct {
		of   func([]byte) bool
		want []int
	}{{nil, ends}, {under("key1"), ends[2:4]}, {under("key10"), ends[1:2]}, {under("key"), nil}} {
		for size := 1; size <= len(text); size++ {
			f := frontend{of: c.of}
			var got, want []int
			for at := 0; at < len(text); at += size {
				if f.sees(text[at:min(at+size, len(text))]) {
					got = append(got, at/size)
				}
			}
			for _, end := range c.want {
				if at := (end - 1) / size; len(want) == 0 || want[len(want)-1] != at {
					want = append(want, at)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("in chunks of %d: seen in %v, and not in %v", size, got, want)
			}
		}
	}
}
