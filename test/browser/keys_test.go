package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// TestAKeyIsMadeUsedReplacedAndRevoked makes a key in the console, asks the API with it, replaces it and revokes the new one.
func TestAKeyIsMadeUsedReplacedAndRevoked(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	asks := func(secret string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/v1/members", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("the key is answered %d, want %d", res.StatusCode, want)
		}
	}
	const made, list = `.notice.good code`, `section.panel .list`
	var first, second, page string
	err := chromedp.Run(ctx, network.Enable(), h.as(staff.Owner), screens[1].actions(), chromedp.Navigate(h.url+"/console/keys?for=reading"),
		chromedp.SetValue("#f-name", "Till 1", chromedp.ByQuery), chromedp.Click(`form[action="/console/keys"] button.main`, chromedp.ByQuery),
		chromedp.WaitVisible(made, chromedp.ByQuery), chromedp.Text(made, &first, chromedp.ByQuery), chromedp.Text(list, &page, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(first, "lj_live_") || !strings.Contains(page, "Till 1") || !strings.Contains(page, "Not used yet") {
		t.Errorf("%q, %q", first, page)
	}
	asks(first, 200)
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/keys"), chromedp.Click(list+` details.menu > summary`, chromedp.ByQuery), chromedp.SetValue(`[name="overlap"]`, "0", chromedp.ByQuery),
		chromedp.Click(`form[action$="/rotate"] button`, chromedp.ByQuery), chromedp.WaitVisible(made, chromedp.ByQuery), chromedp.Text(made, &second, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	asks(first, 401)
	asks(second, 200)
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/keys"), chromedp.Click(list+` details.menu > summary`, chromedp.ByQuery),
		chromedp.Click(`form[action$="/revoke"] button`, chromedp.ByQuery), chromedp.WaitVisible(`.notice.good`, chromedp.ByQuery), chromedp.Text("main", &page, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	asks(second, 401)
	if !strings.Contains(page, "Ended keys (") {
		t.Errorf("%s", page)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
	visit(ctx, t, h, "keys", "/console/keys?for=shop")
	visit(ctx, t, h, "keys-all", "/console/keys?for=all")
}
