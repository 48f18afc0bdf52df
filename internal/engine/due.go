package engine

import (
	"maps"
	"slices"
	"time"

	"lojal.dev/lojal/internal/ledger"
)

// doDue makes all changes that time alone brings at one moment: forgotten reservations, releases, warnings, ends of lots,
// inactivity, tiers. It is the same whether the sweep or a later fact calls it, and whenever it does.
func (w *work) doDue() error {
	for i := 0; i < len(w.st.Holds); {
		s := w.st.Holds[i]
		if s.ExpiresAt != nil && !s.ExpiresAt.After(w.at) {
			w.letGo(s, i, StatusLapsed, NoteLapsed, EvLapsed)
			continue
		}
		i++
	}
	for _, l := range w.acc.Lots {
		if l.Pending > 0 && l.ReleaseAt != nil && !l.ReleaseAt.After(w.at) {
			w.release(l, "")
		}
	}
	if len(w.p.Challenges) > 0 {
		w.endChallenges()
	}
	w.dueGrants()
	w.dueThanks()
	w.dueShares()
	w.expireLots()
	if !w.st.earns() {
		return nil
	}
	w.expireInactive()
	w.missReferral()
	if err := w.settlePlans(); err != nil {
		return err
	}
	w.settleTiers(true)
	return w.moments()
}

// release makes what is pending in a lot spendable.
func (w *work) release(l *ledger.Lot, of string) {
	n := l.Pending
	w.post(ledger.Posting{Unit: l.Unit, Lot: l.ID, From: ledger.Pending, To: ledger.Spendable, Amount: n, Of: of})
	if l.Confirm != "" && l.ExpiresAt == nil {
		l.ExpiresAt, l.WarnAt = w.ends(l.Unit)
	}
	l.ReleaseAt, l.Confirm = nil, ""
	w.note(NoteReleased, Args{"amount": Units(l.Unit, n)})
	w.unitEvent(EvReleased, l.Unit, n)
	w.payDebt(l)
}

func (w *work) expireLots() {
	ended := map[string]int64{}
	warned := map[string]map[time.Time]int64{}
	for _, l := range w.acc.Lots {
		if l.ExpiresAt != nil && !l.ExpiresAt.After(w.at) {
			ended[l.Unit] += w.end(l)
			continue
		}
		if l.WarnAt != nil && !l.WarnAt.After(w.at) {
			l.WarnAt, l.Dirty = nil, true
			if n := l.Spendable + l.Pending; n > 0 && l.ExpiresAt != nil && l.ExpiresAt.After(w.now) {
				if warned[l.Unit] == nil {
					warned[l.Unit] = map[time.Time]int64{}
				}
				warned[l.Unit][*l.ExpiresAt] += n
			}
		}
	}
	for _, u := range slices.Sorted(maps.Keys(ended)) {
		if n := ended[u]; n > 0 {
			w.note(NoteExpired, Args{"amount": Units(u, n), "time": Time(w.at)})
			w.unitEvent(EvExpired, u, n)
		}
	}
	for _, u := range slices.Sorted(maps.Keys(warned)) {
		for _, at := range slices.SortedFunc(maps.Keys(warned[u]), time.Time.Compare) {
			w.note(NoteExpiring, Args{"amount": Units(u, warned[u][at]), "time": Time(at)})
			w.unitEvent(EvExpiring, u, warned[u][at], "expires_at", at.In(w.p.Zone).Format(time.RFC3339))
		}
	}
}

// end closes what is left of a lot, but for what is reserved.
func (w *work) end(l *ledger.Lot) int64 {
	n := l.Pending + l.Spendable
	w.post(ledger.Posting{Unit: l.Unit, Lot: l.ID, From: ledger.Pending, To: ledger.Expired, Amount: l.Pending})
	w.post(ledger.Posting{Unit: l.Unit, Lot: l.ID, From: ledger.Spendable, To: ledger.Expired, Amount: l.Spendable})
	l.Gone += n
	l.WarnAt = nil
	return n
}

func (w *work) expireInactive() {
	for _, u := range w.p.UnitIDs {
		end, warn := w.inactive(u)
		if end == nil {
			continue
		}
		h, e := w.st.Units[u], w.p.Units[u].Expires
		if !end.After(w.at) && e.Warn != nil && !h.InactiveWarned {
			// The policy is younger than the spell, so that the moment of its warning went by untold: warn now, and wait.
			ends := roundEnd(e, e.Warn.After(w.at, w.p.Zone), w.p.Zone)
			h.InactiveEnds, end, warn = &ends, &ends, &w.at
		}
		if !end.After(w.at) {
			var n int64
			for _, l := range w.acc.Lots {
				if l.Unit == u && l.Spendable+l.Pending > 0 {
					n += w.end(l)
				}
			}
			w.note(NoteInactive, Args{"amount": Units(u, n), "time": Time(*h.ActiveAt)})
			w.unitEvent(EvExpired, u, n, "reason", "inactive")
			continue
		}
		if warn != nil && !warn.After(w.at) && !h.InactiveWarned {
			h.InactiveWarned = true
			w.note(NoteExpiring, Args{"amount": Units(u, h.Spendable+h.Pending), "time": Time(*end)})
			w.unitEvent(EvExpiring, u, h.Spendable+h.Pending, "expires_at", end.In(w.p.Zone).Format(time.RFC3339), "reason", "inactive")
		}
	}
}
