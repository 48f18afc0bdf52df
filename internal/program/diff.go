package program

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/money"
)

// Change is one difference between two documents, as a marketer would say it.
type Change struct {
	// Pointer is the place in the new document; in the old one, for what is removed.
	Pointer  string `json:"pointer"`
	Sentence string `json:"sentence"`
}

// Diff tells what changes from a to b, in nb, sv, da or en; another language gets English. Amounts that differ only in
// how they are written (10 and 10.00) are no change. The order is that of the document.
func Diff(a, b *Document, lang string) []Change {
	p, ok := phrasesIn[lang]
	if !ok {
		p, lang = phrasesIn["en"], "en"
	}
	d := &differ{a: a, b: b, lang: lang, p: p}
	d.fields("", "", reflect.ValueOf(*a), reflect.ValueOf(*b),
		"look", "names", "units", "activities", "identifiers", "earn", "tiers", "rewards", "challenges", "spending", "returns", "transfers", "referral", "gift_cards", "coupons", "claims", "benefits", "plans",
		"partners", "recognition", "shares", "households", "organizations")
	whole(d, "look", "/look", a.Look, b.Look)
	byKey(d, "word", "/names", a.Names, b.Names, func(ptr, id string, x, y Text) {
		if differs(x, y) {
			d.change(ptr, d.say("word", id), "", d.show(reflect.ValueOf(x), d.a, ""), d.show(reflect.ValueOf(y), d.b, ""))
		}
	})
	byKey(d, "unit", "/units", a.Units, b.Units, func(ptr, id string, x, y Unit) {
		d.fields(ptr, d.say("unit", id), reflect.ValueOf(x), reflect.ValueOf(y))
	})
	byKey(d, "activity", "/activities", a.Activities, b.Activities, func(ptr, id string, x, y Activity) {
		d.fields(ptr, d.say("activity", id), reflect.ValueOf(x), reflect.ValueOf(y))
	})
	byKey(d, "identifier", "/identifiers", a.Identifiers, b.Identifiers, func(ptr, id string, x, y Identifier) {
		d.fields(ptr, d.say("identifier", id), reflect.ValueOf(x), reflect.ValueOf(y))
	})
	d.rules()
	byKey(d, "tiers", "/tiers", a.Tiers, b.Tiers, d.tierSet)
	d.rewards()
	d.challenges()
	d.fields("/spending", d.say("spending"), reflect.ValueOf(a.Spending), reflect.ValueOf(b.Spending))
	d.fields("/returns", d.say("returns"), reflect.ValueOf(a.Returns), reflect.ValueOf(b.Returns))
	whole(d, "transfers", "/transfers", a.Transfers, b.Transfers)
	d.referral()
	listed(d, "share", "/shares", a.Shares, b.Shares, func(x *Shared) string { return x.ID })
	whole(d, "recognition", "/recognition", a.Recognition, b.Recognition)
	whole(d, "claims", "/claims", a.Claims, b.Claims)
	d.partners()
	whole(d, "households", "/households", a.Households, b.Households)
	whole(d, "organizations", "/organizations", a.Organizations, b.Organizations)
	whole(d, "gift_cards", "/gift_cards", a.GiftCards, b.GiftCards)
	listed(d, "coupon", "/coupons", a.Coupons, b.Coupons, func(x *Coupon) string { return x.ID })
	listed(d, "benefit", "/benefits", a.Benefits, b.Benefits, func(x *Benefit) string { return x.ID })
	listed(d, "plan", "/plans", a.Plans, b.Plans, func(x *Plan) string { return x.ID })
	return d.out
}

// whole compares a part that a document may have once.
func whole[V any](d *differ, noun, ptr string, a, b *V) {
	switch {
	case a == nil && b != nil:
		d.add(ptr, d.say(noun+".new"))
	case a != nil && b == nil:
		d.add(ptr, d.say(noun+".removed"))
	case a != nil:
		d.fields(ptr, d.say(noun), reflect.ValueOf(*a), reflect.ValueOf(*b))
	}
}

// listed goes through two lists of things with ids: new, removed, and both field by field.
func listed[V any](d *differ, noun, ptr string, a, b []V, id func(*V) string) {
	byID(a, b, id, func(j int) {
		d.add(at(ptr, j), d.say(noun+".new", id(&b[j])))
	}, func(i int) {
		d.add(at(ptr, i), d.say(noun+".removed", id(&a[i])))
	}, func(i, j int) {
		d.fields(at(ptr, j), d.say(noun, id(&b[j])), reflect.ValueOf(a[i]), reflect.ValueOf(b[j]), "id")
	})
}

