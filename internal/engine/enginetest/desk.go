// Package enginetest takes facts along the road that internal/record goes, in memory, for tests of the engine.
//
// It owns no rule. It gives the engine just what NeedsOf asked for, so that a need that was forgotten shows, and proves the
// books after every fact (see Desk.Verify). It does not own members' profiles nor Idempotency-Keys.
package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/program"
)

// Desk keeps the books of one program in memory. It is for one goroutine.
type Desk struct {
	versions []version
	members  map[string]*file
	counters map[string]map[string]int64 // of the whole program
	receipts map[string]receipt
	log      []engine.Past // every fact in the order of deciding
	ids      int
	counted  map[string]bool // names of counters that Count added to
	followed int             // how much of log was followed
	// Pools hold what is left of the codes that Load put into pools.
	Pools map[string][]string
	// Strict decides every fact a second time with the whole account loaded, and a third with what was loaded before,
	// and fails when a decision differs or an input was changed.
	Strict bool
}

type version struct {
	p    *program.Compiled
	from time.Time
}

type receipt struct {
	member string
	fact   engine.Fact
	at     int
}

// file is one member's books. Accounts and lots are never changed in place, so that a copy of it is a snapshot.
type file struct {
	state       engine.State
	lots        map[int64]*ledger.Lot
	tallies     map[string]map[string]int64
	redemptions map[string]*engine.RedemptionState
	past        []engine.Past
}

func (f *file) clone() *file {
	c := *f
	c.lots, c.redemptions = maps.Clone(f.lots), maps.Clone(f.redemptions)
	c.tallies = cloneTallies(f.tallies)
	c.past = slices.Clip(f.past)
	return &c
}

func cloneTallies(m map[string]map[string]int64) map[string]map[string]int64 {
	out := make(map[string]map[string]int64, len(m))
	for name, periods := range m {
		out[name] = maps.Clone(periods)
	}
	return out
}

// New makes a desk with the first version of a program, in force from the beginning of time.
func New(p *program.Compiled) *Desk {
	return &Desk{versions: []version{{p: p}}, members: map[string]*file{}, counters: map[string]map[string]int64{}, receipts: map[string]receipt{}}
}

// Publish puts a further version in force from a moment on.
func (d *Desk) Publish(p *program.Compiled, from time.Time) {
	d.versions = append(d.versions, version{p, from})
}

// At gives the version in force at a business time.
func (d *Desk) At(t time.Time) *program.Compiled {
	best := d.versions[0]
	for _, v := range d.versions[1:] {
		if !v.from.After(t) && !v.from.Before(best.from) {
			best = v
		}
	}
	return best.p
}

// Version gives a version by its number.
func (d *Desk) Version(n int64) *program.Compiled {
	for _, v := range d.versions {
		if v.p.Version == n {
			return v.p
		}
	}
	return nil
}

// Taken is what came of a fact.
type Taken struct {
	Fact     engine.Fact
	Decision engine.Decision
	Account  *engine.Account
	Program  *program.Compiled
	// Dues are the due facts decided along with it, in order.
	Dues []engine.Past
	// Other is the other side of a transfer or merge.
	Other *engine.Past
	// Duplicate says that the natural key was known and nothing was done.
	Duplicate bool
}

// Load puts codes into a pool.
func (d *Desk) Load(pool string, n int) {
	if d.Pools == nil {
		d.Pools = map[string][]string{}
	}
	for range n {
		d.Pools[pool] = append(d.Pools[pool], d.ID("code"))
	}
}

// draw takes a code for a fact; those that were taken for it before are not there any more.
func (d *Desk) draw(pool string, f *engine.Fact) engine.Pooled {
	p := engine.Pooled{Pool: pool}
	have := d.Pools[pool]
	for _, other := range f.Drawn.Pooled {
		if other.Pool == pool && other.Hash != "" {
			have = have[1:]
		}
	}
	if len(have) > 0 {
		if p.Hash = have[0]; len(have) <= 20 {
			p.Low = int64(len(have))
		}
	}
	return p
}

