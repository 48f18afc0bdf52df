// Package insight counts how a program goes: what was bought, who was active, what was given, spent and is owed, by days of the program's zone.
//
// It owns the totals of days (tables insight_places, insight_days and insight_buyers) and what each figure means. The facts are the truth: totals are
// folded from them in the order of their stamps, and whoever reads adds the facts that are not folded yet, so that the figures are those of the books
// at the moment of reading, however far the folding is. What always holds: a fact is in the totals or in the rest, never in both; the totals can be
// thrown away at any time and come out the same.
package insight

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/version"
)

// Names of totals. Those with a colon end with the id of a reward, or with unit, account and direction.
const (
	joined    = "joined"
	left      = "left"
	purchases = "purchases"
	spend     = "spend"
	returned  = "returned"
	redeemed  = "redeemed:"
	flow      = "flow:"
)

// fold is what facts add up to.
type fold struct {
	zone     *time.Location
	exponent int
	days     map[string]map[string]int64
	buyers   map[string]map[string]bool
}

func newFold(p *program.Compiled) *fold {
	return &fold{zone: p.Zone, exponent: p.Exponent, days: map[string]map[string]int64{}, buyers: map[string]map[string]bool{}}
}

const dayForm = time.DateOnly

// person says whether an id is that of a person: households, organizations and gift cards have books too.
func person(id string) bool { return strings.HasPrefix(id, "mem_") }

func (f *fold) add(day, name string, n int64) {
	if n == 0 {
		return
	}
	if f.days[day] == nil {
		f.days[day] = map[string]int64{}
	}
	f.days[day][name] += n
}

// fact adds a fact with its decision.
func (f *fold) fact(e *books.Entry) error {
	day := e.Fact.OccurredAt.In(f.zone).Format(dayForm)
	switch who := person(e.Fact.Member); {
	case e.Fact.Kind == engine.Enrolment && who:
		f.add(day, joined, 1)
	case e.Fact.Kind == engine.MergeOut && who:
		f.add(day, left, 1)
	case e.Fact.Kind == engine.PurchaseK:
		f.add(day, purchases, 1)
		if who {
			if f.buyers[day] == nil {
				f.buyers[day] = map[string]bool{}
			}
			f.buyers[day][e.Fact.Member] = true
		}
	case e.Fact.Kind == engine.ReturnK:
		for _, l := range e.Decision.Lines {
			f.add(day, returned, l.Amount)
		}
	}
	for _, ev := range e.Decision.Events {
		switch ev.Type {
		case engine.EvPurchase:
			total, err := money.Parse(ev.Data["total"])
			if err != nil {
				return fmt.Errorf("the total of %s: %w", e.Fact.ID, err)
			}
			n, err := total.Minor(f.exponent)
			if err != nil {
				return fmt.Errorf("the total of %s: %w", e.Fact.ID, err)
			}
			f.add(day, spend, n)
		case engine.EvCommitted:
			f.add(day, redeemed+ev.Data["reward"], 1)
		case engine.EvStatus:
			if person(e.Fact.Member) && ev.Data["to"] == "closed" && ev.Data["was"] != "closed" {
				f.add(day, left, 1)
			}
		}
	}
	for _, p := range e.Decision.Postings {
		if !ledger.MemberAccount(p.From) {
			f.add(day, flow+p.Unit+":out:"+p.From, p.Amount)
		}
		if !ledger.MemberAccount(p.To) {
			f.add(day, flow+p.Unit+":in:"+p.To, p.Amount)
		}
	}
	return nil
}

// place is how far the totals are.
type place struct {
	below int64
	zone  string
}

const (
	getPlace  = `SELECT below, zone FROM insight_places WHERE bucket = $1 AND program_id = $2`
	addPlace  = `INSERT INTO insight_places (bucket, program_id, below, zone) VALUES ($1, $2, 0, $3) ON CONFLICT (bucket, program_id) DO NOTHING`
	movePlace = `UPDATE insight_places SET below = $1, zone = $2 WHERE bucket = $3 AND program_id = $4 AND below = $5 AND zone = $6`
	dropDays  = `DELETE FROM insight_days WHERE bucket = $1 AND program_id = $2`
	dropWho   = `DELETE FROM insight_buyers WHERE bucket = $1 AND program_id = $2`
	pageEnd   = `SELECT stamp FROM facts WHERE program_id = $1 AND stamp >= $2 ORDER BY stamp, n LIMIT 1 OFFSET $3`
	insertDay = `INSERT INTO insight_days (bucket, program_id, day, name, value)`
	addToDay  = `ON CONFLICT (bucket, program_id, day, name) DO UPDATE SET value = insight_days.value + excluded.value`
	insertWho = `INSERT INTO insight_buyers (bucket, program_id, day, member_id)`
)

