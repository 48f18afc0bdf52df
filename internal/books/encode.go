package books

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
)

// What is stored of every fact is written here by hand: reflection took longer than deciding. A state and the body of a
// purchase are just what encoding/json makes of them. A decision is JSON too, with one letter for a name and lists in place of
// objects, since most of it says the same words of every purchase:
//
//	{"v":1,                                                              version
//	 "p":[["star",105,"program:issued","member",3,"base",of]],           postings
//	 "a":[["base","star",105,3,[1,2],[counters]]],                       awards, with their lines
//	 "l":[["1",1000,3900]],                                              lines: id, quantity, amount
//	 "c":[["spend@day","2026-11-21",3900]],                              counters
//	 "r":[[award,rule,unit,amount,owed,forgiven,spent,at]],              reversals; when it counted only where a tier gave it
//	 "x":[…], "g":[…], "h":[…], "b":[…], "m":[…], "k":{…}                redemptions, grants, counts, broken, moved, carried: as encoding/json writes them
//	 "w":[["base",1,["earned",{"gave":["star",3]}],[steps],"star",3]],   rules: 1 fired, 2 dry run; why; steps; what it gave
//	 "n":["nothing_earned",["lot",{…}]]}                                 notes: a code, or a code with its values
//
// What stands at the end of a list and is empty is left out. A value is a number for money, [unit, amount] for points, and
// an object with the letters of valueKeys for the rest. A decision that begins with "version" is of an older lojal, with all
// names in full.

// encoder writes JSON. The first error stays.
type encoder struct {
	b   []byte
	err error
}

func (e *encoder) raw(s string) { e.b = append(e.b, s...) }

func (e *encoder) int(n int64) { e.b = strconv.AppendInt(e.b, n, 10) }

// plain marks the bytes that stand for themselves in a JSON text.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	for c := 0x80; c <= 0xff; c++ {
		t[c] = c != 0xe2 // the two line ends that JavaScript does not take begin so
	}
	return t
}()

// text writes a string just as encoding/json does.
func (e *encoder) text(s string) {
	simple, ascii := true, true
	for i := range len(s) {
		c := s[i]
		simple = simple && plain[c]
		ascii = ascii && c < 0x80
	}
	if simple && (ascii || utf8.ValidString(s)) {
		e.b = append(e.b, '"')
		e.b = append(e.b, s...)
		e.b = append(e.b, '"')
		return
	}
	e.any(s)
}

func (e *encoder) time(t time.Time) {
	e.b = append(e.b, '"')
	e.b = t.AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, '"')
}

// any leaves a value to encoding/json.
func (e *encoder) any(v any) {
	b, err := json.Marshal(v)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.b = append(e.b, b...)
}

// list writes n values with commas between them.
func (e *encoder) list(n int, each func(i int)) {
	e.b = append(e.b, '[')
	for i := range n {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		each(i)
	}
	e.b = append(e.b, ']')
}

// named begins a member of an object, after a comma unless it is the first.
func (e *encoder) named(key string) {
	if e.b[len(e.b)-1] != '{' {
		e.b = append(e.b, ',')
	}
	e.b = append(e.b, '"')
	e.b = append(e.b, key...)
	e.b = append(e.b, '"', ':')
}

func (e *encoder) textAt(key, s string) {
	if s != "" {
		e.named(key)
		e.text(s)
	}
}

func (e *encoder) intAt(key string, n int64) {
	if n != 0 {
		e.named(key)
		e.int(n)
	}
}

func (e *encoder) timeAt(key string, t *time.Time) {
	if t != nil {
		e.named(key)
		e.time(*t)
	}
}

// Text is a decision as it is stored, with its events.
func Text(d *engine.Decision) (string, error) {
	decision, err := encodeDecision(d)
	if err != nil {
		return "", err
	}
	events, err := encodeEvents(d.Events)
	return decision + events, err
}

