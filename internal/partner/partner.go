// Package partner keeps what partners pay, and makes their statements.
//
// It owns the table partner_payments and the arithmetic of statements. It does not own what a partner may do (program), what it did
// (engine, books) nor who may ask (key, api).
// What always holds: a statement is a fold of the postings with the partner's account that were recorded in its month, so that a month
// that is over never changes; money is counted in millionths, and only the sum that is due is rounded; a payment counts once by its
// reference.
package partner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// scale is the number of decimals in which money is counted here.
const scale = program.PriceScale

// Payment is what a partner paid, or, below zero, was paid.
type Payment struct {
	// Reference is the payer's; the same again counts once.
	Reference string `json:"reference"`
	// Amount is in the program's currency.
	Amount     money.Decimal `json:"amount"`
	PaidAt     time.Time     `json:"paid_at"`
	RecordedAt time.Time     `json:"recorded_at"`
	Actor      string        `json:"actor,omitempty"`
	Note       string        `json:"note,omitempty"`

	micro int64
}

// New is a payment to take.
type New struct {
	Program   *program.Compiled
	Partner   string
	Reference string
	Amount    money.Decimal
	// PaidAt is now when zero.
	PaidAt time.Time
	Note   string
	Actor  string
	Now    time.Time
}

const insertPayment = `
INSERT INTO partner_payments (bucket, program_id, partner, reference, amount, paid_at, recorded_at, actor, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (bucket, program_id, partner, reference) DO NOTHING`

func bucketOf(program, id string) int32 { return ids.Bucket(program, "partner:"+id) }

// Pay takes a payment; known says that it was taken before. Errors: not_found "partner_not_found"; invalid "invalid_payment"; conflict
// "duplicate_reference" where the reference was used for another amount.
func Pay(ctx context.Context, tx *db.Tx, in New) (p Payment, known bool, err error) {
	id := in.Program.Doc.Program
	if in.Program.Partners[in.Partner] == nil {
		return p, false, engine.NoPartner()
	}
	var fields []errs.Field
	if n := utf8.RuneCountInString(in.Reference); n < 1 || n > 100 || !utf8.ValidString(in.Reference) || strings.ContainsRune(in.Reference, 0) {
		fields = append(fields, errs.Field{Pointer: "/reference", Reason: "required", Message: "say which payment it is, in 1 to 100 characters: the same again counts once"})
	}
	if len(in.Note) > 1000 || !utf8.ValidString(in.Note) || strings.ContainsRune(in.Note, 0) {
		fields = append(fields, errs.Field{Pointer: "/note", Reason: "too_long", Message: "is longer than 1,000 characters, or cannot be stored"})
	}
	if n, err := in.Amount.Minor(in.Program.Exponent); err != nil || n == 0 || n > 1e12 || n < -1e12 {
		fields = append(fields, errs.Field{Pointer: "/amount", Reason: "not_an_amount",
			Message: fmt.Sprintf("must be an amount of money other than 0 with at most %d decimals", in.Program.Exponent)})
	}
	if len(fields) > 0 {
		return p, false, errs.Invalid("invalid_payment", "The payment has mistakes.", fields...)
	}
	micro, err := in.Amount.Minor(scale)
	if err != nil {
		return p, false, err
	}
	if in.PaidAt.IsZero() {
		in.PaidAt = in.Now
	}
	done, err := tx.Exec(ctx, insertPayment, bucketOf(id, in.Partner), id, in.Partner, in.Reference, micro, in.PaidAt.UnixMicro(), in.Now.UnixMicro(), in.Actor, in.Note)
	if err != nil {
		return p, false, fmt.Errorf("take a payment: %w", err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return p, false, fmt.Errorf("take a payment: %w", err)
	}
	p = Payment{in.Reference, in.Amount, in.PaidAt.UTC(), in.Now.UTC(), in.Actor, in.Note, micro}
	if n == 1 {
		return p, false, books.AddCounter(ctx, tx, id, engine.PartnerPaid(in.Partner), engine.PartnerPeriod, micro)
	}
	if p, err = scanPayment(tx.QueryRow(ctx, onePayment, bucketOf(id, in.Partner), id, in.Partner, in.Reference)); err != nil {
		return p, false, fmt.Errorf("look at the payment that was taken: %w", err)
	}
	if p.micro != micro {
		return Payment{}, false, errs.Conflict("duplicate_reference", "There is another payment with this reference.")
	}
	return p, true, nil
}

const onePayment = `
SELECT reference, amount, paid_at, recorded_at, actor, note FROM partner_payments
WHERE bucket = $1 AND program_id = $2 AND partner = $3 AND reference = $4`

func scanPayment(row db.Scanner) (p Payment, err error) {
	var paid, recorded int64
	err = row.Scan(&p.Reference, &p.micro, &paid, &recorded, &p.Actor, &p.Note)
	p.Amount, p.PaidAt, p.RecordedAt = dec(p.micro), time.UnixMicro(paid).UTC(), time.UnixMicro(recorded).UTC()
	return p, err
}

const listPayments = `
SELECT reference, amount, paid_at, recorded_at, actor, note FROM partner_payments
WHERE bucket = $1 AND program_id = $2 AND partner = $3 AND recorded_at >= $4 AND recorded_at < $5 ORDER BY recorded_at, reference`

// endless is later than any time that is kept.
const endless = int64(1) << 62

// Payments gives those that were recorded from one time to before another, in that order; a zero time is open.
func Payments(ctx context.Context, tx *db.Tx, program, id string, from, until time.Time) ([]Payment, error) {
	low, high := -endless, endless
	if !from.IsZero() {
		low = from.UnixMicro()
	}
	if !until.IsZero() {
		high = until.UnixMicro()
	}
	out := []Payment{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		p, err := scanPayment(row)
		out = append(out, p)
		return err
	}, listPayments, bucketOf(program, id), program, id, low, high)
	if err != nil {
		return nil, fmt.Errorf("read the payments of partner %s: %w", id, err)
	}
	return out, nil
}

