package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"lojal.dev/lojal/internal/program"
)

// headings are words by which columns go in files of tills, shops and old programs, Norwegian, Swedish, Danish and English, without signs and
// capitals. The first field that knows a heading gets the column.
var headings = map[string][]string{
	"member":             {"card", "cardno", "cardnumber", "kort", "kortnr", "kortnummer", "kortnumber", "loyaltycard", "member", "memberid", "memberno", "membernumber", "medlem", "medlemsnr", "medlemsnummer", "kunde", "kundenr", "kundenummer", "kund", "kundnr", "kundnummer", "customer", "customerid", "customerno", "email", "epost", "phone", "mobile", "mobil", "telefon"},
	"member.external_id": {"id", "memberid", "memberno", "membernumber", "medlemsnr", "medlemsnummer", "medlem", "kundenr", "kundenummer", "kundnr", "kundnummer", "customerid", "customerno", "customernumber", "externalid", "number", "nummer", "nr"},
	"member.card":        {"card", "cardno", "cardnumber", "kort", "kortnr", "kortnummer"},
	"member.name":        {"name", "navn", "namn", "fullname", "fulltnavn"},
	"member.given_name":  {"firstname", "givenname", "first", "fornavn", "förnamn"},
	"member.family_name": {"lastname", "familyname", "surname", "last", "etternavn", "efternamn", "efternavn"},
	"member.email":       {"email", "mail", "epost", "epostadresse", "epostadress", "emailaddress"},
	"member.phone":       {"phone", "mobile", "mobil", "telefon", "tlf", "mobilnr", "mobilnummer", "phonenumber", "cell"},
	"member.birth":       {"birth", "birthday", "birthdate", "dateofbirth", "dob", "born", "født", "fødselsdato", "fødselsdag", "född", "födelsedatum", "fødselsår"},
	"member.language":    {"language", "lang", "språk", "sprog"},
	"member.country":     {"country", "land"},
	"member.postcode":    {"postcode", "zip", "zipcode", "postalcode", "postnr", "postnummer"},
	"enrolment.at":       {"joined", "joinedat", "enrolled", "membersince", "since", "innmeldt", "medlemsiden", "registrert", "oprettet", "indmeldt", "registrerad", "gickmed", "created", "createdat"},
	"enrolment.store":    {"store", "shop", "butikk", "butik", "sted", "avdeling"},
	"purchase.receipt":   {"receipt", "receiptno", "receiptnumber", "receiptid", "kvittering", "kvitteringsnr", "bong", "bongnr", "bon", "bonnr", "kvitto", "kvittonr", "kvittonummer", "order", "orderid", "orderno", "ordre", "ordrenr", "ordernr", "transaction", "transactionid", "purchase", "purchaseid"},
	"purchase.at":        {"at", "date", "datetime", "time", "timestamp", "sold", "soldat", "purchasedat", "dato", "tid", "tidspunkt", "datum", "salgsdato", "kjøpsdato", "købsdato", "köpdatum", "orderdate"},
	"purchase.store":     {"store", "shop", "storeid", "location", "butikk", "butik", "avdeling", "sted", "forretning", "kasse"},
	"purchase.channel":   {"channel", "kanal"},
	"purchase.currency":  {"currency", "valuta"},
	"purchase.rate":      {"rate", "exchangerate", "kurs", "valutakurs"},
	"purchase.shipping":  {"shipping", "freight", "frakt", "fragt", "porto"},
	"purchase.discount":  {"totaldiscount", "orderdiscount", "rebate"},
	"purchase.payment":   {"payment", "paid", "paidby", "paymentmethod", "betaling", "betalt", "betalingsmåte", "betalning", "betalningssätt", "betalingsmetode"},
	"line.sku":           {"sku", "article", "articleno", "articlenumber", "item", "itemno", "product", "productid", "ean", "gtin", "vare", "varenr", "varenummer", "artikkel", "artikkelnr", "artikel", "artikelnr", "artikelnummer"},
	"line.name":          {"text", "description", "itemname", "productname", "varetekst", "varenavn", "beskrivelse", "artikelnamn", "benämning", "tekst", "navn", "name"},
	"line.category":      {"category", "group", "department", "kategori", "varegruppe", "varugrupp"},
	"line.brand":         {"brand", "merke", "varemerke", "märke", "varumärke", "mærke", "varemærke"},
	"line.quantity":      {"qty", "quantity", "antall", "antal", "count", "pieces", "stk"},
	"line.unit_price":    {"price", "unitprice", "pris", "enhetspris", "stykpris", "stykkpris", "apris", "àpris"},
	"line.discount":      {"discount", "rabatt", "rabat"},
	"line.tax":           {"tax", "vat", "mva", "moms"},
	"line.amount":        {"amount", "sum", "total", "beløp", "belopp", "linetotal", "totalt", "linjesum", "brutto", "gross", "totalamount", "betalt", "totalsum"},
	"activity.kind":      {"kind", "type", "activity", "aktivitet", "event", "action", "handling"},
	"activity.id":        {"id", "activityid", "eventid", "nr", "number", "nummer"},
	"activity.at":        {"at", "date", "datetime", "time", "timestamp", "done", "written", "dato", "tid", "tidspunkt", "datum"},
	"activity.store":     {"store", "shop", "butikk", "butik", "sted"},
	"activity.channel":   {"channel", "kanal"},
}