func encodeDecision(d *engine.Decision) (string, error) {
	e := encoder{b: make([]byte, 0, 1024)}
	e.raw(`{"v":`)
	e.int(d.Version)
	if n := len(d.Postings); n > 0 {
		e.named("p")
		e.list(n, func(i int) { e.posting(&d.Postings[i]) })
	}
	if n := len(d.Awards); n > 0 {
		e.named("a")
		e.list(n, func(i int) { e.award(&d.Awards[i]) })
	}
	if n := len(d.Lines); n > 0 {
		e.named("l")
		e.list(n, func(i int) {
			l := &d.Lines[i]
			e.raw("[")
			e.text(l.ID)
			e.raw(",")
			e.int(l.Quantity)
			e.raw(",")
			e.int(l.Amount)
			e.raw("]")
		})
	}
	if len(d.Counters) > 0 {
		e.named("c")
		e.counters(d.Counters)
	}
	if n := len(d.Reversals); n > 0 {
		e.named("r")
		e.list(n, func(i int) { e.reversal(&d.Reversals[i]) })
	}
	if len(d.Redemptions) > 0 {
		e.named("x")
		e.any(d.Redemptions)
	}
	if len(d.Grants) > 0 {
		e.named("g")
		e.any(d.Grants)
	}
	if len(d.Counts) > 0 {
		e.named("h")
		e.any(d.Counts)
	}
	if len(d.Broken) > 0 {
		e.named("b")
		e.any(d.Broken)
	}
	if len(d.Moved) > 0 {
		e.named("m")
		e.any(d.Moved)
	}
	if d.Carried != nil {
		e.named("k")
		e.any(d.Carried)
	}
	if n := len(d.Explanation.Rules); n > 0 {
		e.named("w")
		e.list(n, func(i int) { e.trace(&d.Explanation.Rules[i]) })
	}
	if len(d.Explanation.Notes) > 0 {
		e.named("n")
		e.notes(d.Explanation.Notes)
	}
	e.raw("}")
	return string(e.b), e.err
}

func (e *encoder) posting(p *ledger.Posting) {
	e.raw("[")
	e.text(p.Unit)
	e.raw(",")
	e.int(p.Lot)
	e.raw(",")
	e.text(p.From)
	e.raw(",")
	e.text(p.To)
	e.raw(",")
	e.int(p.Amount)
	if p.Rule != "" || p.Of != "" {
		e.raw(",")
		e.text(p.Rule)
	}
	if p.Of != "" {
		e.raw(",")
		e.text(p.Of)
	}
	e.raw("]")
}

func (e *encoder) award(a *engine.Award) {
	e.raw("[")
	e.text(a.Rule)
	e.raw(",")
	e.text(a.Unit)
	e.raw(",")
	e.int(a.Lot)
	e.raw(",")
	e.int(a.Amount)
	if len(a.Lines) > 0 || len(a.Counters) > 0 {
		e.raw(",")
		e.list(len(a.Lines), func(i int) { e.int(a.Lines[i]) })
	}
	if len(a.Counters) > 0 {
		e.raw(",")
		e.counters(a.Counters)
	}
	e.raw("]")
}

func (e *encoder) counters(list []engine.Counter) {
	e.list(len(list), func(i int) {
		c := &list[i]
		e.raw("[")
		e.text(c.Name)
		e.raw(",")
		e.text(c.Period)
		e.raw(",")
		e.int(c.Add)
		e.raw("]")
	})
}

func (e *encoder) reversal(r *engine.Reversal) {
	e.raw("[")
	e.int(int64(r.Award))
	e.raw(",")
	e.text(r.Rule)
	e.raw(",")
	e.text(r.Unit)
	e.raw(",")
	e.int(r.Amount)
	e.raw(",")
	e.int(r.Owed)
	e.raw(",")
	e.int(r.Forgiven)
	if r.Spent != 0 || !r.At.IsZero() {
		e.raw(",")
		e.int(r.Spent)
	}
	if !r.At.IsZero() {
		e.raw(",")
		e.time(r.At)
	}
	e.raw("]")
}

