package portal

import (
	"net/http"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// card shows what a till reads.
func (c *Portal) card(v *visit) error {
	a, err := v.about()
	if err != nil {
		return err
	}
	number := a.card()
	if number == "" || a.Status == "closed" {
		return v.show(cardPage(v, a, "", page.Modules{}, page.Modules{}))
	}
	square, err := page.QR(number)
	if err != nil {
		return errs.Internal("card_code", "a card cannot be drawn").Because(err)
	}
	bars, err := page.Code128(number)
	if err != nil {
		return errs.Internal("card_code", "a card cannot be drawn").Because(err)
	}
	return v.showAs(http.StatusOK, cardPage(v, a, number, square, bars))
}

// grouped writes a number in fours, as cards do.
func grouped(number string) string {
	if len(number)%4 != 0 {
		return number
	}
	var out []byte
	for i := range len(number) {
		if i > 0 && i%4 == 0 {
			out = append(out, ' ')
		}
		out = append(out, number[i])
	}
	return string(out)
}
