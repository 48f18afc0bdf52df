package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// item is what becomes one fact: a receipt with its rows, a row of activities, a row of members.
type item struct {
	// key is the second half of the natural key.
	key string
	// member is who it is about, as KIND:VALUE in its stored form.
	member string
	at     time.Time
	// rows are places in the table, in the order of the file.
	rows []int32
}

// Refusal is a row that was not taken, and why.
type Refusal struct {
	Row    int    `json:"row"`
	Reason string `json:"reason"`
	// place is that of the row in the table.
	place int32
}

// converter makes facts of rows.
type converter struct {
	source
	mapping *Mapping
	program *program.Compiled
	now     time.Time

	member, at, key    getter
	as                 string
	store, channel     getter
	currency, rate     getter
	shipping, discount getter
	payment            getter
	line               lineGetters
	activity           getter
	properties         map[string]getter
	profile            map[string]getter
	identifiers        map[string]getter
	attributes         map[string]getter
	balance            map[string]getter
	atFormat           string
	plain              bool // lines are told by nothing but their amount
	identity           []getter
	seen               map[string]int
	refusals           []Refusal
	// guests counts rows that name no member; unmatched those that lead to nothing in a further file, by its name.
	guests    int
	unmatched map[string]int
}

type lineGetters struct {
	sku, name, category, brand, quantity, unitPrice, discount, tax, amount getter
	tags                                                                   []getter
}