const sumPayments = `SELECT partner, CAST(SUM(amount) AS bigint) FROM partner_payments WHERE program_id = $1 GROUP BY partner ORDER BY partner`

// Paid gives what each partner has paid in all, in millionths.
func Paid(ctx context.Context, tx *db.Tx, program string) (map[string]int64, error) {
	out := map[string]int64{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var id string
		var n int64
		err := row.Scan(&id, &n)
		out[id] = n
		return err
	}, sumPayments, program)
	if err != nil {
		return nil, fmt.Errorf("add up the payments of %s: %w", program, err)
	}
	return out, nil
}

// Credit is what a partner that pays ahead has left, exactly.
func Credit(ctx context.Context, tx *db.Tx, program, id string) (money.Decimal, error) {
	paid, err := books.Counter(ctx, tx, program, engine.PartnerPaid(id), engine.PartnerPeriod)
	if err != nil {
		return money.Decimal{}, err
	}
	used, err := books.Counter(ctx, tx, program, engine.PartnerUsed(id), engine.PartnerPeriod)
	return dec(paid - used), err
}

// dec writes millionths with no more decimals than they need, and at least two.
func dec(micro int64) money.Decimal {
	s := scale
	for s > 2 && micro%10 == 0 {
		micro /= 10
		s--
	}
	return money.New(micro, s)
}

// The sorts of lines in a statement.
const (
	Awarded   = "awarded"
	AwardBack = "award_undone"
	Accepted  = "accepted"
	PaidBack  = "accept_undone"
)

func sortOf(given, undoes bool) string {
	switch {
	case given && !undoes:
		return Awarded
	case given:
		return PaidBack
	case undoes:
		return AwardBack
	}
	return Accepted
}

// Sum is what a partner did of one sort, unit and price comes to.
type Sum struct {
	// Sort is awarded, award_undone, accepted or accept_undone.
	Sort string `json:"sort"`
	Unit string `json:"unit"`
	// UnitName is for people, in the language of the statement.
	UnitName string `json:"unit_name"`
	// Price is that of one, Count how often: an award that went to several lots is one.
	Price money.Decimal `json:"price"`
	Count int64         `json:"count"`
	// Amount is in the unit. Money is what it comes to: above zero the partner owes it, below zero it is owed to the partner.
	Amount money.Decimal `json:"amount"`
	Money  money.Decimal `json:"money"`

	amount, micro int64
	fact          string
}

// Day is what one day comes to.
type Day struct {
	Day   string        `json:"day"`
	Count int64         `json:"count"`
	Money money.Decimal `json:"money"`

	micro int64
	fact  string
}

