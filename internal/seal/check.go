package seal

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
)

// Finding is a link of the chain that does not hold.
type Finding struct {
	// Row is the first bad row, as far as it can be told: table and key.
	Row, Member, Fact, Message string
}

// Checked is what comparing a chain came to.
type Checked struct {
	// Seals and Facts are what was compared.
	Seals, Facts int64
	// Head is the last seal; nil when there is none.
	Head *Seal
	// Unsealed is how many facts have come since.
	Unsealed int64
	Findings []Finding
}

// CheckOptions are choices of Check.
type CheckOptions struct {
	// Heads are heads that were kept: the chain must still hold them.
	Heads []Head
	// After leaves away the seals up to this number, HeadsOnly all of them.
	After     int64
	HeadsOnly bool
	// Progress is called now and then with the number of facts compared.
	Progress func(facts int64)
}

const (
	// sealsAtOnce and factsAtOnce bound what is read in one transaction.
	sealsAtOnce = 100
	factsAtOnce = 10_000
)

// Check computes the program's chain anew and compares. It reads a few thousand facts in a transaction, so that it keeps nobody
// waiting, however long the chain is. The error tells that it could not be done.
func Check(ctx context.Context, d *db.DB, program string, opts CheckOptions) (*Checked, error) {
	c := &check{program: program, opts: opts, out: &Checked{Findings: []Finding{}}, last: &Seal{Program: program, Hash: zeros}}
	if opts.HeadsOnly {
		err := d.Read(ctx, func(tx *db.Tx) (err error) {
			c.out = &Checked{Findings: []Finding{}}
			if c.out.Head, err = Last(ctx, tx, program); errs.Is(err, errs.CodeNotFound, "not_sealed") {
				c.out.Head, err = nil, nil
			}
			if err != nil {
				return err
			}
			return c.heads(ctx, tx)
		})
		return c.out, err
	}
	for more := true; more; {
		err := d.Read(ctx, func(tx *db.Tx) (err error) {
			again := *c // the transaction may be run again
			again.out = &Checked{Seals: c.out.Seals, Facts: c.out.Facts, Head: c.out.Head, Findings: slices.Clone(c.out.Findings)}
			if more, err = again.page(ctx, tx); err == nil {
				*c = again
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("compare the seals of %s: %w", program, err)
		}
		if opts.Progress != nil {
			opts.Progress(c.out.Facts)
		}
	}
	return c.out, nil
}

type check struct {
	program string
	opts    CheckOptions
	out     *Checked
	// last is the seal before the next one; begun says that one was read.
	last  *Seal
	begun bool
}

func (c *check) findf(row string, l *leaf, format string, args ...any) {
	f := Finding{Row: row, Message: fmt.Sprintf(format, args...)}
	if l != nil {
		f.Member, f.Fact = l.member, l.id
	}
	c.out.Findings = append(c.out.Findings, f)
}

func (c *check) row(number int64) string { return fmt.Sprintf("seals %s number %d", c.program, number) }

// page compares some seals, and says whether there are more.
func (c *check) page(ctx context.Context, tx *db.Tx) (bool, error) {
	if !c.begun && c.opts.After > 0 {
		// The one to begin after is not compared, only linked to.
		c.last.Number = c.opts.After - 1
	}
	var page []*Seal
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		s, err := scan(row, c.program)
		page = append(page, s)
		return err
	}, sealsAfter, bucketOf(c.program), c.program, c.last.Number, sealsAtOnce)
	if err != nil {
		return false, err
	}
	facts := c.out.Facts
	for i, s := range page {
		if !c.begun && c.opts.After > 0 {
			c.last, c.begun, c.out.Head = s, true, s
			continue
		}
		c.begun = true
		if err := c.one(ctx, tx, s); err != nil {
			return false, err
		}
		c.last, c.out.Head = s, s
		if c.out.Facts-facts >= factsAtOnce && i+1 < len(page) {
			return true, nil
		}
	}
	if len(page) == sealsAtOnce {
		return true, nil
	}
	return false, c.rest(ctx, tx)
}

// one compares a seal with what it covers.
func (c *check) one(ctx context.Context, tx *db.Tx, s *Seal) error {
	c.out.Seals++
	row := c.row(s.Number)
	switch {
	case s.Number != c.last.Number+1:
		c.findf(c.row(c.last.Number+1), nil, "is missing; the next one is %d", s.Number)
	case s.Previous != c.last.Hash:
		c.findf(row, nil, "follows %s, but the seal before it is %s", s.Previous, c.last.Hash)
	case s.form != form:
		c.findf(row, nil, "is made in form %d, which this program does not know", s.form)
		return nil
	case s.until.Stamp < c.last.until.Stamp || s.until.Stamp == c.last.until.Stamp && s.until.N < c.last.until.N:
		c.findf(row, nil, "ends before the seal before it")
		return nil
	}
	limit := math.MaxInt32
	if s.until.Stamp == 0 {
		limit = int(s.until.N - c.last.until.N)
	}
	made, err := cover(ctx, tx, c.last, s.until, limit, s.Version)
	if err != nil {
		return err
	}
	c.out.Facts += int64(len(made.leaves))
	same := made.hash(s) == s.Hash
	switch {
	case same && made.prints() != s.prints:
		c.findf(row, nil, "has other prints of its facts than they have")
	case same && made.until != s.until:
		c.findf(row, nil, "ends at a place among the commits where no fact is")
	case same && (s.Facts != int64(len(made.leaves)) || s.Postings != made.postings):
		c.findf(row, nil, "says that it covers %d facts and %d postings, and covers %d and %d", s.Facts, s.Postings, len(made.leaves), made.postings)
	case !same && s.Number == c.last.Number+1: // after a missing one it covers too much
		c.changed(s, made)
	}
	return nil
}

