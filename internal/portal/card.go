package portal

import (
	"net/http"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
)

// wallets says in which wallets of phones the card can be kept.
type wallets struct{ Apple, Google bool }

// appleCard is a pass for Apple Wallet.
func (c *Portal) appleCard(v *visit) error {
	pass, err := v.api.Raw(v.r.Context(), http.MethodGet, page.Path("members", v.m.ID, "wallet", "apple"), nil, "", nil)
	if err != nil {
		return err
	}
	v.done = true
	h := v.w.Header()
	h.Set("Content-Type", "application/vnd.apple.pkpass")
	h.Set("Content-Disposition", `attachment; filename="`+v.program()+`.pkpass"`)
	h.Set("Cache-Control", "no-store")
	_, _ = v.w.Write(pass) // the client may be gone
	return nil
}

// googleCard leads to where Google asks whether to keep the card.
func (c *Portal) googleCard(v *visit) error {
	var link struct{ URL string }
	if err := v.api.Get(v.r.Context(), page.Path("members", v.m.ID, "wallet", "google"), nil, &link); err != nil {
		return err
	}
	return v.to(link.URL)
}

// card shows what a till reads.
func (c *Portal) card(v *visit) error {
	a, err := v.about()
	if err != nil {
		return err
	}
	number := a.card()
	if number == "" || a.Status == "closed" {
		return v.show(cardPage(v, a, "", page.Modules{}, page.Modules{}, wallets{}))
	}
	square, err := page.QR(number)
	if err != nil {
		return errs.Internal("card_code", "a card cannot be drawn").Because(err)
	}
	bars, err := page.Code128(number)
	if err != nil {
		return errs.Internal("card_code", "a card cannot be drawn").Because(err)
	}
	var ways wallets
	if err := v.api.Get(v.r.Context(), page.Path("members", v.m.ID, "wallet"), nil, &ways); err != nil {
		return err
	}
	return v.showAs(http.StatusOK, cardPage(v, a, number, square, bars, ways))
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
