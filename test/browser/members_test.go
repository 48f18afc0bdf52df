package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// memberOf finds the page of a member whom the sample data always have.
func memberOf(ctx context.Context, t *testing.T, h *house) string {
	t.Helper()
	var at string
	if err := chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/members?q=ext:1001"), chromedp.AttributeValue(`.table a`, "href", &at, nil, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	return at
}

// TestMembersByHand does to a member what staff do, and reads what came of it.
func TestMembersByHand(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	if err := chromedp.Run(ctx, network.Enable(), h.as(staff.Owner), screens[1].actions()); err != nil {
		t.Fatal(err)
	}
	at := memberOf(ctx, t, h)
	text := func(what string, want ...string) {
		t.Helper()
		var got string
		if err := chromedp.Run(ctx, chromedp.Text("main", &got, chromedp.ByQuery)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Fatalf("%s: %q is not in\n%s", what, w, got)
			}
		}
	}
	// send fills a form in by the names of its fields and sends it with a button.
	send := func(what, path, button string, pairs ...string) {
		t.Helper()
		var do chromedp.Tasks
		if path != "" {
			if err := chromedp.Run(ctx, chromedp.Navigate(h.url+path)); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			do = append(do, chromedp.SetValue(`main form [name="`+pairs[i]+`"]`, pairs[i+1], chromedp.ByQuery))
		}
		if _, err := chromedp.RunResponse(ctx, append(do, chromedp.Click(button, chromedp.ByQuery))); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	main := `main form .row button`
	send("try", at+"/purchase", `button[value="ask"]`, "amount", "250,00", "store", "oslo-1")
	text("try", "This is what it would give")
	send("record", "", `button[value="record"]`)
	text("record", "The purchase is recorded", "250", "Given by the program", "In the books")
	send("adjust", at+"/adjust", main, "amount", "7", "reason", "Waited too long")
	text("adjust", "The balance is changed", "Waited too long", "Changed by hand")
	send("unclear", at+"/adjust", main, "amount", "1.000", "reason", "Much")
	text("unclear", "without a mark for thousands")
	send("card", at+"/identifier", main, "kind", "card", "value", "77001122")
	text("card", "77001122")
	send("forget", at+"/forget?kind=card&value=77001122", main)
	text("forget", "Removed.")
	send("profile", at+"/profile", main, "postcode", "0150")
	text("profile", "The profile is saved")
	send("block", at+"/block", main, "reason", "Card stolen")
	text("block", "The member is blocked", "Card stolen")
	send("unblock", at+"/unblock", main, "reason", "Found again")
	text("unblock", "The member is unblocked")
	send("enrol", "/console/members/new", `main form button`, "given_name", "Zara", "family_name", "Ny", "phone", "+47 910 00 777")
	text("enrol", "Enrolled", "Zara Ny")
	send("the same", "/console/members/new", `main form button`, "given_name", "Zara", "family_name", "Ny", "email", "zara@example.no")
	text("the same", "Somebody of the same name")
	send("another", "", `main form button.main`)
	text("another", "Somebody of the same name")
	if err := chromedp.Run(ctx, chromedp.Click(`[name="sure"]`, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	send("another", "", `main form button.main`)
	text("another", "Enrolled")
	var second string
	if err := chromedp.Run(ctx, chromedp.Location(&second)); err != nil {
		t.Fatal(err)
	}
	second = strings.TrimPrefix(strings.SplitN(second, "?", 2)[0], h.url)
	send("merge", second+"/merge", main, "into", "+47 910 00 777", "reason", "Twice")
	text("merge", "Zara Ny is kept", "cannot be undone")
	send("merge, surely", "", main)
	text("merge, surely", "Merged")
	for _, c := range *complaints {
		if !strings.Contains(c, "status of 409") && !strings.Contains(c, "status of 422") { // the refusals that were asked for
			t.Errorf("the browser complains: %s", c)
		}
	}

	// Who may not do a thing does not see its button.
	for role, want := range map[staff.Role][2]bool{staff.Store: {true, false}, staff.Marketer: {false, false}, staff.Owner: {true, true}} {
		var page string
		if err := chromedp.Run(ctx, h.as(role), chromedp.Navigate(h.url+at), chromedp.OuterHTML("main", &page, chromedp.ByQuery)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(page, at+"/purchase"); got != want[0] {
			t.Errorf("%s sees the purchase by hand: %v", role, got)
		}
		if got := strings.Contains(page, at+"/adjust"); got != want[1] {
			t.Errorf("%s sees the adjustment: %v", role, got)
		}
	}
}

// TestMemberPages looks the pages over of what staff do to members.
func TestMemberPages(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	if err := chromedp.Run(ctx, network.Enable(), h.as(staff.Owner)); err != nil {
		t.Fatal(err)
	}
	at := memberOf(ctx, t, h)
	var fact string
	if err := chromedp.Run(ctx, chromedp.Navigate(h.url+at+"?show=bought"), chromedp.AttributeValue(`.timeline a`, "href", &fact, nil, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct{ name, path string }{
		{"member", at}, {"fact", fact}, {"adjust", at + "/adjust"}, {"grant", at + "/grant"}, {"tier", at + "/tier"}, {"profile", at + "/profile"}, {"merge", at + "/merge"},
		{"purchase", at + "/purchase"}, {"enrol", "/console/members/new"}, {"duplicates", "/console/members/duplicates"},
	} {
		visit(ctx, t, h, p.name, p.path)
	}
}
