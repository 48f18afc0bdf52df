package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// fetch gets a page as somebody of a role, as a browser downloads it.
func (h *house) fetch(t *testing.T, role staff.Role, path string) (kind, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "lojal_staff", Value: h.sessions[role]})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	buf := make([]byte, 32<<10)
	for err == nil {
		var n int
		n, err = res.Body.Read(buf)
		b.Write(buf[:n])
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", path, res.StatusCode, b.String())
	}
	return res.Header.Get("Content-Type"), b.String()
}

// TestAPartnerIsSettledWith gives points for a partner, takes them back, notes what it paid, and downloads the statement.
func TestAPartnerIsSettledWith(t *testing.T) {
	t.Parallel()
	h := full(t, "airline-miles")
	d := h.desk(t, staff.Owner)
	visit(d.ctx, t, h, "partners", "/console/partners")
	d.open("/console/partners").follow("td a[href^='/console/partners/']")
	at := d.where()
	visit(d.ctx, t, h, "partner", at)
	visit(d.ctx, t, h, "partner-settle", at+"/settle")
	d.open(at+"/settle").act("amount", "-100", "reference", "bank-1", "note", "By mistake").says("The payment is noted.", "bank-1", "-DKK 100.00")
	d.open(at+"/settle").act("amount", "1.000", "reference", "bank-2").says("without a mark for thousands")
	d.open(at+"/settle").act("amount", "1000000,00", "reference", "bank-2").says("The payment is noted.", "bank-2")
	d.open(at+"/award").act("member", "nobody at all", "amount", "40", "external_id", "stay-1").says("No member has this.")
	d.act("member", "1001").says("The points are given.", "40 miles")
	d.open(at+"/undo").act("fact", "stay-1", "reason", "Cancelled").says("Taken back.")
	d.open(at+"/key").act("name", "Their till").says("shown only now")
	var secret string
	if err := chromedp.Run(d.ctx, chromedp.Text("main code", &secret, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(secret, "lj_") {
		t.Errorf("the key is %q", secret)
	}
	d.open(at).says("Their till")
	if _, err := chromedp.RunResponse(d.ctx, chromedp.Click(`form[action$="/keys/revoke"] button`, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	d.says("The key opens nothing any more.", "The partner has no key")

	var pdf string
	if err := chromedp.Run(d.ctx, chromedp.AttributeValue(`a[href$="/pdf"]`, "href", &pdf, nil, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	if kind, body := h.fetch(t, staff.Auditor, pdf); kind != "application/pdf" || !strings.HasPrefix(body, "%PDF") {
		t.Errorf("the statement is %s: %.20q", kind, body)
	}
	if kind, body := h.fetch(t, staff.Auditor, strings.TrimSuffix(pdf, "pdf")+"csv"); !strings.HasPrefix(kind, "text/csv") || !strings.Contains(body, "award_undone") {
		t.Errorf("the lines are %s: %.200q", kind, body)
	}
	d.open(at).follow(`nav a[href*="month="]`).says("Carried over")

	marketer := h.desk(t, staff.Marketer).open(at)
	if marketer.has(`a[href="`+at+`/award"]`) != 0 || marketer.has(`a[href="`+at+`/settle"]`) != 1 {
		t.Error("a marketer is offered what the role may not, or not what it may")
	}
}