// handed takes the codes out of their pools that a fact handed out.
func (d *Desk) handed(dec *engine.Decision) {
	for i := range dec.Redemptions {
		if p := dec.Redemptions[i].Pooled; p != nil {
			d.Pools[p.Pool] = slices.DeleteFunc(slices.Clone(d.Pools[p.Pool]), func(hash string) bool { return hash == p.Hash })
		}
	}
}

// ID makes an id that sorts in the order of making.
func (d *Desk) ID(prefix string) string {
	d.ids++
	return fmt.Sprintf("%s_%06d", prefix, d.ids)
}

func (d *Desk) file(member string) *file {
	f := d.members[member]
	if f == nil {
		f = &file{lots: map[int64]*ledger.Lot{}, tallies: map[string]map[string]int64{}, redemptions: map[string]*engine.RedemptionState{}}
		d.members[member] = f
	}
	return f
}

// Take decides a fact with all the due facts around it and keeps what follows. The fact needs Kind, Member, OccurredAt and
// its body; Parent is an id; an ID and what was Drawn are kept where they are given. A transfer out or a merge out is followed by its other side. On an
// error nothing is kept but what time brought until then.
func (d *Desk) Take(f engine.Fact) (*Taken, error) {
	if f.Source != "" {
		if r, known := d.receipts[f.Source+"\x00"+f.ExternalID]; known {
			if r.fact.Member != f.Member || r.fact.Kind != f.Kind || !reflect.DeepEqual(bodies(r.fact), bodies(f)) {
				return nil, errs.Conflict("duplicate_external_id", "There is another fact with this source and external id.").With("fact", r.fact.ID)
			}
			p := d.members[r.member].past[r.at]
			return &Taken{Fact: p.Fact, Decision: p.Decision, Account: d.account(r.member), Program: d.At(p.Fact.OccurredAt), Duplicate: true}, nil
		}
	}
	t, err := d.take(f)
	if err != nil {
		return nil, err
	}
	if f.Source != "" {
		past := d.members[t.Fact.Member].past
		at := slices.IndexFunc(past, func(p engine.Past) bool { return p.Fact.ID == t.Fact.ID })
		d.receipts[f.Source+"\x00"+f.ExternalID] = receipt{t.Fact.Member, f, at}
	}
	return t, nil
}

func bodies(f engine.Fact) engine.Fact {
	f.ID, f.OccurredAt, f.RecordedAt, f.Drawn, f.Actor = "", time.Time{}, time.Time{}, nil, ""
	return f
}

// Simulate decides a fact and keeps nothing.
func (d *Desk) Simulate(f engine.Fact) (*Taken, error) {
	was, ids := d.snapshot(), d.ids
	t, err := d.take(f)
	d.restore(was)
	d.ids = ids
	return t, err
}

type books struct {
	members  map[string]*file
	counters map[string]map[string]int64
	log      []engine.Past
	pools    map[string][]string
}

func (d *Desk) snapshot() books {
	b := books{make(map[string]*file, len(d.members)), cloneTallies(d.counters), slices.Clip(d.log), maps.Clone(d.Pools)}
	for m, f := range d.members {
		b.members[m] = f.clone()
	}
	return b
}

func (d *Desk) restore(b books) {
	d.members, d.counters, d.log, d.Pools = b.members, b.counters, b.log, b.pools
}

// survivor follows merges to the member who stands for another now.
func (d *Desk) survivor(member string) string {
	for d.members[member] != nil && d.members[member].state.MergedInto != "" {
		member = d.members[member].state.MergedInto
	}
	return member
}

// lineage lists the files of a member and of all that were merged into it.
func (d *Desk) lineage(member string) []*file {
	out := []*file{d.file(member)}
	for _, m := range d.Members() {
		if m != member && d.survivor(m) == member {
			out = append(out, d.members[m])
		}
	}
	return out
}

