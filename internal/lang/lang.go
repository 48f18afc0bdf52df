// Package lang writes numbers, money, dates and lists as people of a language write them: Norwegian Bokmål (nb), Swedish
// (sv), Danish (da) and English (en).
//
// It follows CLDR 48, for English as it is written in Britain, since the programs are European: a day before its month and
// a clock of 24 hours. It owns no text but the names of months and weekdays and the words of lists; sentences are explain's.
// A language it does not know is written as English.
package lang

import (
	"strings"
	"time"

	"golang.org/x/text/language"

	"lojal.dev/lojal/internal/money"
)

// The languages.
const (
	Norwegian = "nb"
	Swedish   = "sv"
	Danish    = "da"
	English   = "en"
)

// All lists the languages in the order in which they are shown.
var All = []string{Norwegian, Swedish, Danish, English}

// nbsp keeps a number together with its groups and its currency.
const nbsp = "\u00a0"

// locale is what CLDR says of a language.
type locale struct {
	group, point, minus string
	percent             string
	and, or             string
	// symbols are the currencies that are not written by their code.
	symbols map[string]string
	// kroner are those of any country that has them, where there is no other money to tell them from. Empty where the code is written.
	kroner string
	// before puts the currency before the number: a symbol at once, a code after a space.
	before bool
	months [12]string
	days   [7]string // from Sunday
	// dot follows the day of the month; at stands between date and time; colon is inside the time.
	dot, at, colon string
	// oneBelowTwo makes every number between 0 and 2 but 0 itself singular, as in "1,5 krone".
	oneBelowTwo bool
	// oneIsWhole makes 1.0 plural: only the whole number 1 is singular.
	oneIsWhole bool
}

