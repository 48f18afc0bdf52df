package browser

import (
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// TestConsolePages opens every page of the console as its owner.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	visit(ctx, t, h, "sign-in", "/console/sign-in")
	if err := chromedp.Run(ctx, network.Enable(), h.as(staff.Owner)); err != nil {
		t.Fatal(err)
	}
	var member string
	err := chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/members?q=ext:1001"), chromedp.AttributeValue(`.table a`, "href", &member, nil, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct{ name, path string }{
		{"members", "/console/members"}, {"members-none", "/console/members?q=nobody+at+all"}, {"member", member}, {"me", "/console/me"}, {"second-step", "/console/me/second-step"},
		{"staff", "/console/staff"}, {"not-found", nothing},
	} {
		visit(ctx, t, h, p.name, p.path)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}