// Flags of a trace.
const (
	flagFired = 1 << iota
	flagDryRun
)

func (e *encoder) trace(t *engine.RuleTrace) {
	var flags int64
	if t.Fired {
		flags |= flagFired
	}
	if t.DryRun {
		flags |= flagDryRun
	}
	e.raw("[")
	e.text(t.Rule)
	e.raw(",")
	e.int(flags)
	e.raw(",")
	e.note(&t.Why)
	gave := t.Unit != "" || t.Amount != 0
	if len(t.Steps) > 0 || gave {
		e.raw(",")
		e.notes(t.Steps)
	}
	if gave {
		e.raw(",")
		e.text(t.Unit)
		e.raw(",")
		e.int(t.Amount)
	}
	e.raw("]")
}

func (e *encoder) notes(list []engine.Note) {
	e.list(len(list), func(i int) { e.note(&list[i]) })
}

func (e *encoder) note(n *engine.Note) {
	if len(n.Args) == 0 {
		e.text(n.Code)
		return
	}
	e.raw("[")
	e.text(n.Code)
	e.raw(",")
	object(e, n.Args, func(v engine.Value) { e.value(&v) })
	e.raw("]")
}

// valueKeys are the letters of a value's forms.
const (
	keyMoney  = "m"
	keyUnit   = "u"
	keyAmount = "a"
	keyNumber = "n"
	keyTime   = "t"
	keyDay    = "d"
	keyRule   = "r"
	keyReward = "w"
	keyTier   = "i"
	keySet    = "s"
	keyWord   = "o"
	keyText   = "x"
	keyList   = "l"
	keyWords  = "q"
	keyTiers  = "z"

	keyBenefit = "b"
	keyPlans   = "p"
	keyPercent = "c"
)

func (e *encoder) value(v *engine.Value) {
	rest := v.Number != "" || v.Time != nil || v.Day != "" || v.Rule != "" || v.Reward != "" || v.Tier != "" || v.Set != "" || v.Word != "" ||
		v.Text != "" || len(v.List) > 0 || len(v.Words) > 0 || len(v.Tiers) > 0 || v.Benefit != "" || len(v.Plans) > 0 || v.Percent != ""
	points := v.Unit != "" || v.Amount != 0
	switch {
	case v.Money != nil && !points && !rest:
		e.int(*v.Money)
		return
	case points && v.Money == nil && !rest:
		e.raw("[")
		e.text(v.Unit)
		e.raw(",")
		e.int(v.Amount)
		e.raw("]")
		return
	}
	e.raw("{")
	if v.Money != nil {
		e.named(keyMoney)
		e.int(*v.Money)
	}
	e.textAt(keyUnit, v.Unit)
	e.intAt(keyAmount, v.Amount)
	e.textAt(keyNumber, v.Number)
	e.timeAt(keyTime, v.Time)
	e.textAt(keyDay, v.Day)
	e.textAt(keyRule, v.Rule)
	e.textAt(keyReward, v.Reward)
	e.textAt(keyTier, v.Tier)
	e.textAt(keySet, v.Set)
	e.textAt(keyWord, v.Word)
	e.textAt(keyText, v.Text)
	e.textsAt(keyList, v.List)
	e.textsAt(keyWords, v.Words)
	e.textsAt(keyTiers, v.Tiers)
	e.textAt(keyBenefit, v.Benefit)
	e.textsAt(keyPlans, v.Plans)
	e.textAt(keyPercent, v.Percent)
	e.raw("}")
}

func (e *encoder) textsAt(key string, list []string) {
	if len(list) > 0 {
		e.named(key)
		e.list(len(list), func(i int) { e.text(list[i]) })
	}
}