// newConverter binds the mapping to the columns of the files. The error names every column that is not there.
func newConverter(m *Mapping, p *program.Compiled, files *files, now time.Time) (*converter, error) {
	zone := p.Zone
	dates, err := newDateReader(m.Dates, zone)
	if err != nil {
		return nil, err
	}
	c := &converter{source: source{table: files.table, numbers: m.Numbers, dates: dates, lookups: map[string]*lookup{}},
		mapping: m, program: p, now: now, seen: map[string]int{}, unmatched: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(m.With)) {
		if err := c.addLookup(m.With[name], name, files.with[name]); err != nil {
			return nil, err
		}
	}
	c.bindAll()
	if len(c.missing) > 0 {
		fields := make([]errs.Field, len(c.missing))
		for i, text := range c.missing {
			fields[i] = errs.Field{Reason: "column_not_found", Message: text}
		}
		return nil, errs.Invalid("columns_not_found", "The mapping does not fit the file.", fields...)
	}
	if err := c.checkProgram(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *converter) addLookup(l Lookup, name string, t *table) error {
	own := source{table: t, numbers: c.numbers}
	key, match := own.bind(l.Key), c.bind(l.Match)
	c.missing = append(c.missing, own.missing...)
	if len(c.missing) > 0 {
		return nil
	}
	out := &lookup{table: t, rows: make(map[string][]string, len(t.rows)), match: match}
	for _, r := range t.rows {
		if r.fault != "" {
			return errs.Invalid("lookup", fmt.Sprintf("Row %d of %s cannot be read: %s.", r.number, t.name, r.fault))
		}
		k := key(r.cells)
		if _, twice := out.rows[k]; twice && k != "" {
			return errs.Invalid("lookup", fmt.Sprintf("%s has %q twice in the column by which with.%s is looked up (the second time in row %d).", t.name, k, name, r.number))
		}
		out.rows[k] = r.cells
	}
	c.lookups[name] = out
	return nil
}

func (c *converter) bindAll() {
	m := c.mapping
	switch m.Import {
	case Members:
		pr := &m.Member.Profile
		c.profile = map[string]getter{}
		for name, v := range map[string]Value{"name": pr.Name, "given_name": pr.GivenName, "family_name": pr.FamilyName, "email": pr.Email,
			"phone": pr.Phone, "language": pr.Language, "zone": pr.Zone, "birth": pr.Birth, "country": pr.Country, "postcode": pr.Postcode,
			"external_id": pr.ExternalID, "card": pr.Card} {
			c.profile[name] = c.bind(v)
		}
		c.identifiers, c.attributes, c.balance = c.bindMap(pr.Identifiers), c.bindMap(pr.Attributes), c.bindMap(m.Balance)
		c.key = c.bind(*pr.key())
		c.at, c.atFormat = c.bind(m.Enrolment.At), m.Enrolment.At.Format
		c.store, c.channel = c.bind(m.Enrolment.Store), c.bind(m.Enrolment.Channel)
	case Purchases:
		p, l := &m.Purchase, &m.Line
		c.member, c.as = c.bind(m.Member.Value), m.Member.As
		c.key, c.at, c.atFormat = c.bind(p.Receipt), c.bind(p.At), p.At.Format
		c.store, c.channel, c.currency, c.rate = c.bind(p.Store), c.bind(p.Channel), c.bind(p.Currency), c.bind(p.Rate)
		c.shipping, c.discount, c.payment = c.bind(p.Shipping), c.bind(p.Discount), c.bind(p.Payment)
		c.line = lineGetters{sku: c.bind(l.SKU), name: c.bind(l.Name), category: c.bind(l.Category), brand: c.bind(l.Brand), quantity: c.bind(l.Quantity),
			unitPrice: c.bind(l.UnitPrice), discount: c.bind(l.Discount), tax: c.bind(l.Tax), amount: c.bind(l.Amount)}
		for _, v := range l.Tags {
			c.line.tags = append(c.line.tags, c.bind(v))
		}
		g := &c.line
		c.plain = g.sku == nil && g.name == nil && g.category == nil && g.brand == nil && g.quantity == nil && g.unitPrice == nil && g.discount == nil && len(g.tags) == 0
		c.identity = present(append([]getter{c.member, c.at, c.store, c.channel, c.currency, g.sku, g.name, g.category, g.brand, g.quantity, g.unitPrice, g.discount,
			g.tax, g.amount}, g.tags...)...)
	case Activities:
		a := &m.Activity
		c.member, c.as = c.bind(m.Member.Value), m.Member.As
		c.key, c.at, c.atFormat = c.bind(a.ID), c.bind(a.At), a.At.Format
		c.store, c.channel, c.activity = c.bind(a.Store), c.bind(a.Channel), c.bind(a.Kind)
		c.properties = c.bindMap(a.Properties)
		c.identity = present(c.member, c.at, c.store, c.channel, c.activity)
		for _, name := range slices.Sorted(maps.Keys(c.properties)) {
			c.identity = append(c.identity, c.properties[name])
		}
	}
	if c.as == "" {
		c.as = member.Card
	}
}

func (c *converter) bindMap(values map[string]Value) map[string]getter {
	out := make(map[string]getter, len(values))
	for name, v := range values {
		if g := c.bind(v); g != nil {
			out[name] = g
		}
	}
	return out
}

func present(all ...getter) (out []getter) {
	for _, g := range all {
		if g != nil {
			out = append(out, g)
		}
	}
	return out
}

// checkProgram sees that the mapping's words are the program's.
func (c *converter) checkProgram() error {
	var fields []errs.Field
	kinds := member.Kinds(c.program)
	fail := func(pointer, kind string) {
		if !slices.Contains(kinds, kind) {
			fields = append(fields, errs.Field{Pointer: pointer, Reason: "unknown_identifier",
				Message: fmt.Sprintf("%q is no kind of identifier of the program; there are: %s", kind, strings.Join(kinds, ", "))})
		}
	}
	fail("/member/as", c.as)
	for _, kind := range slices.Sorted(maps.Keys(c.identifiers)) {
		fail("/member/identifiers/"+kind, kind)
	}
	for _, unit := range slices.Sorted(maps.Keys(c.balance)) {
		if c.program.Units[unit] == nil {
			fields = append(fields, errs.Field{Pointer: "/balance/" + unit, Reason: "unknown_unit",
				Message: fmt.Sprintf("%q is no unit of the program; there are: %s", unit, strings.Join(c.program.UnitIDs, ", "))})
		}
	}
	if len(fields) > 0 {
		return errs.Invalid("mapping_and_program", "The mapping does not fit the program.", fields...)
	}
	return nil
}

// get is the value of a getter that may be missing.
func get(g getter, cells []string) string {
	if g == nil {
		return ""
	}
	return g(cells)
}

// refuse notes that rows are not taken.
func (c *converter) refuse(reason string, rows ...int32) {
	for _, place := range rows {
		c.refusals = append(c.refusals, Refusal{Row: c.table.rows[place].number, Reason: reason, place: place})
	}
}

// items makes items of the rows, in the order in which they begin in the file. What cannot be read is refused.
func (c *converter) items() []item {
	var out []item
	byKey := map[string]int{}
	bad := map[string]bool{}
	for i := range c.table.rows {
		place, r := int32(i), &c.table.rows[i]
		if r.fault != "" {
			c.refuse(r.fault, place)
			continue
		}
		if c.mapping.Import == Purchases && c.member(r.cells) == "" {
			c.guests++
			continue
		}
		key, err := c.keyOf(r.cells)
		if err != nil {
			c.refuse(err.Error(), place)
			continue
		}
		for name, l := range c.lookups {
			if l.rows[l.match(r.cells)] == nil {
				c.unmatched[name]++
			}
		}
		it, err := c.item(key, place)
		if err != nil {
			c.refuse(err.Error(), place)
			if n, begun := byKey[key]; begun {
				c.spoil(&out[n], fmt.Sprintf("row %d of the same receipt was refused", r.number))
			}
			bad[key] = true
			continue
		}
		n, begun := byKey[key]
		switch {
		case bad[key]:
			c.refuse("another row of the same receipt was refused", place)
		case !begun:
			byKey[key] = len(out)
			out = append(out, it)
		case c.mapping.Import != Purchases:
			c.refuse(fmt.Sprintf("row %d has the same number %q; the first one counts", c.table.rows[out[n].rows[0]].number, key), place)
		case out[n].member != it.member:
			c.refuse(fmt.Sprintf("the receipt %q names another member in row %d", key, c.table.rows[out[n].rows[0]].number), place)
			c.spoil(&out[n], fmt.Sprintf("the receipt %q names another member in row %d", key, r.number))
			bad[key] = true
		default:
			out[n].rows = append(out[n].rows, place)
			if it.at.Before(out[n].at) {
				out[n].at = it.at
			}
		}
	}
	return slices.DeleteFunc(out, func(it item) bool { return len(it.rows) == 0 })
}

// spoil refuses all the rows that an item has so far.
func (c *converter) spoil(it *item, reason string) {
	c.refuse(reason, it.rows...)
	it.rows = nil
}

// keyOf gives the second half of a row's natural key. Where the file has none it is made of what the row says, with a number
// behind it for the second, third … row that says the same: so a file can be imported again, and with more rows in it.
func (c *converter) keyOf(cells []string) (string, error) {
	if c.key != nil {
		key := c.key(cells)
		switch {
		case key == "":
			return "", errors.New("it has no number: the column that tells it from other rows is empty")
		case len(key) > 150:
			return "", errors.New("its number is longer than 150 bytes")
		}
		return key, nil
	}
	h := sha256.New()
	for _, g := range c.identity {
		_, _ = h.Write([]byte(g(cells))) // a hash takes everything
		_, _ = h.Write([]byte{0})
	}
	key := hex.EncodeToString(h.Sum(nil)[:12])
	c.seen[key]++
	if n := c.seen[key]; n > 1 {
		key += "-" + strconv.Itoa(n)
	}
	return key, nil
}

func (c *converter) item(key string, place int32) (item, error) {
	cells := c.table.rows[place].cells
	it := item{key: key, rows: []int32{place}}
	text := get(c.at, cells)
	switch {
	case text != "":
		at, err := c.dates.read(text, c.atFormat)
		if err != nil {
			return it, fmt.Errorf("%q %w", text, err)
		}
		if at.After(c.now.Add(5 * time.Minute)) {
			return it, fmt.Errorf("%q lies in the future", text)
		}
		it.at = at
	case c.mapping.Import == Members: // the zero time is that of the import
	default:
		return it, errors.New("it has no time")
	}
	if c.mapping.Import == Members {
		it.member = key
		return it, nil
	}
	value := c.member(cells)
	if value == "" {
		return it, errors.New("it names no member")
	}
	normal, err := member.Normalize(c.program, c.as, value)
	if err != nil {
		return it, fmt.Errorf("%s %q cannot be used: %w", c.as, value, err)
	}
	it.member = member.Identifier{Kind: c.as, Value: normal}.String()
	return it, nil
}

// mistakes are those of one item: what is wrong, and in which of its rows.
type mistakes struct {
	c    *converter
	rows []Refusal
}

func (m *mistakes) addf(place int32, format string, args ...any) {
	m.rows = append(m.rows, Refusal{Row: m.c.table.rows[place].number, Reason: fmt.Sprintf(format, args...), place: place})
}

func (m *mistakes) money(place int32, name, text string) *money.Decimal {
	scale := -1
	if m.c.numbers.Round {
		scale = m.c.program.Exponent
	}
	return m.number(place, name, text, scale)
}

func (m *mistakes) number(place int32, name, text string, scale int) *money.Decimal {
	d, err := number(text, m.c.numbers, scale)
	if err != nil {
		m.addf(place, "%s: %q %s", name, text, numberFault(err))
	}
	return d
}

func numberFault(err error) string {
	switch {
	case errors.Is(err, money.ErrTooLong):
		return "has more than 18 digits"
	default:
		return errNumber.Error() + "; say in numbers how they are written"
	}
}

// purchase makes the fact of a receipt.
func (c *converter) purchase(it *item) (engine.Fact, []Refusal) {
	bad := &mistakes{c: c}
	first := it.rows[0]
	cells := c.table.rows[first].cells
	b := &engine.Purchase{Currency: get(c.currency, cells), Store: get(c.store, cells), Channel: get(c.channel, cells)}
	b.Rate = bad.number(first, "rate", get(c.rate, cells), -1)
	if b.Currency == c.program.Doc.Currency {
		b.Currency = ""
	}
	if d := bad.money(first, "shipping", get(c.shipping, cells)); d != nil && !d.IsZero() {
		b.Shipping = &engine.Shipping{Amount: *d}
	}
	if d := bad.money(first, "discount", get(c.discount, cells)); d != nil && !d.IsZero() {
		b.Discounts = []engine.Discount{{Amount: *d}}
	}
	if c.plain && len(it.rows) == 1 {
		b.Amount, b.Tax = bad.money(first, "amount", get(c.line.amount, cells)), bad.money(first, "tax", get(c.line.tax, cells))
		if b.Amount == nil && len(bad.rows) == 0 {
			bad.addf(first, "it has no amount")
		}
	} else {
		b.Lines = make([]engine.Line, len(it.rows))
		for i, place := range it.rows {
			b.Lines[i] = c.lineOf(bad, place)
		}
	}
	if means := get(c.payment, cells); means != "" && len(bad.rows) == 0 {
		c.pay(b, means)
	}
	return c.fact(engine.Fact{Kind: engine.PurchaseK, Purchase: b}, it), bad.rows
}

func (c *converter) lineOf(bad *mistakes, place int32) engine.Line {
	cells, g := c.table.rows[place].cells, &c.line
	l := engine.Line{SKU: get(g.sku, cells), Name: get(g.name, cells), Category: get(g.category, cells), Brand: get(g.brand, cells)}
	for _, tag := range g.tags {
		if text := tag(cells); text != "" {
			l.Tags = append(l.Tags, text)
		}
	}
	l.Quantity = bad.number(place, "quantity", get(g.quantity, cells), -1)
	l.UnitPrice = bad.money(place, "unit price", get(g.unitPrice, cells))
	if d := bad.money(place, "discount", get(g.discount, cells)); d != nil && !d.IsZero() {
		l.Discount = d
	}
	l.Tax = bad.money(place, "tax", get(g.tax, cells))
	l.Amount = bad.money(place, "amount", get(g.amount, cells))
	return l
}

// pay says that all of a purchase was paid by one means.
func (c *converter) pay(b *engine.Purchase, means string) {
	exponent := c.program.Exponent
	if b.Currency != "" {
		exponent = money.Exponent(b.Currency)
	}
	total := int64(0)
	add := func(d *money.Decimal, sign int64) bool {
		if d == nil {
			return true
		}
		n, err := d.Minor(exponent)
		if err == nil {
			total, err = money.Add(total, sign*n)
		}
		return err == nil
	}
	ok := add(b.Amount, 1)
	for i := range b.Lines {
		if b.Lines[i].Amount == nil {
			return // the engine computes it; what was paid stays untold
		}
		ok = ok && add(b.Lines[i].Amount, 1)
	}
	if b.Shipping != nil {
		ok = ok && add(&b.Shipping.Amount, 1)
	}
	for i := range b.Discounts {
		ok = ok && add(&b.Discounts[i].Amount, -1)
	}
	if ok && total >= 0 { // else the engine says what is wrong with the amounts
		b.Payments = []engine.Payment{{Means: means, Amount: money.FromMinor(total, exponent)}}
	}
}

// doing makes the fact of an activity.
func (c *converter) doing(it *item) (engine.Fact, []Refusal) {
	cells := c.table.rows[it.rows[0]].cells
	a := &engine.Activity{Kind: get(c.activity, cells), Store: get(c.store, cells), Channel: get(c.channel, cells)}
	for name, g := range c.properties {
		if text := g(cells); text != "" {
			if a.Properties == nil {
				a.Properties = map[string]string{}
			}
			a.Properties[name] = text
		}
	}
	return c.fact(engine.Fact{Kind: engine.ActivityK, Activity: a}, it), nil
}

// newcomer makes a member of a row of members.
func (c *converter) newcomer(it *item) (engine.Fact, *member.New, []Refusal) {
	cells := c.table.rows[it.rows[0]].cells
	of := func(name string) string { return get(c.profile[name], cells) }
	n := &member.New{Profile: member.Profile{Name: of("name"), GivenName: of("given_name"), FamilyName: of("family_name"), Email: of("email"),
		Phone: of("phone"), Language: of("language"), Zone: of("zone"), Birth: of("birth"), Country: of("country"), Postcode: of("postcode"),
		ExternalID: of("external_id")}}
	bad := &mistakes{c: c}
	if n.Birth != "" {
		if t, err := c.dates.read(n.Birth, c.mapping.Member.Profile.Birth.Format); err == nil {
			n.Birth = t.Format(time.DateOnly)
		} else if len(n.Birth) != len("01-02") {
			bad.addf(it.rows[0], "birth: %q %s", n.Birth, err)
		}
	}
	if card := of("card"); card != "" {
		n.Identifiers = append(n.Identifiers, member.Identifier{Kind: member.Card, Value: card})
	}
	for _, kind := range slices.Sorted(maps.Keys(c.identifiers)) {
		if text := c.identifiers[kind](cells); text != "" {
			n.Identifiers = append(n.Identifiers, member.Identifier{Kind: kind, Value: text})
		}
	}
	for name, g := range c.attributes {
		if text := g(cells); text != "" {
			if n.Attributes == nil {
				n.Attributes = map[string]string{}
			}
			n.Attributes[name] = text
		}
	}
	f := c.fact(engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Channel: get(c.channel, cells), Store: get(c.store, cells),
		Zone: n.Zone, Language: n.Language, Attributes: n.Attributes}}, it)
	return f, n, bad.rows
}