type differ struct {
	a, b *Document
	lang string
	p    map[string]string
	out  []Change
}

func (d *differ) add(ptr, sentence string) { d.out = append(d.out, Change{ptr, sentence}) }

func (d *differ) say(key string, args ...any) string {
	f, ok := d.p[key]
	if !ok {
		return key
	}
	return fmt.Sprintf(f, args...)
}

// change says what was and what is: `Rule "base": times a day: 3 → 5`.
func (d *differ) change(ptr, subject, label, from, to string) {
	s := from + " → " + to
	if label != "" {
		s = label + " " + s
	}
	if subject != "" {
		s = subject + ": " + s
	} else {
		r := []rune(s)
		s = strings.ToUpper(string(r[:1])) + string(r[1:])
	}
	d.add(ptr, s)
}

// byKey goes through two maps by key: new, removed, and both.
func byKey[V any](d *differ, noun, ptr string, a, b map[string]V, both func(ptr, id string, x, y V)) {
	for _, id := range sortedKeys(b) {
		if _, ok := a[id]; !ok {
			d.add(at(ptr, id), d.say(noun+".new", id))
		}
	}
	for _, id := range sortedKeys(a) {
		if y, ok := b[id]; ok {
			both(at(ptr, id), id, a[id], y)
		} else {
			d.add(at(ptr, id), d.say(noun+".removed", id))
		}
	}
}

// fields compares two values of one struct type, field by field.
func (d *differ) fields(ptr, subject string, a, b reflect.Value, except ...string) {
	t := a.Type()
	for _, name := range fieldsOf(t).names {
		if slices.Contains(except, name) {
			continue
		}
		f := fieldsOf(t).byName[name]
		x, y := a.FieldByIndex(f.Index), b.FieldByIndex(f.Index)
		if same(x, y) {
			continue
		}
		key := t.Name() + "." + name
		if x, y := inner(x), inner(y); x.IsValid() && y.IsValid() && x.Kind() == reflect.Struct && parted[x.Type().Name()] {
			d.fields(at(ptr, name), subject+": "+d.label(name), x, y)
			continue
		}
		from, to := d.shown(x, d.a, key), d.shown(y, d.b, key)
		if from == to {
			continue // what was left out is written now, or the other way
		}
		d.change(at(ptr, name), subject, d.label(name), from, to)
	}
}

// parted are the types of fields that are compared field by field in their turn: a part of something that has several parts, which
// as a whole would be told twice for one word that is another.
var parted = map[string]bool{"Value": true, "Growth": true, "Fading": true, "Qualifies": true, "Thanks": true, "Share": true}

// inner is what a pointer points to, nothing for nil; another value is itself.
func inner(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Pointer {
		return v.Elem()
	}
	return v
}

// usual is what a field means when it is left out, by type and field; the words are those of the document.
var usual = map[string]string{
	"Claims.within": "30 days", "Fading.since": "purchase", "GiftCards.top_up": "true", "GiftCards.pin": "false",
	"Returns.accept": "true", "Returns.earned": "take back", "Returns.spent": "give back", "Returns.if_spent": "debt", "Returns.round": "nearest", "Reward.hold": "15 minutes", "Rule.stack": "add", "Spending.order": "earliest expiry", "Spending.own": "at once", "Spending.short": "refuse",
}

// shown tells a value, and one that is left out as what it then means.
func (d *differ) shown(v reflect.Value, doc *Document, key string) string {
	left, ok := usual[key]
	if !ok || !v.IsZero() {
		return d.show(v, doc, key)
	}
	if left == "true" || left == "false" {
		return d.say(word(left == "true", "yes", "no"))
	}
	if p, err := ParsePeriod(left); err == nil {
		return d.period(p)
	}
	return d.text(key, left, doc)
}

func (d *differ) label(name string) string {
	if l, ok := d.p["field."+name]; ok {
		return l
	}
	return name
}

// maxShown bounds what is shown of one value.
const maxShown = 160

// number writes a decimal with the language's decimal sign.
func (d *differ) number(n money.Decimal) string {
	return strings.Replace(n.String(), ".", d.p["point"], 1)
}