// encodeEvents writes what a fact told: [["points.earned",{…}],["tier.up"]]; "[]" for nothing.
func encodeEvents(events []engine.Event) (string, error) {
	if len(events) == 0 {
		return "[]", nil
	}
	e := encoder{b: make([]byte, 0, 256)}
	e.list(len(events), func(i int) {
		ev := &events[i]
		e.raw("[")
		e.text(ev.Type)
		if len(ev.Data) > 0 {
			e.raw(",")
			e.texts(ev.Data)
		}
		e.raw("]")
	})
	return string(e.b), e.err
}

func (e *encoder) texts(m map[string]string) { object(e, m, e.text) }

// object writes a map in the order of its keys.
func object[V any](e *encoder, m map[string]V, write func(V)) {
	e.raw("{")
	var buf [8]string // most have few keys, and need no room elsewhere
	keys := buf[:0]
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for i, key := range keys {
		if i > 0 {
			e.raw(",")
		}
		e.text(key)
		e.raw(":")
		write(m[key])
	}
	e.raw("}")
}

func encodeState(s *engine.State) (string, error) {
	e := encoder{b: make([]byte, 0, 640)}
	e.raw(`{"seq":`)
	e.int(s.Seq)
	if !s.At.IsZero() {
		e.timeAt("at", &s.At)
	}
	e.textAt("status", s.Status)
	e.textAt("kind", s.Kind)
	if s.Card != nil {
		e.named("card")
		e.any(s.Card)
	}
	e.textAt("merged_into", s.MergedInto)
	if !s.JoinedAt.IsZero() {
		e.timeAt("joined_at", &s.JoinedAt)
	}
	e.textAt("zone", s.Zone)
	e.textAt("language", s.Language)
	if len(s.Attributes) > 0 {
		e.named("attributes")
		e.texts(s.Attributes)
	}
	if len(s.Units) > 0 {
		e.named("units")
		object(&e, s.Units, e.holding)
	}
	if len(s.Tiers) > 0 {
		e.named("tiers")
		object(&e, s.Tiers, e.tier)
	}
	if len(s.Plans) > 0 {
		e.named("plans")
		e.any(s.Plans)
	}
	if len(s.Fades) > 0 {
		e.named("fades")
		e.any(s.Fades)
	}
	e.intAt("purchases", s.Purchases)
	e.timeAt("first_purchase_at", s.FirstPurchaseAt)
	e.timeAt("last_purchase_at", s.LastPurchaseAt)
	if s.House != nil {
		e.named("house")
		e.any(s.House)
	}
	e.intAt("lots", s.Lots)
	if len(s.Holds) > 0 {
		e.named("holds")
		e.any(s.Holds)
	}
	if len(s.Grants) > 0 {
		e.named("grants")
		e.any(s.Grants)
	}
	e.intAt("granted", s.Granted)
	if s.Referral != nil {
		e.named("referral")
		e.any(s.Referral)
	}
	if len(s.Thanks) > 0 {
		e.named("waiting_thanks")
		e.any(s.Thanks)
	}
	if len(s.Passed) > 0 {
		e.named("passed")
		e.any(s.Passed)
	}
	e.textsAt("taken", s.Taken)
	e.textsAt("was", s.Was)
	if len(s.Challenges) > 0 {
		e.named("challenges")
		e.any(s.Challenges)
	}
	e.textsAt("tallied", s.Tallied)
	e.textAt("birthday", s.Birthday)
	if len(s.Moments) > 0 {
		e.named("moments")
		object(&e, s.Moments, func(t time.Time) { e.any(t) })
	}
	if len(s.Settled) > 0 {
		e.named("settled")
		e.any(s.Settled)
	}
	if len(s.LetGo) > 0 {
		e.named("let_go")
		e.any(s.LetGo)
	}
	if len(s.Joined) > 0 {
		e.named("joined")
		e.any(s.Joined)
	}
	e.timeAt("lot_due", s.LotDue)
	e.timeAt("due_at", s.DueAt)
	e.raw("}")
	return string(e.b), e.err
}