// brought makes the facts of what a new member brings along.
func (c *converter) brought(it *item) (out []engine.Fact, bad []Refusal) {
	cells := c.table.rows[it.rows[0]].cells
	m := &mistakes{c: c}
	for _, unit := range slices.Sorted(maps.Keys(c.balance)) {
		d := m.number(it.rows[0], unit, c.balance[unit](cells), -1)
		if d == nil || d.IsZero() {
			continue
		}
		f := c.fact(engine.Fact{Kind: engine.AdjustmentK, Adjustment: &engine.Adjustment{Unit: unit, Amount: d, Reason: "brought along from " + c.mapping.Source,
			AllowDebt: d.Sign() < 0}}, it)
		f.ExternalID += "/" + unit
		f.OccurredAt = time.Time{} // it counts from now, not from the day on which the member joined the old program
		out = append(out, f)
	}
	return out, m.rows
}

func (c *converter) fact(f engine.Fact, it *item) engine.Fact {
	f.Source, f.ExternalID, f.OccurredAt = c.mapping.Source, c.external(it), it.at
	return f
}

// external is the second half of the natural key. Members have a space of their own, since a shop may well have a member
// and a receipt with the same number; purchases and activities share theirs with what the source sends through the API.
func (c *converter) external(it *item) string {
	if c.mapping.Import == Members {
		return "member/" + it.key
	}
	return it.key
}

