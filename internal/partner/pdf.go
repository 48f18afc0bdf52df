package partner

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/go-pdf/fpdf"

	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
)

// Header names the columns of a statement as CSV.
func Header(currency string) []string {
	return []string{"recorded_at", "occurred_at", "fact", "member", "sort", "unit", "amount", "price", "money_" + currency}
}

// Record is a line as CSV.
func (l *Line) Record() []string {
	return []string{l.RecordedAt.Format(time.RFC3339), l.OccurredAt.Format(time.RFC3339), l.Fact, l.Member, l.Sort, l.Unit, l.Amount.String(), l.Price.String(), l.Money.String()}
}

// words are what a statement says in a language.
type words struct {
	title, partner, open, made, sort, unit, count, amount, price, money, day, paid, reference string
	opening, billed, payments, closing, due, owed, nothing, final, soFar, page                string
	sorts                                                                                     map[string]string
}

var languages = map[string]words{
	lang.English: {
		title: "Statement", partner: "Partner", open: "The month is not over: this is what is recorded so far.", made: "Counted by the day of recording",
		sort: "What", unit: "Unit", count: "Times", amount: "Amount", price: "Price of one", money: "Comes to", day: "Day", paid: "Paid", reference: "Reference",
		opening: "Carried over", billed: "This month", payments: "Paid", closing: "Carried forward", due: "To be paid by the partner", owed: "To be paid to the partner", nothing: "Nothing was given or taken this month.", final: "final", soFar: "so far", page: "Page %d of %s",
		sorts: map[string]string{Awarded: "Awarded to members", AwardBack: "Awards taken back", Accepted: "Taken as payment", PaidBack: "Payments taken back"},
	},
	lang.Norwegian: {
		title: "Oppgjør", partner: "Partner", open: "Måneden er ikke over: dette er det som er registrert så langt.", made: "Telles etter dagen det ble registrert",
		sort: "Hva", unit: "Poengtype", count: "Ganger", amount: "Antall", price: "Pris for én", money: "Blir", day: "Dag", paid: "Betalt", reference: "Referanse",
		opening: "Overført", billed: "Denne måneden", payments: "Betalt", closing: "Å overføre", due: "Partneren skal betale", owed: "Partneren skal ha", nothing: "Ingenting ble gitt eller tatt imot denne måneden.", final: "endelig", soFar: "så langt", page: "Side %d av %s",
		sorts: map[string]string{Awarded: "Gitt til medlemmer", AwardBack: "Tatt tilbake fra medlemmer", Accepted: "Tatt imot som betaling", PaidBack: "Betaling omgjort"},
	},
	lang.Swedish: {
		title: "Avräkning", partner: "Partner", open: "Månaden är inte slut: detta är vad som är registrerat hittills.", made: "Räknas efter dagen det registrerades",
		sort: "Vad", unit: "Poängtyp", count: "Gånger", amount: "Antal", price: "Pris för en", money: "Blir", day: "Dag", paid: "Betalt", reference: "Referens",
		opening: "Överfört", billed: "Denna månad", payments: "Betalt", closing: "Att överföra", due: "Partnern ska betala", owed: "Partnern ska få", nothing: "Inget gavs eller togs emot den här månaden.", final: "slutlig", soFar: "hittills", page: "Sida %d av %s",
		sorts: map[string]string{Awarded: "Gett till medlemmar", AwardBack: "Återtaget från medlemmar", Accepted: "Mottaget som betalning", PaidBack: "Betalning återtagen"},
	},
	lang.Danish: {
		title: "Afregning", partner: "Partner", open: "Måneden er ikke slut: dette er, hvad der er registreret indtil nu.", made: "Tælles efter dagen, det blev registreret",
		sort: "Hvad", unit: "Pointtype", count: "Gange", amount: "Antal", price: "Pris for én", money: "Bliver", day: "Dag", paid: "Betalt", reference: "Reference",
		opening: "Overført", billed: "Denne måned", payments: "Betalt", closing: "At overføre", due: "Partneren skal betale", owed: "Partneren skal have", nothing: "Intet blev givet eller modtaget denne måned.", final: "endelig", soFar: "indtil nu", page: "Side %d af %s",
		sorts: map[string]string{Awarded: "Givet til medlemmer", AwardBack: "Taget tilbage fra medlemmer", Accepted: "Modtaget som betaling", PaidBack: "Betaling ført tilbage"},
	},
}

