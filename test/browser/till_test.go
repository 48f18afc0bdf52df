package browser

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// line is what is between a device and the server, and can be cut.
type line struct {
	cut atomic.Bool
	// lose has so many requests go through to the server whose answers are then lost.
	lose atomic.Int32
	sent atomic.Int32
}

// between puts a line between the browser and the house.
func between(t *testing.T, h *house) *line {
	t.Helper()
	to, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	proxy.ModifyResponse = func(res *http.Response) error {
		if strings.HasSuffix(res.Request.URL.Path, "/till/send") {
			l.sent.Add(1)
			if l.lose.Add(-1) >= 0 {
				return http.ErrAbortHandler
			}
		}
		return nil
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return l
}

// off cuts the line, and has the browser know it as a device knows that it is out of reach; on brings it back.
func (l *line) off() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		l.cut.Store(true)
		return network.OverrideNetworkState(true, 0, -1, -1).Do(ctx)
	})
}

func (l *line) on() chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		l.cut.Store(false)
		return network.OverrideNetworkState(false, 0, -1, -1).Do(ctx)
	})
}

// ready waits until the page of the device is kept.
func ready() chromedp.Action {
	return chromedp.Evaluate(`(async () => {
		await navigator.serviceWorker.ready;
		while (!navigator.serviceWorker.controller) await new Promise((f) => navigator.serviceWorker.addEventListener("controllerchange", f, { once: true }));
		for (;;) {
			for (const name of await caches.keys()) if (await (await caches.open(name)).match("/console/till/offline")) return true;
			await new Promise((f) => requestAnimationFrame(f));
		}
	})()`, nil, awaiting)
}

func awaiting(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// till is a browser at a till.
type till struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // it is the browser
	h   *house
}

func (x *till) do(what string, actions ...chromedp.Action) {
	x.t.Helper()
	ctx, stop := context.WithTimeout(x.ctx, 20*time.Second)
	defer stop()
	if err := chromedp.Run(ctx, actions...); err != nil {
		x.fatal(what, err)
	}
}

// fatal ends the test, and tells what the page says.
func (x *till) fatal(what string, err error) {
	x.t.Helper()
	var seen string
	if also := chromedp.Run(x.ctx, chromedp.Text("body", &seen, chromedp.ByQuery)); also != nil {
		seen = also.Error()
	}
	x.t.Fatalf("%s: %v\n%s", what, err, seen)
}

// press sends a form, and waits for the page after it.
func (x *till) press(what, button string) {
	x.t.Helper()
	ctx, stop := context.WithTimeout(x.ctx, 20*time.Second)
	defer stop()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(button, chromedp.ByQuery)); err != nil {
		x.fatal(what, err)
	}
}

// says waits until the page says something.
func (x *till) says(what string, want ...string) {
	x.t.Helper()
	var got string
	x.do(what, chromedp.Poll(`((want) => { const t = document.querySelector("main").innerText; return want.every((w) => t.includes(w)) ? t : false; })(`+quoted(want)+`)`, &got))
}