var prefixes = map[engine.Kind]string{
	engine.Enrolment: "enr", engine.PurchaseK: "pur", engine.ReturnK: "ret", engine.ActivityK: "act", engine.Reserve: "red",
	engine.Redeem: "red", engine.AdjustmentK: "adj", engine.TransferOut: "trf", engine.RecognitionK: "rec", engine.ShareK: "shr",
}

func (d *Desk) take(f engine.Fact) (_ *Taken, err error) {
	if f.ID == "" {
		prefix := prefixes[f.Kind]
		if prefix == "" {
			prefix = "fct"
		}
		f.ID = d.ID(prefix)
	}
	if f.RecordedAt.IsZero() {
		f.RecordedAt = f.OccurredAt
	}
	if f.Member == "" {
		return d.guest(f)
	}
	f.Member = d.survivor(f.Member)
	if acting, house := engine.Acting(&d.file(f.Member).state, f, f.Member); house != "" {
		f = acting
		f.Member = house
	}
	if owner := d.ownerOf(f.Parent); f.Kind != engine.HouseK && f.Kind != engine.TransferIn && f.Kind != engine.TransferOut && owner != "" && d.At(f.OccurredAt).HasHouses() && engine.IsHouse(d.file(owner).state.Kind) {
		f.Member = owner
	}
	switch f.Kind {
	case engine.TransferOut:
		b := *f.Transfer
		b.Other = d.survivor(b.Other)
		f.Transfer = &b
	case engine.MergeOut:
		b := *f.Merge
		b.Other = d.survivor(b.Other)
		f.Merge = &b
	case engine.ShareK:
		b := *f.Share
		if b.Do == engine.ShareClaim {
			b.To = d.survivor(b.To)
			b.Refused = d.notForThem(f.Member, f.Parent, b.To, f.OccurredAt)
		}
		f.Share = &b
	case engine.RecognitionK:
		b := *f.Recognition
		b.To = d.survivor(b.To)
		b.Refused = d.refused(f.Member, b.To)
		if to := d.members[b.To]; to != nil {
			b.Was = to.state.Was
		}
		f.Recognition = &b
	case engine.HouseK, engine.Enrolment:
		if f.House != nil {
			b := *f.House
			if b.Do != engine.HouseGone && b.Do != engine.HouseMerged {
				b.Member, b.By = d.survivor(b.Member), d.survivor(b.By)
			}
			f.House = &b
		}
	}
	t := &Taken{Program: d.At(f.OccurredAt)}
	if err := d.bringUp(f.Member, f.OccurredAt, f.RecordedAt, &t.Dues); err != nil {
		return nil, err
	}
	if other := otherOf(f); other != "" && other != f.Member {
		if err := d.bringUp(other, f.OccurredAt, f.RecordedAt, &t.Dues); err != nil {
			return nil, err
		}
	}
	for _, holder := range f.CodeHolders() {
		if err := d.bringUp(d.survivor(holder), f.OccurredAt, f.RecordedAt, &t.Dues); err != nil {
			return nil, err
		}
	}
	was := d.snapshot()
	defer func() {
		if err != nil {
			d.restore(was)
		}
	}()
	if draw := engine.Draws(t.Program, &d.file(f.Member).state, &f); !draw.Nothing() && f.Drawn == nil {
		f.Drawn = &engine.Drawn{}
		for range draw.Codes {
			f.Drawn.Secrets = append(f.Drawn.Secrets, engine.Secret{Hash: d.ID("code")})
		}
		for _, pool := range draw.Pools {
			f.Drawn.Pooled = append(f.Drawn.Pooled, d.draw(pool, &f))
		}
		for range draw.Redemptions {
			f.Drawn.Redemptions = append(f.Drawn.Redemptions, d.ID("red"))
		}
	}
	if f.Brings() {
		if err := d.brings(&f, t); err != nil {
			return nil, err
		}
	}
	if f.Pooled() {
		if err := d.gather(f, t); err != nil {
			return nil, err
		}
	}
	dec, err := d.decide(f)
	if err != nil {
		return nil, err
	}
	t.Fact, t.Decision = f, dec
	if d.Pools != nil {
		d.handed(&dec)
	}
	if err := d.after(f, &t.Dues); err != nil {
		return nil, err
	}
	if other, ok := d.otherSide(f, dec); ok {
		o, err := d.take(other)
		if err != nil {
			return nil, err
		}
		t.Dues = append(t.Dues, o.Dues...)
		t.Other = &engine.Past{Fact: o.Fact, Decision: o.Decision}
	}
	t.Account = d.account(f.Member)
	return t, nil
}

