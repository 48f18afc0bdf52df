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
	title, partner, month, open, made, sort, unit, count, amount, price, money, day, paid, reference string
	opening, billed, payments, closing, due, owed, page                                              string
	sorts                                                                                            map[string]string
}

//nolint:misspell // in their languages these are right
var languages = map[string]words{
	lang.English: {
		title: "Statement", partner: "Partner", month: "Month", open: "The month is not over: this is what is recorded so far.", made: "Counted by the day of recording",
		sort: "What", unit: "Unit", count: "Postings", amount: "Amount", price: "Price of one", money: "Comes to", day: "Day", paid: "Paid", reference: "Reference",
		opening: "Carried over", billed: "This month", payments: "Paid", closing: "Carried forward", due: "To be paid by the partner", owed: "To be paid to the partner", page: "Page %d of %s",
		sorts: map[string]string{Awarded: "Awarded to members", AwardBack: "Awards taken back", Accepted: "Taken as payment", PaidBack: "Payments taken back"},
	},
	lang.Norwegian: {
		title: "Oppgjør", partner: "Partner", month: "Måned", open: "Måneden er ikke over: dette er det som er registrert så langt.", made: "Telles etter dagen det ble registrert",
		sort: "Hva", unit: "Poengtype", count: "Posteringer", amount: "Antall", price: "Pris for én", money: "Blir", day: "Dag", paid: "Betalt", reference: "Referanse",
		opening: "Overført", billed: "Denne måneden", payments: "Betalt", closing: "Å overføre", due: "Partneren skal betale", owed: "Partneren skal ha", page: "Side %d av %s",
		sorts: map[string]string{Awarded: "Gitt til medlemmer", AwardBack: "Tatt tilbake fra medlemmer", Accepted: "Tatt imot som betaling", PaidBack: "Betaling omgjort"},
	},
	lang.Swedish: {
		title: "Avräkning", partner: "Partner", month: "Månad", open: "Månaden är inte slut: detta är vad som är registrerat hittills.", made: "Räknas efter dagen det registrerades",
		sort: "Vad", unit: "Poängtyp", count: "Posteringar", amount: "Antal", price: "Pris för en", money: "Blir", day: "Dag", paid: "Betalt", reference: "Referens",
		opening: "Överfört", billed: "Denna månad", payments: "Betalt", closing: "Att överföra", due: "Partnern ska betala", owed: "Partnern ska få", page: "Sida %d av %s",
		sorts: map[string]string{Awarded: "Gett till medlemmar", AwardBack: "Återtaget från medlemmar", Accepted: "Mottaget som betalning", PaidBack: "Betalning återtagen"},
	},
	lang.Danish: {
		title: "Afregning", partner: "Partner", month: "Måned", open: "Måneden er ikke slut: dette er, hvad der er registreret indtil nu.", made: "Tælles efter dagen, det blev registreret",
		sort: "Hvad", unit: "Pointtype", count: "Posteringer", amount: "Antal", price: "Pris for én", money: "Bliver", day: "Dag", paid: "Betalt", reference: "Reference",
		opening: "Overført", billed: "Denne måned", payments: "Betalt", closing: "At overføre", due: "Partneren skal betale", owed: "Partneren skal have", page: "Side %d af %s",
		sorts: map[string]string{Awarded: "Givet til medlemmer", AwardBack: "Taget tilbage fra medlemmer", Accepted: "Modtaget som betaling", PaidBack: "Betaling ført tilbage"},
	},
}

// PDF writes a statement on A4 pages, the same bytes each time for the same statement.
func PDF(s *Statement, language string) ([]byte, error) {
	w, ok := languages[language]
	if !ok {
		w = languages[lang.English]
	}
	doc := fpdf.New("P", "mm", "A4", "")
	doc.SetCreationDate(s.Until.UTC())
	doc.SetModificationDate(s.Until.UTC())
	doc.SetCatalogSort(true)
	doc.SetTitle(w.title+" "+s.Partner+" "+s.Month, true)
	doc.SetLang(language)
	doc.AliasNbPages("")
	text := doc.UnicodeTranslatorFromDescriptor("") // the core fonts write Latin letters
	doc.SetFooterFunc(func() {
		doc.SetY(-15)
		doc.SetFont("Helvetica", "", 8)
		doc.CellFormat(0, 6, text(fmt.Sprintf(w.page, doc.PageNo(), "{nb}")), "", 0, "C", false, 0, "")
	})
	doc.SetMargins(18, 18, 18)
	doc.AddPage()
	doc.SetFont("Helvetica", "B", 18)
	doc.CellFormat(0, 10, text(w.title), "", 1, "L", false, 0, "")
	doc.SetFont("Helvetica", "", 10)
	for _, line := range [][2]string{{w.partner, s.Name + " (" + s.Partner + ")"}, {w.month, s.Month}, {"", s.Program + ", " + s.Currency + ". " + w.made + "."}} {
		said := line[1]
		if line[0] != "" {
			said = line[0] + ": " + said
		}
		doc.CellFormat(0, 5.5, text(said), "", 1, "L", false, 0, "")
	}
	if !s.Over {
		doc.SetFont("Helvetica", "B", 10)
		doc.CellFormat(0, 7, text(w.open), "", 1, "L", false, 0, "")
	}
	row := func(style string, widths []float64, cells ...string) {
		doc.SetFont("Helvetica", style, 9)
		for i, c := range cells {
			align := "R"
			if i < 2 && len(cells) > 3 || i == 0 {
				align = "L"
			}
			doc.CellFormat(widths[i], 6, text(c), "B", 0, align, false, 0, "")
		}
		doc.Ln(6)
	}
	n := func(d money.Decimal) string { return plain.Replace(lang.Number(language, d)) }
	if len(s.Sums) > 0 {
		doc.Ln(5)
		widths := []float64{52, 24, 22, 26, 24, 26}
		row("B", widths, w.sort, w.unit, w.count, w.amount, w.price, w.money)
		for _, x := range s.Sums {
			row("", widths, w.sorts[x.Sort], x.Unit, fmt.Sprint(x.Count), n(x.Amount), n(x.Price), n(x.Money))
		}
	}
	if len(s.Days) > 0 {
		doc.Ln(5)
		widths := []float64{50, 40, 84}
		row("B", widths, w.day, w.count, w.money)
		for _, d := range s.Days {
			row("", widths, d.Day, fmt.Sprint(d.Count), n(d.Money))
		}
	}
	if len(s.Payments) > 0 {
		doc.Ln(5)
		widths := []float64{50, 84, 40}
		row("B", widths, w.paid, w.reference, w.money)
		for _, p := range s.Payments {
			row("", widths, p.PaidAt.Format(time.DateOnly), p.Reference, n(p.Amount))
		}
	}
	doc.Ln(5)
	widths := []float64{110, 64}
	row("", widths, w.opening, n(s.Opening))
	row("", widths, w.billed, n(s.Billed))
	paid, err := minus(s.Paid)
	if err != nil {
		return nil, err
	}
	row("", widths, w.payments, n(paid))
	row("", widths, w.closing, n(s.Closing))
	due, label := s.Due, w.due
	if due.Sign() < 0 {
		label = w.owed
		if due, err = minus(due); err != nil {
			return nil, err
		}
	}
	row("B", widths, label, n(due)+" "+s.Currency)
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
