package verify

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
)

// accounts are all that a posting may name.
var accounts = []string{
	ledger.Spendable, ledger.Pending, ledger.Reserved, ledger.Debt, ledger.Issued, ledger.Reversed, ledger.Redeemed,
	ledger.Expired, ledger.Adjusted, ledger.Transferred, ledger.Closed,
}

// unpriced says that a posting with a partner does not say what one costs, so that it stands in no statement.
func unpriced(p ledger.Posting) bool {
	_, from := ledger.PartnerOf(p.From)
	_, to := ledger.PartnerOf(p.To)
	if !from && !to {
		return false
	}
	_, err := engine.PriceOf(p.Rule)
	return err != nil
}

func known(account string) bool {
	_, partner := ledger.PartnerOf(account)
	return partner || slices.Contains(accounts, account)
}

// check is the proof of one member.
type check struct {
	*proof
	v    *books.Volume
	name string // what is being proved now
	bad  bool   // something was found in it: one finding a member and proof
}

func (c *check) failf(row, fact, format string, args ...any) {
	if c.bad {
		return
	}
	c.bad = true
	c.report.add(Finding{Check: c.name, Row: row, Member: c.v.Member, Fact: fact, Message: fmt.Sprintf(format, args...)})
}

// member proves everything that stands in one member's books.
func (p *proof) member(v *books.Volume) error {
	p.report.count(v.Account)
	p.report.Facts += int64(len(v.Entries))
	p.report.Postings += int64(len(v.Postings))
	p.report.Lots += int64(len(v.Lots))
	for i := range v.Entries {
		p.report.Events += int64(len(v.Entries[i].Decision.Events))
	}
	c := &check{proof: p, v: v}
	if !c.rows() {
		return nil
	}
	for _, proof := range []struct {
		name string
		run  func() error
	}{
		{"facts", c.facts}, {"postings", c.postings}, {"holdings", c.holdings}, {"redemptions", c.redemptions},
		{"reversals", c.reversals}, {"settled", c.settled}, {"grants", c.grants}, {"tallies", c.tallies}, {"houses", c.houses}, {"replay", c.replay},
	} {
		c.name, c.bad = proof.name, false
		if err := c.guard(proof.run); err != nil {
			return fmt.Errorf("%s of %s: %w", proof.name, v.Member, err)
		}
	}
	return nil
}

// guard runs a proof. What no program wrote may be more than it bears: that is a finding, too.
func (c *check) guard(proof func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.failf("accounts "+c.v.Ref.String(), "", "cannot be proved: %v", p)
		}
	}()
	return proof()
}

// rows are where they belong and can be read; it says whether there is anything to prove.
func (c *check) rows() bool {
	c.name = "rows"
	for _, u := range c.v.Unreadable {
		c.report.add(Finding{Check: c.name, Row: u.Row, Member: c.v.Member, Fact: u.Fact, Message: fmt.Sprintf("cannot be read: %v", u.Cause)})
	}
	for _, table := range c.v.Misplaced {
		c.report.add(Finding{Check: c.name, Row: table + " " + c.v.Ref.String(), Member: c.v.Member, Message: "lie in another bucket than the member's"})
	}
	if len(c.v.Unreadable)+len(c.v.Misplaced) > 0 {
		return false
	}
	c.name = "account"
	switch {
	case c.v.Account == nil:
		c.failf("accounts "+c.v.Ref.String(), "", "is missing, but there are rows that belong to it")
		return false
	case !c.v.Profiled && c.v.Account.State.Kind == engine.Person:
		c.failf("members "+c.v.Ref.String(), "", "is missing, but there is an account")
	}
	return true
}

func (c *check) factRow(seq int64) string { return fmt.Sprintf("facts %s seq %d", c.v.Ref, seq) }