// refused says why a member is nobody to give something to, as far as it can be seen without profiles.
func (d *Desk) refused(from, to string) string {
	if f := d.members[to]; f != nil {
		if engine.SamePool(&d.file(from).state, &f.state) {
			return engine.RefusedHousehold
		}
		return map[string]string{engine.Closed: engine.RefusedGone, engine.Blocked: engine.RefusedBlocked}[f.state.Status]
	}
	return ""
}

// ownerOf is in whose books a fact stands, "" for none.
func (d *Desk) ownerOf(fact string) string {
	if fact == "" {
		return ""
	}
	for _, p := range d.log {
		if p.Fact.ID == fact {
			return p.Fact.Member
		}
	}
	return ""
}

// notForThem says why a member may not claim what another passed on.
func (d *Desk) notForThem(giver, made, to string, at time.Time) string {
	st := &d.file(to).state
	for _, p := range d.file(giver).state.Passed {
		if s := d.At(at).Shares[p.Share]; p.ID == made && s != nil {
			if why := engine.NotForThem(s, st); why != "" {
				return why
			}
		}
	}
	return d.refused(giver, to)
}

// otherOf names the one who receives.
func otherOf(f engine.Fact) string {
	switch f.Kind {
	case engine.TransferOut:
		return f.Transfer.Other
	case engine.MergeOut:
		return f.Merge.Other
	case engine.HouseK, engine.Enrolment:
		if f.House != nil && f.House.House == "" && f.House.TwoSided() {
			return f.House.Member
		}
	}
	return ""
}

// brings uses what is brought with a purchase.
func (d *Desk) brings(f *engine.Fact, t *Taken) error {
	var no engine.CodeRefusals
	if err := engine.Check(t.Program, *f); err != nil {
		return err
	}
	for n := range f.Purchase.Codes {
		use, err := engine.UseOf(t.Program, f, n)
		if err != nil {
			no.Add(n, err)
			continue
		}
		use.ID = f.Purchase.Codes[n].Use // where it is given
		u, err := d.take(use)
		if err != nil {
			no.Add(n, err)
			continue
		}
		if f.Purchase, err = f.Took(t.Program, n, u.Fact.ID, u.Decision); err != nil {
			return err
		}
	}
	return no.Err()
}

// gather has the others of a household give what is lacking for a fact.
func (d *Desk) gather(f engine.Fact, t *Taken) error {
	var others []*engine.Account
	in := d.file(f.Member).state.In(engine.Household)
	if in != nil {
		for _, p := range d.file(in.House).state.People() {
			if m := d.survivor(p.Member); m != f.Member {
				if err := d.bringUp(m, f.OccurredAt, f.RecordedAt, &t.Dues); err != nil {
					return err
				}
				others = append(others, d.account(m))
			}
		}
	}
	chips, err := engine.Gather(t.Program, d.input(f, t.Program, false), others)
	for i := range chips {
		if err == nil {
			_, err = d.take(engine.Fact{Kind: engine.TransferOut, Member: chips[i].Member, OccurredAt: f.OccurredAt, RecordedAt: f.RecordedAt, Parent: f.ID, Actor: f.Actor,
				Transfer: chips[i].Gives(t.Program, f.Member, in.House)})
		}
	}
	return err
}