// Statement is a partner's month.
type Statement struct {
	Program  string `json:"program"`
	Partner  string `json:"partner"`
	Name     string `json:"name"`
	Month    string `json:"month"`
	Currency string `json:"currency"`
	// From and Until bound what was recorded, until not inside. Over says that the month is, by more than a minute, so that nothing of this changes any more.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Over  bool      `json:"over"`
	// Pays is afterwards or ahead.
	Pays string `json:"pays"`
	// ProgramName is the program's name.
	ProgramName string `json:"program_name"`
	// Sums are by sort, unit and price; Days by the day of recording.
	Sums     []Sum     `json:"sums"`
	Days     []Day     `json:"days"`
	Payments []Payment `json:"payments"`
	// Opening is what the partner owed when the month began, Billed what the month comes to, Paid what was paid in it, and Closing what
	// the partner owes at its end: exactly, and below zero where it is owed to the partner. Due is Closing rounded to what can be paid.
	Opening money.Decimal `json:"opening"`
	Billed  money.Decimal `json:"billed"`
	Paid    money.Decimal `json:"paid"`
	Closing money.Decimal `json:"closing"`
	Due     money.Decimal `json:"due"`
}

// Line is one thing that a partner did.
type Line struct {
	RecordedAt, OccurredAt time.Time
	Fact, Member, Sort     string
	Unit                   string
	Amount, Price, Money   money.Decimal

	amount, micro int64
}

// settling is how long after its end a month may still get what was written down before it: a fact carries the time at which its
// transaction began, and that one ends a moment later, on a node whose clock may be behind.
const settling = time.Minute

// Period reads a month as 2026-11 in the program's zone.
func Period(p *program.Compiled, month string) (from, until time.Time, err error) {
	from, err = time.ParseInLocation("2006-01", month, p.Zone)
	if err != nil || from.Year() < 1970 {
		return from, until, errs.NotFound("month_not_found", "There is no such month: write it as 2026-11.")
	}
	return from, from.AddDate(0, 1, 0), nil
}

// worth is what an amount comes to in millionths, with its sign.
func worth(p *program.Compiled, unit, rule string, n int64, given bool) (price money.Decimal, micro int64, err error) {
	u := p.Units[unit]
	if u == nil {
		return price, 0, fmt.Errorf("the program has no unit %q any more", unit)
	}
	if price, err = engine.PriceOf(rule); err != nil {
		return price, 0, fmt.Errorf("the price of a posting: %w", err)
	}
	each, err := price.Minor(scale - u.Precision)
	if err != nil {
		return price, 0, fmt.Errorf("the price of a posting: %w", err)
	}
	micro, err = money.MulDiv(n, each, 1, money.Down)
	if !given { // what goes to the partner is owed to it, or no longer billed to it
		micro = -micro
	}
	return price, micro, err
}

// Make makes the statement of a month. lang is the language of the name.
func Make(ctx context.Context, tx *db.Tx, p *program.Compiled, id, month, lang string, now time.Time) (*Statement, error) {
	return fold(ctx, tx, p, id, month, lang, now, nil)
}

// Lines calls visit for each thing that the partner did in the month, in the order in which they were recorded: what one fact posted of one
// sort, unit and price is one line, whatever number of lots it went to.
func Lines(ctx context.Context, tx *db.Tx, p *program.Compiled, id, month string, visit func(*Line) error) error {
	var open *Line
	_, err := fold(ctx, tx, p, id, month, "en", time.Time{}, func(l *Line) error {
		if open != nil && open.same(l) {
			open.amount, open.micro = open.amount+l.amount, open.micro+l.micro
			open.Amount, open.Money = money.New(open.amount, p.Units[l.Unit].Precision), dec(open.micro)
			return nil
		}
		last := open
		open = l
		if last == nil {
			return nil
		}
		return visit(last)
	})
	if err != nil || open == nil {
		return err
	}
	return visit(open)
}

func (l *Line) same(o *Line) bool {
	return l.Fact == o.Fact && l.Sort == o.Sort && l.Unit == o.Unit && l.Price.Cmp(o.Price) == 0
}