func (d *differ) money(n money.Decimal, doc *Document) string {
	return d.number(n) + " " + doc.Currency
}

// points names an amount of a unit: "1 star".
func (d *differ) points(n money.Decimal, unit string, doc *Document) string {
	one := n.Cmp(money.New(1, 0)) == 0
	name := doc.Units[unit].Name.In(d.lang, one)
	if name == "" {
		name = unit
	}
	return d.number(n) + " " + name
}

// same compares two values; decimals by value, everything else by what would be written.
func same(a, b reflect.Value) bool {
	if a.Type() == decimalType {
		return a.Interface().(money.Decimal).Cmp(b.Interface().(money.Decimal)) == 0
	}
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for _, k := range a.MapKeys() {
			if y := b.MapIndex(k); !y.IsValid() || !same(a.MapIndex(k), y) {
				return false
			}
		}
		return true
	default:
		return a.Equal(b)
	}
}

func differs[V any](a, b V) bool { return !same(reflect.ValueOf(a), reflect.ValueOf(b)) }

// byID goes through two lists with ids: new, removed, both, and whether those in both changed places.
func byID[V any](a, b []V, id func(*V) string, added, removed func(i int), both func(i, j int)) (reordered bool) {
	last := -1
	for j := range b {
		i := slices.IndexFunc(a, func(v V) bool { return id(&v) == id(&b[j]) })
		if i < 0 {
			added(j)
			continue
		}
		reordered = reordered || i < last
		last = i
		both(i, j)
	}
	for i := range a {
		if !slices.ContainsFunc(b, func(v V) bool { return id(&v) == id(&a[i]) }) {
			removed(i)
		}
	}
	return reordered
}

func (d *differ) rules() {
	a, b := d.a.Earn, d.b.Earn
	moved := byID(a, b, func(r *Rule) string { return r.ID }, func(j int) {
		s := d.say("rule.new", b[j].ID)
		if e := d.effect(&b[j], d.b); e != "" {
			s += ": " + e
		}
		d.add(at("/earn", j), s)
	}, func(i int) {
		d.add(at("/earn", i), d.say("rule.removed", a[i].ID))
	}, func(i, j int) { d.rule(at("/earn", j), &a[i], &b[j]) })
	if moved {
		d.add("/earn", d.say("rules.moved"))
	}
}

// effect says what a rule does: "1 star for every 10.00 NOK", "2 times as much".
func (d *differ) effect(r *Rule, doc *Document) string {
	switch {
	case r.Multiply != nil:
		return d.say("times.as.much", d.number(*r.Multiply))
	case r.Give == nil:
		return ""
	case r.Give.Percent != nil && len(r.Give.Steps) == 0:
		base, _, _ := percentBase(r.Give)
		return d.say(word(base == "balance", "percent.balance", "percent.spend"), d.number(*r.Give.Percent), d.unitName(r.Give.Unit, doc))
	case r.Give.Formula != "":
		return d.say("formula", d.unitName(r.Give.Unit, doc), r.Give.Formula)
	case r.Give.Amount == nil:
		return ""
	}
	s := d.points(*r.Give.Amount, r.Give.Unit, doc)
	switch {
	case r.Give.Per != nil:
		s += " " + d.say(word(r.Give.Whole, "every.whole", "every"), d.money(*r.Give.Per, doc))
	case r.Give.Each != "":
		s += " " + d.say("each."+r.Give.Each)
	}
	return s
}

func (d *differ) unitName(unit string, doc *Document) string {
	if n := doc.Units[unit].Name.In(d.lang, false); n != "" {
		return n
	}
	return unit
}