// in gives the words of a language; of one that is not known, those of English.
func in(language string) words {
	if w, ok := languages[language]; ok {
		return w
	}
	return languages[lang.English]
}

// SortName names a sort of lines.
func SortName(sort, language string) string { return in(language).sorts[sort] }

// MonthName names the month: "November 2026".
func (s *Statement) MonthName(language string) string {
	return lang.YearMonth(language, s.From.Month(), s.From.Year())
}

// Text is a statement in a few lines, for a screen.
func Text(s *Statement, language string) string {
	w := in(language)
	state := w.soFar
	if s.Over {
		state = w.final
	}
	var b strings.Builder
	n := func(d money.Decimal) string { return lang.Number(language, d) }
	fmt.Fprintf(&b, "%s, %s, %s (%s)\n", w.title, s.Name, s.MonthName(language), state)
	if len(s.Sums) == 0 {
		fmt.Fprintf(&b, "  %s\n", w.nothing)
	}
	for _, x := range s.Sums {
		fmt.Fprintf(&b, "  %-28s %6s × %14s %-14s %10s %14s\n", w.sorts[x.Sort], lang.Minor(language, x.Count, 0), n(x.Amount), x.UnitName, n(x.Price), n(x.Money))
	}
	for _, p := range s.Payments {
		fmt.Fprintf(&b, "  %-28s %s, %s: %s\n", w.paid, lang.Date(language, p.PaidAt, p.PaidAt.Location()), p.Reference, n(p.Amount))
	}
	due, label := s.Due, w.due
	if due.Sign() < 0 {
		label = w.owed
		if positive, err := minus(due); err == nil {
			due = positive
		}
	}
	for _, line := range [][2]string{{w.opening, n(s.Opening)}, {w.billed, n(s.Billed)}, {w.payments, n(s.Paid)}, {w.closing, n(s.Closing)}, {label, n(due) + " " + s.Currency}} {
		fmt.Fprintf(&b, "  %-28s %s\n", line[0], line[1])
	}
	return b.String()
}