func fold(ctx context.Context, tx *db.Tx, p *program.Compiled, id, month, lang string, now time.Time, visit func(*Line) error) (*Statement, error) {
	c := p.Partners[id]
	if c == nil {
		return nil, engine.NoPartner()
	}
	from, until, err := Period(p, month)
	if err != nil {
		return nil, err
	}
	s := &Statement{Program: p.Doc.Program, Partner: id, Name: name(c, lang), Month: month, Currency: p.Doc.Currency, From: from, Until: until, Over: now.After(until.Add(settling)),
		Pays: c.Pays, Sums: []Sum{}, Days: []Day{}, ProgramName: cmp.Or(p.Doc.Name.In(lang), p.Doc.Program)}
	if s.Pays == "" {
		s.Pays = "afterwards"
	}
	var opening, billed, paid int64
	earlier, err := books.PartnerSums(ctx, tx, s.Program, id, from)
	for i := range earlier {
		var micro int64
		if err == nil {
			e := &earlier[i]
			_, micro, err = worth(p, e.Unit, e.Rule, e.Amount, e.Given)
			opening += micro
		}
	}
	if err != nil {
		return nil, err
	}
	err = books.PartnerPostings(ctx, tx, s.Program, id, from, until, func(b *books.PartnerPosting) error {
		price, micro, err := worth(p, b.Unit, b.Rule, b.Amount, b.Given)
		if err != nil {
			return err
		}
		billed += micro
		s.add(p, b, price, micro)
		if visit == nil {
			return nil
		}
		return visit(&Line{RecordedAt: b.RecordedAt.In(p.Zone), OccurredAt: b.OccurredAt.In(p.Zone), Fact: b.Fact, Member: b.Member, Sort: sortOf(b.Given, b.Undoes), Unit: b.Unit,
			Amount: money.New(b.Amount, p.Units[b.Unit].Precision), Price: price, Money: dec(micro), amount: b.Amount, micro: micro})
	})
	if err != nil {
		return nil, err
	}
	all, err := Payments(ctx, tx, s.Program, id, time.Time{}, until)
	if err != nil {
		return nil, err
	}
	s.Payments = []Payment{}
	for _, one := range all {
		if one.RecordedAt.Before(from) {
			opening -= one.micro
			continue
		}
		paid += one.micro
		one.PaidAt, one.RecordedAt = one.PaidAt.In(p.Zone), one.RecordedAt.In(p.Zone)
		s.Payments = append(s.Payments, one)
	}
	slices.SortFunc(s.Sums, func(a, b Sum) int {
		order := []string{Awarded, AwardBack, Accepted, PaidBack}
		if d := slices.Index(order, a.Sort) - slices.Index(order, b.Sort); d != 0 {
			return d
		}
		if d := strings.Compare(a.Unit, b.Unit); d != 0 {
			return d
		}
		return a.Price.Cmp(b.Price)
	})
	for i := range s.Sums {
		s.Sums[i].UnitName = explain.Unit(p, s.Sums[i].Unit, lang, false)
	}
	closing := opening + billed - paid
	s.Opening, s.Billed, s.Paid, s.Closing = dec(opening), dec(billed), dec(paid), dec(closing)
	s.Due, err = rounded(closing, p.Exponent)
	return s, err
}

// rounded is millionths rounded to the currency, half away from zero.
func rounded(micro int64, exponent int) (money.Decimal, error) {
	if exponent > scale {
		return money.Decimal{}, errors.New("a currency with more than six decimals")
	}
	part := int64(1)
	for range scale - exponent {
		part *= 10
	}
	n := (max(micro, -micro) + part/2) / part
	if micro < 0 {
		n = -n
	}
	return money.New(n, exponent), nil
}

func name(c *program.CompiledPartner, lang string) string {
	if n := c.Name.In(lang); n != "" {
		return n
	}
	return c.ID
}

func (s *Statement) add(p *program.Compiled, b *books.PartnerPosting, price money.Decimal, micro int64) {
	sort := sortOf(b.Given, b.Undoes)
	i := slices.IndexFunc(s.Sums, func(x Sum) bool { return x.Sort == sort && x.Unit == b.Unit && x.Price.Cmp(price) == 0 })
	if i < 0 {
		i = len(s.Sums)
		s.Sums = append(s.Sums, Sum{Sort: sort, Unit: b.Unit, Price: price})
	}
	x := &s.Sums[i]
	if x.fact != b.Fact { // postings of one fact come one after the other
		x.Count++
	}
	x.fact, x.amount, x.micro = b.Fact, x.amount+b.Amount, x.micro+micro
	x.Amount, x.Money = money.New(x.amount, p.Units[b.Unit].Precision), dec(x.micro)
	day := b.RecordedAt.In(p.Zone).Format(time.DateOnly)
	if n := len(s.Days); n == 0 || s.Days[n-1].Day != day {
		s.Days = append(s.Days, Day{Day: day})
	}
	d := &s.Days[len(s.Days)-1]
	if d.fact != b.Fact {
		d.Count++
	}
	d.fact, d.micro = b.Fact, d.micro+micro
	d.Money = dec(d.micro)
}