// changed says what is not as it was sealed: a fact, where its print tells it.
func (c *check) changed(s *Seal, made *covered) {
	kept, err := base64.RawStdEncoding.DecodeString(s.prints)
	was := slices.Collect(slices.Chunk(kept, printed))
	have := made.leaves
	at := 0
	for at < min(len(have), len(was)) && bytes.Equal(have[at].hash[:printed], was[at]) {
		at++
	}
	covers := fmt.Sprintf("seal %d covers it", s.Number)
	switch {
	case err != nil || at == len(have) && at == len(was):
		c.findf(c.row(s.Number), nil, "does not have its hash: it was changed itself, or a published version after %d and up to %d was", c.last.Version, s.Version)
		return
	case at == len(have):
		c.findf(fmt.Sprintf("facts %s, the last of seal %d", c.program, s.Number), nil, "%d are gone", len(was)-at)
		return
	case at == len(was):
		c.findf(have[at].row(c.program), &have[at], "was put in after the seal was made (%s)", covers)
		return
	}
	// Where what stands here stood further on, something before it is gone; where what stood here stands further on, something came
	// between.
	gone := slices.IndexFunc(was[at:], func(p []byte) bool { return bytes.Equal(p, have[at].hash[:printed]) })
	come := slices.IndexFunc(have[at:], func(l leaf) bool { return bytes.Equal(l.hash[:printed], was[at]) })
	switch {
	case gone > 0 && come > 0:
		c.findf(have[at].row(c.program), &have[at], "stands in another place among the commits than when it was sealed (%s)", covers)
	case gone > 0:
		c.findf(have[at].row(c.program), &have[at], "is as it was sealed, but of the facts committed before it, which seal %d covers, %d are missing", s.Number, gone)
	case come > 0:
		c.findf(have[at].row(c.program), &have[at], "was put in between facts that were sealed (%s)", covers)
	default:
		c.findf(have[at].row(c.program), &have[at], "is not as it was sealed, or its postings are not (%s)", covers)
	}
}

func (l *leaf) row(program string) string {
	return fmt.Sprintf("facts %s seq %d", books.Ref{Program: program, Member: l.member}, l.seq)
}

const (
	countUnsealed = `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND (stamp, n) > ($2, $3)`
	countFacts    = `SELECT COUNT(*) FROM facts WHERE program_id = $1`
	countSealed   = `SELECT COALESCE(SUM(facts), 0) FROM seals WHERE bucket = $1 AND program_id = $2`
	countUnplaced = `SELECT COUNT(*) FROM facts WHERE program_id = $1 AND stamp = 0`
	lastUnplaced  = `SELECT COALESCE(MAX(n), 0) FROM seals WHERE bucket = $1 AND program_id = $2 AND stamp = 0`
)

// rest counts what is not sealed yet, and compares the heads.
func (c *check) rest(ctx context.Context, tx *db.Tx) error {
	if err := c.heads(ctx, tx); err != nil {
		return err
	}
	if err := c.unsealed(ctx, tx); err != nil {
		return err
	}
	if c.last.until.Stamp == 0 {
		return nil
	}
	var have, covered int64
	if err := tx.QueryRow(ctx, countUnplaced, c.program).Scan(&have); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, lastUnplaced, bucketOf(c.program), c.program).Scan(&covered); err != nil {
		return err
	}
	if have > covered {
		c.findf("facts "+c.program+" stamp 0", nil, "are %d, and %d were sealed: the others were put in since", have, covered)
	}
	return nil
}

func (c *check) unsealed(ctx context.Context, tx *db.Tx) error {
	if !tx.Distributed() {
		return tx.QueryRow(ctx, countUnsealed, c.program, c.last.until.Stamp, c.last.until.N).Scan(&c.out.Unsealed)
	}
	var have, sealed int64 // what is not in line yet has no place to compare
	if err := tx.QueryRow(ctx, countFacts, c.program).Scan(&have); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, countSealed, bucketOf(c.program), c.program).Scan(&sealed); err != nil {
		return err
	}
	c.out.Unsealed = max(have-sealed, 0)
	return nil
}

const hashOfSeal = `SELECT hash FROM seals WHERE bucket = $1 AND program_id = $2 AND number = $3`

// heads compares the chain with heads that were kept.
func (c *check) heads(ctx context.Context, tx *db.Tx) error {
	for _, h := range c.opts.Heads {
		var hash string
		err := tx.QueryRow(ctx, hashOfSeal, bucketOf(c.program), c.program, h.Number).Scan(&hash)
		switch {
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		case hash == h.Hash:
		case hash != "":
			c.findf(c.row(h.Number), nil, "is %s, and the head that you kept is %s: history was changed, or this is another database", hash, h)
		case c.out.Head == nil:
			c.findf("seals "+c.program, nil, "there are none, and you kept the head %s: this is an older state or another database", h)
		case h.Number > c.out.Head.Number:
			c.findf("seals "+c.program, nil, "end at number %d, and you kept the head %s: this is an older state of the database, or seals were deleted", c.out.Head.Number, h)
		default:
			c.findf(c.row(h.Number), nil, "is missing, and you kept the head %s: the seal was deleted", h)
		}
	}
	return nil
}