// sources are the first halves of natural keys that are proposed.
var sources = map[Kind]string{Members: "old-program", Purchases: "till", Activities: "activities"}

// plainWord is a heading without signs and capitals.
func plainWord(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// Guess proposes a mapping for a file by the names of its columns and by what stands in them. With an empty kind it finds that out too.
func Guess(h *Head, kind Kind, p *program.Compiled) *Mapping {
	if kind == "" {
		kind = guessKind(h)
	}
	m := &Mapping{Import: kind, Source: sources[kind]}
	header := h.Header
	m.File.Header = &header
	taken := map[int]bool{}
	give := func(path string, c HeadColumn) {
		v := Value{With: "/", Columns: []Column{{Number: c.Number}}}
		if c.Name != "" && h.named(c.Name) == 1 {
			v.Columns[0] = Column{Name: c.Name}
		}
		m.Put(path, v)
		taken[c.Number] = true
	}
	for _, f := range m.fixed() {
		for _, word := range headings[f.Path] { // the likelier words stand first
			at := slices.IndexFunc(h.Columns, func(c HeadColumn) bool { return !taken[c.Number] && plainWord(c.Name) == word })
			if at >= 0 && !f.Value.Given() {
				give(f.Path, h.Columns[at])
			}
		}
	}
	m.guessNamed(h, p, taken, give)
	m.Member.As = ""
	if kind != Members && m.Member.Value.Given() {
		m.Member.As, m.Member.Enrol = guessAs(h.column(&m.Member.Value)), true
	}
	if kind == Activities && !m.Activity.Kind.Given() && p != nil && len(p.Doc.Activities) == 1 {
		for only := range p.Doc.Activities {
			m.Activity.Kind = Value{With: "/", Always: only}
		}
	}
	m.guessForms(h)
	return m
}

// guessNamed finds columns of the program's units, identifiers and properties.
func (m *Mapping) guessNamed(h *Head, p *program.Compiled, taken map[int]bool, give func(string, HeadColumn)) {
	if p == nil {
		return
	}
	find := func(path string, names ...string) {
		for _, c := range h.Columns {
			if word := plainWord(c.Name); !taken[c.Number] && word != "" && slices.ContainsFunc(names, func(n string) bool { return plainWord(n) == word }) {
				give(path, c)
				return
			}
		}
	}
	switch m.Import {
	case Members:
		for i, id := range p.UnitIDs {
			names := []string{id}
			for _, l := range []string{"nb", "sv", "da", "en"} {
				names = append(names, p.Units[id].Name.In(l, false))
			}
			if i == 0 {
				names = append(names, "points", "poeng", "poäng", "point", "balance", "saldo")
			}
			find("balance."+id, names...)
		}
		for kind := range p.Doc.Identifiers {
			find("member.identifiers."+kind, kind)
		}
	case Activities:
		for _, a := range p.Doc.Activities {
			for name := range a.Properties {
				find("activity.properties."+name, name)
			}
		}
	}
}

// named counts the columns of a name.
func (h *Head) named(name string) (n int) {
	for _, c := range h.Columns {
		if strings.EqualFold(c.Name, name) {
			n++
		}
	}
	return n
}

// column is that of a value, empty when it has none of this file.
func (h *Head) column(v *Value) HeadColumn {
	for _, want := range v.Columns {
		for _, c := range h.Columns {
			if c.Number == want.Number || want.Name != "" && strings.EqualFold(c.Name, want.Name) {
				return c
			}
		}
	}
	return HeadColumn{}
}

// guessKind counts the columns that are known of each kind, those alone that tell the kinds apart.
func guessKind(h *Head) Kind {
	score := map[Kind]int{}
	telling := map[string]Kind{
		"line.amount": Purchases, "line.unit_price": Purchases, "purchase.receipt": Purchases, "line.sku": Purchases, "line.quantity": Purchases,
		"member.given_name": Members, "member.family_name": Members, "member.email": Members, "member.phone": Members, "member.birth": Members, "enrolment.at": Members,
		"activity.kind": Activities, "member.postcode": Members,
	}
	for _, c := range h.Columns {
		for path, kind := range telling {
			if slices.Contains(headings[path], plainWord(c.Name)) {
				score[kind]++
			}
		}
	}
	best := Purchases
	for _, k := range []Kind{Members, Activities} {
		if score[k] > score[best] {
			best = k
		}
	}
	return best
}

var phoneNumber = regexp.MustCompile(`^(\+|00)\d[\d ]{6,}$`)

// guessAs says what kind of number names the members.
func guessAs(c HeadColumn) string {
	word := plainWord(c.Name)
	switch {
	case slices.ContainsFunc(c.Samples, func(s string) bool { return strings.Contains(s, "@") }):
		return "email"
	case len(c.Samples) > 0 && phoneNumber.MatchString(c.Samples[0]):
		return "phone"
	case strings.HasPrefix(word, "card") || strings.HasPrefix(word, "kort") || strings.HasSuffix(word, "card"):
		return "card"
	}
	return "ext"
}

// dateForms are tried in this order: day before month, as most of the world writes it, unless a day shows that it is the other way.
var dateForms = []string{
	"iso", "DD.MM.YYYY HH:mm:ss", "DD.MM.YYYY HH:mm", "D.M.YYYY HH:mm", "DD.MM.YYYY", "D.M.YYYY", "DD/MM/YYYY HH:mm:ss", "DD/MM/YYYY HH:mm", "DD/MM/YYYY", "D/M/YYYY",
	"MM/DD/YYYY HH:mm", "MM/DD/YYYY", "M/D/YYYY", "DD-MM-YYYY HH:mm", "DD-MM-YYYY", "YYYY/MM/DD HH:mm", "YYYY/MM/DD", "YYYY.MM.DD", "DD.MM.YY", "YYYYMMDD HH:mm", "unix", "unix ms",
}

var (
	commaDecimal = regexp.MustCompile(`,\d{1,2}$`)
	pointDecimal = regexp.MustCompile(`\.\d{1,2}$`)
	blankGroups  = regexp.MustCompile(`\d[ \x{a0}\x{202f}]\d{3}`)
	pointGroups  = regexp.MustCompile(`\d\.\d{3}([,.]|$)`)
	commaGroups  = regexp.MustCompile(`\d,\d{3}([,.]|$)`)
	seconds      = regexp.MustCompile(`^\d{9,10}$`)
)

// guessForms finds out how numbers and dates are written.
func (m *Mapping) guessForms(h *Head) {
	var numbers, dates []string
	for _, p := range m.Given() {
		samples := h.column(p.Value).Samples
		switch {
		case strings.HasSuffix(p.Path, ".at") || p.Path == "member.birth":
			dates = append(dates, samples...)
		case slices.Contains([]string{"line.amount", "line.unit_price", "line.discount", "line.tax", "line.quantity", "purchase.shipping", "purchase.discount", "purchase.rate"}, p.Path) || strings.HasPrefix(p.Path, "balance."):
			numbers = append(numbers, samples...)
		}
	}
	some := func(r *regexp.Regexp) bool { return slices.ContainsFunc(numbers, r.MatchString) }
	switch {
	case some(commaDecimal) && !some(pointDecimal):
		m.Numbers.Decimal = ","
		if some(pointGroups) {
			m.Numbers.Thousands = "."
		}
	case some(commaGroups) && !some(commaDecimal):
		m.Numbers.Thousands = ","
	}
	if m.Numbers.Thousands == "" && some(blankGroups) {
		m.Numbers.Thousands = "space"
	}
	m.Dates.Format = guessDates(dates)
}

// guessDates gives the first format that reads all; "" for ISO, and where none does.
func guessDates(samples []string) string {
	if len(samples) == 0 {
		return ""
	}
	for _, format := range dateForms {
		r, err := newDateReader(Dates{Format: format}, time.UTC)
		if err != nil {
			continue
		}
		fits := !slices.ContainsFunc(samples, func(s string) bool {
			if strings.HasPrefix(format, formatUnix) && !seconds.MatchString(s[:min(len(s), 10)]) {
				return true
			}
			t, err := r.read(s, "")
			return err != nil || t.Year() < 1900 || t.Year() > 2200
		})
		if fits {
			return cmp.Or(map[string]string{formatISO: ""}[format], strings.TrimPrefix(format, formatISO))
		}
	}
	return ""
}