// circles are those who invited one of two that are merged and were brought by one of them.
func (d *Desk) circles(a, b string) (out []string) {
	now := func(id string) string {
		for d.file(id).state.MergedInto != "" && id != b {
			id = d.file(id).state.MergedInto
		}
		return id
	}
	for _, id := range []string{a, b} {
		r := d.file(id).state.Referral
		if r == nil || now(r.By) == a || now(r.By) == b {
			continue
		}
		seen := map[string]bool{}
		for up := now(r.By); !seen[up]; {
			seen[up] = true
			above := d.file(up).state.Referral
			if above == nil || above.Status == engine.ReferralRefused {
				break
			}
			if up = now(above.By); up == a || up == b {
				out = append(out, r.By)
				break
			}
		}
	}
	return out
}

// otherSide makes the fact of the one who receives.
func (d *Desk) otherSide(f engine.Fact, dec engine.Decision) (engine.Fact, bool) {
	o := engine.Fact{OccurredAt: f.OccurredAt, RecordedAt: f.RecordedAt, Parent: f.ID, Actor: f.Actor}
	switch f.Kind {
	case engine.TransferOut:
		b := *f.Transfer
		b.Other, b.Lots = f.Member, dec.Moved
		o.Kind, o.Member, o.Transfer = engine.TransferIn, f.Transfer.Other, &b
	case engine.MergeOut:
		o.Kind, o.Member = engine.MergeIn, f.Merge.Other
		o.Merge = &engine.Merge{Other: f.Member, Carried: dec.Carried, Circular: d.circles(f.Member, o.Member), Reason: f.Merge.Reason}
	case engine.HouseK, engine.Enrolment:
		st := &d.file(f.Member).state
		if f.House == nil || !f.House.TwoSided() || !engine.IsHouse(st.Kind) {
			return o, false
		}
		o.Kind, o.Member, o.House = engine.HouseK, f.House.Member, f.House.Mirror(f.Member, st.Kind)
	default:
		return o, false
	}
	return o, true
}

func (d *Desk) guest(f engine.Fact) (*Taken, error) {
	p := d.At(f.OccurredAt)
	dec, acc, err := engine.Decide(p, engine.Input{Account: &engine.Account{}, Fact: f})
	if err != nil {
		return nil, err
	}
	return &Taken{Fact: f, Decision: dec, Account: acc, Program: p}, nil
}

// bringUp decides the due facts up to a moment, those at the beginnings of versions that plan otherwise among them.
func (d *Desk) bringUp(member string, until, recorded time.Time, dues *[]engine.Past) error {
	from := d.file(member).state.At
	for n := 0; ; n++ {
		st := &d.file(member).state
		at, begins := d.begins(st, from, until)
		if st.DueAt != nil && !st.DueAt.After(until) && (!begins || !at.Before(*st.DueAt)) {
			at, begins = *st.DueAt, false
		} else if !begins {
			return nil
		}
		if n > 20000 {
			return fmt.Errorf("%w: member %s is due without end at %s", ErrBroken, member, st.DueAt)
		}
		from = at
		if err := d.due(member, at, recorded, begins, dues); err != nil {
			return err
		}
	}
}

// begins gives the first beginning of a version after from and not after until whose plan is another than that before it.
func (d *Desk) begins(st *engine.State, from, until time.Time) (first time.Time, some bool) {
	if !engine.Replans(st) {
		return first, false
	}
	for _, v := range d.versions[1:] {
		if v.from.After(from) && !v.from.After(until) && (!some || v.from.Before(first)) && d.At(v.from).Plan != d.At(v.from.Add(-1)).Plan {
			first, some = v.from, true
		}
	}
	return first, some
}

func (d *Desk) due(member string, at, recorded time.Time, begins bool, dues *[]engine.Past) error {
	f := engine.Fact{ID: d.ID("fct"), Kind: engine.Due, Member: member, OccurredAt: at, RecordedAt: recorded, Actor: "system"}
	if begins {
		p := d.At(at)
		dec, after, err := engine.Decide(p, d.input(f, p, false))
		if err == nil && engine.Idle(&d.file(member).state, &dec, &after.State) {
			return nil
		}
	}
	dec, err := d.decide(f)
	if err != nil {
		return fmt.Errorf("%w: due at %s: %q", ErrBroken, f.OccurredAt, err.Error())
	}
	*dues = append(*dues, engine.Past{Fact: f, Decision: dec})
	return nil
}

