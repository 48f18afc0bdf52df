package browser

import (
	"path/filepath"
	"strings"
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
		{"today", "/console"}, {"today-year", "/console?period=year"}, {"members", "/console/members"}, {"members-none", "/console/members?q=nobody+at+all"}, {"member", member}, {"me", "/console/me"}, {"second-step", "/console/me/second-step"},
		{"staff", "/console/staff"}, {"program", "/console/program"}, {"version", "/console/program/versions/1"}, {"draft", "/console/program/draft"}, {"publish", "/console/program/publish"}, {"try", "/console/program/try"},
		{"tried", "/console/program/try?amount=250"}, {"tried-wrong", "/console/program/try?amount=a+lot&member=nobody"}, {"not-found", nothing},
	} {
		visit(ctx, t, h, p.name, p.path)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// TestAProgramIsChangedAndBroughtBack writes a draft with a mistake, is led to it, mends it, publishes it and goes back.
func TestAProgramIsChangedAndBroughtBack(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	var source, seen, at string
	err := chromedp.Run(ctx, network.Enable(), h.as(staff.Owner), chromedp.Navigate(h.url+"/console/program/draft"),
		chromedp.Value("#source", &source, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(source, "worth:", "wort:", 1)
	mended := strings.Replace(strings.Replace(source, "en: Coffee Stars", "en: Coffee Suns", 1), "give: {unit: star, amount: 1, per: 10.00}", "give: {unit: star, amount: 3, per: 10.00}", 1)
	if broken == source || mended == source {
		t.Fatalf("the draft is another than the coffee bar:\n%s", source)
	}
	typing := func(text string) chromedp.Action {
		return chromedp.Tasks{
			chromedp.SetValue("#source", text, chromedp.ByQuery),
			chromedp.Evaluate(`document.querySelector("#source").dispatchEvent(new Event("input", {bubbles: true})); 0`, nil),
		}
	}
	err = chromedp.Run(ctx, typing(broken), chromedp.WaitVisible("#seen #problems", chromedp.ByQuery), chromedp.Click("#seen [data-line]", chromedp.ByQuery),
		chromedp.Evaluate(`(t => t.value.slice(t.selectionStart, t.selectionEnd))(document.querySelector("#source"))`, &at),
		typing(mended), chromedp.WaitVisible("#seen #diff", chromedp.ByQuery), chromedp.Text("#seen", &seen, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(at, "wort:") {
		t.Errorf("the mistake leads to %q", at)
	}
	if !strings.Contains(seen, "Coffee Suns") {
		t.Errorf("what changes is told as %q", seen)
	}
	var now, then string
	err = chromedp.Run(ctx, chromedp.Click(`button[value="try"]`, chromedp.ByQuery), chromedp.WaitVisible("#f-amount", chromedp.ByQuery), chromedp.SetValue("#f-amount", "500", chromedp.ByQuery),
		chromedp.SetValue("#f-at", "2026-12-09T12:00", chromedp.ByQuery), chromedp.Click(`form[action="/console/program/try"] button`, chromedp.ByQuery),
		chromedp.Text(`section:has(> [id="by-try.now"])`, &now, chromedp.ByQuery), chromedp.Text(`section:has(> [id="by-try.draft"])`, &then, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(now, "50 stars") || !strings.Contains(then, "150 stars") {
		t.Errorf("a purchase gives now %q, and by the draft %q", now, then)
	}
	visit(ctx, t, h, "tried-both", "/console/program/try?amount=500&at=2026-12-09T12:00")
	err = chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/program/draft"))
	if err != nil {
		t.Fatal(err)
	}
	var title, back string
	err = chromedp.Run(ctx, chromedp.Click(`button[value="publish"]`, chromedp.ByQuery), chromedp.WaitVisible(`form[action="/console/program/publish"] button`, chromedp.ByQuery),
		chromedp.Click(`form[action="/console/program/publish"] button`, chromedp.ByQuery), chromedp.WaitVisible("#versions", chromedp.ByQuery), chromedp.Text("h1", &title, chromedp.ByQuery),
		chromedp.Navigate(h.url+"/console/program/versions/1"), chromedp.Click(`form[action$="/back"] button`, chromedp.ByQuery), chromedp.WaitVisible("#versions", chromedp.ByQuery), chromedp.Text("h1", &back, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if title != "Coffee Suns" || back != "Coffee Stars" {
		t.Errorf("published as %q, and back as %q", title, back)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// TestAProgramIsChangedByForms changes two values in forms, one of them wrongly at first, and finds the rest of the text as it was.
func TestAProgramIsChangedByForms(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	if err := chromedp.Run(ctx, network.Enable(), h.as(staff.Marketer)); err != nil {
		t.Fatal(err)
	}
	visit(ctx, t, h, "parts", "/console/program/draft/parts")
	var before, after, wrong, seen string
	keep := chromedp.Click(`button[value="keep"]`, chromedp.ByQuery)
	set := func(id, value string) chromedp.Action {
		return chromedp.SetValue("#"+id, value, chromedp.ByQuery)
	}
	err := chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/program/draft"), chromedp.Value("#source", &before, chromedp.ByQuery), chromedp.Navigate(h.url+"/console/program/draft/parts"),
		set("s-units-star-worth", "0,75"), set("s-units-star-expires-after", "a long while"), keep, chromedp.WaitVisible(".notice.bad", chromedp.ByQuery),
		chromedp.Text(".field:has(#s-units-star-expires-after) .wrong", &wrong, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	look(ctx, t, "parts with a mistake")
	err = chromedp.Run(ctx, set("s-units-star-expires-after", "18 months"), keep, chromedp.WaitVisible("#seen #diff", chromedp.ByQuery),
		chromedp.Value("#source", &after, chromedp.ByQuery), chromedp.Text("#seen", &seen, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(strings.Replace(before, "worth: 0.50", "worth: 0.75", 1), "after: 12 months", "after: 18 months", 1)
	if after != want || want == before {
		t.Errorf("the text became\n%s", after)
	}
	if wrong == "" || !strings.Contains(seen, "18 months") {
		t.Errorf("told of the mistake: %q, of the change: %q", wrong, seen)
	}
}

// TestAnOwnerBeginsWithNothing sets an empty installation up in the browser: with the address of the log, a kind of program, and a password.
func TestAnOwnerBeginsWithNothing(t *testing.T) {
	t.Parallel()
	url, found := serve(t, "sqlite:"+filepath.Join(t.TempDir(), "lojal.db"), settingUp)
	h := &house{url: url}
	ctx := browser(t)
	complaints := watch(ctx)
	visit(ctx, t, h, "set-up", found[0])
	var title, site string
	err := chromedp.Run(ctx, chromedp.SetValue("#f-name", "Kari Nordmann", chromedp.ByQuery), chromedp.SetValue("#f-email", "kari@example.no", chromedp.ByQuery),
		chromedp.SetValue("#f-password", "kaffe uten melk takk", chromedp.ByQuery), chromedp.Click(`input[value="punch-card"]`, chromedp.ByQuery),
		chromedp.Click(`form[action="/console/set-up"] > button`, chromedp.ByQuery), chromedp.WaitVisible(".notice.good", chromedp.ByQuery), chromedp.Text("h1", &title, chromedp.ByQuery),
		chromedp.Text(".side .brand", &site, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if title == "" || strings.TrimSpace(site) != "The Punch Card" {
		t.Errorf("%q of %q", title, site)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}