func quoted(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// open opens what something is folded into.
func open(what string) chromedp.Action {
	return chromedp.Evaluate(`document.querySelector(`+quoted(what)+`).closest("details").open = true`, nil)
}

func set(form string, pairs ...string) chromedp.Action {
	var do chromedp.Tasks
	for i := 0; i+1 < len(pairs); i += 2 {
		do = append(do, chromedp.SetValue(form+` [name="`+pairs[i]+`"]`, pairs[i+1], chromedp.ByQuery))
	}
	return do
}

// items waits until the list of the device has items in these states, the newest first.
func (x *till) items(what string, want ...string) {
	x.t.Helper()
	var got bool
	x.do(what, chromedp.Poll(`((want) => JSON.stringify([...document.querySelectorAll("#till-queue li")].map((l) => l.dataset.state)) === JSON.stringify(want))(`+quoted(want)+`)`, &got))
}

// purchases are how many a member has in the history, with returns.
func (x *till) purchases(of string) int {
	x.t.Helper()
	var n int
	x.do("count", chromedp.Navigate(x.h.url+of), chromedp.Evaluate(`(async (at) => {
		for (let n = 0; ;) {
			const page = new DOMParser().parseFromString(await (await fetch(at)).text(), "text/html");
			n += page.querySelectorAll(".timeline > li").length;
			at = page.querySelector('main a[href*="cursor="]')?.getAttribute("href");
			if (!at) return n;
		}
	})(location.pathname + "?show=bought")`, &n, awaiting))
	return n
}

func atTill(t *testing.T, role staff.Role) (*till, *line, string) {
	t.Helper()
	h := full(t)
	l := between(t, h)
	x := &till{t, browser(t), h}
	if err := chromedp.Run(x.ctx, network.Enable(), h.as(role), screens[0].actions()); err != nil { // the first run begins the browser: it ends with this context
		t.Fatal(err)
	}
	return x, l, memberOf(x.ctx, t, h)
}

// TestTillPages looks the pages of the till over.
func TestTillPages(t *testing.T) {
	t.Parallel()
	x, _, member := atTill(t, staff.Store)
	at := strings.Replace(member, "/console/", "/console/till/", 1)
	for _, p := range []struct{ name, path string }{
		{"till", "/console/till"}, {"till-none", "/console/till?q=99887766"}, {"till-several", "/console/till?q=a"}, {"till-member", at}, {"till-enrol", "/console/till/enrol"}, {"till-guest", "/console/till/guest"},
		{"till-return", "/console/till/return"}, {"till-redeem", at + "/rewards/coffee"}, {"till-offline", "/console/till/offline"},
	} {
		visit(x.ctx, t, x.h, p.name, p.path)
	}
}

// TestAMemberAtTheTill finds a member by the phone, records a purchase, redeems a reward, and takes the goods back.
func TestAMemberAtTheTill(t *testing.T) {
	t.Parallel()
	x, _, member := atTill(t, staff.Store)
	complaints := watch(x.ctx)
	var title string
	x.do("land", chromedp.Navigate(x.h.url+"/console"), chromedp.Location(&title))
	if !strings.HasSuffix(title, "/console/till") {
		t.Errorf("store staff land at %s", title)
	}
	x.do("shop", open(`form[action$="/place"]`), set(`form[action$="/place"]`, "shop", "oslo-1"))
	x.press("shop", `form[action$="/place"] button`)
	x.says("shop", "oslo-1")
	x.do("find", set("main form", "q", "1001"))
	x.press("find", `.till-find button`)
	before := x.purchasesHere(member)
	x.do("ask", set(`[data-till="purchase"]`, "amount", "600,00", "receipt", "R-1"), chromedp.Click(`button[value="ask"]`, chromedp.ByQuery), chromedp.WaitVisible("#would .notice", chromedp.ByQuery))
	x.says("ask", "This is what it would give", "now,")
	x.press("record", `button[value="record"]`)
	x.says("record", "The purchase is recorded", "60 stars", "Receipt R-1")
	x.picture("till-recorded")
	x.do("again", set(`[data-till="purchase"]`, "amount", "600", "receipt", "R-1"))
	x.press("again", `button[value="record"]`)
	x.says("again", "It counts once")
	if n := x.purchases(member); n != before+1 {
		t.Errorf("%d purchases, of %d before", n, before)
	}
	at := strings.Replace(member, "/console/", "/console/till/", 1)
	x.do("member", chromedp.Navigate(x.h.url+at))
	x.press("reward", `a[href$="/rewards/coffee"]`)
	x.says("reward", "50 stars", "Redeem now")
	x.press("redeem", "main form button.main")
	x.says("redeem", "Redeemed", "A coffee", "Hand it over")
	x.do("return", chromedp.Navigate(x.h.url+"/console/till/return?receipt=R-1"))
	x.says("return", "600")
	x.press("return", `form[method="post"] button.main`)
	x.says("return", "The return is recorded")

	// A guest's purchase is claimed by its code.
	x.do("guest", chromedp.Navigate(x.h.url+"/console/till/guest"), set("main form", "amount", "200", "receipt", "R-2"))
	x.press("guest", `main form button.main`)
	var code string
	x.do("code", chromedp.Text(".code", &code, chromedp.ByQuery))
	x.picture("till-guest-code")
	x.do("claim", chromedp.Navigate(x.h.url+at), open("#claim-code"), chromedp.SetValue("#claim-code", code, chromedp.ByQuery))
	x.press("claim", `form[action$="/claim"] button`)
	x.says("claim", "20 stars")
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}

	// Who may not serve members does not see the till.
	for role, want := range map[staff.Role]bool{staff.Owner: true, staff.Analyst: false, staff.Auditor: false, staff.Marketer: false} {
		var found bool
		x.do("roles", x.h.as(role), chromedp.Navigate(x.h.url+"/console/members"), chromedp.Evaluate(`document.querySelector('a[href="/console/till"]') !== null`, &found))
		if found != want {
			t.Errorf("%s sees the till: %v", role, found)
		}
	}
}

func (x *till) purchasesHere(member string) int {
	x.t.Helper()
	var back string
	x.do("here", chromedp.Location(&back))
	n := x.purchases(member)
	x.do("back", chromedp.Navigate(back))
	return n
}