var locales = map[string]*locale{
	Norwegian: {
		group: nbsp, point: ",", minus: "\u2212", percent: nbsp + "%", and: " og ", or: " eller ", kroner: "kr",
		symbols: map[string]string{"NOK": "kr", "EUR": "€", "GBP": "£"},
		months:  [12]string{"januar", "februar", "mars", "april", "mai", "juni", "juli", "august", "september", "oktober", "november", "desember"},
		days:    [7]string{"søndag", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag"},
		dot:     ".", at: " kl. ", colon: ":",
	},
	Swedish: {
		group: nbsp, point: ",", minus: "\u2212", percent: nbsp + "%", and: " och ", or: " eller ", kroner: "kr",
		symbols: map[string]string{"SEK": "kr", "NOK": "Nkr", "DKK": "Dkr", "ISK": "Ikr", "EUR": "€", "USD": "US$"},
		months:  [12]string{"januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober", "november", "december"},
		days:    [7]string{"söndag", "måndag", "tisdag", "onsdag", "torsdag", "fredag", "lördag"},
		at:      " kl. ", colon: ":", oneIsWhole: true,
	},
	Danish: {
		group: ".", point: ",", minus: "-", percent: nbsp + "%", and: " og ", or: " eller ", kroner: "kr.",
		symbols: map[string]string{"DKK": "kr.", "EUR": "€", "GBP": "£", "USD": "US$", "JPY": "JP¥"},
		months:  [12]string{"januar", "februar", "marts", "april", "maj", "juni", "juli", "august", "september", "oktober", "november", "december"},
		days:    [7]string{"søndag", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag"},
		dot:     ".", at: " kl. ", colon: ".", oneBelowTwo: true,
	},
	English: {
		group: ",", point: ".", minus: "-", percent: "%", and: " and ", or: " or ",
		symbols: map[string]string{"EUR": "€", "GBP": "£", "USD": "US$", "JPY": "JP¥"}, before: true,
		months: [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		days:   [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		at:     " at ", colon: ":", oneIsWhole: true,
	},
}

func of(lang string) *locale {
	if l, ok := locales[lang]; ok {
		return l
	}
	return locales[English]
}

// Number writes a decimal with all its decimals: 1234.50 is "1 234,50" in Norwegian.
func Number(lang string, d money.Decimal) string { return of(lang).number(d.String()) }

// Minor writes minor units as a decimal: Minor("da", 123450, 2) is "1.234,50".
func Minor(lang string, minor int64, scale int) string {
	return of(lang).number(money.Format(minor, scale))
}

// number writes plain decimal text ("-1234.5") as the language does.
func (l *locale) number(s string) string {
	body := strings.TrimPrefix(s, "-")
	whole, frac, _ := strings.Cut(body, ".")
	var b strings.Builder
	if body != s {
		b.WriteString(l.minus)
	}
	for i, digit := range []byte(whole) {
		if left := len(whole) - i; i > 0 && left%3 == 0 {
			b.WriteString(l.group)
		}
		b.WriteByte(digit)
	}
	if frac != "" {
		b.WriteString(l.point + frac)
	}
	return b.String()
}

// Percent writes a decimal as a percentage: 25 is "25 %" in the Nordic languages and "25%" in English.
func Percent(lang string, d money.Decimal) string { return Number(lang, d) + of(lang).percent }

// Money writes minor units of an ISO 4217 currency: "249,00 kr", "249,00 kr." in Danish, "NOK 249.00" in English.
func Money(lang, currency string, minor int64) string {
	return of(lang).money(currency, money.Format(minor, money.Exponent(currency)))
}

// Price is what something costs where only one currency is spoken of: without decimals that are all zero, and with the kroner of any Nordic
// country as the people there say them: "10 kr", "249,50 kr", and not "10 Nkr" to a Swede in a Norwegian shop. English names the currency.
func Price(lang, currency string, minor int64) string {
	scale := money.Exponent(currency)
	if p := money.Pow10(scale); minor%p == 0 {
		minor, scale = minor/p, 0
	}
	return of(lang).own(currency, money.Format(minor, scale))
}

// ExactPrice is Price with all its decimals: "10,00 kr".
func ExactPrice(lang, currency string, minor int64) string {
	return of(lang).own(currency, money.Format(minor, money.Exponent(currency)))
}

// own writes plain decimal text with the only currency there is.
func (l *locale) own(currency, text string) string {
	switch currency {
	case "NOK", "SEK", "DKK", "ISK":
		if l.kroner != "" {
			return l.number(text) + nbsp + l.kroner
		}
	}
	return l.money(currency, text)
}

// money writes plain decimal text with its currency.
func (l *locale) money(currency, text string) string {
	symbol, ok := l.symbols[currency]
	if !ok {
		symbol = currency
	}
	if !l.before {
		return l.number(text) + nbsp + symbol
	}
	sign := ""
	if body, ok := strings.CutPrefix(text, "-"); ok {
		sign, text = l.minus, body
	}
	if !ok {
		symbol += nbsp
	}
	return sign + symbol + l.number(text)
}

// One says whether a number takes the singular: CLDR's plural category "one". It depends on the decimals that are shown:
// "1 point" and "1.0 points" in English, "1,5 krone" in Danish.
func One(lang string, d money.Decimal) bool {
	l := of(lang)
	body := strings.TrimPrefix(d.String(), "-")
	whole, frac, _ := strings.Cut(body, ".")
	zeros := strings.Trim(frac, "0") == ""
	switch {
	case l.oneIsWhole:
		return whole == "1" && frac == ""
	case l.oneBelowTwo:
		return whole == "1" || (whole == "0" && !zeros)
	}
	return whole == "1" && zeros
}

// Count writes an amount in minor units with its noun: "1 stjerne", "24 stjerner". Decimals that are all zero are left out.
func Count(lang string, minor int64, scale int, one, other string) string {
	if p := money.Pow10(scale); minor%p == 0 {
		minor, scale = minor/p, 0
	}
	d := money.FromMinor(minor, scale)
	noun := other
	if One(lang, d) {
		noun = one
	}
	return strings.TrimSpace(Number(lang, d) + " " + noun)
}

// Things writes a number with its English noun, given in the singular: "1 activity", "1,204 activities".
func Things[N int | int64](n N, noun string) string {
	many := noun + "s"
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		many = stem + "ies"
	}
	return Count(English, int64(n), 0, noun, many)
}

// Date writes the local date: "14. mars 2026", "14 March 2026".
func Date(lang string, t time.Time, zone *time.Location) string {
	y, m, d := t.In(zone).Date()
	return of(lang).monthDay(m, d) + " " + itoa(y)
}

// Day writes a date as it stands, YYYY-MM-DD or MM-DD; anything else is given back unchanged.
func Day(lang, day string) string {
	if t, err := time.Parse("2006-01-02", day); err == nil {
		return Date(lang, t, time.UTC)
	}
	if t, err := time.Parse("2006-01-02", "2000-"+day); err == nil { // a leap year
		return MonthDay(lang, t.Month(), t.Day())
	}
	return day
}

// MonthDay writes a day of the year: "17. mai", "17 May".
func MonthDay(lang string, m time.Month, day int) string { return of(lang).monthDay(m, day) }

func (l *locale) monthDay(m time.Month, day int) string {
	return itoa(day) + l.dot + " " + l.months[m-1]
}

// Clock writes the local time of day: "12:05", "12.05" in Danish.
func Clock(lang string, t time.Time, zone *time.Location) string {
	return t.In(zone).Format("15" + of(lang).colon + "04")
}

// ClockText writes "07:00" as the language does.
func ClockText(lang, hhmm string) string { return strings.ReplaceAll(hhmm, ":", of(lang).colon) }

// DateTime writes the local date and time: "14. mars 2026 kl. 12:05".
func DateTime(lang string, t time.Time, zone *time.Location) string {
	return Date(lang, t, zone) + of(lang).at + Clock(lang, t, zone)
}

// Month gives the name of a month, in small letters where the language has them so.
func Month(lang string, m time.Month) string { return of(lang).months[m-1] }

// YearMonth writes a month of a year: "november 2026", "November 2026".
func YearMonth(lang string, m time.Month, year int) string { return Month(lang, m) + " " + itoa(year) }

// Weekday gives the name of a day of the week.
func Weekday(lang string, d time.Weekday) string { return of(lang).days[d] }

// And joins a list: "a, b og c". Or joins alternatives: "a, b eller c".
func And(lang string, items []string) string { return join(items, of(lang).and) }

// Or joins alternatives: "a, b eller c".
func Or(lang string, items []string) string { return join(items, of(lang).or) }

func join(items []string, last string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	n := len(items) - 1
	return strings.Join(items[:n], ", ") + last + items[n]
}

func itoa(n int) string { return money.Format(int64(n), 0) }

// Known gives the language among All that a BCP 47 tag means: "sv-FI" is sv, no and nn are nb. It gives "" for any other.
func Known(tag string) string {
	t, err := language.Parse(tag)
	if err != nil {
		return ""
	}
	base, _ := t.Base()
	switch b := base.String(); b {
	case "no", "nn":
		return Norwegian
	default:
		if _, ok := locales[b]; ok {
			return b
		}
	}
	return ""
}

// Negotiate gives the language that an Accept-Language header prefers, by quality and then by order; English when it names
// none of All.
func Negotiate(accept string) string {
	tags, weights, err := language.ParseAcceptLanguage(accept)
	if err != nil {
		return English
	}
	for i, t := range tags { // sorted by weight; one of 0 is refused
		if l := Known(t.String()); l != "" && weights[i] > 0 {
			return l
		}
	}
	return English
}