func placeOf(ctx context.Context, tx *db.Tx, program string) (place, bool, error) {
	var at place
	err := tx.QueryRow(ctx, getPlace, ids.Bucket(program, ""), program).Scan(&at.below, &at.zone)
	if errors.Is(err, sql.ErrNoRows) {
		return at, false, nil
	}
	if err != nil {
		return at, false, fmt.Errorf("read how far the totals of %s are: %w", program, err)
	}
	return at, true, nil
}

// pageSize is about how many facts are folded in one transaction.
const pageSize = 2000

// Fold brings the totals of a program up to the facts that are there. It may run twice at once: one of them finds that the other moved on. A
// distributed database has no stamps that hold over all of it: there nothing is folded, and who reads counts the facts.
func Fold(ctx context.Context, d *db.DB, p *program.Compiled) error {
	for more := true; more && !d.Distributed(); {
		var err error
		if more, err = foldPage(ctx, d, p); err != nil {
			return err
		}
	}
	return nil
}

func foldPage(ctx context.Context, d *db.DB, p *program.Compiled) (bool, error) {
	id, zone := p.Doc.Program, p.Zone.String()
	bucket := ids.Bucket(id, "")
	var at place
	var known bool
	var f *fold
	var below int64
	err := d.Read(ctx, func(tx *db.Tx) error {
		var err error
		f = newFold(p)
		if at, known, err = placeOf(ctx, tx, id); err != nil || !known || at.zone != zone {
			return err
		}
		if below, err = books.Rest(ctx, tx, id); err != nil {
			return err
		}
		var end int64
		switch err := tx.QueryRow(ctx, pageEnd, id, at.below, pageSize).Scan(&end); {
		case err == nil:
			below = min(below, end+1)
		case !errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("look how many facts of %s are not folded: %w", id, err)
		}
		return books.FactsFrom(ctx, tx, id, at.below, below, func(v *books.VolumeEntry) error { return f.fact(&v.Entry) })
	})
	if err != nil || known && at.zone == zone && below <= at.below {
		return false, err
	}
	more := false
	err = d.Write(ctx, func(tx *db.Tx) error {
		more = true
		switch {
		case !known:
			_, err := tx.Exec(ctx, addPlace, bucket, id, zone)
			return err
		case at.zone != zone:
			for _, q := range []string{dropDays, dropWho} {
				if _, err := tx.Exec(ctx, q, bucket, id); err != nil {
					return err
				}
			}
			below = 0
		}
		moved, err := tx.Exec(ctx, movePlace, below, zone, bucket, id, at.below, at.zone)
		if err != nil {
			return err
		}
		if n, err := moved.RowsAffected(); err != nil || n == 0 { // another node did it
			more = false
			return errors.Join(err, errMoved)
		}
		return f.write(ctx, tx, bucket, id)
	})
	if errors.Is(err, errMoved) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write the totals of %s: %w", id, err)
	}
	return more, nil
}

var errMoved = errors.New("the totals were moved on by another")

// write adds what was folded to what is stored, in an order that is the same for everybody.
func (f *fold) write(ctx context.Context, tx *db.Tx, bucket int32, program string) error {
	var totals, who []any
	for _, day := range slices.Sorted(maps.Keys(f.days)) {
		for _, name := range slices.Sorted(maps.Keys(f.days[day])) {
			totals = append(totals, bucket, program, day, name, f.days[day][name])
		}
	}
	for _, day := range slices.Sorted(maps.Keys(f.buyers)) {
		for _, m := range slices.Sorted(maps.Keys(f.buyers[day])) {
			who = append(who, bucket, program, day, m)
		}
	}
	if _, err := db.InsertRows(ctx, tx, insertDay, addToDay, 5, totals); err != nil {
		return err
	}
	_, err := db.InsertRows(ctx, tx, insertWho, "ON CONFLICT DO NOTHING", 4, who)
	return err
}