// picture takes one of the page as it is.
func (x *till) picture(name string) {
	x.t.Helper()
	for _, s := range screens {
		var png []byte
		x.do(name, s.actions())
		look(x.ctx, x.t, name+" at "+s.name)
		x.do(name, chromedp.FullScreenshot(&png, 100))
		shot(x.t, name+"-"+s.name, png)
	}
	x.do(name, screens[0].actions())
}

// TestEnrolAtTheTill enrols somebody with a phone and a first name, and is told of one who is there.
func TestEnrolAtTheTill(t *testing.T) {
	t.Parallel()
	x, _, _ := atTill(t, staff.Store)
	x.do("none", chromedp.Navigate(x.h.url+"/console/till?q=91000888"))
	x.press("none", `.empty a.button`)
	x.do("name", set("main form", "given_name", "Zara"))
	x.press("enrol", "main form button.main")
	x.says("enrol", "Enrolled", "Zara", "25 stars")
	x.do("again", chromedp.Navigate(x.h.url+"/console/till/enrol"), set("main form", "phone", "910 00 888", "given_name", "Sara"), chromedp.Click("main form button.main", chromedp.ByQuery))
	x.says("again", "Zara is a member already")
	x.items("again", "sent")
	x.do("nothing", chromedp.Navigate(x.h.url+"/console/till/enrol"), set("main form", "given_name", "Ola"), chromedp.Click("main form button.main", chromedp.ByQuery))
	x.says("nothing", "Type a phone number or a card number")
	x.items("nothing", "sent")
}

// TestTheTillGoesOnWithoutAConnection records two purchases and an enrolment while the line is cut, loads the page anew, and finds all of it recorded once when
// the line is back, though one answer was lost.
func TestTheTillGoesOnWithoutAConnection(t *testing.T) {
	t.Parallel()
	x, l, member := atTill(t, staff.Store)
	at := strings.Replace(member, "/console/", "/console/till/", 1)
	x.do("land", chromedp.Navigate(x.h.url+"/console/till"), ready())
	before := x.purchases(member)
	x.do("member", chromedp.Navigate(x.h.url+at), l.off())
	x.says("off", "No connection.")
	x.do("first", set(`[data-till="purchase"]`, "amount", "100", "receipt", "K-1"), chromedp.Click(`button[value="record"]`, chromedp.ByQuery))
	x.items("first", "waiting")
	x.says("first", "1 waits", "Kept on this device")
	x.picture("till-no-line")

	// The page of the device: the member is not known, and nothing of them is shown.
	x.do("anew", chromedp.Reload(), chromedp.WaitVisible("#off-amount", chromedp.ByQuery))
	x.items("anew", "waiting")
	x.do("second", set(`[data-till="purchase"]`, "amount", "50"), chromedp.Click(`[data-till="purchase"] button.main`, chromedp.ByQuery))
	x.items("second", "waiting", "waiting")
	x.do("enrol", open(`[data-till="enrolment"]`),
		set(`[data-till="enrolment"]`, "phone", "910 00 999", "given_name", "Nora"), chromedp.Click(`[data-till="enrolment"] button.main`, chromedp.ByQuery))
	x.items("enrol", "waiting", "waiting", "waiting")
	x.do("third", set(`[data-till="purchase"]`, "member", "910 00 999", "amount", "80"), chromedp.Click(`[data-till="purchase"] button.main`, chromedp.ByQuery))
	x.items("third", "waiting", "waiting", "waiting", "waiting")
	x.do("nobody", set(`[data-till="purchase"]`, "member", "nobody-has-this", "amount", "80"), chromedp.Click(`[data-till="purchase"] button.main`, chromedp.ByQuery))
	x.says("nobody", "No connection. 5 wait.", "What has to wait")
	x.picture("till-kept")
	x.do("anew", chromedp.Reload(), chromedp.WaitVisible("#off-amount", chromedp.ByQuery))
	x.items("again", "waiting", "waiting", "waiting", "waiting", "waiting")

	l.lose.Store(1)
	x.do("on", l.on())
	x.items("on", "refused", "sent", "sent", "sent", "sent")
	x.says("on", "No member has “nobody-has-this”")
	if n := l.sent.Load(); n != 6 {
		t.Errorf("%d requests for five, of which one answer was lost", n)
	}
	x.picture("till-refused")
	x.do("still", set(`[data-state="refused"]`, "member", "nobody-either"), chromedp.Click(`[data-state="refused"] button`, chromedp.ByQuery))
	x.says("still", "No member has “nobody-either”")
	x.do("mend", set(`[data-state="refused"]`, "member", "1001"), chromedp.Click(`[data-state="refused"] button`, chromedp.ByQuery))
	x.items("mend", "sent", "sent", "sent", "sent", "sent")
	if n := x.purchases(member); n != before+3 {
		t.Errorf("%d purchases of %d before", n, before)
	}
	x.do("find", chromedp.Navigate(x.h.url+"/console/till?q=91000999"))
	x.says("find", "Nora", "33") // 25 for the welcome, 8 for the purchase
}

