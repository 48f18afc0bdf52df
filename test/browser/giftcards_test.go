package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// TestAGiftCardsLifeAtTheDesk sells a card, pays with it, gives a part back, tops it up, blocks it and calls it off, and makes a batch.
func TestAGiftCardsLifeAtTheDesk(t *testing.T) {
	t.Parallel()
	h := full(t, "gift-card-rewards")
	d := h.desk(t, staff.Store)
	visit(d.ctx, t, h, "giftcards", "/console/gift-cards")
	visit(d.ctx, t, h, "giftcard-new", "/console/gift-cards/new")
	visit(d.ctx, t, h, "giftcard-batch", "/console/gift-cards/batch")
	d.open("/console/gift-cards").says("Outstanding on gift cards")
	d.open("/console/gift-cards/new").act("amount", "20,00", "to", "Ola").says("50.00") // less than the program allows
	d.act("amount", "500,00", "to", "Ola", "from", "Kari", "greeting", "Gratulerer!").says("shown only now")
	var code string
	if err := chromedp.Run(d.ctx, chromedp.Text("main code", &code, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if d.follow("main a.button.main").has("h1") != 1 {
		t.Fatal("no page of the card")
	}
	at := d.where()
	d.says("NOK 500.00", "Gratulerer!", "Made")
	var whole string
	if err := chromedp.Run(d.ctx, chromedp.OuterHTML("html", &whole, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(whole, code) {
		t.Error("the page of a card shows its code")
	}
	d.open(at+"/pay").act("amount", "120,50", "code", "7KXQ-2M9D-4VWT-R80HE").says("not the code of this card")
	d.act("amount", "120,50", "code", code).says("Paid.", "NOK 379.50")
	visit(d.ctx, t, h, "giftcard", at)
	d.open(at).follow(`.timeline a[href^="/console/redemptions/"]`).says("NOK 120.50", "Paid with a gift card")
	d.open(d.where()+"/refund").act("amount", "20,50", "reason", "A cup was broken").says("Refunded.", "20.50 gift kroner")
	d.open(at+"/load").act("amount", "100").says("Topped up.", "NOK 500.00")
	d.open("/console/gift-cards").fill(`form[action="/console/codes"]`, "code", strings.ToLower(code)).says("Ola")
	if got := d.where(); got != at {
		t.Errorf("the code leads to %s", got)
	}
	d.open(at+"/block").act("reason", "Lost").says("The card is blocked.", "Blocked")
	d.open(at + "/free").act().says("The card can be used again.")
	d.open(at + "/erase").act().says("What was personal is erased.")
	if d.has(`a[href="`+at+`/erase"]`) != 0 {
		t.Error("what is erased can be erased")
	}
	d.open(at+"/close").act("reason", "Regretted").says("The card is called off.", "NOK 0.00")

	d.open("/console/gift-cards/batch").act("batch", "jul-2026", "amount", "300", "people", "Ola,ola@example.no,emp-1\nKari;kari@example.no;emp-2").says("Batch jul-2026", "emp-2")
	if d.has("td code") != 2 {
		t.Error("not a code for each")
	}
	d.open("/console/gift-cards?batch=jul-2026").says("jul-2026", "NOK 300.00")

	analyst := h.desk(t, staff.Analyst).open(at)
	if analyst.has(`a[href^="`+at+`/"]`) != 0 {
		t.Error("who only reads is offered to change a card")
	}
}
