package scenario

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/engine/enginetest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/raffle"
	"lojal.dev/lojal/internal/waiting"
)

// memory is a desk that keeps its books in memory and proves them after every fact: the same road without a database.
type memory struct {
	mu      sync.Mutex
	desk    *enginetest.Desk
	number  int64
	answers map[string]*outcome
	taken   map[string]bool // identifiers
	held    map[member.Identifier]string
	waits   []*waiting.Purchase
}

func openMemory(context.Context, string) (desk, error) {
	return &memory{answers: map[string]*outcome{}, taken: map[string]bool{}, held: map[member.Identifier]string{}}, nil
}

func (m *memory) publish(_ context.Context, d *program.Document, from *time.Time, now time.Time) error {
	m.number++
	p, err := program.Compile(d, m.number)
	if err != nil {
		return err
	}
	if m.desk == nil {
		m.desk = enginetest.New(p)
		m.desk.Strict = true
		return nil
	}
	if from == nil {
		from = &now
	}
	m.desk.Publish(p, *from)
	return nil
}

func (m *memory) prepare(o order) engine.Fact {
	f := o.fact
	f.Member, f.RecordedAt = o.member, o.now
	if f.Kind == engine.Enrolment {
		f.Member = ids.New("mem", o.now)
		if f.Enrolment.Kind != engine.Person {
			f.Member = ids.New(map[string]string{engine.GiftCard: "gft", engine.Household: "hou", engine.Organization: "org", engine.CouponCode: "cpn"}[f.Enrolment.Kind], o.now)
		}
	}
	if f.Enrolment != nil && f.Enrolment.Invited != nil {
		f.Enrolment.Invited = m.related(f.Member, f.Enrolment.Invited)
	}
	if f.Invited != nil {
		f.Invited = m.related(f.Member, f.Invited)
	}
	if c := o.profile; c != nil {
		st := m.desk.Account(f.Member).State
		b := engine.EnrolmentBody{Zone: st.Zone, Language: st.Language, Attributes: maps.Clone(st.Attributes), Birthday: st.Birthday}
		for _, p := range []struct{ to, from *string }{{&b.Birthday, c.Birth}, {&b.Zone, c.Zone}, {&b.Language, c.Language}} {
			if p.from != nil {
				*p.to = *p.from
			}
		}
		b.Birthday = engine.Birthday(b.Birthday)
		if b.Attributes == nil && len(c.Attributes) > 0 {
			b.Attributes = map[string]string{}
		}
		maps.Copy(b.Attributes, c.Attributes)
		f.Enrolment = &b
	}
	if f.Kind == engine.TransferOut && f.Transfer.Reverses != "" {
		f.Member, f.Parent = o.fact.Member, f.Transfer.Reverses
	}
	if f.Activity != nil && f.Activity.Confirms != "" {
		f.Parent = f.Activity.Confirms
	}
	return f
}

func (m *memory) take(_ context.Context, o order) (*outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.answers[o.key]; o.key != "" && a != nil {
		again := *a
		again.replayed = true
		return &again, nil
	}
	f := m.prepare(o)
	if o.enrol != nil {
		for _, id := range []string{o.enrol.Card, o.enrol.Phone, o.enrol.Email} {
			if id != "" && m.taken[id] {
				return nil, errs.Conflict("identifier_taken", "Another member has this.")
			}
			m.taken[id] = true
		}
		for _, text := range o.enrol.Identifiers {
			i, err := named(m.desk.At(o.now), text)
			if err == nil && m.held[i] != "" {
				err = errs.Conflict("identifier_taken", "Another member has this.")
			}
			if err != nil {
				return nil, err
			}
			m.held[i] = f.Member
		}
	}
	if f.Kind == engine.TransferOut && f.Transfer.Reverses != "" {
		for _, p := range m.desk.Facts(f.Member) {
			if p.Fact.Kind == engine.TransferOut && p.Fact.Parent == f.Parent {
				return nil, errs.Conflict("transfer_reversed", "This transfer was reversed already.")
			}
		}
	}
	t, err := m.desk.Take(f)
	if err != nil {
		return nil, err
	}
	if err := m.desk.Verify(); err != nil {
		return nil, err
	}
	out := &outcome{fact: t.Fact, decision: t.Decision, version: t.Decision.Version, duplicate: t.Duplicate}
	if o.key != "" {
		m.answers[o.key] = out
	}
	return out, nil
}