// explain turns a refusal of the flow into one for each row of the item: mistakes in a line stand with its row.
func (c *converter) explain(it *item, err error) []Refusal {
	e := errs.As(err)
	perRow := map[int32][]string{}
	var general []string
	for _, f := range e.Fields {
		rest, inLine := strings.CutPrefix(f.Pointer, "/lines/")
		number, field, _ := strings.Cut(rest, "/")
		n, bad := strconv.Atoi(number)
		if inLine && bad == nil && n < len(it.rows) {
			perRow[it.rows[n]] = append(perRow[it.rows[n]], about(field, f.Message))
			continue
		}
		general = append(general, about(strings.TrimPrefix(f.Pointer, "/"), f.Message))
	}
	if len(e.Fields) == 0 {
		general = []string{e.Message}
	}
	out := make([]Refusal, 0, len(it.rows))
	for _, place := range it.rows {
		texts := append(slices.Clone(perRow[place]), general...)
		if len(texts) == 0 {
			texts = []string{"another row of the same receipt was refused"}
		}
		out = append(out, Refusal{Row: c.table.rows[place].number, Reason: strings.Join(texts, "; "), place: place})
	}
	return out
}

// about puts the name of a field before what is wrong with it: some messages go on from it, others are sentences.
func about(field, message string) string {
	field = strings.ReplaceAll(field, "_", " ")
	first, _ := utf8.DecodeRuneInString(message)
	switch {
	case field == "":
		return message
	case unicode.IsUpper(first):
		return field + ": " + message
	}
	return field + " " + message
}

// spread gives the mistakes of an item to all of its rows.
func (c *converter) spread(it *item, bad []Refusal) []Refusal {
	perRow := map[int32][]string{}
	for _, r := range bad {
		perRow[r.place] = append(perRow[r.place], r.Reason)
	}
	out := make([]Refusal, 0, len(it.rows))
	for _, place := range it.rows {
		reason := fmt.Sprintf("row %d of the same receipt was refused", bad[0].Row)
		if texts := perRow[place]; len(texts) > 0 {
			reason = strings.Join(texts, "; ")
		}
		out = append(out, Refusal{Row: c.table.rows[place].number, Reason: reason, place: place})
	}
	return out
}
