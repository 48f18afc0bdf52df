package faults

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"lojal.dev/lojal/internal/db"
)

// The other way of counting: this file reads the tables and folds the postings without anything of the program's own.

// books is what one snapshot of the tables comes to.
type books struct {
	facts    map[natural][]fact // with a natural key
	all      int                // facts
	postings int
	// held is by member and unit.
	held map[[2]string]sums
	// spent, by unit, is what went to redeemed, less what came back; expired what ended.
	spent, expired map[string]int64
}

// natural is source and external id.
type natural [2]string

type fact struct {
	id, kind, member string
}

// sums are what a member has of a unit.
type sums struct{ spendable, pending, reserved, debt int64 }

// openBooks opens the database beside the program. Close it when done: a process that holds a SQLite file open would keep
// the program from having to recover it after a kill.
func openBooks(url string) (*sql.DB, error) {
	if dialect(url) == db.Postgres {
		return sql.Open("pgx", url)
	}
	return sql.Open("sqlite", "file:"+file(url)+"?_pragma=query_only(1)&_pragma=busy_timeout(5000)")
}

// readBooks folds one snapshot. The error tells what does not hold.
func readBooks(ctx context.Context, url string) (_ *books, err error) {
	d, err := openBooks(url)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return foldBooks(ctx, d)
}

const (
	selectFacts    = `SELECT source, external_id, id, kind, member_id, seq FROM facts ORDER BY bucket, program_id, member_id, seq`
	selectPostings = `SELECT member_id, seq, n, unit, lot, from_account, to_account, amount, occurred_at FROM postings
		ORDER BY bucket, program_id, member_id, seq, n`
	selectLots = `SELECT member_id, lot, unit, amount, spendable, pending, reserved, remaining, COALESCE(expires_at, 0) FROM lots
		ORDER BY bucket, program_id, member_id, lot`
	selectAccounts = `SELECT member_id, seq, state FROM accounts`
	selectReceipts = `SELECT source, external_id, fact_id FROM receipts`
)

func foldBooks(ctx context.Context, d *sql.DB) (*books, error) {
	tx, err := d.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	f := &fold{books: &books{facts: map[natural][]fact{}, held: map[[2]string]sums{}, spent: map[string]int64{}, expired: map[string]int64{}},
		at: map[place]int64{}, debt: map[[2]string]int64{}, program: map[[2]string]int64{}, seqs: map[string]int64{}, ends: map[lot]int64{}}
	for _, step := range []struct {
		query string
		row   func(*sql.Rows) error
	}{
		{selectFacts, f.fact}, {selectLots, f.lot}, {selectPostings, f.posting}, {selectAccounts, f.account}, {selectReceipts, f.receipt},
	} {
		if err := query(ctx, tx, step.query, step.row); err != nil {
			return nil, err
		}
	}
	if err := f.whole(); err != nil {
		return nil, err
	}
	return f.books, nil
}