func (m *memory) simulate(_ context.Context, o order) (*outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := m.desk.Simulate(m.prepare(o))
	if err != nil {
		return nil, err
	}
	return &outcome{fact: t.Fact, decision: t.Decision, version: t.Decision.Version}, nil
}

func (m *memory) sweep(_ context.Context, now time.Time) error {
	_, err := m.desk.Sweep(now)
	if err == nil {
		err = m.desk.Verify()
	}
	if err == nil {
		err = m.desk.Replay()
	}
	return err
}

func (m *memory) pay(_ context.Context, partner string, amount money.Decimal, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	micro, err := amount.Minor(6)
	if err == nil {
		m.desk.Count(engine.PartnerPaid(partner), engine.PartnerPeriod, micro)
	}
	return err
}

func (m *memory) pool(_ context.Context, pool string, n int, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.desk.Load(pool, n)
	return nil
}

// draw lets the first who has a ticket win: by chance one of them does.
func (m *memory) draw(_ context.Context, id string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.desk.At(now).Rewards[id]
	switch {
	case r == nil || r.Draws == nil:
		return errs.NotFound("raffle_not_found", "There is no such raffle.")
	case now.Before(r.Draws.Add(raffle.Settle)):
		return errs.Conflict("raffle_open", "The raffle is not drawn yet.")
	}
	for _, member := range m.desk.Members() {
		for _, s := range m.desk.Redeemed(member) {
			if of, n := s.Tickets(); of != id || n == 0 {
				continue
			}
			f := engine.Fact{Kind: engine.GrantK, Member: member, OccurredAt: now, RecordedAt: now, Source: raffle.Source, ExternalID: id,
				Grant: &engine.GrantBody{Reward: r.Gives.Raffle.Prize, Reason: "raffle", Raffle: id, Ticket: s.ID + "/1"}}
			_, err := m.desk.Take(f)
			return err
		}
	}
	return nil
}

func (m *memory) left(_ context.Context, pool string, _ time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.desk.Pools[pool]), nil
}

func (m *memory) follow(_ context.Context, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.desk.Follow()
	if err == nil {
		err = m.linked(now)
	}
	if err == nil {
		err = m.desk.Verify()
	}
	return err
}

// related sees what can be seen without profiles.
func (m *memory) related(friend string, i *engine.Invitation) *engine.Invitation {
	c := *i
	for up, n := i.By, 0; up != "" && n < 100; n++ {
		switch {
		case up == friend && n == 0:
			c.Refused = engine.RefusedSelf
		case up == friend:
			c.Refused = engine.RefusedCircular
		}
		st := m.desk.Account(up).State
		if n == 0 && st.Status == engine.Closed {
			c.Refused = engine.RefusedGone
		}
		if up = ""; st.Referral != nil {
			up = st.Referral.By
		}
	}
	return &c
}

func (m *memory) facts(_ context.Context, member string, after int64) ([]engine.Past, error) {
	past := m.desk.Facts(member)
	return slices.Clone(past[min(int(after), len(past)):]), nil
}

func (m *memory) view(_ context.Context, member string, now time.Time) (*engine.Account, *program.Compiled, []engine.Offer, error) {
	acc, p, err := m.desk.View(member, now)
	if err != nil {
		return nil, nil, nil, err
	}
	stocked := map[string]bool{}
	for pool, left := range m.desk.Pools {
		stocked[pool] = len(left) > 0
	}
	return acc, p, engine.Offers(p, acc, stocked, now), nil
}

func (m *memory) benefits(_ context.Context, member string, now time.Time) ([]engine.Standing, error) {
	acc, p, err := m.desk.View(member, now)
	if err != nil {
		return nil, err
	}
	return engine.Benefits(p, acc, "", now, nil), nil
}