// facts are numbered 1, 2, 3…, begin with the enrolment, end where the account says, and name a version that is there.
func (c *check) facts() error {
	a := c.v.Account
	for i := range c.v.Entries {
		e := &c.v.Entries[i]
		switch {
		case e.Seq != int64(i)+1:
			c.failf(c.factRow(int64(i)+1), "", "is missing; the next one is %d", e.Seq)
		case i == 0 && e.Fact.Kind != engine.Enrolment:
			c.failf(c.factRow(1), e.Fact.ID, "is of kind %s: a member begins with an enrolment", e.Fact.Kind)
		case e.Version != e.Decision.Version:
			c.failf(c.factRow(e.Seq), e.Fact.ID, "the column says version %d, the decision %d", e.Version, e.Decision.Version)
		case c.set.Version(e.Version) == nil:
			c.failf(c.factRow(e.Seq), e.Fact.ID, "was decided by version %d, which is not there", e.Version)
		}
		if e.Fact.Source != "" && e.Fact.ExternalID != "" {
			key := books.NaturalKey{Program: c.program, Source: e.Fact.Source, ExternalID: e.Fact.ExternalID}
			if other, twice := c.keys[key]; twice {
				c.failf(c.factRow(e.Seq), e.Fact.ID, "has the natural key %s/%s, and so has %s", key.Source, key.ExternalID, other.ID)
			}
			c.keys[key] = books.FactOf{Program: c.program, ID: e.Fact.ID}
		}
		if e.Stamp < c.cut {
			if err := count(c.counters, c.moved, e); err != nil {
				return err
			}
		}
	}
	if n := int64(len(c.v.Entries)); a.Seq != n || a.State.Seq != n {
		c.failf("accounts "+c.v.Ref.String(), "", "says %d facts, its state %d, and there are %d", a.Seq, a.State.Seq, n)
	}
	switch {
	case a.Status != a.State.Status:
		c.failf("accounts "+c.v.Ref.String(), "", "has status %q, its state %q", a.Status, a.State.Status)
	case !sameMoment(a.State.DueAt, a.DueAt) && !c.begins(a):
		c.failf("accounts "+c.v.Ref.String(), "", "is due %v, its state %v", a.DueAt, a.State.DueAt)
	}
	return nil
}

func sameMoment(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.UnixMicro() == b.UnixMicro())
}

// begins says whether an account is due earlier than its state plans, at the beginning of the next version that plans otherwise:
// so it is after a fact that came late.
func (c *check) begins(a *books.AccountRow) bool {
	if a.DueAt == nil || !engine.Replans(&a.State) || a.State.DueAt != nil && a.State.DueAt.Before(*a.DueAt) {
		return false
	}
	at, some := c.set.Replan(a.State.At, *a.DueAt)
	return some && at.Equal(*a.DueAt)
}

// place is where an amount lies.
type place struct {
	unit    string
	lot     int64
	account string
}

// postings are those of the decisions, and never take what is not there; the lots are their fold.
func (c *check) postings() error {
	rows := c.v.Postings
	at := map[place]int64{}
	for i := range c.v.Entries {
		e := &c.v.Entries[i]
		for n, want := range e.Decision.Postings {
			row := fmt.Sprintf("postings %s seq %d n %d", c.v.Ref, e.Seq, n+1)
			switch {
			case len(rows) == 0 || rows[0].Seq > e.Seq || rows[0].Seq == e.Seq && rows[0].N > int64(n)+1:
				c.failf(row, e.Fact.ID, "is missing")
				return nil
			case rows[0].Seq != e.Seq || rows[0].N != int64(n)+1:
				return c.stray(rows[0])
			}
			have := rows[0]
			rows = rows[1:]
			if have.Posting != want || !have.OccurredAt.Equal(e.Fact.OccurredAt) || !have.RecordedAt.Equal(e.Fact.RecordedAt) {
				c.failf(row, e.Fact.ID, "says %+v, the decision %+v", have.Posting, want)
				return nil
			}
			if why, err := move(at, want); err != nil {
				return err
			} else if why != "" {
				c.failf(row, e.Fact.ID, "%s", why)
				return nil
			}
		}
	}
	if len(rows) > 0 {
		return c.stray(rows[0])
	}
	return c.lots(at)
}

func (c *check) stray(p books.PostingRow) error {
	c.failf(fmt.Sprintf("postings %s seq %d n %d", c.v.Ref, p.Seq, p.N), "", "is of no decision")
	return nil
}

// move applies a posting, and says what is wrong with it.
func move(at map[place]int64, p ledger.Posting) (wrong string, err error) {
	switch {
	case p.Amount <= 0:
		return fmt.Sprintf("moves %d", p.Amount), nil
	case !known(p.From) || !known(p.To):
		return fmt.Sprintf("moves from %q to %q, and these are not both accounts", p.From, p.To), nil
	case p.From == p.To:
		return "moves from " + p.From + " to itself", nil
	case unpriced(p):
		return fmt.Sprintf("moves to or from a partner at the price %q", p.Rule), nil
	case p.Lot == 0 && p.From != ledger.Debt && p.To != ledger.Debt:
		return "names no lot", nil
	}
	for _, side := range []struct {
		account string
		n       int64
	}{{p.From, -p.Amount}, {p.To, p.Amount}} {
		k := place{p.Unit, p.Lot, side.account}
		if side.account == ledger.Debt {
			k.lot = 0
		}
		if at[k], err = money.Add(at[k], side.n); err != nil {
			return "", err
		}
		switch {
		case side.account == ledger.Debt:
			if at[k] > 0 {
				return fmt.Sprintf("pays %d more of %s than is owed", at[k], p.Unit), nil
			}
		case ledger.MemberAccount(side.account) && at[k] < 0:
			return fmt.Sprintf("takes %d more from %s of lot %d than is there", -at[k], side.account, p.Lot), nil
		}
	}
	return "", nil
}