func (e *encoder) holding(h *ledger.Holding) {
	if h == nil {
		e.raw("null")
		return
	}
	e.raw("{")
	e.intAt("spendable", h.Spendable)
	e.intAt("pending", h.Pending)
	e.intAt("reserved", h.Reserved)
	e.intAt("debt", h.Debt)
	e.intAt("earned", h.Earned)
	e.intAt("reversed", h.Reversed)
	e.intAt("spent", h.Spent)
	e.intAt("expired", h.Expired)
	e.intAt("adjusted", h.Adjusted)
	e.intAt("transferred", h.Transferred)
	e.intAt("closed", h.Closed)
	e.intAt("partners", h.Partners)
	e.timeAt("active_at", h.ActiveAt)
	if h.InactiveWarned {
		e.named("inactive_warned")
		e.raw("true")
	}
	e.timeAt("inactive_ends", h.InactiveEnds)
	e.raw("}")
}

func (e *encoder) tier(t *engine.TierState) {
	if t == nil {
		e.raw("null")
		return
	}
	e.raw("{")
	e.textAt("tier", t.Tier)
	if !t.Since.IsZero() {
		e.timeAt("since", &t.Since)
	}
	e.timeAt("falls_at", t.FallsAt)
	e.timeAt("hold_until", t.HoldUntil)
	if t.Warned {
		e.named("warned")
		e.raw("true")
	}
	e.textAt("floor", t.Floor)
	e.timeAt("floor_until", t.FloorUntil)
	e.timeAt("next_at", t.NextAt)
	e.intAt("value", t.Value)
	if len(t.History) > 0 {
		e.named("history")
		e.list(len(t.History), func(i int) {
			e.raw("{")
			e.timeAt("at", &t.History[i].At)
			e.textAt("tier", t.History[i].Tier)
			e.raw("}")
		})
	}
	e.raw("}")
}

// encodePurchase writes the body of a purchase.
func encodePurchase(p *engine.Purchase) ([]byte, error) {
	e := encoder{b: make([]byte, 0, 512)}
	e.raw(`{"purchase":{`)
	e.textAt("currency", p.Currency)
	e.decimalAt("rate", p.Rate)
	e.textAt("store", p.Store)
	e.textAt("channel", p.Channel)
	if n := len(p.Lines); n > 0 {
		e.named("lines")
		e.list(n, func(i int) { e.line(&p.Lines[i]) })
	}
	e.decimalAt("amount", p.Amount)
	e.decimalAt("tax", p.Tax)
	if p.Shipping != nil {
		e.named("shipping")
		e.any(p.Shipping)
	}
	if len(p.Discounts) > 0 {
		e.named("discounts")
		e.any(p.Discounts)
	}
	if n := len(p.Payments); n > 0 {
		e.named("payments")
		e.list(n, func(i int) {
			e.raw(`{"means":`)
			e.text(p.Payments[i].Means)
			e.decimalAt("amount", &p.Payments[i].Amount)
			e.raw("}")
		})
	}
	if len(p.Spend) > 0 {
		e.named("spend")
		e.any(p.Spend)
	}
	e.textsAt("redemptions", p.Redemptions)
	if len(p.Codes) > 0 {
		e.named("codes")
		e.any(p.Codes)
	}
	e.textAt("by", p.By)
	if p.Own {
		e.named("own")
		e.raw("true")
	}
	e.raw("}}")
	return e.b, e.err
}

func (e *encoder) decimalAt(key string, d *money.Decimal) {
	if d != nil {
		e.named(key)
		e.text(d.String())
	}
}

func (e *encoder) line(l *engine.Line) {
	e.raw("{")
	e.textAt("id", l.ID)
	e.textAt("sku", l.SKU)
	e.textAt("name", l.Name)
	e.textAt("category", l.Category)
	e.textAt("brand", l.Brand)
	e.textsAt("tags", l.Tags)
	e.decimalAt("quantity", l.Quantity)
	e.decimalAt("unit_price", l.UnitPrice)
	e.decimalAt("discount", l.Discount)
	e.decimalAt("tax", l.Tax)
	e.decimalAt("amount", l.Amount)
	e.raw("}")
}
