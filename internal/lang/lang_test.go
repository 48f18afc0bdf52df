package lang

import (
	_ "embed"
	"strconv"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/money"
)

//go:embed testdata/intl.tsv
var intl string

func TestAsIntlWritesIt(t *testing.T) {
	t.Parallel()
	count := 0
	for _, line := range strings.Split(strings.TrimSpace(intl), "\n")[1:] {
		c := strings.Split(line, "\t")
		kind, lang, in, want := c[0], c[1], c[2], c[3]
		count++
		if got := render(t, kind, lang, in); got != want {
			t.Errorf("%s %s %s: %q, want %q", kind, lang, in, got, want)
		}
	}
	if count < 600 {
		t.Errorf("only %d lines were compared", count)
	}
}

func render(t *testing.T, kind, lang, in string) string {
	t.Helper()
	first, rest, _ := strings.Cut(in, " ")
	zone, at := time.UTC, time.Time{}
	n, _ := strconv.ParseInt(first, 10, 64)
	switch kind {
	case "date", "datetime", "clock":
		var err error
		if zone, err = time.LoadLocation(first); err != nil {
			t.Fatal(err)
		}
		if at, err = time.Parse(time.RFC3339, rest); err != nil {
			t.Fatal(err)
		}
	}
	switch kind {
	case "number":
		return Number(lang, money.MustParse(in))
	case "percent":
		return Percent(lang, money.MustParse(in))
	case "plural":
		if One(lang, money.MustParse(in)) {
			return "one"
		}
		return "other"
	case "money":
		minor, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return Money(lang, first, minor)
	case "date":
		return Date(lang, at, zone)
	case "datetime":
		return DateTime(lang, at, zone)
	case "clock":
		return Clock(lang, at, zone)
	case "month":
		return Month(lang, time.Month(n))
	case "monthday":
		return MonthDay(lang, time.Month(n), 15)
	case "weekday":
		return Weekday(lang, time.Weekday(n))
	case "and":
		return And(lang, strings.Fields(in))
	case "or":
		return Or(lang, strings.Fields(in))
	}
	t.Fatalf("unknown kind %s", kind)
	return ""
}

func TestCountLeavesOutZeros(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lang  string
		minor int64
		scale int
		want  string
	}{
		{"en", 1, 0, "1 star"},
		{"en", 100, 2, "1 star"},
		{"en", 150, 2, "1.50 stars"},
		{"en", 0, 0, "0 stars"},
		{"en", -1, 0, "-1 star"},
		{"nb", 123456, 0, "123 456 stars"},
		{"da", 150, 2, "1,50 star"},
		{"xx", 1234, 0, "1,234 stars"},
	} {
		if got := strings.ReplaceAll(Count(c.lang, c.minor, c.scale, "star", "stars"), nbsp, " "); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

func TestThingsAreOneOrMany(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 facts", 1: "1 fact", 2: "2 facts", 21740: "21,740 facts"} {
		if got := Things(n, "fact"); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	if got := Things(int64(2), "activity"); got != "2 activities" {
		t.Error(got)
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"2026-05-17": "17. mai 2026", "02-29": "29. februar", "soon": "soon"} {
		if got := Day("nb", in); got != want {
			t.Errorf("%s: %q", in, got)
		}
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                               "en",
		"nb":                             "nb",
		"no":                             "nb",
		"nn-NO,en;q=0.5":                 "nb",
		"nb-NO, nb;q=0.9, en-US;q=0.8":   "nb",
		"de-DE,de;q=0.9,sv;q=0.4,en;q=0": "sv",
		"fr,de":                          "en",
		"en;q=0.3, da;q=0.7":             "da",
		"sv-FI":                          "sv",
		"en-GB,nb":                       "en",
		"*":                              "en",
		"da;q=0,nb;q=0.1":                "nb",
		";;;":                            "en",
	} {
		if got := Negotiate(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestAPriceInKronerIsSaidAsPeopleSayIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ lang, currency, price, exact, beside string }{
		{"sv", "NOK", "1 250 kr", "1 250,00 kr", "1 250,00 Nkr"},
		{"sv", "DKK", "1 250 kr", "1 250,00 kr", "1 250,00 Dkr"},
		{"nb", "SEK", "1 250 kr", "1 250,00 kr", "1 250,00 SEK"},
		{"da", "NOK", "1.250 kr.", "1.250,00 kr.", "1.250,00 NOK"},
		{"da", "EUR", "1.250 €", "1.250,00 €", "1.250,00 €"},
		{"en", "NOK", "NOK 1,250", "NOK 1,250.00", "NOK 1,250.00"},
	} {
		for _, s := range [][2]string{{Price(c.lang, c.currency, 125000), c.price}, {ExactPrice(c.lang, c.currency, 125000), c.exact}, {Money(c.lang, c.currency, 125000), c.beside}} {
			if got := strings.ReplaceAll(s[0], nbsp, " "); got != s[1] {
				t.Errorf("%s of %s: %q, want %q", c.currency, c.lang, got, s[1])
			}
		}
	}
}