func (c *check) lots(at map[place]int64) error {
	c.name = "lots"
	known := map[int64]bool{}
	for i := range c.v.Lots {
		l := &c.v.Lots[i]
		known[l.ID] = true
		row := fmt.Sprintf("lots %s lot %d", c.v.Ref, l.ID)
		of := func(account string) int64 { return at[place{l.Unit, l.ID, account}] }
		switch {
		case l.Spendable != of(ledger.Spendable) || l.Pending != of(ledger.Pending) || l.Reserved != of(ledger.Reserved):
			c.failf(row, l.Fact, "holds %d spendable, %d pending, %d reserved; its postings come to %d, %d, %d",
				l.Spendable, l.Pending, l.Reserved, of(ledger.Spendable), of(ledger.Pending), of(ledger.Reserved))
		case l.Spendable < 0 || l.Pending < 0 || l.Reserved < 0 || l.Left() > l.Amount:
			c.failf(row, l.Fact, "holds %d, %d and %d of %d put in", l.Spendable, l.Pending, l.Reserved, l.Amount)
		case l.Remaining != l.Left():
			c.failf(row, l.Fact, "says that %d remain, and holds %d", l.Remaining, l.Left())
		case l.ID > c.v.Account.State.Lots:
			c.failf(row, l.Fact, "the account knows lots up to %d", c.v.Account.State.Lots)
		}
	}
	for k, n := range at {
		if ledger.MemberAccount(k.account) && k.account != ledger.Debt && n != 0 && !known[k.lot] {
			c.failf(fmt.Sprintf("lots %s lot %d", c.v.Ref, k.lot), "", "is missing; its postings come to %d of %s", n, k.unit)
		}
	}
	return nil
}

// holdings in the account's state are the fold of the postings, with their sums over all time.
func (c *check) holdings() error {
	fold := map[string]*ledger.Holding{}
	for _, p := range c.v.Postings {
		h := fold[p.Unit]
		if h == nil {
			h = &ledger.Holding{}
			fold[p.Unit] = h
		}
		gather(h, p.From, -p.Amount)
		gather(h, p.To, p.Amount)
	}
	for _, unit := range slices.Sorted(maps.Keys(fold)) {
		have, row := c.v.Account.State.Units[unit], "accounts "+c.v.Ref.String()+" unit "+unit
		if have == nil {
			c.failf(row, "", "is not held, but its postings come to %+v", *fold[unit])
			continue
		}
		h := *have
		h.ActiveAt, h.InactiveWarned, h.InactiveEnds = nil, false, nil
		switch {
		case h != *fold[unit]:
			c.failf(row, "", "is held as %+v, the postings come to %+v", h, *fold[unit])
		case h.Spendable < 0 || h.Pending < 0 || h.Reserved < 0 || h.Debt < 0:
			c.failf(row, "", "is held below zero: %+v", h)
		}
	}
	for unit, h := range c.v.Account.State.Units {
		if fold[unit] == nil && (h.Spendable != 0 || h.Pending != 0 || h.Reserved != 0 || h.Debt != 0) {
			c.failf("accounts "+c.v.Ref.String()+" unit "+unit, "", "is held without any posting: %+v", *h)
		}
	}
	return nil
}

// gather adds what moved to an account to a holding; what comes out of the program counts the other way round.
func gather(h *ledger.Holding, account string, n int64) {
	switch account {
	case ledger.Spendable:
		h.Spendable += n
	case ledger.Pending:
		h.Pending += n
	case ledger.Reserved:
		h.Reserved += n
	case ledger.Debt:
		h.Debt -= n
	case ledger.Issued:
		h.Earned -= n
	case ledger.Reversed:
		h.Reversed += n
	case ledger.Redeemed:
		h.Spent += n
	case ledger.Expired:
		h.Expired += n
	case ledger.Adjusted:
		h.Adjusted -= n
	case ledger.Transferred:
		h.Transferred -= n
	case ledger.Closed:
		h.Closed += n
	default:
		h.Partners -= n
	}
}

