package scenario

import (
	"context"
	"errors"
	"slices"
	"time"

	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/engine/enginetest"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/waiting"
)

// Purchases that wait, in memory.

func (m *memory) keep(_ context.Context, n claim.New) (id string, _ *outcome, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.desk.At(n.Now)
	w := &waiting.Purchase{ID: ids.New(waiting.IDPrefix, n.Now), Source: n.Source, ExternalID: n.ExternalID, Body: n.Purchase, Status: waiting.Open, OccurredAt: n.OccurredAt, CreatedAt: n.Now}
	until := p.Doc.Claims.ClaimWithin().After(n.OccurredAt, p.Zone)
	w.EndsAt = &until
	if n.Identifier != "" {
		i, err := named(p, n.Identifier)
		if err != nil {
			return "", nil, err
		}
		w.Kind, w.Value, w.EndsAt = i.Kind, i.Value, nil
		if c := p.Doc.Claims; c != nil && c.Linked != nil {
			until = c.Linked.After(n.OccurredAt, p.Zone)
			w.EndsAt = &until
		}
		if who := m.held[i]; who != "" {
			out, err := m.recorded(w, who, n.Now)
			return "", out, err
		}
	}
	if err := engine.Check(m.desk.At(n.OccurredAt), engine.Fact{Kind: engine.PurchaseK, Purchase: &n.Purchase}); err != nil {
		return "", nil, err
	}
	m.waits = append(m.waits, w)
	return w.ID, nil, nil
}

// recorded records a purchase that waits, with what came back of it.
func (m *memory) recorded(w *waiting.Purchase, who string, now time.Time) (*outcome, error) {
	t, err := m.desk.Take(engine.Fact{Kind: engine.PurchaseK, Member: who, Source: w.Source, ExternalID: w.ExternalID, OccurredAt: w.OccurredAt, RecordedAt: now, Purchase: &w.Body})
	if err != nil {
		return nil, claim.Why(err)
	}
	out := &outcome{fact: t.Fact, decision: t.Decision, version: t.Decision.Version, duplicate: t.Duplicate}
	if w.Status == waiting.Claimed {
		return out, nil
	}
	for i := range w.Returns {
		r := &w.Returns[i]
		f := engine.Fact{Kind: engine.ReturnK, Member: who, Parent: t.Fact.ID, Source: r.Source, ExternalID: r.ExternalID, OccurredAt: r.At(), RecordedAt: now, Return: &r.Return}
		if _, err := m.desk.Take(f); err != nil {
			return nil, err
		}
	}
	w.Status, w.Member, w.Fact = waiting.Claimed, t.Fact.Member, t.Fact.ID
	return out, m.desk.Verify()
}

func (m *memory) waiting(id string) *waiting.Purchase {
	return m.waits[slices.IndexFunc(m.waits, func(w *waiting.Purchase) bool { return w.ID == id })]
}

func (m *memory) claim(_ context.Context, id, who string, now time.Time) (*outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.waiting(id)
	switch {
	case w.Kind != "":
		return nil, errs.NotFound("code_unknown", "There is no such code.")
	case w.Status != waiting.Claimed && w.Over(now): // the code is over before it is looked what it is for
		return nil, errs.Conflict("code_ended", "The time of this code is over.")
	case w.Status != waiting.Claimed:
		if err := w.Usable(now); err != nil {
			return nil, err
		}
	}
	return m.recorded(w, who, now)
}

func (m *memory) back(w *waiting.Purchase, list []waiting.Return) (bool, error) {
	facts := make([]engine.Fact, len(list))
	for i := range list {
		facts[i] = engine.Fact{Kind: engine.ReturnK, OccurredAt: list[i].At(), Return: &list[i].Return}
	}
	return engine.Back(m.desk, engine.Fact{Kind: engine.PurchaseK, OccurredAt: w.OccurredAt, Purchase: &w.Body}, facts)
}

func (m *memory) receipt(_ context.Context, id string, _ time.Time) (waiting.Purchase, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.waiting(id)
	if len(w.Returns) == 0 {
		return *w, false, nil
	}
	empty, err := m.back(w, w.Returns)
	return *w, empty, err
}

func (m *memory) bringBack(_ context.Context, id string, r waiting.Return) (*outcome, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.waiting(id)
	if w.Status == waiting.Claimed {
		t, err := m.desk.Take(engine.Fact{Kind: engine.ReturnK, Member: w.Member, Parent: w.Fact, Source: r.Source, ExternalID: r.ExternalID, OccurredAt: r.OccurredAt, RecordedAt: r.TakenAt, Return: &r.Return})
		if err != nil {
			return nil, err
		}
		return &outcome{fact: t.Fact, decision: t.Decision, version: t.Decision.Version, duplicate: t.Duplicate}, m.desk.Verify()
	}
	if err := w.Usable(r.TakenAt); err != nil {
		return nil, err
	}
	next := append(slices.Clip(w.Returns), r)
	_, err := m.back(w, next)
	if err == nil {
		w.Returns = next
	}
	return nil, err
}

func (m *memory) callOff(_ context.Context, id string, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.waiting(id)
	if w.Status != waiting.Open {
		return errs.Conflict("receipt_claimed", "This receipt was claimed or called off already.")
	}
	w.Status = waiting.Cancelled
	return nil
}

func (m *memory) link(_ context.Context, who, identifier string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := named(m.desk.At(now), identifier)
	if err != nil {
		return err
	}
	if has := m.held[i]; has != "" && has != who {
		return errs.Conflict("identifier_taken", "Another member has this.")
	}
	m.held[i] = who
	return m.linked(now)
}

// linked records what waits for those who are there now. What is refused goes on waiting.
func (m *memory) linked(now time.Time) error {
	slices.SortStableFunc(m.waits, func(a, b *waiting.Purchase) int { return a.OccurredAt.Compare(b.OccurredAt) })
	for _, w := range m.waits {
		who := m.held[member.Identifier{Kind: w.Kind, Value: w.Value}]
		if who == "" || w.Usable(now) != nil {
			continue
		}
		if _, err := m.recorded(w, who, now); errors.Is(err, enginetest.ErrBroken) {
			return err
		}
	}
	return nil
}

func (m *memory) unlink(_ context.Context, who, identifier string, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, err := named(m.desk.At(now), identifier)
	if err != nil {
		return err
	}
	if m.held[i] != who {
		return errs.NotFound("identifier_not_found", "The member has no such identifier.")
	}
	delete(m.held, i)
	return nil
}