// after catches up after a fact; after what is used with a purchase, once the purchase is taken.
func (d *Desk) after(f engine.Fact, dues *[]engine.Past) error {
	part := f.Coupon != nil && f.Coupon.Do == engine.CouponUsed && f.Coupon.Purchase != "" || f.Voucher != nil && f.Voucher.Do == engine.VoucherUsed && f.Voucher.Purchase != "" ||
		f.Use != nil && !f.Use.Undo && f.Use.Purchase != ""
	if part {
		return nil
	}
	for _, holder := range f.CodeHolders() {
		of := f
		of.Member = d.survivor(holder)
		if err := d.catchUp(of, dues); err != nil {
			return err
		}
	}
	return d.catchUp(f, dues)
}

// catchUp decides what a late fact made due in the past, and lets the version of the account's own clock plan again after one that
// was decided by an older version.
func (d *Desk) catchUp(f engine.Fact, dues *[]engine.Past) error {
	st := d.file(f.Member).state
	if err := d.bringUp(f.Member, st.At, f.RecordedAt, dues); err != nil {
		return err
	}
	if d.file(f.Member).state.Seq > st.Seq || !f.OccurredAt.Before(st.At) || !engine.Replans(&st) || d.At(f.OccurredAt).Plan == d.At(st.At).Plan {
		return nil
	}
	if err := d.due(f.Member, st.At, f.RecordedAt, true, dues); err != nil {
		return err
	}
	return d.bringUp(f.Member, st.At, f.RecordedAt, dues)
}

// Sweep brings every account up to now, where there are several versions with the one in force at its own clock planning anew, and
// gives the due facts.
func (d *Desk) Sweep(now time.Time) ([]engine.Past, error) {
	var dues []engine.Past
	for _, m := range slices.Sorted(maps.Keys(d.members)) {
		if err := d.bringUp(m, now, now, &dues); err != nil {
			return nil, err
		}
		st := d.file(m).state
		if !engine.Replans(&st) || len(d.versions) == 1 {
			continue
		}
		if err := d.due(m, st.At, now, true, &dues); err != nil {
			return nil, err
		}
		if err := d.bringUp(m, now, now, &dues); err != nil {
			return nil, err
		}
	}
	return dues, nil
}

// Count adds to a counter of the program that no fact changes.
func (d *Desk) Count(name, period string, n int64) {
	if d.counters[name] == nil {
		d.counters[name] = map[string]int64{}
	}
	d.counters[name][period] += n
	if d.counted == nil {
		d.counted = map[string]bool{}
	}
	d.counted[name] = true
}

// Follow takes what follows for other members from what was taken since it was called last. What is refused is left out.
func (d *Desk) Follow() error {
	for ; d.followed < len(d.log); d.followed++ {
		p := d.log[d.followed]
		for _, e := range p.Decision.Events {
			f, ok := engine.FollowUp(e, p.Fact.Member, p.Fact.ID, p.Fact.OccurredAt)
			if !ok {
				continue
			}
			if source, external, some := strings.Cut(f.Parent, "/"); some {
				r, known := d.receipts[source+"\x00"+external]
				if !known {
					continue
				}
				f.Parent = r.fact.ID
				if f.Parent == "" {
					f.Parent = d.members[r.member].past[r.at].Fact.ID
				}
			}
			if _, err := d.Take(f); err != nil && errors.Is(err, ErrBroken) {
				return err
			}
		}
	}
	return nil
}