// follows says which statuses a redemption may take after another.
var follows = map[string][]string{
	"":                     {engine.StatusReserved, engine.StatusCommitted},
	engine.StatusReserved:  {engine.StatusCommitted, engine.StatusCancelled, engine.StatusLapsed},
	engine.StatusCommitted: {engine.StatusCommitted, engine.StatusRefunded}, // committed again: a part was refunded, or a purchase named it
}

// redemptions end once, and stand as the last fact left them.
func (c *check) redemptions() error {
	last := map[string]engine.RedemptionState{}
	for i := range c.v.Entries {
		e := &c.v.Entries[i]
		for _, r := range e.Decision.Redemptions {
			was, here := last[r.ID]
			mine := r.Member == c.v.Member
			if here || mine {
				cameBack := was.Status == engine.StatusRefunded && r.Status == was.Status && e.Fact.Kind == engine.FulfilK // goods, after the points
				if !cameBack && !slices.Contains(follows[was.Status], r.Status) {
					c.failf(c.factRow(e.Seq), e.Fact.ID, "makes redemption %s %s after it was %q", r.ID, r.Status, was.Status)
				}
			}
			for unit, n := range r.Refunded {
				if n > r.Price[unit] {
					c.failf(c.factRow(e.Seq), e.Fact.ID, "has given back %d of redemption %s, which cost %d", n, r.ID, r.Price[unit])
				}
			}
			last[r.ID] = r
		}
	}
	for i := range c.v.Redemptions {
		r := &c.v.Redemptions[i]
		row := fmt.Sprintf("redemptions %s %s", c.v.Ref, r.ID)
		want, known := last[r.ID]
		delete(last, r.ID)
		switch {
		case !known:
			c.failf(row, "", "was made by no fact")
		case r.Status != r.State.Status:
			c.failf(row, "", "is %s in its column and %s in its state", r.Status, r.State.Status)
		case r.Reward != r.State.Reward || r.At.UnixMicro() != r.State.At.UnixMicro() || !sameMoment(r.ExpiresAt, r.State.ExpiresAt):
			c.failf(row, "", "is of reward %s at %s until %v in its columns, of %s at %s until %v in its state",
				r.Reward, r.At, r.ExpiresAt, r.State.Reward, r.State.At, r.State.ExpiresAt)
		case c.v.Account.State.MergedInto != "": // the survivor's facts may have gone on with it
		case !sameJSON(r.State, want):
			c.failf(row, "", "stands as %+v, the last fact left it as %+v", r.State, want)
		}
	}
	for id, r := range last {
		if r.Member == c.v.Member {
			c.failf(fmt.Sprintf("redemptions %s %s", c.v.Ref, id), "", "is missing")
		}
	}
	return nil
}

// reversals never exceed what a purchase gave nor what was bought, line by line.
func (c *check) reversals() error {
	type back struct {
		awards map[int]int64
		lines  map[string]engine.LineSum
	}
	origin := map[string]*engine.Decision{}
	taken := map[string]*back{}
	for i := range c.v.Entries {
		e := &c.v.Entries[i]
		origin[e.Fact.ID] = &e.Decision
		for _, a := range e.Decision.Awards {
			var sum int64
			for _, n := range a.Lines {
				sum += n
			}
			if len(a.Lines) > 0 && sum != a.Amount {
				c.failf(c.factRow(e.Seq), e.Fact.ID, "the lines of rule %s come to %d, not to %d", a.Rule, sum, a.Amount)
			}
		}
		of := origin[e.Fact.Parent]
		if of == nil || len(e.Decision.Reversals) == 0 && e.Fact.Kind != engine.ReturnK {
			continue
		}
		b := taken[e.Fact.Parent]
		if b == nil {
			b = &back{map[int]int64{}, map[string]engine.LineSum{}}
			taken[e.Fact.Parent] = b
		}
		for _, r := range e.Decision.Reversals {
			if r.Award == engine.NoAward {
				continue // of a period: see settled
			}
			b.awards[r.Award] += r.Amount
			if r.Award < 0 || r.Award >= len(of.Awards) || b.awards[r.Award] > of.Awards[r.Award].Amount {
				c.failf(c.factRow(e.Seq), e.Fact.ID, "has taken back %d of award %d of %s", b.awards[r.Award], r.Award, e.Fact.Parent)
			}
		}
		if e.Fact.Kind != engine.ReturnK {
			continue
		}
		for _, l := range e.Decision.Lines {
			sum := b.lines[l.ID]
			sum.Quantity, sum.Amount = sum.Quantity+l.Quantity, sum.Amount+l.Amount
			b.lines[l.ID] = sum
			k := slices.IndexFunc(of.Lines, func(o engine.LineSum) bool { return o.ID == l.ID })
			if k < 0 || sum.Quantity > of.Lines[k].Quantity || abs(sum.Amount) > abs(of.Lines[k].Amount) {
				c.failf(c.factRow(e.Seq), e.Fact.ID, "has brought back %d thousandths and %d minor units of line %s of %s", sum.Quantity, sum.Amount, l.ID, e.Fact.Parent)
			}
		}
	}
	return nil
}

