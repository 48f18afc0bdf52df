package program

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"lojal.dev/lojal/internal/condition"
	"lojal.dev/lojal/internal/money"
)

// Bounds of a document, generous: they keep a mistake or an attack from becoming a slow server.
const (
	maxRules     = 1000
	maxRewards   = 1000
	maxMapItems  = 200
	maxNames     = 5000
	maxSteps     = 50
	maxWordList  = 1000
	maxWord      = 200
	maxTextChars = 4000
	maxLimits    = 20
	maxYears     = 200
	maxParts     = 200
)

var (
	programForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,39}$`)
	idForm       = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	propertyForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

// celWords cannot be names of properties: a formula could not say them.
var celWords = []string{
	"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace",
	"null", "package", "return", "true", "var", "void", "while",
}

// checker goes through a document and collects what is wrong.
type checker struct {
	d        *Document
	out      []Problem
	zone     *time.Location
	exponent int
	langs    []string
	units    []string
	kinds    []string // activities
	ids      map[string]string
}

// Check tells every mistake of meaning, in the document's order. Lines and columns are 0; Parse fills them in.
func (d *Document) Check() []Problem {
	c := &checker{
		d: d, zone: time.UTC, exponent: money.Exponent(d.Currency), units: sortedKeys(d.Units), kinds: sortedKeys(d.Activities),
		ids: map[string]string{},
	}
	c.head()
	for _, id := range c.units {
		c.unit(at("/units", id), id, d.Units[id])
	}
	for _, kind := range c.kinds {
		c.activity(at("/activities", kind), kind, d.Activities[kind])
	}
	if u := d.Usual; u != nil {
		c.money("/usual/purchase", u.Purchase, "purchase", moreThanZero)
		if u.PerMonth < 1 || u.PerMonth > 1000 {
			c.say("/usual/per_month", "must be 1 to 1000", "write how many purchases a usual member makes in a month")
		}
	}
	if d.Look != nil {
		c.look("/look", d.Look)
	}
	for _, word := range sortedKeys(d.Names) {
		c.optionalText(at("/names", word), d.Names[word])
	}
	for _, kind := range sortedKeys(d.Identifiers) {
		ptr := at("/identifiers", kind)
		c.id(ptr, kind, "identifier")
		if slices.Contains([]string{"card", "phone", "email", "ext", "referral"}, kind) {
			c.say(ptr, fmt.Sprintf("%q is there already", kind), "remove it; card, phone, email and ext are always known")
		}
		c.optionalText(ptr+"/name", d.Identifiers[kind].Name)
	}
	if c.count("/earn", len(d.Earn), maxRules) || c.count("/rewards", len(d.Rewards), maxRewards) {
		return c.out // the rest would take its time
	}
	for i := range d.Earn {
		c.unique(at("/earn", i, "id"), d.Earn[i].ID, "rule")
	}
	for i := range d.Rewards {
		c.unique(at("/rewards", i, "id"), d.Rewards[i].ID, "reward")
	}
	if c.count("/challenges", len(d.Challenges), maxChallenges) {
		return c.out
	}
	for i := range d.Challenges {
		c.unique(at("/challenges", i, "id"), d.Challenges[i].ID, "challenge")
	}
	for i := range d.Earn {
		c.rule(at("/earn", i), &d.Earn[i])
	}
	c.count("/tiers", len(d.Tiers), maxMapItems)
	for _, id := range sortedKeys(d.Tiers) {
		t := d.Tiers[id]
		c.tierSet(at("/tiers", id), id, &t)
	}
	for i := range d.Rewards {
		c.reward(at("/rewards", i), &d.Rewards[i])
	}
	c.challenges()
	c.oneOf("/spending/order", d.Spending.Order, vocabulary["Spending.order"]...)
	c.oneOf("/spending/own", d.Spending.Own, vocabulary["Spending.own"]...)
	c.oneOf("/spending/short", d.Spending.Short, vocabulary["Spending.short"]...)
	c.returns("/returns", &d.Returns)
	if d.Transfers != nil {
		c.transfers("/transfers", d.Transfers)
	}
	c.count("/partners", len(d.Partners), maxMapItems)
	partners := map[string]bool{}
	for i := range d.Partners {
		ptr := at("/partners", i)
		if c.id(ptr+"/id", d.Partners[i].ID, "partner") && partners[d.Partners[i].ID] {
			c.say(ptr+"/id", fmt.Sprintf("the id %q is used already", d.Partners[i].ID), "give one of them another id")
		}
		partners[d.Partners[i].ID] = true
		c.partner(ptr, &d.Partners[i])
	}
	c.coupons()
	if d.Recognition != nil {
		c.recognition("/recognition", d.Recognition)
	}
	if d.Referral != nil {
		c.referral("/referral", d.Referral)
	}
	if d.Claims != nil {
		c.claims("/claims", d.Claims)
	}
	if d.GiftCards != nil {
		c.giftCards("/gift_cards", d.GiftCards)
	}
	c.benefits()
	c.shares()
	c.houses()
	return c.out
}

func (c *checker) say(ptr, msg, hint string) {
	c.out = append(c.out, Problem{Pointer: ptr, Message: msg, Hint: hint})
}

func (c *checker) head() {
	d := c.d
	switch {
	case d.Program == "":
		c.missing("/program", "the id of the program", "kaffebaren")
	case !programForm.MatchString(d.Program):
		c.say("/program", fmt.Sprintf("%q cannot be an id", clip(d.Program)), "use 2 to 40 of a-z, 0-9 and -")
	}
	c.languages()
	if len(d.Name) == 0 {
		c.missing("/name", "the name that members see", "{nb: Kaffestjerner, en: Coffee Stars}")
	} else {
		c.text("/name", d.Name)
	}
	if d.TimeZone == "" {
		c.missing("/time_zone", "the time zone", "Europe/Oslo")
	} else if z, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "Local" {
		c.say("/time_zone", fmt.Sprintf("%q is not a time zone", clip(d.TimeZone)), "write an IANA name, for example Europe/Oslo")
	} else {
		c.zone = z
	}
	if d.Currency == "" {
		c.missing("/currency", "the currency", "NOK")
	} else if !isCurrency(d.Currency) {
		hint := "write three capital letters, for example NOK, SEK, DKK or EUR"
		if up := strings.ToUpper(d.Currency); isCurrency(up) {
			hint = "write " + up
		}
		c.say("/currency", fmt.Sprintf("%q is not an ISO 4217 currency", clip(d.Currency)), hint)
	}
	if d.Country != "" {
		if r, err := language.ParseRegion(d.Country); err != nil || len(d.Country) != 2 || !r.IsCountry() || r.String() != d.Country {
			c.say("/country", fmt.Sprintf("%q is not an ISO 3166 country", clip(d.Country)), "write two capital letters, for example NO")
		}
	}
	if len(d.Units) == 0 {
		c.missing("/units", "at least one unit", "units: {star: {name: {en: {one: star, other: stars}}}}")
	}
	c.count("/units", len(d.Units), maxMapItems)
	c.count("/activities", len(d.Activities), maxMapItems)
	c.count("/identifiers", len(d.Identifiers), maxMapItems)
	c.count("/names", len(d.Names), maxNames)
}

func (c *checker) languages() {
	seen := map[string]bool{}
	for i, l := range c.d.Languages {
		ptr := at("/languages", i)
		if c.language(ptr, l) && seen[l] {
			c.say(ptr, fmt.Sprintf("%q is listed twice", l), "keep one of them")
		}
		seen[l] = true
	}
	c.langs = sortedKeys(seen)
}

func (c *checker) language(ptr, l string) bool {
	if l == "no" {
		c.say(ptr, "\"no\" is not one written language", "write nb for bokmål or nn for nynorsk")
		return false
	}
	if b, err := language.ParseBase(l); err != nil || b.String() != l {
		c.say(ptr, fmt.Sprintf("%q is not an ISO 639 language", clip(l)), "write for example nb, nn, sv, da, fi, en, de or fr")
		return false
	}
	return true
}

func (c *checker) missing(ptr, what, example string) {
	c.say(ptr, what+" is missing", "write for example "+example)
}

func (c *checker) count(ptr string, n, most int) (tooMany bool) {
	if n > most {
		c.say(ptr, fmt.Sprintf("there are %d; the most is %d", n, most), "leave some out")
	}
	return n > most
}

func (c *checker) id(ptr, id, of string) bool {
	if id == "" {
		c.missing(ptr, "the id of the "+of, "coffee")
		return false
	}
	if !idForm.MatchString(id) {
		hint := "use 1 to 40 of a-z, 0-9, - and _"
		if low := strings.ToLower(strings.ReplaceAll(id, " ", "-")); low != id && idForm.MatchString(low) {
			hint = "write " + low
		}
		c.say(ptr, fmt.Sprintf("%q cannot be an id", clip(id)), hint)
		return false
	}
	return true
}

// unique keeps ids of rules and rewards apart: the books name both in one column.
func (c *checker) unique(ptr, id, of string) {
	if !c.id(ptr, id, of) {
		return
	}
	if id == "all" {
		c.say(ptr, "\"all\" has a meaning of its own", "choose another id")
	}
	if first, ok := c.ids[id]; ok {
		c.say(ptr, fmt.Sprintf("the id %q is used already, at %s", id, first), "give one of them another id")
		return
	}
	c.ids[id] = ptr
}

func (c *checker) oneOf(ptr, value string, words ...string) bool {
	if value == "" || slices.Contains(words, value) {
		return true
	}
	c.say(ptr, fmt.Sprintf("%q is not known here", clip(value)), didYouMean(value, words, "words"))
	return false
}

func (c *checker) optionalText(ptr string, t Text) {
	if t != nil {
		c.text(ptr, t)
	}
}

func (c *checker) text(ptr string, t Text) {
	if len(t) == 0 {
		c.say(ptr, "there is no text", "write one, or remove the line")
		return
	}
	for _, l := range sortedKeys(t) {
		c.textIn(langPointer(ptr, l), l, t[l])
	}
	c.translated(ptr, func(l string) bool { _, ok := t[l]; return ok })
}

func langPointer(ptr, l string) string {
	if l == "" {
		return ptr
	}
	return at(ptr, l)
}

func (c *checker) textIn(ptr, lang, s string) {
	if lang != "" {
		c.language(ptr, lang)
	}
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		c.say(ptr, "the text is empty", "write the text")
	case n > maxTextChars:
		c.say(ptr, fmt.Sprintf("the text has %d characters; the most is %d", n, maxTextChars), "write less")
	}
}

// translated wants every language of the document, unless there is a text for all of them.
func (c *checker) translated(ptr string, has func(string) bool) {
	if has("") {
		return
	}
	for _, l := range c.langs {
		if !has(l) {
			c.say(at(ptr, l), fmt.Sprintf("the text in %q is missing", l), "write it, or take the language out of languages")
		}
	}
}

func (c *checker) unit(ptr, id string, u Unit) {
	c.id(ptr, id, "unit")
	if id == "spend" {
		c.say(ptr, "\"spend\" has a meaning of its own in tiers", "choose another id")
	}
	if len(u.Name) == 0 {
		c.missing(ptr+"/name", "the name of the unit", "{nb: {one: stjerne, other: stjerner}}")
	} else {
		for _, l := range sortedKeys(u.Name) {
			p := langPointer(ptr+"/name", l)
			f := u.Name[l]
			if f.One == f.Other {
				c.textIn(p, l, f.One)
				continue
			}
			if l != "" {
				c.language(p, l)
			}
			c.textIn(p+"/one", "", f.One)
			c.textIn(p+"/other", "", f.Other)
		}
		c.translated(ptr+"/name", func(l string) bool { _, ok := u.Name[l]; return ok })
	}
	if u.Precision < 0 || u.Precision > 6 {
		c.say(ptr+"/precision", fmt.Sprintf("%d decimals are too %s", u.Precision, word(u.Precision < 0, "few", "many")), "write 0 to 6")
	}
	if u.Worth != nil {
		c.decimal(ptr+"/worth", *u.Worth, 6, "worth", zeroOrMore)
	}
	if u.Expires != nil {
		c.expiry(ptr+"/expires", u.Expires)
	}
}

func word(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

type sign int

const (
	anySign sign = iota
	zeroOrMore
	moreThanZero
)

// decimal checks the sign and the number of decimals, and that the number fits the books.
func (c *checker) decimal(ptr string, d money.Decimal, scale int, name string, s sign) bool {
	switch {
	case s == moreThanZero && d.Sign() <= 0:
		c.say(ptr, name+" must be more than 0", "write a larger number, or remove it")
		return false
	case s == zeroOrMore && d.Sign() < 0:
		c.say(ptr, name+" must not be less than 0", "write 0 or more")
		return false
	}
	n, err := d.Minor(scale)
	switch {
	case errors.Is(err, money.ErrScale):
		hint := fmt.Sprintf("write at most %d decimals", scale)
		if scale == 0 {
			hint = "write a whole number"
		}
		c.say(ptr, fmt.Sprintf("%s has too many decimals", d), hint)
		return false
	case err != nil || n > maxMinor || n < -maxMinor:
		c.say(ptr, fmt.Sprintf("%s is too large", d), "write a smaller number")
		return false
	}
	return true
}

// maxMinor leaves room to multiply and add without leaving int64.
const maxMinor = 1_000_000_000_000_000

// money checks an amount in the program's currency.
func (c *checker) money(ptr string, d money.Decimal, name string, s sign) {
	if _, err := d.Minor(c.exponent); errors.Is(err, money.ErrScale) {
		c.say(ptr, fmt.Sprintf("%s has too many decimals for %s", d, or(c.d.Currency, "the currency")), fmt.Sprintf("write at most %d decimals", c.exponent))
		return
	}
	c.decimal(ptr, d, c.exponent, name, s)
}

// points checks an amount of a unit that may not exist.
func (c *checker) points(ptr string, d money.Decimal, unit, name string, s sign) {
	u, ok := c.d.Units[unit]
	if !ok {
		c.decimal(ptr, d, 6, name, s)
		return
	}
	scale := min(max(u.Precision, 0), 6)
	if _, err := d.Minor(scale); errors.Is(err, money.ErrScale) {
		hint := fmt.Sprintf("write at most %d decimals, or raise the unit's precision", scale)
		if scale == 0 {
			hint = "write a whole number, or raise the unit's precision"
		}
		c.say(ptr, fmt.Sprintf("%s has too many decimals for the unit %q", d, unit), hint)
		return
	}
	c.decimal(ptr, d, scale, name, s)
}

func (c *checker) knownUnit(ptr, id string) bool {
	if _, ok := c.d.Units[id]; ok {
		return true
	}
	if id == "" {
		c.missing(ptr, "the unit", strings.Join(append(c.units, "star")[:1], ""))
	} else {
		c.say(ptr, fmt.Sprintf("there is no unit %q", clip(id)), didYouMean(id, c.units, "units"))
	}
	return false
}

func (c *checker) spendable(ptr, id string) {
	if c.knownUnit(ptr, id) && c.d.Units[id].StatusOnly {
		c.say(ptr, fmt.Sprintf("%q counts towards tiers only and cannot be spent", id), "use another unit, or remove status_only")
	}
}

func (c *checker) knownActivity(ptr, kind string) {
	if _, ok := c.d.Activities[kind]; !ok {
		hint := "declare it under activities"
		if n := condition.Nearest(kind, c.kinds); n != "" {
			hint = fmt.Sprintf("did you mean %q? Otherwise declare it under activities", n)
		}
		c.say(ptr, fmt.Sprintf("there is no activity %q", clip(kind)), hint)
	}
}

func (c *checker) period(ptr string, p *Period, least int) {
	if p == nil {
		return
	}
	switch {
	case p.N < least:
		c.say(ptr, fmt.Sprintf("%s is no time at all", p), "write a longer time, or remove it")
	case p.days() > maxYears*366:
		c.say(ptr, fmt.Sprintf("%s is more than %d years", p, maxYears), "write a shorter time, or \"never\" where that is meant")
	}
}

// days is the rough length, for comparing.
func (p Period) days() float64 {
	return float64(p.N) * map[string]float64{
		"minute": 1. / 1440, "hour": 1. / 24, "day": 1, "week": 7, "month": 365.25 / 12, "year": 365.25,
	}[p.Unit]
}

func (c *checker) expiry(ptr string, e *Expiry) {
	if e.Never {
		return
	}
	forms := 0
	for _, given := range []bool{e.After != nil, len(e.On) > 0, e.EndOf != ""} {
		if given {
			forms++
		}
	}
	switch {
	case forms == 0 && e.Inactive == nil:
		c.say(ptr, "it is not said when points expire", "write one of after, on, end_of and inactive, or the word never")
	case forms > 1:
		c.say(ptr, "there is more than one of after, on and end_of", "keep one of them")
	}
	c.period(ptr+"/after", e.After, 1)
	for i, s := range e.On {
		if y, _, _, ok := parseDay(s); !ok || y != 0 {
			c.say(at(ptr, "on", i), fmt.Sprintf("%q is not a day of the year", clip(s)), "write MM-DD, for example 12-31")
		}
	}
	c.count(ptr+"/on", len(e.On), 366)
	c.period(ptr+"/at_least", e.AtLeast, 0)
	if e.AtLeast != nil && len(e.On) == 0 && e.EndOf == "" {
		c.say(ptr+"/at_least", "at_least goes with on or end_of", "remove it")
	}
	c.oneOf(ptr+"/end_of", e.EndOf, vocabulary["Expiry.end_of"]...)
	switch {
	case e.Later < 0 || e.Later > 1000:
		c.say(ptr+"/later", "later must be 0 to 1000", "write how many periods later, for example 1")
	case e.Later > 0 && e.EndOf == "":
		c.say(ptr+"/later", "later goes with end_of", "remove it")
	}
	c.period(ptr+"/inactive", e.Inactive, 1)
	c.oneOf(ptr+"/at", e.At, vocabulary["Expiry.at"]...)
	c.period(ptr+"/warn", e.Warn, 1)
}

func (c *checker) activity(ptr, kind string, a Activity) {
	c.id(ptr, kind, "activity")
	c.optionalText(ptr+"/name", a.Name)
	c.count(ptr+"/properties", len(a.Properties), 50)
	for _, name := range sortedKeys(a.Properties) {
		p := at(ptr, "properties", name)
		if !propertyForm.MatchString(name) || slices.Contains(celWords, name) {
			c.say(p, fmt.Sprintf("%q cannot be the name of a property", clip(name)), "use 1 to 40 of a-z, 0-9 and _, beginning with a letter")
		}
		if a.Properties[name] == "" {
			c.missing(p, "the kind of the property", "text, number, whole or yes/no")
		}
		c.oneOf(p, a.Properties[name], vocabulary["Activity.properties"]...)
	}
}

func (c *checker) trigger(ptr, on string) {
	kind, isActivity := strings.CutPrefix(on, "activity:")
	switch {
	case isMoment(on):
		c.momentTrigger(ptr, on)
	case on == "":
		c.missing(ptr, "what the rule listens to", "purchase, enrolment or activity:own_cup")
	case isActivity:
		c.knownActivity(ptr, kind)
	case strings.HasPrefix(on, "plan:"):
		c.plansOf(ptr, Words{strings.TrimPrefix(on, "plan:")})
	case c.knownChallenge(on):
	case on != "purchase" && on != "enrolment":
		known := []string{"purchase", "enrolment", "birthday", "anniversary", "date:12-24", "every:month"}
		for i := range c.d.Plans {
			known = append(known, "plan:"+c.d.Plans[i].ID)
		}
		for _, k := range c.kinds {
			known = append(known, "activity:"+k)
		}
		for i := range c.d.Challenges {
			known = append(known, "challenge:"+c.d.Challenges[i].ID)
		}
		hint := didYouMean(on, known, "triggers")
		if _, ok := c.d.Activities[on]; ok {
			hint = "write activity:" + on
		}
		c.say(ptr, fmt.Sprintf("%q is not known as a trigger", clip(on)), hint)
	}
}

func (c *checker) rule(ptr string, r *Rule) {
	c.optionalText(ptr+"/title", r.Title)
	c.optionalText(ptr+"/text", r.Text)
	c.trigger(ptr+"/on", r.On)
	onPurchase := r.On == "purchase"
	unit := r.Unit
	switch {
	case r.Give == nil && r.Multiply == nil:
		c.missing(ptr+"/give", "what the rule does", "give: {unit: star, amount: 1, per: 10.00}, or multiply: 2")
	case r.Give != nil && r.Multiply != nil:
		c.say(ptr+"/multiply", "a rule either gives or multiplies", "make two rules of it")
	case r.Multiply != nil:
		c.multiplier(ptr, r)
	}
	if r.Give != nil {
		unit = r.Give.Unit
		c.give(ptr+"/give", r.Give, r.On)
		c.momentRule(ptr, r)
	}
	if r.Multiply == nil {
		c.without(ptr+"/of", len(r.Of) > 0, "of goes with multiply")
		c.without(ptr+"/unit", r.Unit != "", "unit stands beside multiply; what is given has its own unit, inside give")
	}
	if r.Lines != nil {
		if !onPurchase && r.On != "" && !r.onSpend() {
			c.say(ptr+"/lines", "only a purchase has lines", "remove lines, or write on: purchase")
		}
		c.lines(ptr+"/lines", r.Lines)
	}
	if r.Basis != nil {
		if !onPurchase && r.On != "" && !r.onSpend() {
			c.say(ptr+"/basis", "only a purchase has a basis", "remove basis, or write on: purchase")
		}
		c.basis(ptr+"/basis", r.Basis, r.Lines != nil)
	}
	if r.Round != nil {
		c.oneOf(ptr+"/round/to", r.Round.To, vocabulary["Rounding.to"]...)
		c.oneOf(ptr+"/round/once", r.Round.Once, vocabulary["Rounding.once"]...)
	}
	c.oneOf(ptr+"/stack", r.Stack, vocabulary["Rule.stack"]...)
	switch {
	case r.Stack == "best" && r.Group == "":
		c.missing(ptr+"/group", "the group of which the best counts", "group: weekend")
	case r.Stack != "best" && r.Group != "":
		c.say(ptr+"/group", "group goes with stack: best", "remove group, or write stack: best")
	case r.Group != "":
		c.id(ptr+"/group", r.Group, "group")
	}
	if r.ClaimsLines {
		switch {
		case r.Multiply != nil:
			c.say(ptr+"/claims_lines", "a multiplier claims no lines", "remove claims_lines")
		case r.Lines == nil:
			c.say(ptr+"/claims_lines", "there are no lines to claim", "say which lines, or remove claims_lines")
		}
	}
	if r.Priority < -1_000_000 || r.Priority > 1_000_000 {
		c.say(ptr+"/priority", "the priority is too large", "write -1000000 to 1000000")
	}
	c.window(ptr, r.From, r.Until)
	c.limits(ptr+"/limit", r.Limit, ruleLimit, unit)
	if r.Pending != nil {
		c.without(ptr+"/pending", r.Multiply != nil, "a multiplier earns nothing by itself; pending belongs to the rule it multiplies")
		c.pending(ptr+"/pending", r.Pending)
	}
	if r.Expires != nil {
		c.without(ptr+"/expires", r.Multiply != nil, "a multiplier earns nothing by itself; expires belongs to the rule it multiplies")
		c.expiry(ptr+"/expires", r.Expires)
	}
	if r.When != nil {
		c.condition(ptr+"/when", r.When, r.On)
	}
}

func (c *checker) without(ptr string, given bool, msg string) {
	if given {
		c.say(ptr, msg, "remove it")
	}
}

func (c *checker) multiplier(ptr string, r *Rule) {
	if c.decimal(ptr+"/multiply", *r.Multiply, 6, "multiply", zeroOrMore) && r.Multiply.Cmp(money.New(1000, 0)) > 0 {
		c.say(ptr+"/multiply", fmt.Sprintf("%s times as much is too large", r.Multiply), "write 0 to 1000")
	}
	if r.Unit != "" {
		c.knownUnit(ptr+"/unit", r.Unit)
	}
	if r.On != "purchase" && len(r.Of) == 0 && r.On != "" {
		c.say(ptr+"/of", "fixed amounts are multiplied only when they are named", "write of: all, or the ids of the rules")
	}
	var rules []string
	for i := range c.d.Earn {
		if o := &c.d.Earn[i]; o.Multiply == nil && o.On == r.On && o.ID != "" && !o.onSpend() {
			rules = append(rules, o.ID)
		}
	}
	for i, id := range r.Of {
		p := one(ptr+"/of", i, len(r.Of))
		switch {
		case id == "all" && len(r.Of) > 1:
			c.say(p, "all means every rule", "write of: all, or just the ids")
		case id == "all" || slices.Contains(rules, id):
		case c.isRule(id):
			c.say(p, fmt.Sprintf("%q cannot be multiplied by this rule", id), fmt.Sprintf("name rules that give something on %s", r.On))
		default:
			c.say(p, fmt.Sprintf("there is no rule %q", clip(id)), didYouMean(id, rules, "rules on the same trigger"))
		}
	}
	c.words(ptr+"/of", r.Of)
}

func (c *checker) isRule(id string) bool {
	return slices.ContainsFunc(c.d.Earn, func(r Rule) bool { return r.ID == id })
}

// one points at an item of a list, or at the list where a single item needs none.
func one(ptr string, i, n int) string {
	if n == 1 {
		return ptr
	}
	return at(ptr, i)
}

func (c *checker) give(ptr string, g *Give, on string) {
	c.knownUnit(ptr+"/unit", g.Unit)
	switch {
	case g.isPercent():
		c.without(ptr+"/amount", g.Amount != nil, "what is given is a percent")
		c.without(ptr+"/formula", g.Formula != "", "what is given is a percent")
	case g.Amount == nil && g.Formula == "":
		c.missing(ptr+"/amount", "how much is given", "amount: 1, with per: 10.00 for every 10.00")
	case g.Amount != nil && g.Formula != "":
		c.say(ptr+"/formula", "there are both an amount and a formula", "keep one of them")
	}
	if g.Amount != nil {
		c.points(ptr+"/amount", *g.Amount, g.Unit, "amount", zeroOrMore)
	}
	if g.Per != nil {
		c.money(ptr+"/per", *g.Per, "per", moreThanZero)
		c.without(ptr+"/per", on != "purchase" && on != "", "per counts the money of a purchase")
		c.without(ptr+"/per", g.Formula != "", "per goes with amount")
	}
	if g.Each != "" {
		c.oneOf(ptr+"/each", g.Each, vocabulary["Give.each"]...)
		c.without(ptr+"/each", on != "purchase" && on != "", "each counts the items or lines of a purchase")
		c.without(ptr+"/each", g.Formula != "", "each goes with amount")
		if g.Per != nil {
			c.say(ptr+"/each", "there are both per and each", "keep one of them")
		}
	}
	c.without(ptr+"/whole", g.Whole && g.Per == nil, "whole counts the steps of per")
	c.without(ptr+"/of", g.Of != "" && !g.isPercent(), "of goes with percent")
	c.without(ptr+"/stepped", g.Stepped != "" && !g.isPercent(), "stepped goes with steps")
	c.without(ptr+"/kept", g.Kept != nil && !g.isPercent(), "kept goes with percent")
	c.formula(ptr+"/formula", g.Formula, on, condition.Int)
}

func (c *checker) formula(ptr, text, on string, want condition.Result) {
	if kind, ok := strings.CutPrefix(on, "activity:"); text == "" || (ok && c.d.Activities[kind].Properties == nil && !slices.Contains(c.kinds, kind)) {
		return // nothing to say, or a trigger that is told already
	}
	if _, moment := ParseMoment(on); !slices.Contains([]string{"purchase", "enrolment", "reward", "benefit", RecognitionTrigger}, on) && !strings.HasPrefix(on, "activity:") && !strings.HasPrefix(on, "plan:") && !moment {
		return
	}
	for _, t := range c.d.Activities[strings.TrimPrefix(on, "activity:")].Properties {
		if !slices.Contains([]string{"text", "number", "whole", "yes/no"}, t) {
			return
		}
	}
	if _, err := condition.Compile(c.d.scope(on), want, text); err != nil {
		c.say(ptr, err.Error(), "")
	}
}

func (c *checker) lines(ptr string, l *Lines) {
	fields := []struct {
		name  string
		words Words
	}{{"sku", l.SKU}, {"category", l.Category}, {"brand", l.Brand}, {"tag", l.Tag}, {"store", l.Store}, {"channel", l.Channel}}
	given := l.Not != nil
	for _, f := range fields {
		c.words(at(ptr, f.name), f.words)
		given = given || len(f.words) > 0
	}
	if !given {
		c.say(ptr, "it is not said which lines", "write for example {category: coffee}, or remove it")
	}
	for i, w := range l.Category {
		if strings.HasPrefix(w, "/") || strings.HasSuffix(w, "/") || strings.HasSuffix(w, "/*") {
			c.say(one(ptr+"/category", i, len(l.Category)), fmt.Sprintf("%q begins or ends with a /", clip(w)), "write food; what lies below it counts too")
		}
	}
	if l.Not != nil {
		c.lines(ptr+"/not", l.Not)
	}
}

func (c *checker) words(ptr string, ws Words) {
	if ws != nil && len(ws) == 0 {
		c.say(ptr, "the list is empty", "write a word, or remove the line")
	}
	if c.count(ptr, len(ws), maxWordList) {
		return
	}
	for i, w := range ws {
		switch p := one(ptr, i, len(ws)); {
		case strings.TrimSpace(w) == "":
			c.say(p, "the word is empty", "write a word, or remove it")
		case utf8.RuneCountInString(w) > maxWord:
			c.say(p, fmt.Sprintf("the word has more than %d characters", maxWord), "write less")
		case slices.Index(ws, w) < i:
			c.say(p, fmt.Sprintf("%q is listed twice", clip(w)), "keep one of them")
		}
	}
}

func (c *checker) basis(ptr string, b *Basis, lines bool) {
	c.oneOf(ptr+"/discounts", b.Discounts, vocabulary["Basis.discounts"]...)
	c.oneOf(ptr+"/purchase_discounts", b.PurchaseDiscounts, vocabulary["Basis.purchase_discounts"]...)
	c.oneOf(ptr+"/tax", b.Tax, vocabulary["Basis.tax"]...)
	c.oneOf(ptr+"/shipping", b.Shipping, vocabulary["Basis.shipping"]...)
	c.oneOf(ptr+"/paid_with_points", b.PaidWithPoints, vocabulary["Basis.paid_with_points"]...)
	c.words(ptr+"/without_payments", b.WithoutPayments)
	if b.Max != nil {
		c.money(ptr+"/max", *b.Max, "max", zeroOrMore)
	}
	if lines && b.Shipping == "included" {
		c.say(ptr+"/shipping", "shipping is no line", "remove shipping, or remove lines")
	}
}

func (c *checker) window(ptr, from, until string) {
	a, okA := c.instant(ptr+"/from", from, false)
	b, okB := c.instant(ptr+"/until", until, true)
	if okA && okB && b.Before(a) {
		c.say(ptr+"/until", fmt.Sprintf("%s is before %s", until, from), "let until be the same day or a later one")
	}
}

func (c *checker) instant(ptr, s string, end bool) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	t, err := parseInstant(s, c.zone, end)
	if err == nil && (t.Year() < 1900 || t.Year() > 9990) {
		err = fmt.Errorf("%q is too far away", clip(s))
	}
	if err != nil {
		c.say(ptr, fmt.Sprintf("%q is neither a date nor a time with offset", clip(s)), "write for example 2027-03-28 or 2027-03-28T12:00:00+02:00")
		return t, false
	}
	return t, true
}

type limitKind int

const (
	ruleLimit limitKind = iota
	rewardLimit
	transferLimit
)

func (c *checker) limits(ptr string, ls Limits, of limitKind, unit string) {
	if ls != nil && len(ls) == 0 {
		c.say(ptr, "the list is empty", "write a limit, or remove the line")
	}
	c.count(ptr, len(ls), maxLimits)
	pers := vocabulary["Limit.per"]
	if of != ruleLimit {
		pers = pers[1:]
	}
	for i := range ls {
		l, p := &ls[i], one(ptr, i, len(ls))
		if l.Per == "" {
			c.missing(p+"/per", "the time the limit counts in", "per: day")
		} else {
			c.oneOf(p+"/per", l.Per, pers...)
		}
		c.oneOf(p+"/each", l.Each, vocabulary["Limit.each"]...)
		c.oneOf(p+"/over", l.Over, vocabulary["Limit.over"]...)
		if c.oneOf(p+"/zone", l.Zone, vocabulary["Limit.zone"]...) && l.Zone == "member" && l.Each == "program" {
			c.say(p+"/zone", "a budget for all members has no member's zone", "remove zone")
		}
		if l.Times == nil && l.Amount == nil {
			c.say(p, "the limit says neither times nor amount", word(of == rewardLimit, "write times: 1", "write for example times: 3 or amount: 100"))
		}
		if l.Times != nil && (*l.Times < 0 || *l.Times > maxMinor) {
			c.say(p+"/times", fmt.Sprintf("%d is no number of times", *l.Times), "write 0 or more")
		}
		if l.Amount == nil {
			continue
		}
		switch {
		case of == rewardLimit:
			c.say(p+"/amount", "a reward is limited by times", "remove amount")
		case unit == "" && len(c.d.Units) > 1 && of == ruleLimit:
			c.say(p+"/amount", "it is not said which unit is limited", "write unit beside multiply")
		case unit == "" && len(c.units) == 1:
			c.points(p+"/amount", *l.Amount, c.units[0], "amount", zeroOrMore)
		default:
			c.points(p+"/amount", *l.Amount, unit, "amount", zeroOrMore)
		}
	}
}

func (c *checker) pending(ptr string, p *Pending) {
	if (p.For == nil) == (p.Until == "") {
		c.say(ptr, word(p.For == nil, "it is not said how long or until what", "there are both for and until"), "write one of for: 14 days and until: activity:flown")
	}
	c.period(ptr+"/for", p.For, 1)
	if p.Until == "" {
		return
	}
	kind, ok := strings.CutPrefix(p.Until, "activity:")
	if !ok {
		c.say(ptr+"/until", fmt.Sprintf("%q is not an activity", clip(p.Until)), "write activity: and its kind")
		return
	}
	c.knownActivity(ptr+"/until", kind)
}

// parts lists what of a condition is given, by field name.
func (w *Condition) parts() []string {
	var out []string
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"all", w.All != nil}, {"any", w.Any != nil}, {"not", w.Not != nil}, {"weekdays", w.Weekdays != nil}, {"hours", w.Hours != nil},
		{"dates", w.Dates != nil}, {"zone", w.Zone != ""}, {"tier", w.Tier != nil}, {"only_tier", w.OnlyTier != nil},
		{"store", w.Store != nil}, {"channel", w.Channel != nil}, {"payment", w.Payment != nil}, {"amount", w.Amount != nil},
		{"total", w.Total != nil}, {"items", w.Items != nil}, {"first_purchase", w.FirstPurchase != nil},
		{"plan", w.Plan != nil}, {"member_for", w.MemberFor != nil}, {"attribute", w.Attribute != nil}, {"property", w.Property != nil}, {"formula", w.Formula != ""},
	} {
		if f.given {
			out = append(out, f.name)
		}
	}
	return out
}

var purchaseOnly = []string{"payment", "amount", "total", "items", "first_purchase"}

func (c *checker) condition(ptr string, w *Condition, on string) {
	parts := w.parts()
	if len(parts) == 0 {
		c.say(ptr, "the condition says nothing", "write what must hold, or remove it")
	}
	isActivity := strings.HasPrefix(on, "activity:")
	for _, f := range parts {
		switch p := at(ptr, f); {
		case on == "":
		case on != "purchase" && slices.Contains(purchaseOnly, f):
			c.say(p, f+" looks at a purchase", "remove it, or write on: purchase")
		case !isActivity && f == "property":
			c.say(p, "property looks at an activity", "remove it, or write on: activity:KIND")
		case on == "reward" && (f == "store" || f == "channel"):
			c.say(p, f+" is not known when a reward is taken", "remove it")
		case on == "benefit" && (f == "store" || f == "channel"):
			c.say(p, f+" is not known when somebody asks for a benefit", "remove it")
		case isMoment(on) && (f == "store" || f == "channel"):
			c.say(p, f+" is not known at a moment", "remove it")
		}
	}
	c.count(ptr+"/all", len(w.All), maxParts)
	c.count(ptr+"/any", len(w.Any), maxParts)
	if w.All != nil && len(w.All) == 0 {
		c.say(ptr+"/all", "the list is empty", "write conditions, or remove it")
	}
	if w.Any != nil && len(w.Any) == 0 {
		c.say(ptr+"/any", "the list is empty, so it never holds", "write conditions, or remove it")
	}
	for i := range w.All {
		c.condition(at(ptr, "all", i), &w.All[i], on)
	}
	for i := range w.Any {
		c.condition(at(ptr, "any", i), &w.Any[i], on)
	}
	if w.Not != nil {
		c.condition(ptr+"/not", w.Not, on)
	}
	c.moments(ptr, w)
	c.tiersOf(ptr, w)
	c.plansOf(ptr+"/plan", w.Plan)
	for _, f := range []struct {
		name  string
		words Words
	}{{"store", w.Store}, {"channel", w.Channel}, {"payment", w.Payment}} {
		c.words(at(ptr, f.name), f.words)
	}
	c.span(ptr+"/amount", w.Amount, func(p string, d money.Decimal) { c.money(p, d, "the amount", anySign) })
	c.span(ptr+"/total", w.Total, func(p string, d money.Decimal) { c.money(p, d, "the amount", anySign) })
	c.span(ptr+"/items", w.Items, func(p string, d money.Decimal) { c.decimal(p, d, 3, "the number of items", zeroOrMore) })
	c.period(ptr+"/member_for", w.MemberFor, 0)
	if w.Attribute != nil && len(w.Attribute) == 0 {
		c.say(ptr+"/attribute", "no attribute is named", "write for example {city: [Oslo, Bergen]}, or remove it")
	}
	for _, name := range sortedKeys(w.Attribute) {
		c.anyWord(at(ptr, "attribute", name), w.Attribute[name])
	}
	if kind := strings.TrimPrefix(on, "activity:"); isActivity {
		known := sortedKeys(c.d.Activities[kind].Properties)
		for _, name := range sortedKeys(w.Property) {
			p := at(ptr, "property", name)
			if _, declared := c.d.Activities[kind]; declared && !slices.Contains(known, name) {
				c.say(p, fmt.Sprintf("the activity %q has no property %q", kind, clip(name)), didYouMean(name, known, "properties"))
			}
			c.anyWord(p, w.Property[name])
		}
	}
	c.formula(ptr+"/formula", w.Formula, on, condition.Bool)
}

func (c *checker) anyWord(ptr string, ws Words) {
	if len(ws) == 0 {
		c.say(ptr, "no word is named", "write a word or a list of words")
	}
	c.words(ptr, ws)
}

func (c *checker) moments(ptr string, w *Condition) {
	c.words(ptr+"/weekdays", w.Weekdays)
	for i, d := range w.Weekdays {
		if _, ok := weekdays[d]; !ok && d != "" {
			c.say(one(ptr+"/weekdays", i, len(w.Weekdays)), fmt.Sprintf("%q is not a weekday", clip(d)), didYouMean(d, weekdayNames, "weekdays"))
		}
	}
	c.words(ptr+"/hours", w.Hours)
	for i, h := range w.Hours {
		if _, err := parseHours(h); err != nil && h != "" {
			c.say(one(ptr+"/hours", i, len(w.Hours)), err.Error(), "write for example 07:00-10:00; 22:00-02:00 goes over midnight")
		}
	}
	c.words(ptr+"/dates", w.Dates)
	for i, d := range w.Dates {
		if _, err := parseDates(d); err != nil && d != "" {
			c.say(one(ptr+"/dates", i, len(w.Dates)), err.Error(), "write 12-24, 2027-03-28, or a span such as 12-24..01-06")
		}
	}
	if c.oneOf(ptr+"/zone", w.Zone, vocabulary["Condition.zone"]...) && w.Zone != "" && w.Weekdays == nil && w.Hours == nil && w.Dates == nil {
		c.say(ptr+"/zone", "zone goes with weekdays, hours or dates", "remove it, or write it beside them")
	}
}

func (c *checker) tiersOf(ptr string, w *Condition) {
	for _, f := range []struct {
		name string
		want map[string]Words
		some bool
	}{{"tier", singles(w.Tier), w.Tier != nil}, {"only_tier", w.OnlyTier, w.OnlyTier != nil}} {
		if f.some && len(f.want) == 0 {
			c.say(at(ptr, f.name), "no tier is named", "write for example {club: gold}, or remove it")
		}
		for _, set := range sortedKeys(f.want) {
			p := at(ptr, f.name, set)
			t, ok := c.d.Tiers[set]
			if !ok {
				c.say(p, fmt.Sprintf("there is no tier set %q", clip(set)), didYouMean(set, sortedKeys(c.d.Tiers), "tier sets"))
				continue
			}
			var steps []string
			for _, s := range t.Steps {
				steps = append(steps, s.ID)
			}
			if len(f.want[set]) == 0 {
				c.say(p, "no tier is named", didYouMean("", steps, "tiers"))
			}
			for i, id := range f.want[set] {
				if !slices.Contains(steps, id) {
					c.say(one(p, i, len(f.want[set])), fmt.Sprintf("there is no tier %q in %s", clip(id), set), didYouMean(id, steps, "tiers"))
				}
			}
		}
	}
}

func (c *checker) plansOf(ptr string, want Words) {
	c.words(ptr, want)
	var known []string
	for i := range c.d.Plans {
		known = append(known, c.d.Plans[i].ID)
	}
	for i, id := range want {
		if id != "" && !slices.Contains(known, id) {
			c.say(one(ptr, i, len(want)), fmt.Sprintf("there is no plan %q", clip(id)), didYouMean(id, known, "plans"))
		}
	}
}

func singles(m map[string]string) map[string]Words {
	out := map[string]Words{}
	for k, v := range m {
		out[k] = Words{v}
	}
	return out
}

func (c *checker) span(ptr string, r *Range, each func(ptr string, d money.Decimal)) {
	if r == nil {
		return
	}
	if r.From == nil && r.To == nil {
		c.say(ptr, "the range has no end", "write from, to or both")
		return
	}
	if r.From != nil {
		each(ptr+"/from", *r.From)
	}
	if r.To != nil {
		each(ptr+"/to", *r.To)
	}
	if r.From != nil && r.To != nil && r.From.Cmp(*r.To) > 0 {
		c.say(ptr+"/to", fmt.Sprintf("%s is less than %s", r.To, r.From), "let to be the larger one")
	}
}

func (c *checker) tierSet(ptr, id string, t *TierSet) {
	c.id(ptr, id, "tier set")
	c.optionalText(ptr+"/name", t.Name)
	c.metric(ptr+"/by", &t.By)
	if len(t.Steps) == 0 {
		c.missing(ptr+"/steps", "the steps", "steps: [{id: member, from: 0}, {id: gold, from: 3000.00}]")
	}
	c.count(ptr+"/steps", len(t.Steps), maxSteps)
	seen := map[string]bool{}
	for i := range t.Steps {
		s, p := &t.Steps[i], at(ptr, "steps", i)
		if c.id(p+"/id", s.ID, "tier") && seen[s.ID] {
			c.say(p+"/id", fmt.Sprintf("the tier %q is there already", s.ID), "give one of them another id")
		}
		seen[s.ID] = true
		c.optionalText(p+"/name", s.Name)
		c.words(p+"/benefits", s.Benefits)
		for j, b := range s.Benefits {
			if b != "" {
				c.id(one(p+"/benefits", j, len(s.Benefits)), b, "benefit")
			}
		}
		c.threshold(p, t, i)
	}
	c.oneOf(ptr+"/down/to", t.Down.To, vocabulary["Down.to"]...)
	c.period(ptr+"/down/grace", t.Down.Grace, 0)
	c.period(ptr+"/down/warn", t.Down.Warn, 1)
	if t.Down.To == "never" {
		c.without(ptr+"/down/grace", t.Down.Grace != nil, "nobody falls, so there is no grace")
		c.without(ptr+"/down/warn", t.Down.Warn != nil, "nobody falls, so there is nothing to warn of")
	}
	c.oneOf(ptr+"/keep", t.Keep, vocabulary["TierSet.keep"]...)
	if w, err := parseWindow(t.By.Window); t.Keep != "" && err == nil && w.kind != "calendar" && w.kind != "anniversary" {
		c.say(ptr+"/keep", "keep goes with calendar and anniversary windows", "remove it")
	}
	c.oneOf(ptr+"/current_purchase", t.CurrentPurchase, vocabulary["TierSet.current_purchase"]...)
}

func (c *checker) metric(ptr string, m *Metric) {
	n := 0
	for _, given := range []bool{m.Sum != "", m.Count != "", m.Tenure} {
		if given {
			n++
		}
	}
	switch {
	case n == 0:
		c.missing(ptr, "what the tiers count", "by: {sum: spend, window: rolling 12 months}")
	case n > 1:
		c.say(ptr, "there is more than one of sum, count and tenure", "keep one of them")
	}
	if m.Sum != "" && m.Sum != "spend" {
		if _, ok := c.d.Units[m.Sum]; !ok {
			c.say(ptr+"/sum", fmt.Sprintf("%q is neither spend nor a unit", clip(m.Sum)), didYouMean(m.Sum, append([]string{"spend"}, c.units...), "things to sum"))
		}
	}
	if kind, ok := strings.CutPrefix(m.Count, "activity:"); ok {
		c.knownActivity(ptr+"/count", kind)
	} else if m.Count != "" && m.Count != "purchases" && m.Count != "visits" {
		known := []string{"purchases", "visits"}
		for _, k := range c.kinds {
			known = append(known, "activity:"+k)
		}
		c.say(ptr+"/count", fmt.Sprintf("%q cannot be counted", clip(m.Count)), didYouMean(m.Count, known, "things to count"))
	}
	if _, err := parseWindow(m.Window); err != nil {
		c.say(ptr+"/window", err.Error(), "write lifetime, rolling 12 months, calendar year (quarter, month) or anniversary year")
	} else if m.Tenure && m.Window != "" && m.Window != "lifetime" {
		c.say(ptr+"/window", "the time since joining has no window", "remove it")
	}
	if m.Lines != nil {
		c.without(ptr+"/lines", m.Sum != "spend", "lines narrow spend")
		c.lines(ptr+"/lines", m.Lines)
	}
	if m.Basis != nil {
		c.without(ptr+"/basis", m.Sum != "spend", "basis goes with spend")
		c.basis(ptr+"/basis", m.Basis, m.Lines != nil)
	}
}

func (c *checker) threshold(ptr string, t *TierSet, i int) {
	s := &t.Steps[i]
	if t.By.Tenure {
		c.without(ptr+"/from", !s.From.IsZero(), "with tenure, a step says after")
		c.period(ptr+"/after", s.After, 0)
		if i == 0 {
			return
		}
		if s.After == nil {
			c.missing(ptr+"/after", "the time since joining", "after: 1 year")
		} else if last := t.Steps[i-1].After; last != nil && s.After.days() <= last.days() {
			c.say(ptr+"/after", fmt.Sprintf("%s is not more than %s of the step before", s.After, last), "order the steps from the lowest to the highest")
		}
		return
	}
	c.without(ptr+"/after", s.After != nil, "after goes with tenure")
	switch {
	case t.By.Sum == "spend":
		c.money(ptr+"/from", s.From, "from", zeroOrMore)
	case t.By.Sum != "":
		c.points(ptr+"/from", s.From, t.By.Sum, "from", zeroOrMore)
	default:
		c.decimal(ptr+"/from", s.From, 0, "from", zeroOrMore)
	}
	if i > 0 && s.From.Cmp(t.Steps[i-1].From) <= 0 {
		c.say(ptr+"/from", fmt.Sprintf("%s is not more than %s of the step before", s.From, t.Steps[i-1].From), "order the steps from the lowest to the highest")
	}
}

func (c *checker) reward(ptr string, r *Reward) {
	c.optionalText(ptr+"/title", r.Title)
	c.optionalText(ptr+"/description", r.Description)
	if len(r.Picture) > 2000 {
		c.say(ptr+"/picture", "the address of the picture is too long", "write at most 2000 characters")
	}
	switch {
	case r.Granted && (r.Price != nil || r.Pay != nil):
		c.say(ptr+"/granted", "a reward that is only granted has no price", "remove granted, or price and pay")
	case r.Price == nil && r.Pay == nil && !r.Granted:
		c.missing(ptr+"/price", "what the reward costs", "price: {star: 50}, or granted: true for one that is only won or given")
	case r.Price != nil && r.Pay != nil:
		c.say(ptr+"/pay", "there are both price and pay", "keep one of them")
	case r.Price != nil && len(r.Price) == 0:
		c.say(ptr+"/price", "the price is empty", "write for example {star: 50}")
	}
	for _, unit := range sortedKeys(r.Price) {
		p := at(ptr, "price", unit)
		c.spendable(p, unit)
		c.points(p, r.Price[unit], unit, "the price", moreThanZero)
	}
	if r.Quantity < 0 || r.Quantity > 1_000_000 {
		c.say(ptr+"/quantity", fmt.Sprintf("%d is no number of pieces", r.Quantity), "write 1 or more")
	}
	if r.Pay != nil {
		c.pay(ptr+"/pay", r.Pay)
		c.without(ptr+"/quantity", r.Quantity != 0, "quantity goes with price")
		c.without(ptr+"/gives", r.Gives.Kind != "" || len(r.Gives.given()) > 0, "a reward with pay gives money off by itself")
	}
	c.rewardPrices(ptr, r)
	if r.Pay == nil {
		c.gives(ptr+"/gives", r)
	}
	if r.Stock != nil && (*r.Stock < 0 || *r.Stock > maxMinor) {
		c.say(ptr+"/stock", fmt.Sprintf("%d is no stock", *r.Stock), "write 0 or more, or remove it")
	}
	c.limits(ptr+"/limit", r.Limit, rewardLimit, "")
	c.window(ptr, r.From, r.Until)
	if r.When != nil {
		c.condition(ptr+"/when", r.When, "reward")
	}
	if r.Shown != nil {
		c.condition(ptr+"/shown", r.Shown, "reward")
	}
	c.period(ptr+"/hold", r.Hold, 1)
}

func (c *checker) voucher(ptr string, v *Voucher) {
	if (v.Money == nil) == (v.Percent == nil) {
		c.say(ptr, word(v.Money == nil, "it is not said what the voucher is worth", "there are both money and percent"), "write one of money: 50.00 and percent: 10")
	}
	if v.Money != nil {
		c.money(ptr+"/money", *v.Money, "money", moreThanZero)
	}
	if v.Percent != nil {
		c.percent(ptr+"/percent", *v.Percent)
	}
	c.period(ptr+"/valid", v.Valid, 1)
	if v.Uses < 0 || v.Uses > 1_000_000 {
		c.say(ptr+"/uses", "a voucher is used 1 to 1,000,000 times", "write uses: 1, or leave it out")
	}
	c.oneOf(ptr+"/stacks", v.Stacks, vocabulary["Voucher.stacks"]...)
	if v.Least != nil {
		c.money(ptr+"/least", *v.Least, "least", moreThanZero)
	}
}

func (c *checker) percent(ptr string, d money.Decimal) {
	if d.Sign() < 0 || d.Cmp(money.New(100, 0)) > 0 {
		c.say(ptr, fmt.Sprintf("%s percent is not between 0 and 100", d), "write 0 to 100")
		return
	}
	c.decimal(ptr, d, 2, "percent", zeroOrMore)
}

func (c *checker) pay(ptr string, p *Pay) {
	c.spendable(ptr+"/unit", p.Unit)
	c.points(ptr+"/points", p.Points, p.Unit, "points", moreThanZero)
	c.money(ptr+"/worth", p.Worth, "worth", moreThanZero)
	if p.Min != nil {
		c.points(ptr+"/min", *p.Min, p.Unit, "min", zeroOrMore)
	}
	if p.Max != nil {
		c.points(ptr+"/max", *p.Max, p.Unit, "max", moreThanZero)
	}
	c.ordered(ptr, p.Min, p.Max)
	if p.Share != nil {
		c.percent(ptr+"/share", *p.Share)
	}
	if p.Lines != nil {
		c.lines(ptr+"/lines", p.Lines)
	}
}

func (c *checker) ordered(ptr string, low, high *money.Decimal) {
	if low != nil && high != nil && low.Cmp(*high) > 0 {
		c.say(ptr+"/max", fmt.Sprintf("max %s is less than min %s", high, low), "let max be the larger one")
	}
}

func (c *checker) returns(ptr string, r *Returns) {
	c.period(ptr+"/within", r.Within, 0)
	c.oneOf(ptr+"/earned", r.Earned, vocabulary["Returns.earned"]...)
	c.oneOf(ptr+"/spent", r.Spent, vocabulary["Returns.spent"]...)
	c.oneOf(ptr+"/if_spent", r.IfSpent, vocabulary["Returns.if_spent"]...)
	c.oneOf(ptr+"/round", r.Round, vocabulary["Returns.round"]...)
}

func (c *checker) transfers(ptr string, t *Transfers) {
	if len(t.Units) == 0 {
		c.missing(ptr+"/units", "the units that may be given", "units: star")
	}
	c.words(ptr+"/units", t.Units)
	unit, mixed := "", map[int]bool{}
	for i, id := range t.Units {
		if id != "" {
			c.spendable(one(ptr+"/units", i, len(t.Units)), id)
		}
		if u, ok := c.d.Units[id]; ok {
			unit = cmp.Or(unit, id)
			mixed[u.Precision] = true
		}
	}
	bounded := t.Min != nil || t.Max != nil || slices.ContainsFunc(t.Limit, func(l Limit) bool { return l.Amount != nil })
	if len(mixed) > 1 && bounded {
		c.say(ptr+"/units", fmt.Sprintf("these units have different numbers of decimals (%v), so an amount means nothing for all of them",
			slices.Sorted(maps.Keys(mixed))), "remove the amounts, or keep units with the same precision")
	}
	if t.Min != nil {
		c.points(ptr+"/min", *t.Min, unit, "min", zeroOrMore)
	}
	if t.Max != nil {
		c.points(ptr+"/max", *t.Max, unit, "max", moreThanZero)
	}
	c.ordered(ptr, t.Min, t.Max)
	c.limits(ptr+"/limit", t.Limit, transferLimit, unit)
}