func query(ctx context.Context, tx *sql.Tx, text string, row func(*sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

type lot struct {
	member, unit string
	n            int64
}

type place struct {
	lot
	account string
}

type fold struct {
	books   *books
	at      map[place]int64     // what lies in the member's accounts, by lot
	debt    map[[2]string]int64 // by member and unit, below zero
	program map[[2]string]int64 // by account of the program and unit
	seqs    map[string]int64    // the last fact of each member
	lots    []lotRow
	ends    map[lot]int64 // when lots expire
	seen    int
}

type lotRow struct {
	lot
	amount, spendable, pending, reserved, remaining int64
}

func (f *fold) fact(rows *sql.Rows) error {
	var one fact
	var key natural
	var seq int64
	if err := rows.Scan(&key[0], &key[1], &one.id, &one.kind, &one.member, &seq); err != nil {
		return err
	}
	if seq != f.seqs[one.member]+1 {
		return fmt.Errorf("facts: %s has %d after %d", one.member, seq, f.seqs[one.member])
	}
	f.seqs[one.member] = seq
	f.books.all++
	if key[1] == "" {
		return nil
	}
	f.books.facts[key] = append(f.books.facts[key], one)
	if n := len(f.books.facts[key]); n > 1 {
		return fmt.Errorf("facts: %s:%s stands there %d times (I6): %v", key[0], key[1], n, f.books.facts[key])
	}
	return nil
}

func (f *fold) lot(rows *sql.Rows) error {
	var l lotRow
	var ends int64
	if err := rows.Scan(&l.member, &l.n, &l.unit, &l.amount, &l.spendable, &l.pending, &l.reserved, &l.remaining, &ends); err != nil {
		return err
	}
	if l.spendable < 0 || l.pending < 0 || l.reserved < 0 || l.remaining != l.spendable+l.pending+l.reserved || l.remaining > l.amount {
		return fmt.Errorf("lots: %+v does not add up (I10)", l)
	}
	f.lots = append(f.lots, l)
	f.ends[l.lot] = ends
	return nil
}

var owned = []string{"member", "pending", "reserved"}

func (f *fold) posting(rows *sql.Rows) error {
	var member, unit, from, to string
	var seq, n, number, amount, at int64
	if err := rows.Scan(&member, &seq, &n, &unit, &number, &from, &to, &amount, &at); err != nil {
		return err
	}
	f.books.postings++
	where := fmt.Sprintf("postings: %s seq %d n %d", member, seq, n)
	if seq > f.seqs[member] || amount <= 0 || from == to {
		return fmt.Errorf("%s: %d from %q to %q, and the member has %d facts", where, amount, from, to, f.seqs[member])
	}
	l := lot{member, unit, number}
	sum := int64(0)
	for account, change := range map[string]int64{from: -amount, to: amount} {
		sum += change
		switch {
		case slices.Contains(owned, account):
			p := place{l, account}
			f.at[p] += change
		case account == "debt":
			f.debt[[2]string{member, unit}] += change
		case strings.HasPrefix(account, "program:"):
			f.program[[2]string{account, unit}] += change
		default:
			return fmt.Errorf("%s: there is no account %q", where, account)
		}
	}
	if sum != 0 {
		return fmt.Errorf("%s: sums to %d (I1)", where, sum)
	}
	if have := f.at[place{l, from}]; slices.Contains(owned, from) && have < 0 {
		return fmt.Errorf("%s: takes %d more from %s of lot %d than is there (I3)", where, -have, from, number)
	}
	if owes := f.debt[[2]string{member, unit}]; owes > 0 {
		return fmt.Errorf("%s: pays %d more than is owed (I3)", where, owes)
	}
	ends := f.ends[l]
	switch to {
	case "program:expired":
		if ends == 0 || at < ends {
			return fmt.Errorf("%s: expires at %d, the lot ends at %d", where, at, ends)
		}
		f.books.expired[unit] += amount
	case "program:redeemed":
		if from == "member" && ends != 0 && at >= ends {
			return fmt.Errorf("%s: spends at %d, the lot ended at %d", where, at, ends)
		}
		f.books.spent[unit] += amount
	}
	if from == "program:redeemed" {
		f.books.spent[unit] -= amount
	}
	return nil
}

func (f *fold) account(rows *sql.Rows) error {
	var member, text string
	var seq int64
	if err := rows.Scan(&member, &seq, &text); err != nil {
		return err
	}
	if seq != f.seqs[member] {
		return fmt.Errorf("accounts: %s says %d facts and has %d", member, seq, f.seqs[member])
	}
	delete(f.seqs, member)
	var state struct {
		Units map[string]struct {
			Spendable int64 `json:"spendable"`
			Pending   int64 `json:"pending"`
			Reserved  int64 `json:"reserved"`
			Debt      int64 `json:"debt"`
		} `json:"units"`
	}
	if err := json.Unmarshal([]byte(text), &state); err != nil {
		return fmt.Errorf("accounts: %s: %w", member, err)
	}
	for unit, h := range state.Units {
		f.books.held[[2]string{member, unit}] = sums{h.Spendable, h.Pending, h.Reserved, h.Debt}
	}
	return nil
}

func (f *fold) receipt(rows *sql.Rows) error {
	var key natural
	var id string
	if err := rows.Scan(&key[0], &key[1], &id); err != nil {
		return err
	}
	f.seen++
	if of := f.books.facts[key]; len(of) != 1 || of[0].id != id {
		return fmt.Errorf("receipts: %s:%s stands for %s, and the facts are %v", key[0], key[1], id, of)
	}
	return nil
}

// whole compares what is stored with what was folded.
func (f *fold) whole() error {
	if len(f.seqs) > 0 {
		return fmt.Errorf("accounts: %v are missing", slices.Collect(maps.Keys(f.seqs)))
	}
	if f.seen != len(f.books.facts) {
		return fmt.Errorf("receipts: %d for %d facts with a natural key", f.seen, len(f.books.facts))
	}
	stored := map[place]int64{}
	held := map[[2]string]sums{}
	total := map[string]int64{}
	for _, l := range f.lots {
		stored[place{l.lot, "member"}], stored[place{l.lot, "pending"}], stored[place{l.lot, "reserved"}] = l.spendable, l.pending, l.reserved
		h := held[[2]string{l.member, l.unit}]
		h.spendable, h.pending, h.reserved = h.spendable+l.spendable, h.pending+l.pending, h.reserved+l.reserved
		held[[2]string{l.member, l.unit}] = h
		total[l.unit] += l.remaining
	}
	for p, n := range f.at {
		if stored[p] != n {
			return fmt.Errorf("lots: %+v holds %d, its postings come to %d (I4)", p, stored[p], n)
		}
		delete(stored, p)
	}
	for p, n := range stored {
		if n != 0 {
			return fmt.Errorf("lots: %+v holds %d, and has no posting (I4)", p, n)
		}
	}
	for who, owes := range f.debt {
		h := held[who]
		h.debt = -owes
		held[who] = h
		total[who[1]] += owes
	}
	for who, h := range f.books.held {
		if held[who] != h {
			return fmt.Errorf("accounts: %v says %+v, its postings come to %+v (I4)", who, h, held[who])
		}
		delete(held, who)
	}
	for who, h := range held {
		if h != (sums{}) {
			return fmt.Errorf("accounts: %v says nothing, its postings come to %+v (I4)", who, h)
		}
	}
	for account, n := range f.program {
		if account[0] == "program:transferred" && n != 0 {
			return fmt.Errorf("postings: what members moved between them sums to %d %s (I2)", n, account[1])
		}
		total[account[1]] += n
	}
	for unit, n := range total {
		if n != 0 {
			return fmt.Errorf("all accounts of %s sum to %d (I2)", unit, n)
		}
	}
	return nil
}

// prove proves the books in both ways, with nobody writing, and gives the fold.
func (r *run) prove() *books {
	r.Helper()
	if out := r.cli("verify"); out.status != 0 {
		r.Error(out)
	}
	if r.sqlite() {
		r.integrity(file(r.url))
	}
	b, err := readBooks(r.Context(), r.url)
	if err != nil {
		r.Fatalf("the books do not fold: %v", err)
	}
	r.count("facts", b.all)
	r.count("postings", b.postings)
	return b
}

// integrity asks SQLite whether the file is whole.
func (r *run) integrity(path string) {
	r.Helper()
	d, err := openBooks("sqlite:" + path)
	if err != nil {
		r.Fatal(err)
	}
	defer d.Close()
	var said string
	if err := d.QueryRowContext(r.Context(), `PRAGMA integrity_check`).Scan(&said); err != nil || said != "ok" {
		r.Errorf("integrity_check of %s: %s %v", path, said, err)
	}
}
