package api

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
)

// Balances are asked for more often than anything else, so they are written straight from the account: the same bytes as those of a Balances that
// view.balances has filled, at a tenth of the cost.

// AppendJSON appends the JSON of the balances.
func (b *Balances) AppendJSON(dst []byte) ([]byte, error) {
	var err error
	dst = append(dst, `{"member":`...)
	if dst, err = appendText(dst, b.Member); err != nil {
		return nil, err
	}
	dst = appendTime(append(dst, `,"at":`...), b.At)
	dst = append(dst, `,"currency":`...)
	if dst, err = appendText(dst, b.Currency); err != nil {
		return nil, err
	}
	dst = append(dst, `,"balances":{`...)
	for i, unit := range b.of.unitsOf(b.acc) {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendText(dst, unit); err != nil {
			return nil, err
		}
		if dst, err = b.appendBalance(append(dst, ':'), unit); err != nil {
			return nil, err
		}
	}
	return append(dst, `}}`...), nil
}

// unitsOf lists the units of the program and those besides that the account has, by their ids.
func (v view) unitsOf(acc *engine.Account) []string {
	out := make([]string, 0, len(v.p.UnitIDs)+2)
	out = append(out, v.p.UnitIDs...)
	for id, h := range acc.State.Units {
		if h != nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (b *Balances) appendBalance(dst []byte, unit string) ([]byte, error) {
	h := b.acc.State.Units[unit]
	if h == nil {
		h = &ledger.Holding{}
	}
	p := scaled{}
	if u := b.of.p.Units[unit]; u != nil {
		p.scale = u.Precision
	}
	dst = p.amount(dst, `{"balance":"`, h.Balance())
	dst = p.amount(dst, `","spendable":"`, h.Spendable)
	dst = p.amount(dst, `","pending":"`, h.Pending)
	dst = p.amount(dst, `","reserved":"`, h.Reserved)
	dst = p.amount(dst, `","debt":"`, h.Debt)
	dst = append(dst, '"')
	if worth := b.of.worthIn(unit, *h); worth != "" {
		dst = append(append(append(dst, `,"worth":"`...), worth...), '"')
	}
	if !b.withLots {
		return append(dst, '}'), nil
	}
	dst = p.amount(dst, `,"totals":{"earned":"`, h.Earned)
	dst = p.amount(dst, `","taken_back":"`, h.Reversed)
	dst = p.amount(dst, `","spent":"`, h.Spent)
	dst = p.amount(dst, `","expired":"`, h.Expired)
	dst = p.amount(dst, `","adjusted":"`, h.Adjusted)
	dst = p.amount(dst, `","transferred":"`, h.Transferred)
	dst = p.amount(dst, `","partners":"`, h.Partners)
	dst = p.amount(dst, `","closed":"`, h.Closed)
	dst = append(dst, `"}`...)
	var err error
	var next *time.Time
	lots := b.of.spendingOrder(b.acc.Lots, unit)
	for i, l := range lots {
		if i == 0 {
			dst = append(dst, `,"lots":[`...)
		} else {
			dst = append(dst, ',')
		}
		if dst, err = b.appendLot(dst, p, l); err != nil {
			return nil, err
		}
		if l.ExpiresAt != nil && l.Spendable+l.Pending != 0 && (next == nil || l.ExpiresAt.Before(*next)) {
			next = l.ExpiresAt
		}
	}
	if len(lots) > 0 {
		dst = append(dst, ']')
	}
	if next != nil {
		dst = appendTime(append(dst, `,"next_expiry":{"at":`...), b.of.time(*next))
		dst = p.amount(dst, `,"amount":"`, sumAt(b.acc.Lots, unit, *next))
		dst = append(dst, `"}`...)
	}
	return append(dst, '}'), nil
}

func (b *Balances) appendLot(dst []byte, p scaled, l *ledger.Lot) ([]byte, error) {
	var err error
	dst = strconv.AppendInt(append(dst, `{"lot":`...), l.ID, 10)
	if dst, err = appendText(append(dst, `,"fact":`...), l.Fact); err != nil {
		return nil, err
	}
	dst = appendTime(append(dst, `,"earned_at":`...), b.of.time(l.EarnedAt))
	if l.ExpiresAt != nil {
		dst = appendTime(append(dst, `,"expires_at":`...), b.of.time(*l.ExpiresAt))
	}
	if l.ReleaseAt != nil {
		dst = appendTime(append(dst, `,"release_at":`...), b.of.time(*l.ReleaseAt))
	}
	if l.Confirm != "" {
		if dst, err = appendText(append(dst, `,"confirm":`...), l.Confirm); err != nil {
			return nil, err
		}
	}
	dst = p.amount(dst, `,"amount":"`, l.Amount)
	dst = p.amount(dst, `","spendable":"`, l.Spendable)
	dst = p.amount(dst, `","pending":"`, l.Pending)
	dst = p.amount(dst, `","reserved":"`, l.Reserved)
	return append(dst, `"}`...), nil
}

// scaled writes amounts of one unit.
type scaled struct{ scale int }

// amount appends a text and an amount after it.
func (p scaled) amount(dst []byte, before string, minor int64) []byte {
	return money.Append(append(dst, before...), minor, p.scale)
}

// appendText appends a JSON text. Ids and the like are plain and need no look at each sign.
func appendText(dst []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return jsontext.AppendQuote(dst, s)
		}
	}
	return append(append(append(dst, '"'), s...), '"'), nil
}

// appendTime appends a time as JSON has it.
func appendTime(dst []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
}
