package browser

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func (h *house) portal(path string) string { return "/portal/" + h.program + path }

var sent = regexp.MustCompile(`\d{6} (is your code|er koden din)`)

// code is what was written to the log in place of sending it: the latest after so many that came before.
func (h *house) code(before int) string {
	never := make(chan struct{})
	all := regexp.MustCompile(`(?s)(?:` + sent.String() + `.*?msg=|` + sent.String() + `.*?){` + fmt.Sprint(before+1) + `}`)
	found := sent.FindAllString(h.warned.await(all, never), -1)
	return found[len(found)-1][:6]
}

// TestPortalPages opens every page of the portal, before and after signing in.
func TestPortalPages(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	visit(ctx, t, h, "portal-sign-in", h.portal("/sign-in"))
	visit(ctx, t, h, "portal-terms-open", h.portal("/terms"))
	if err := chromedp.Run(ctx, network.Enable(), h.asMember(t, "1001")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"home", "card", "rewards", "benefits", "challenges", "history", "terms", "me"} {
		visit(ctx, t, h, "portal-"+p, h.portal("/"+p))
	}
	var reward string
	if err := chromedp.Run(ctx, chromedp.Navigate(h.url+h.portal("/rewards")), chromedp.AttributeValue(`a.choice[href*="/rewards/"]`, "href", &reward, nil, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	visit(ctx, t, h, "portal-reward", reward)
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// TestAMemberJoinsByEmail goes from a link to the card: an address, the code, a name.
func TestAMemberJoinsByEmail(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	var title, number, again string
	err := chromedp.Run(ctx, screens[0].actions(), chromedp.Navigate(h.url+"/portal"), chromedp.WaitVisible("#f-address", chromedp.ByQuery), chromedp.SendKeys("#f-address", "nye@example.no\r", chromedp.ByQuery),
		chromedp.WaitVisible("#f-code", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	look(ctx, t, "code")
	picture(ctx, t, "portal-code-phone")
	code := h.code(0)
	err = chromedp.Run(ctx, chromedp.SendKeys("#f-code", code+"\r", chromedp.ByQuery), chromedp.WaitVisible("#f-name", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	look(ctx, t, "join")
	picture(ctx, t, "portal-join-phone")
	err = chromedp.Run(ctx, chromedp.SendKeys("#f-name", "Nye Medlem", chromedp.ByQuery), chromedp.Click("#f-agree", chromedp.ByQuery), chromedp.Click(`form[action$="/join"] > button`, chromedp.ByQuery),
		chromedp.WaitVisible(".pass .number", chromedp.ByQuery), chromedp.Text("h1", &title, chromedp.ByQuery), chromedp.Text(".pass .number", &number, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if title == "" || !regexp.MustCompile(`^29\d\d \d{4} \d{4} \d{4}$`).MatchString(number) {
		t.Errorf("%q %q", title, number)
	}
	// Signing out takes the card along, and in again is the same way, without the name.
	var left []string
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+h.portal("/me")), chromedp.SendKeys(`form[action$="/sign-out"] button`, "\r", chromedp.ByQuery), chromedp.WaitVisible("#f-address", chromedp.ByQuery),
		chromedp.PollFunction(`async () => (await caches.keys()).some(n => n.startsWith("lojal-card")) ? null : ["none"]`, &left), chromedp.SendKeys("#f-address", "nye@example.no\r", chromedp.ByQuery), chromedp.WaitVisible("#f-code", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	code = h.code(1)
	err = chromedp.Run(ctx, chromedp.SendKeys("#f-code", code+"\r", chromedp.ByQuery), chromedp.WaitVisible(".balance", chromedp.ByQuery), chromedp.Navigate(h.url+h.portal("/card")),
		chromedp.Text(".pass .number", &again, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if again != number {
		t.Errorf("the card is %q and was %q", again, number)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// TestAMemberRedeems chooses a reward that can be had, confirms, and has it among what is theirs.
func TestAMemberRedeems(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	var before, after, title string
	err := chromedp.Run(ctx, screens[0].actions(), h.asMember(t, "1001"), chromedp.Navigate(h.url+h.portal("/home")), chromedp.Text(".balance .value", &before, chromedp.ByQuery),
		chromedp.Navigate(h.url+h.portal("/rewards")), chromedp.Click(`[aria-labelledby="near-now"] a.choice`, chromedp.ByQuery), chromedp.WaitVisible(`form[action*="/rewards/"] button`, chromedp.ByQuery),
		chromedp.Text("h1", &title, chromedp.ByQuery), chromedp.Click(`form[action*="/rewards/"] button`, chromedp.ByQuery), chromedp.WaitVisible(".pass .qr", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	look(ctx, t, "redeemed")
	picture(ctx, t, "portal-redeemed-phone")
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+h.portal("/home")), chromedp.Text(".balance .value", &after, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Errorf("%s is as much as before: %s", title, after)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// cut takes the connection away: the server stops, and the browser knows that it is off the net. (What a browser calls offline does not reach its workers.)
func (h *house) cut() chromedp.Action {
	h.end()
	return network.OverrideNetworkState(true, 0, -1, -1)
}

// TestTheCardIsShownWithoutAConnection opens the card with the network cut off, and nothing else of the member; after signing out not even that.
func TestTheCardIsShownWithoutAConnection(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	var number, kept, elsewhere string
	var keys []string
	err := chromedp.Run(ctx, screens[0].actions(), h.asMember(t, "1001"), chromedp.Navigate(h.url+h.portal("/home")), chromedp.WaitVisible("h1", chromedp.ByQuery),
		chromedp.PollFunction(`async () => {
			for (const n of await caches.keys()) {
				const k = (await (await caches.open(n)).keys()).map(r => new URL(r.url).pathname);
				if (k.some(p => p.endsWith("/card")) && k.length >= 5) return k;
			}
			return null;
		}`, &keys),
		chromedp.Navigate(h.url+h.portal("/card")), chromedp.Text(".pass .number", &number, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !strings.HasPrefix(k, "/assets/") && k != h.portal("/card") && k != h.portal("/style.css") {
			t.Errorf("%s is kept", k)
		}
	}
	if err := chromedp.Run(ctx, h.cut()); err != nil {
		t.Fatal(err)
	}
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+h.portal("/card")), chromedp.WaitVisible(".pass .qr", chromedp.ByQuery), chromedp.Text(".pass .number", &kept, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	picture(ctx, t, "portal-card-offline-phone")
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+h.portal("/history")), chromedp.WaitVisible(".pass .number", chromedp.ByQuery), chromedp.Text(".pass .number", &elsewhere, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if number == "" || kept != number || elsewhere != number {
		t.Errorf("the card is %q, without a connection %q, in place of another page %q", number, kept, elsewhere)
	}
}

// picture keeps what is on the screen.
func picture(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	var png []byte
	if err := chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)); err != nil {
		t.Fatal(err)
	}
	shot(t, name, png)
}
