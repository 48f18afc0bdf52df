package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// TestWhoDidWhatIsFound has an owner make a key, and finds that in the log; and looks at what happened, by its kind.
func TestWhoDidWhatIsFound(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	var all, found, none, events, tiers, data string
	err := chromedp.Run(ctx, network.Enable(), h.as(staff.Owner), screens[1].actions(), chromedp.Navigate(h.url+"/console/keys?for=reading"),
		chromedp.SetValue("#f-name", "Till 7", chromedp.ByQuery), chromedp.Click(`form[action="/console/keys"] button.main`, chromedp.ByQuery), chromedp.WaitVisible(".notice.good code", chromedp.ByQuery),
		h.as(staff.Auditor), chromedp.Navigate(h.url+"/console/audit"), chromedp.Text("main", &all, chromedp.ByQuery),
		chromedp.SetValue("#f-what", "key.created", chromedp.ByQuery), chromedp.Click("main form button", chromedp.ByQuery), chromedp.WaitReady(`main option[value="key.created"][selected]`, chromedp.ByQuery),
		chromedp.Text("main section", &found, chromedp.ByQuery),
		chromedp.Navigate(h.url+"/console/audit?who=Nobody"), chromedp.Text("main", &none, chromedp.ByQuery),
		chromedp.Navigate(h.url+"/console/events"), chromedp.Text("main section", &events, chromedp.ByQuery),
		chromedp.Navigate(h.url+"/console/events?of=tier"), chromedp.Text("main section", &tiers, chromedp.ByQuery),
		chromedp.Click("main details > summary", chromedp.ByQuery), chromedp.WaitVisible("main details pre", chromedp.ByQuery), chromedp.Text("main details pre", &data, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Kari owner", "made an API key", "Till 7"} {
		if !strings.Contains(all, want) || !strings.Contains(found, want) {
			t.Errorf("%q is not in\n%s\nor not in\n%s", want, all, found)
		}
	}
	if strings.Contains(found, "added somebody") || !strings.Contains(none, "No such changes") {
		t.Errorf("%s\n%s", found, none)
	}
	if !strings.Contains(events, "Purchase") || !strings.Contains(tiers, "tier.") || strings.Contains(tiers, "purchase.recorded") || !strings.Contains(data, `"tier"`) {
		t.Errorf("%s\n%s\n%s", events, tiers, data)
	}
	visit(ctx, t, h, "audit", "/console/audit")
	visit(ctx, t, h, "events", "/console/events?of=points")
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}