// View gives the account as it would be at a moment, without keeping anything. Every lot and counter is loaded.
func (d *Desk) View(member string, now time.Time) (*engine.Account, *program.Compiled, error) {
	was, ids := d.snapshot(), d.ids
	defer func() { d.restore(was); d.ids = ids }()
	var dues []engine.Past
	member = d.survivor(member)
	if err := d.bringUp(member, now, now, &dues); err != nil {
		return nil, nil, err
	}
	return d.account(member), d.At(now), nil
}

// Account gives the account as it is kept, with everything loaded.
func (d *Desk) Account(member string) *engine.Account { return d.account(member) }

func (d *Desk) account(member string) *engine.Account {
	f := d.file(member)
	acc := &engine.Account{Program: d.versions[0].p.Doc.Program, Member: member, State: f.state, Tallies: cloneTallies(f.tallies)}
	for _, id := range slices.Sorted(maps.Keys(f.lots)) {
		acc.Lots = append(acc.Lots, f.lots[id])
	}
	for name, periods := range d.counters {
		acc.Tallies[name] = maps.Clone(periods)
	}
	return acc
}

// Redeemed lists a member's redemptions by their ids.
func (d *Desk) Redeemed(member string) []*engine.RedemptionState {
	all := d.file(member).redemptions
	out := make([]*engine.RedemptionState, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[id])
	}
	return out
}

// Members lists all that were ever named, in order.
func (d *Desk) Members() []string { return slices.Sorted(maps.Keys(d.members)) }

// Facts gives a member's facts with their decisions, in order, without children.
func (d *Desk) Facts(member string) []engine.Past { return d.file(member).past }

// Find gives a fact by its id with the facts about it; nil when there is none. What is said about the fact of a member who
// was merged may stand in the books of both.
func (d *Desk) Find(member, id string) *engine.Past {
	var found *engine.Past
	var about []engine.Past
	for _, f := range d.lineage(member) {
		for _, p := range f.past {
			switch id {
			case p.Fact.ID:
				found = &engine.Past{Fact: p.Fact, Decision: p.Decision}
			case p.Fact.Parent:
				about = append(about, p)
			}
		}
	}
	if found != nil && len(about) > 0 {
		slices.SortStableFunc(about, func(a, b engine.Past) int { return strings.Compare(a.Fact.ID[4:], b.Fact.ID[4:]) })
		found.Children = about
	}
	return found
}

// input loads what the needs ask for; whole loads everything there is.
func (d *Desk) input(f engine.Fact, p *program.Compiled, whole bool) engine.Input {
	m := d.file(f.Member)
	n := engine.NeedsOf(p, &m.state, f)
	in := engine.Input{Fact: f, Redemptions: map[string]*engine.RedemptionState{}, Versions: d}
	if len(n.Past) > 0 && n.Past[0] != "" {
		in.Past = d.Find(f.Member, n.Past[0])
	}
	wanted := map[int64]bool{}
	for _, id := range n.LotIDs {
		wanted[id] = true
	}
	redemptions := slices.Clone(n.Redemptions)
	if in.Past != nil {
		for _, p := range append([]engine.Past{*in.Past}, in.Past.Children...) {
			for _, post := range p.Decision.Postings {
				if p.Fact.Member == f.Member {
					wanted[post.Lot] = true
				}
			}
			for id, l := range m.lots {
				if p.Fact.Member != f.Member && l.Fact == p.Fact.ID {
					wanted[id] = true
				}
			}
			for _, r := range p.Decision.Redemptions {
				redemptions = append(redemptions, r.ID)
			}
		}
	}
	for _, id := range redemptions {
		if r := d.Redemption(f.Member, id); r != nil {
			in.Redemptions[id] = r
			for _, l := range r.Lots {
				wanted[l.Lot] = true
			}
		}
	}
	acc := d.account(f.Member)
	if !whole {
		acc.Lots = slices.DeleteFunc(acc.Lots, func(l *ledger.Lot) bool { return !wanted[l.ID] && (!n.Lots || !l.Open()) })
		all := acc.Tallies
		acc.Tallies = map[string]map[string]int64{}
		for name, periods := range all {
			for period, v := range periods {
				if asked(n, name, period) && v != 0 {
					if acc.Tallies[name] == nil {
						acc.Tallies[name] = map[string]int64{}
					}
					acc.Tallies[name][period] = v
				}
			}
		}
	}
	in.Account = acc
	for _, name := range n.Rebuild {
		if in.Rebuilt == nil {
			in.Rebuilt = map[string]map[string]int64{}
		}
		in.Rebuilt[name] = engine.Rebuild(p, name, m.past)
	}
	return in
}