// grants are those that the facts gave and did not end, what is reserved is for something, coupons count their uses, and what was counted for challenges is what the facts counted.
func (c *check) grants() error {
	past := make([]engine.Past, len(c.v.Entries))
	for i := range c.v.Entries {
		past[i].Fact.Coupon, past[i].Decision.Postings = c.v.Entries[i].Fact.Coupon, c.v.Entries[i].Decision.Postings
		past[i].Decision.Grants, past[i].Decision.Counters = c.v.Entries[i].Decision.Grants, c.v.Entries[i].Decision.Counters
	}
	if wrong := engine.CheckChallenges(&c.v.Account.State, past, c.v.Tallies); wrong != "" {
		c.failf("tallies "+c.v.Ref.String(), "", "%s", wrong)
	}
	if wrong := engine.CheckCoupon(&c.v.Account.State, past); wrong != "" {
		c.failf("accounts "+c.v.Ref.String(), "", "%s", wrong)
	}
	if wrong := engine.CheckReserved(&c.v.Account.State); wrong != "" {
		c.failf("accounts "+c.v.Ref.String(), "", "%s", wrong)
	}
	if wrong := engine.CheckGrants(&c.v.Account.State, past); wrong != "" {
		c.failf("accounts "+c.v.Ref.String(), "", "%s", wrong)
	}
	return nil
}

// settled says that what was given for periods that are over does not come to more than their rules gave and did not take back.
func (c *check) settled() error {
	given := map[string]int64{}
	for i := range c.v.Entries {
		d := &c.v.Entries[i].Decision
		for _, a := range d.Awards {
			given[a.Rule] += a.Amount
		}
		for _, r := range d.Reversals {
			if r.Award == engine.NoAward {
				given[r.Rule] -= r.Amount
			}
		}
		if m := c.v.Entries[i].Fact.Merge; m != nil && m.Carried != nil {
			for _, s := range m.Carried.Settled {
				given[s.Rule] += s.Paid
			}
		}
	}
	for _, s := range c.v.Account.State.Settled {
		if given[s.Rule] -= s.Paid; s.Paid < 0 || given[s.Rule] < 0 {
			c.failf("accounts "+c.v.Ref.String(), s.Fact, "settled %d of rule %s for %s, which is not what it gave", s.Paid, s.Rule, s.Period)
		}
	}
	return nil
}

func abs(n int64) int64 { return max(n, -n) }

// tallies of tiers are those that counting all facts anew gives.
func (c *check) tallies() error {
	st := &c.v.Account.State
	p := c.set.At(st.At)
	if p == nil || st.Status == engine.Merged || len(c.v.Entries) == 0 {
		return nil
	}
	past := make([]engine.Past, len(c.v.Entries))
	mine := map[string]bool{}
	for i := range c.v.Entries {
		f := &c.v.Entries[i].Fact
		mine[f.ID] = true
		if f.Kind == engine.Release && f.Parent != "" && !mine[f.Parent] {
			return nil // it takes from what a merged member brought along as a sum: replay proves it
		}
		past[i] = engine.Past{Fact: *f, Decision: c.v.Entries[i].Decision}
	}
	stored, want := map[string]map[string]int64{}, map[string]map[string]int64{}
	known := engine.TallyNames(p)
	for _, name := range st.Tallied {
		if slices.Contains(known, name) {
			stored[name], want[name] = c.v.Tallies[name], engine.Rebuild(p, name, past)
		}
	}
	if row, message := compareTallies(stored, want); row != "" {
		c.failf("tallies "+c.v.Ref.String()+row, "", "%s, counted anew", message)
	}
	return nil
}