// JobKind is that of the job that folds, every how often it does.
const (
	JobKind = "insight.fold"
	every   = 10 * time.Second
)

// Handle has the runner's node fold the totals of all programs.
func Handle(jobs *job.Runner, d *db.DB, versions *version.Cache, clock func() time.Time, log *slog.Logger) {
	jobs.Handle(JobKind, job.Worker{Every: every, Run: func(ctx context.Context, _ *job.Job) error {
		return FoldAll(ctx, d, versions, clock(), log)
	}})
}

// FoldAll is Fold for every program. One that fails keeps none of the others.
func FoldAll(ctx context.Context, d *db.DB, versions *version.Cache, now time.Time, log *slog.Logger) error {
	var all []*program.Compiled
	err := d.Read(ctx, func(tx *db.Tx) error {
		all = nil
		list, err := version.Programs(ctx, tx)
		if err != nil {
			return err
		}
		for _, one := range list {
			set, err := versions.Get(ctx, tx, one.ID)
			if err != nil {
				log.Warn("the totals of a program wait: its versions cannot be read", "program", one.ID, "error", err)
				continue
			}
			if p := set.At(now); p != nil {
				all = append(all, p)
			}
		}
		return nil
	})
	var failed []error
	for _, p := range all {
		failed = append(failed, Fold(ctx, d, p))
	}
	return errors.Join(append(failed, err)...)
}

// Figures are what a period came to. Money is in minor units of the program's currency, points in those of their unit.
type Figures struct {
	// Members is how many belong to the program at its end: those who joined less those who left or were merged into another.
	Members, New, Left int64
	// Active are members who bought something in it.
	Active                     int64
	Purchases, Spend, Returned int64
	Units                      map[string]Unit
	// Redemptions count by reward what was redeemed, also where it was given back later.
	Redemptions map[string]int64
}

// Unit is what became of a unit of points.
type Unit struct {
	// Issued were earned or came from partners, Reversed were taken back with goods; Spent on rewards and at partners, less what was given back.
	Issued, Reversed, Spent, Expired int64
	// Adjusted is by hand, in less out; Other is what went when members left, and what is on the way between two.
	Adjusted, Other int64
	// Outstanding is what all members hold at its end, pending and reserved too, less what they owe.
	Outstanding int64
}

// Days is a run of days, Until not inside.
type Days struct{ From, Until time.Time }

func (d Days) keys() (from, until string) { return d.From.Format(dayForm), d.Until.Format(dayForm) }

// Report is a period with the one before it, and its days.
type Report struct {
	Period, Earlier Days
	Now, Before     Figures
	// Steps are the days of the period, or its weeks, each with what it came to; Active and Members are not told of them.
	Steps []Step
}

// Step is a day or a week.
type Step struct {
	Days
	Figures
}

const (
	sumsBefore = `SELECT name, CAST(SUM(value) AS bigint) FROM insight_days WHERE bucket = $1 AND program_id = $2 AND day < $3 GROUP BY name`
	daysFrom   = `SELECT day, name, value FROM insight_days WHERE bucket = $1 AND program_id = $2 AND day >= $3 AND day < $4`
	whoBought  = `SELECT DISTINCT member_id FROM insight_buyers WHERE bucket = $1 AND program_id = $2 AND day >= $3 AND day < $4`
)