// TestWhatADeviceKeepsIsSentInTheNameOfWhoRecordedIt: a session that ends, somebody else who signs in, and a device that keeps nothing of members.
func TestWhatADeviceKeepsIsSentInTheNameOfWhoRecordedIt(t *testing.T) {
	t.Parallel()
	x, l, member := atTill(t, staff.Store)
	x.do("land", chromedp.Navigate(x.h.url+"/console/till"), ready())
	at := strings.Replace(member, "/console/", "/console/till/", 1)
	before := x.purchases(member)
	x.do("member", chromedp.Navigate(x.h.url+at), l.off(), set(`[data-till="purchase"]`, "amount", "100"), chromedp.Click(`button[value="record"]`, chromedp.ByQuery))
	x.items("kept", "waiting")
	x.do("ended", network.ClearBrowserCookies(), l.on())
	x.says("ended", "You are signed out", "1 waits")
	var to string
	var ok bool
	x.do("sign in", chromedp.AttributeValue("#till-line a", "href", &to, &ok, chromedp.ByQuery))
	if want := "/console/sign-in?next=" + url.QueryEscape(at); to != want {
		t.Errorf("it leads to %s, not %s", to, want)
	}
	sent := l.sent.Load() // perhaps one, which met no session
	x.do("other", x.h.as(staff.Owner), chromedp.Navigate(x.h.url+"/console/till"))
	x.says("other", "Waits for Kari store", "Send as Kari owner")
	x.items("other", "waiting")
	x.picture("till-other")
	x.do("take", chromedp.Click(`[data-state="waiting"] button`, chromedp.ByQuery))
	x.items("take", "sent")
	if n := l.sent.Load() - sent; n != 1 {
		t.Errorf("%d were sent as the owner", n)
	}
	if n := x.purchases(member); n != before+1 {
		t.Errorf("%d purchases of %d before", n, before)
	}
	var kept []string
	x.do("out", chromedp.Navigate(x.h.url+"/console/till"), ready(), chromedp.Evaluate(`(async () => (await (await caches.open((await caches.keys())[0])).keys()).map((r) => new URL(r.url).pathname))()`, &kept, awaiting))
	for _, k := range kept {
		if k != "/console/till/offline" && !strings.HasPrefix(k, "/assets/") {
			t.Errorf("the device keeps %s", k)
		}
	}
	x.do("menu", chromedp.Click("header details.menu > summary", chromedp.ByQuery))
	x.press("out", `form[action="/console/sign-out"] button`)
	var left string
	x.do("left", chromedp.Evaluate(`(async () => JSON.stringify([await caches.keys(), localStorage.getItem("lojal-till")]))()`, &left, awaiting))
	if left != "[[],null]" {
		t.Errorf("signing out leaves %s", left)
	}
}

// TestTheTillReadsWithoutAScript serves a member in a browser that runs none.
func TestTheTillReadsWithoutAScript(t *testing.T) {
	t.Parallel()
	h := full(t)
	ask := func(method, path string, form url.Values) (int, string, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Accept-Language", "en")
		req.AddCookie(&http.Cookie{Name: "lojal_staff", Value: h.sessions[staff.Store]})
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header.Get("Location"), string(text)
	}
	status, at, _ := ask("GET", "/console/till?q=1001", nil)
	if status != http.StatusSeeOther || !strings.HasPrefix(at, "/console/till/members/mem_") {
		t.Fatalf("%d %s", status, at)
	}
	form := url.Values{"amount": {"120"}, "key": {"ABCDEFGHJKMNPQRSTV01"}, "do": {"record"}}
	for range 2 { // a double click
		status, to, _ := ask("POST", at+"/purchase", form)
		if status != http.StatusSeeOther || !strings.HasPrefix(to, at+"?said=purchase&fact=") {
			t.Fatalf("%d %s", status, to)
		}
	}
	status, _, text := ask("POST", at+"/purchase", url.Values{"amount": {""}, "key": {"ABCDEFGHJKMNPQRSTV02"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "Say what the purchase came to") {
		t.Fatalf("%d %s", status, text)
	}
}