// PDF writes a statement on A4 pages, the same bytes each time for the same statement.
func PDF(s *Statement, language string) ([]byte, error) {
	w := in(language)
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetCreationDate(s.Until.UTC())
	doc.SetModificationDate(s.Until.UTC())
	doc.SetCatalogSort(true)
	doc.SetTitle(w.title+", "+s.Name+", "+s.MonthName(language), true)
	doc.SetLang(language)
	doc.AliasNbPages("")
	text := doc.UnicodeTranslatorFromDescriptor("") // the core fonts write Latin letters
	doc.SetFooterFunc(func() {
		doc.SetY(-15)
		doc.SetFont("Helvetica", "", 8)
		doc.CellFormat(0, 6, text(fmt.Sprintf(w.page, doc.PageNo(), "{nb}")), "", 0, "C", false, 0, "")
	})
	doc.SetMargins(18, 18, 18)
	doc.SetAutoPageBreak(true, 20)
	doc.AddPage()
	doc.SetFont("Helvetica", "", 10)
	doc.CellFormat(0, 5.5, text(s.ProgramName), "", 1, "L", false, 0, "")
	doc.SetFont("Helvetica", "B", 18)
	doc.CellFormat(0, 11, text(w.title+", "+s.MonthName(language)), "", 1, "L", false, 0, "")
	doc.SetFont("Helvetica", "", 10)
	last := s.Until.AddDate(0, 0, -1)
	days := lang.Date(language, s.From, s.From.Location()) + " \u2013 " + lang.Date(language, last, last.Location())
	for _, line := range []string{w.partner + ": " + s.Name, days + ". " + w.made + "."} {
		doc.CellFormat(0, 5.5, text(line), "", 1, "L", false, 0, "")
	}
	if !s.Over {
		doc.SetFont("Helvetica", "B", 10)
		doc.CellFormat(0, 7, text(w.open), "", 1, "L", false, 0, "")
	}
	doc.SetFillColor(240, 240, 240)
	row := func(style string, widths []float64, left int, cells ...string) {
		doc.SetFont("Helvetica", style, 9)
		for i, c := range cells {
			align := "R"
			if i < left {
				align = "L"
			}
			doc.CellFormat(widths[i], 6.5, text(c), "B", 0, align, style == "B", 0, "")
		}
		doc.Ln(6.5)
	}
	// table repeats its heading on the next page.
	table := func(widths []float64, left int, heading []string, rows [][]string) {
		doc.Ln(6)
		_, high := doc.GetPageSize()
		row("B", widths, left, heading...)
		for _, r := range rows {
			if doc.GetY()+6.5 > high-20 {
				doc.AddPage()
				row("B", widths, left, heading...)
			}
			row("", widths, left, r...)
		}
	}
	n := func(d money.Decimal) string { return plain.Replace(lang.Number(language, d)) }
	of := func(count int64) string { return plain.Replace(lang.Minor(language, count, 0)) }
	comes := w.money + " (" + s.Currency + ")"
	var rows [][]string
	for _, x := range s.Sums {
		rows = append(rows, []string{w.sorts[x.Sort], x.UnitName, of(x.Count), n(x.Amount), n(x.Price), n(x.Money)})
	}
	if len(rows) > 0 {
		table([]float64{50, 30, 18, 24, 24, 28}, 2, []string{w.sort, w.unit, w.count, w.amount, w.price, comes}, rows)
	} else {
		doc.Ln(6)
		doc.SetFont("Helvetica", "", 10)
		doc.CellFormat(0, 6, text(w.nothing), "", 1, "L", false, 0, "")
	}
	rows = nil
	for _, p := range s.Payments {
		rows = append(rows, []string{lang.Date(language, p.PaidAt, p.PaidAt.Location()), p.Reference, n(p.Amount)})
	}
	if len(rows) > 0 {
		table([]float64{50, 70, 54}, 2, []string{w.paid, w.reference, s.Currency}, rows)
	}
	if _, high := doc.GetPageSize(); doc.GetY()+6+5*6.5 > high-20 { // the sums stand together
		doc.AddPage()
	}
	doc.Ln(6)
	widths := []float64{110, 64}
	row("", widths, 1, w.opening, n(s.Opening))
	row("", widths, 1, w.billed, n(s.Billed))
	paid, err := minus(s.Paid)
	if err != nil {
		return nil, err
	}
	row("", widths, 1, w.payments, n(paid))
	row("", widths, 1, w.closing, n(s.Closing))
	due, label := s.Due, w.due
	if due.Sign() < 0 {
		label = w.owed
		if due, err = minus(due); err != nil {
			return nil, err
		}
	}
	row("B", widths, 1, label, n(due)+" "+s.Currency)
	rows = nil
	for _, d := range s.Days {
		rows = append(rows, []string{lang.Day(language, d.Day), of(d.Count), n(d.Money)})
	}
	if len(rows) > 0 {
		table([]float64{80, 40, 54}, 1, []string{w.day, w.count, comes}, rows)
	}
	var out bytes.Buffer
	if err := doc.Output(&out); err != nil {
		return nil, fmt.Errorf("write a statement: %w", err)
	}
	return out.Bytes(), nil
}

// plain are the signs that the core fonts do not have.
var plain = strings.NewReplacer("\u202f", " ", "\u00a0", " ", "\u2212", "-")

func minus(d money.Decimal) (money.Decimal, error) {
	micro, err := d.Minor(scale)
	if err != nil {
		return d, err
	}
	return dec(-micro), nil
}
