package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// desk is one of the staff at work in a browser.
type desk struct {
	t   *testing.T
	h   *house
	ctx context.Context //nolint:containedctx // that of the browser
	// complaints are what the browser complained of.
	complaints *[]string
}

func (h *house) desk(t *testing.T, role staff.Role) *desk {
	t.Helper()
	d := &desk{t: t, h: h, ctx: browser(t)}
	d.complaints = watch(d.ctx)
	if err := chromedp.Run(d.ctx, network.Enable(), h.as(role), screens[1].actions()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, c := range *d.complaints {
			if !strings.Contains(c, "status of 422") && !strings.Contains(c, "status of 409") { // a refused form is shown again so
				t.Errorf("the browser complains: %s", c)
			}
		}
	})
	return d
}

// open opens a page.
func (d *desk) open(path string) *desk {
	d.t.Helper()
	if err := chromedp.Run(d.ctx, chromedp.Navigate(d.h.url+path), chromedp.WaitVisible("h1", chromedp.ByQuery)); err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
	return d
}

// spaces makes plain ones of those that do not break.
var spaces = strings.NewReplacer("\u00a0", " ", "\u202f", " ")

// says looks for texts on the page.
func (d *desk) says(want ...string) {
	d.t.Helper()
	var got, at string
	if err := chromedp.Run(d.ctx, chromedp.Text("main", &got, chromedp.ByQuery), chromedp.Location(&at)); err != nil {
		d.t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(spaces.Replace(got), w) {
			d.t.Fatalf("%s: %q is not in\n%s", at, w, got)
		}
	}
}

// has looks for how many of something there are on the page.
func (d *desk) has(what string) int {
	d.t.Helper()
	var n int
	if err := chromedp.Run(d.ctx, chromedp.Evaluate(`document.querySelectorAll(`+"`"+what+"`"+`).length`, &n)); err != nil {
		d.t.Fatal(err)
	}
	return n
}

// follow clicks on something that leads to another page.
func (d *desk) follow(what string) *desk {
	d.t.Helper()
	if _, err := chromedp.RunResponse(d.ctx, chromedp.Click(what, chromedp.ByQuery)); err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
	return d
}

// fill types into the fields of a form, by their names, and sends it with its button.
func (d *desk) fill(form string, pairs ...string) *desk {
	d.t.Helper()
	var do chromedp.Tasks
	for i := 0; i+1 < len(pairs); i += 2 {
		do = append(do, chromedp.SetValue(form+` [name="`+pairs[i]+`"]`, pairs[i+1], chromedp.ByQuery))
	}
	if _, err := chromedp.RunResponse(d.ctx, append(do, chromedp.Click(form+" button.button:not([type=button])", chromedp.ByQuery))); err != nil {
		d.t.Fatalf("%s: %v", form, err)
	}
	return d
}

// act sends the form of the page.
func (d *desk) act(pairs ...string) *desk {
	d.t.Helper()
	return d.fill("main form[method=post]", pairs...)
}

// where is the address of the page, without the server.
func (d *desk) where() string {
	d.t.Helper()
	var at string
	if err := chromedp.Run(d.ctx, chromedp.Location(&at)); err != nil {
		d.t.Fatal(err)
	}
	at, _, _ = strings.Cut(strings.TrimPrefix(at, d.h.url), "?")
	return at
}