func asked(n engine.Needs, name, period string) bool {
	if n.AllTallies && !strings.HasPrefix(name, engine.ProgramTally) {
		return true
	}
	return slices.ContainsFunc(n.Tallies, func(r engine.TallyRange) bool { return r.Name == name && r.From <= period && period <= r.To })
}

func (d *Desk) decide(f engine.Fact) (engine.Decision, error) {
	return d.decideBy(d.At(f.OccurredAt), f)
}

func (d *Desk) decideBy(p *program.Compiled, f engine.Fact) (engine.Decision, error) {
	in := d.input(f, p, false)
	dec, after, err := engine.Decide(p, in)
	if d.Strict {
		if problem := d.again(f, p, in, dec, err); problem != nil {
			return dec, problem
		}
	}
	if err != nil {
		return dec, err
	}
	d.keep(f, in, dec, after)
	return dec, nil
}

// ErrBroken says that the engine broke a promise: it decided differently on the same thing, or refused what time brings.
var ErrBroken = errors.New("the engine broke a promise")

// again decides once more from the same input, and from the whole account, and compares.
func (d *Desk) again(f engine.Fact, p *program.Compiled, in engine.Input, dec engine.Decision, refused error) error {
	fresh := d.input(f, p, false)
	if !reflect.DeepEqual(in, fresh) {
		return fmt.Errorf("%w: the input of %s %s was changed", ErrBroken, f.Kind, f.ID)
	}
	for _, i := range []engine.Input{fresh, d.input(f, p, true)} {
		second, _, err := engine.Decide(p, i)
		if (err == nil) != (refused == nil) || (err != nil && err.Error() != refused.Error()) {
			return fmt.Errorf("%w: %s %s came to %q, then to %q", ErrBroken, f.Kind, f.ID, fmt.Sprint(refused), fmt.Sprint(err))
		}
		if err == nil && !reflect.DeepEqual(dec, second) {
			return fmt.Errorf("%w: %s %s\nfirst  %+v\nsecond %+v", ErrBroken, f.Kind, f.ID, dec, second)
		}
	}
	return nil
}

func (d *Desk) keep(f engine.Fact, in engine.Input, dec engine.Decision, after *engine.Account) {
	m := d.file(f.Member)
	m.state = after.State
	for _, l := range after.Lots {
		if l.Dirty || l.New {
			n := *l
			n.Dirty, n.New = false, false
			m.lots[n.ID] = &n
		}
	}
	for name, periods := range in.Rebuilt {
		m.tallies[name] = maps.Clone(periods)
	}
	for _, c := range dec.Counters {
		tallies := m.tallies
		if strings.HasPrefix(c.Name, engine.ProgramTally) {
			tallies = d.counters
		}
		if tallies[c.Name] == nil {
			tallies[c.Name] = map[string]int64{}
		}
		tallies[c.Name][c.Period] += c.Add
	}
	for i := range dec.Redemptions {
		r := dec.Redemptions[i]
		m.redemptions[r.ID] = &r
	}
	m.past = append(m.past, engine.Past{Fact: f, Decision: dec})
	d.log = append(d.log, engine.Past{Fact: f, Decision: dec})
}

// Redemption gives a redemption as it stands, nil when there is none.
func (d *Desk) Redemption(member, id string) *engine.RedemptionState {
	for _, f := range d.lineage(member) {
		if r := f.redemptions[id]; r != nil {
			return r
		}
	}
	return nil
}
