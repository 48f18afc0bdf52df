package partner

import (
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
)

func TestAStatementIsToldInItsLanguage(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("CET", 3600)
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, zone)
	s := &Statement{
		Program: "kaffebaren", ProgramName: "Kaffebaren", Partner: "hotel", Name: "Havnehotellet", Month: "2026-11", Currency: "NOK", From: from, Until: from.AddDate(0, 1, 0), Over: true,
		Sums: []Sum{{Sort: Awarded, Unit: "star", UnitName: "stjerner", Price: money.New(60, 2), Count: 2, Amount: money.New(500, 0), Money: money.New(30000, 2)}},
		Due:  money.New(-30000, 2),
	}
	for language, want := range map[string][]string{
		lang.Norwegian: {"november 2026", "Gitt til medlemmer", "stjerner", "Partneren skal ha", "300,00 NOK"}, lang.Swedish: {"november 2026", "Gett till medlemmar", "Partnern ska få"},
		lang.Danish: {"november 2026", "Givet til medlemmer", "Partneren skal have"}, lang.English: {"November 2026", "Awarded to members", "To be paid to the partner"},
	} {
		got := Text(s, language)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is not in\n%s", language, part, got)
			}
		}
		if strings.Contains(got, "2026-11") {
			t.Errorf("%s: the month is a number in\n%s", language, got)
		}
	}
	for _, language := range lang.All { // as many words as English has
		w, en := languages[language], languages[lang.English]
		if len(w.sorts) != len(en.sorts) || w.nothing == "" || w.final == "" || w.soFar == "" || w.title == "" {
			t.Errorf("%s lacks words: %+v", language, w)
		}
	}
}