// Read gives the figures of a period and of the one before it, in steps of so many days.
func Read(ctx context.Context, tx *db.Tx, p *program.Compiled, period, earlier Days, step int) (*Report, error) {
	id := p.Doc.Program
	bucket := ids.Bucket(id, "")
	at, known, err := placeOf(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	rest := newFold(p)
	if !known || at.zone != p.Zone.String() {
		at, known = place{}, false
	}
	if err := books.FactsFrom(ctx, tx, id, at.below, math.MaxInt64, func(v *books.VolumeEntry) error { return rest.fact(&v.Entry) }); err != nil {
		return nil, err
	}
	first, last := earlier.keys()
	start, end := period.keys()
	base := map[string]int64{}
	days := map[string]map[string]int64{}
	put := func(day, name string, n int64) {
		switch {
		case day < first:
			base[name] += n
		case day < end:
			if days[day] == nil {
				days[day] = map[string]int64{}
			}
			days[day][name] += n
		}
	}
	for day, names := range rest.days {
		for name, n := range names {
			put(day, name, n)
		}
	}
	if known {
		err = db.Collect(ctx, tx, func(row db.Scanner) error {
			var name string
			var n int64
			err := row.Scan(&name, &n)
			base[name] += n
			return err
		}, sumsBefore, bucket, id, first)
		if err == nil {
			err = db.Collect(ctx, tx, func(row db.Scanner) error {
				var day, name string
				var n int64
				err := row.Scan(&day, &name, &n)
				put(day, name, n)
				return err
			}, daysFrom, bucket, id, first, end)
		}
		if err != nil {
			return nil, fmt.Errorf("read the totals of %s: %w", id, err)
		}
	}
	buyers := func(from, until string) (int64, error) {
		who := map[string]bool{}
		for day, members := range rest.buyers {
			if day >= from && day < until {
				maps.Copy(who, members)
			}
		}
		if !known {
			return int64(len(who)), nil
		}
		err := db.Collect(ctx, tx, func(row db.Scanner) error {
			var m string
			err := row.Scan(&m)
			who[m] = true
			return err
		}, whoBought, bucket, id, from, until)
		if err != nil {
			return 0, fmt.Errorf("read who bought in %s: %w", id, err)
		}
		return int64(len(who)), nil
	}
	out := &Report{Period: period, Earlier: earlier}
	sum := func(from, until string) map[string]int64 {
		all := map[string]int64{}
		for day, names := range days {
			if day >= from && day < until {
				for name, n := range names {
					all[name] += n
				}
			}
		}
		return all
	}
	over := maps.Clone(base)
	closing := func(all map[string]int64) Figures {
		for name, n := range all {
			over[name] += n
		}
		f := figures(p, all)
		f.Members = over[joined] - over[left]
		for unit, held := range outstanding(over) {
			u := f.Units[unit]
			u.Outstanding = held
			f.Units[unit] = u
		}
		return f
	}
	out.Before = closing(sum(first, last))
	for name, n := range sum(last, start) {
		over[name] += n
	}
	out.Now = closing(sum(start, end))
	if out.Before.Active, err = buyers(first, last); err != nil {
		return nil, err
	}
	if out.Now.Active, err = buyers(start, end); err != nil {
		return nil, err
	}
	for from := period.From; from.Before(period.Until); {
		until := from.AddDate(0, 0, step)
		if until.After(period.Until) {
			until = period.Until
		}
		s := Step{Days: Days{from, until}}
		s.Figures = figures(p, sum(s.keys()))
		out.Steps = append(out.Steps, s)
		from = until
	}
	return out, nil
}

// outstanding is what members hold of each unit: what came in from outside less what went out.
func outstanding(all map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for name, n := range all {
		if rest, ok := strings.CutPrefix(name, flow); ok {
			unit, way, _ := strings.Cut(rest, ":")
			if strings.HasPrefix(way, "out:") {
				out[unit] += n
			} else {
				out[unit] -= n
			}
		}
	}
	return out
}

func figures(p *program.Compiled, all map[string]int64) Figures {
	f := Figures{New: all[joined], Left: all[left], Purchases: all[purchases], Spend: all[spend], Returned: all[returned], Units: map[string]Unit{}, Redemptions: map[string]int64{}}
	for unit := range p.Units {
		f.Units[unit] = Unit{}
	}
	for name, n := range all {
		if reward, ok := strings.CutPrefix(name, redeemed); ok {
			f.Redemptions[reward] += n
		}
		rest, ok := strings.CutPrefix(name, flow)
		if !ok {
			continue
		}
		unit, way, _ := strings.Cut(rest, ":")
		way, account, _ := strings.Cut(way, ":")
		out := n // what came to members
		if way == "in" {
			out = -n
		}
		u := f.Units[unit]
		_, partner := ledger.PartnerOf(account)
		switch {
		case account == ledger.Issued, partner && way == "out":
			u.Issued += out
		case account == ledger.Reversed:
			u.Reversed -= out
		case account == ledger.Redeemed, partner:
			u.Spent -= out
		case account == ledger.Expired:
			u.Expired -= out
		case account == ledger.Adjusted:
			u.Adjusted += out
		default:
			u.Other += out
		}
		f.Units[unit] = u
	}
	return f
}