func (d *differ) rule(ptr string, a, b *Rule) {
	subject := d.say("rule", b.ID)
	skip := []string{"id"}
	if from, to := d.effect(a, d.a), d.effect(b, d.b); from != "" && to != "" {
		skip = append(skip, "give", "multiply")
		if differs(a.Give, b.Give) || differs(a.Multiply, b.Multiply) {
			g, h := a.Give, b.Give
			perOnly := g != nil && h != nil && g.Per != nil && h.Per != nil && g.Unit == h.Unit && g.Whole == h.Whole && !differs(g.Amount, h.Amount) && d.a.Currency == d.b.Currency
			if perOnly {
				to = d.say("every", d.money(*h.Per, d.b))
			}
			d.change(at(ptr, word(b.Give != nil, "give", "multiply")), subject, "", from, to)
		}
	}
	if differs(a.Limit, b.Limit) {
		skip = append(skip, "limit")
		d.change(ptr+"/limit", subject, "", d.limits(a.Limit, a.limitUnit(), d.a), d.limits(b.Limit, b.limitUnit(), d.b))
	}
	if a.DryRun != b.DryRun {
		skip = append(skip, "dry_run")
		d.add(ptr+"/dry_run", subject+": "+d.say(word(b.DryRun, "dry.on", "dry.off")))
	}
	d.fields(ptr, subject, reflect.ValueOf(*a), reflect.ValueOf(*b), skip...)
}

func (r *Rule) limitUnit() string {
	if r.Give != nil {
		return r.Give.Unit
	}
	return r.Unit
}

// limits says "at most 3 times a day per member, at most 1000 stars for all members together".
func (d *differ) limits(ls Limits, unit string, doc *Document) string {
	if len(ls) == 0 {
		return d.say("no.limit")
	}
	var out []string
	for _, l := range ls {
		per, who := d.say("per."+l.Per), d.say("per.member")
		if l.Each == "program" {
			who = d.say("all.members")
		}
		if l.Times != nil {
			out = append(out, d.say(word(*l.Times == 1, "most.once", "most.times"), *l.Times)+per+who)
		}
		if l.Amount != nil {
			what := d.number(*l.Amount)
			if unit != "" {
				what = d.points(*l.Amount, unit, doc)
			}
			out = append(out, d.say("most.amount", what)+per+who)
		}
	}
	return strings.Join(out, ", ")
}

func (d *differ) tierSet(ptr, set string, a, b TierSet) {
	byID(a.Steps, b.Steps, func(s *Step) string { return s.ID }, func(j int) {
		s := d.say("tier.new", b.Steps[j].ID, set)
		if !b.By.Tenure {
			s += ", " + d.say("tier.from", d.number(b.Steps[j].From))
		}
		d.add(at(ptr, "steps", j), s)
	}, func(i int) {
		d.add(at(ptr, "steps", i), d.say("tier.removed", a.Steps[i].ID, set))
	}, func(i, j int) {
		p, subject := at(ptr, "steps", j), d.say("tier", b.Steps[j].ID, set)
		x, y := &a.Steps[i], &b.Steps[j]
		if differs(x.From, y.From) {
			d.change(p+"/from", subject, "", d.say("tier.from", d.number(x.From)), d.number(y.From))
		}
		d.fields(p, subject, reflect.ValueOf(*x), reflect.ValueOf(*y), "from", "id")
	})
	d.fields(ptr, d.say("tiers", set), reflect.ValueOf(a), reflect.ValueOf(b), "steps")
}

func (d *differ) rewards() {
	a, b := d.a.Rewards, d.b.Rewards
	byID(a, b, func(r *Reward) string { return r.ID }, func(j int) {
		s := d.say("reward.new", b[j].ID)
		if p := d.price(b[j].Price, d.b); p != "" {
			s += ": " + p
		}
		d.add(at("/rewards", j), s)
	}, func(i int) {
		d.add(at("/rewards", i), d.say("reward.removed", a[i].ID))
	}, func(i, j int) {
		ptr, subject := at("/rewards", j), d.say("reward", b[j].ID)
		skip := []string{"id"}
		x, y := &a[i], &b[j]
		if from, to := d.price(x.Price, d.a), d.price(y.Price, d.b); from != "" && to != "" {
			skip = append(skip, "price")
			if differs(x.Price, y.Price) {
				d.change(ptr+"/price", subject, d.label("price"), from, to)
			}
		}
		if differs(x.Limit, y.Limit) {
			skip = append(skip, "limit")
			d.change(ptr+"/limit", subject, "", d.limits(x.Limit, "", d.a), d.limits(y.Limit, "", d.b))
		}
		d.fields(ptr, subject, reflect.ValueOf(*x), reflect.ValueOf(*y), skip...)
	})
}

func (d *differ) price(p map[string]money.Decimal, doc *Document) string {
	var out []string
	for _, unit := range sortedKeys(p) {
		out = append(out, d.points(p[unit], unit, doc))
	}
	return strings.Join(out, " + ")
}
