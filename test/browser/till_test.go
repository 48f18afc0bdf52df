package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
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
	var seen, at string
	if also := chromedp.Run(x.ctx, chromedp.Location(&at), chromedp.Text("body", &seen, chromedp.ByQuery)); also != nil {
		seen = also.Error()
	}
	x.t.Fatalf("%s: %v at %s\n%s", what, err, at, seen)
}

// press sends a form, and waits for the page after it.
func (x *till) press(what, button string) {
	x.t.Helper()
	ctx, stop := context.WithTimeout(x.ctx, 20*time.Second)
	defer stop()
	if _, err := chromedp.RunResponse(ctx, tap(button)); err != nil {
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

// tap presses something, out from under the menu of a phone.
func tap(what string) chromedp.Action {
	return chromedp.Tasks{
		chromedp.WaitVisible(what, chromedp.ByQuery), chromedp.Evaluate(`document.querySelector(`+quoted(what)+`).scrollIntoView({block: "center"})`, nil),
		chromedp.Click(what, chromedp.ByQuery),
	}
}

// push clicks a thing as a keyboard would: wherever it stands, and whatever moves while the page is drawn.
func push(what string) chromedp.Action {
	return chromedp.Tasks{chromedp.WaitVisible(what, chromedp.ByQuery), chromedp.Evaluate(`document.querySelector(`+quoted(what)+`).click()`, nil)}
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
	return atTillOf(t, full(t), role)
}

func atTillOf(t *testing.T, h *house, role staff.Role, more ...chromedp.ExecAllocatorOption) (*till, *line, string) {
	t.Helper()
	l := between(t, h)
	x := &till{t, browser(t, more...), h}
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
	x.do("ask", set(`[data-till="purchase"]`, "amount", "600,00", "receipt", "R-1"), tap(`button[value="ask"]`), chromedp.WaitVisible("#would .notice", chromedp.ByQuery))
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

	// A voucher is drawn, and used with a purchase.
	x.do("voucher", chromedp.Navigate(x.h.url+at+"/rewards/fifty-off"))
	x.press("voucher", "main form button.main")
	var voucher string
	x.do("voucher", chromedp.Text(".code", &voucher, chromedp.ByQuery))
	voucher = strings.TrimSpace(voucher)
	x.do("voucher", chromedp.Navigate(x.h.url+at), open(`[name="codes"]`), set(`[data-till="purchase"]`, "amount", "200", "codes", voucher),
		tap(`button[value="ask"]`))
	x.says("voucher", "The codes take", "50.00 off.")
	x.press("voucher", `button[value="record"]`)
	x.says("voucher", "15 stars")

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

// TestAPunchCardIsStamped stamps a card by a purchase, with the line and without.
func TestAPunchCardIsStamped(t *testing.T) {
	t.Parallel()
	x, l, _ := atTillOf(t, full(t, "punch-card"), staff.Store)
	x.do("land", chromedp.Navigate(x.h.url+"/console/till"), ready(), chromedp.Navigate(x.h.url+"/console/till/enrol"), set("main form", "phone", "910 00 888", "given_name", "Zara"))
	x.press("enrol", "main form button.main")
	x.press("stamp", `a[href$="/stamps/coffee-card"]`)
	x.says("stamp", "Stamped by buying coffee")
	x.do("stamp", set("main form", "amount", "84", "pieces", "2"))
	x.press("stamp", "main form button.main")
	var card string
	x.do("stamped", chromedp.AttributeValue(".stamps", "aria-label", &card, nil, chromedp.ByQuery))
	if card != "2 of 9 stamps" {
		t.Errorf("the card has %s", card)
	}
	x.picture("till-stamped")
	x.do("off", l.off(), tap(`a[href$="/stamps/coffee-card"]`), chromedp.WaitVisible("#off-amount", chromedp.ByQuery))
	x.do("stamp", open(`[data-till="stamp"]`), set(`[data-till="stamp"]`, "member", "91000888", "amount", "42"), tap(`[data-till="stamp"] .button`))
	x.items("off", "waiting", "sent", "sent")
	x.says("off", "Kept on this device") // from here on the page stays, whatever comes of it
	x.do("on", l.on())
	x.items("on", "sent", "sent", "sent")
	x.do("find", chromedp.Navigate(x.h.url+"/console/till?q=91000888"), chromedp.AttributeValue(".stamps", "aria-label", &card, nil, chromedp.ByQuery))
	if card != "3 of 9 stamps" {
		t.Errorf("the card has %s", card)
	}
}

// film is what a camera sees that is held before a code: some pictures of 640 by 480 points in the form Y4M.
func film(t *testing.T, text string) string {
	t.Helper()
	const width, height, module = 640, 480, 10
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	picture := bytes.Repeat([]byte{235}, width*height)
	size := code.Bounds().Dx()
	left, top := (width-size*module)/2, (height-size*module)/2
	for y := range size * module {
		for x := range size * module {
			if r, _, _, _ := code.At(x/module, y/module).RGBA(); r == 0 {
				picture[(top+y)*width+left+x] = 16
			}
		}
	}
	out := bytes.NewBufferString(fmt.Sprintf("YUV4MPEG2 W%d H%d F10:1 Ip A1:1 C420jpeg\n", width, height))
	for range 10 {
		out.WriteString("FRAME\n")
		out.Write(picture)
		out.Write(bytes.Repeat([]byte{128}, width*height/2))
	}
	name := filepath.Join(t.TempDir(), "film.y4m")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestTheCameraFindsAMember holds a card before the camera, in a browser that has no decoder of its own.
func TestTheCameraFindsAMember(t *testing.T) {
	t.Parallel()
	x, _, member := atTillOf(t, full(t), staff.Store, chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", film(t, "70010000")))
	complaints := watch(x.ctx)
	var at string
	x.do("till", chromedp.Navigate(x.h.url+"/console/till"))
	x.press("scan", "[data-scan]")
	x.do("found", chromedp.WaitVisible(".avatar + div h1", chromedp.ByQuery), chromedp.Location(&at))
	if want := strings.Replace(member, "/console/", "/console/till/", 1); !strings.HasSuffix(at, want) {
		t.Errorf("found %s, want %s", at, want)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// TestTheQueueDecides asks the logic of the queue itself.
func TestTheQueueDecides(t *testing.T) {
	t.Parallel()
	x, _, _ := atTill(t, staff.Store)
	var wrong []string
	x.do("logic", chromedp.Navigate(x.h.url+"/console/till"), chromedp.Evaluate(`(async () => {
		const script = [...document.scripts].map((s) => s.src).find((s) => s.endsWith("/till.js"));
		const q = await import(script.replace(/till\.js$/, "queue.js"));
		const wrong = [];
		const same = (what, got, want) => { if (JSON.stringify(got) !== JSON.stringify(want)) wrong.push(what + ": " + JSON.stringify(got)); };
		const me = { staff: "stf_1", program: "p" };
		const item = (n, more) => ({ n, key: "K" + n, staff: "stf_1", program: "p", state: "waiting", tries: 0, ...more });
		const list = [item(3), item(1), item(2, { staff: "stf_2" }), item(4, { state: "sent", done: 0 }), item(5, { state: "refused" }), item(6, { program: "q" })];
		same("order", q.toSend(list, me).map((i) => i.n), [1, 3]);
		same("counts", q.count(list, me), { waiting: 2, others: 2, refused: 1 });
		same("recorded", q.after(item(1, { form: {} }), { status: 200, body: { outcome: "recorded", text: "t" } }, 7), { item: { ...item(1), form: undefined, tries: 1, state: "sent", text: "t", done: 7 }, then: "next" });
		const kinds = (answer, i = item(1)) => { const a = q.after(i, answer, 0); return [a.item.state, a.item.tries, a.then]; };
		same("no answer", kinds(null), ["waiting", 1, "stop"]);
		same("refused", kinds({ status: 200, body: { outcome: "refused" } }), ["refused", 1, "next"]);
		same("signed out", kinds({ status: 401, body: {} }), ["waiting", 0, "signed_out"]);
		same("somebody else", kinds({ status: 409, body: {} }), ["waiting", 1, "stop"]);
		same("too many", kinds({ status: 429, body: {} }), ["waiting", 1, "stop"]);
		same("a fault", kinds({ status: 500, body: {} }), ["waiting", 1, "stop"]);
		same("the fifth fault", kinds({ status: 503, body: {} }, item(1, { failures: 4 })), ["refused", 1, "next"]);
		same("unreadable", kinds({ status: 400, body: {} }), ["refused", 1, "next"]);
		same("pauses", [0, 1, 5, 30].map((n) => [q.pause(n, 0), q.pause(n, 1)]), [[750, 1250], [1500, 2500], [24000, 40000], [45000, 75000]]);
		const day = 24 * 3600 * 1000;
		same("forgotten", q.forgettable([item(1, { state: "sent", done: 0 }), item(2, { state: "refused", done: 0 }), item(3), item(4, { state: "sent", done: day })], day + 1), ["K1"]);
		same("too many sent", q.forgettable(Array.from({ length: 22 }, (_, n) => item(n, { state: "sent", done: day })), day), ["K0", "K1"]);
		same("merged", q.merge([item(2), item(1, { tries: 2 })], [item(2, { state: "sent" }), item(1, { tries: 1 })]).map((i) => [i.n, i.state, i.tries]), [[1, "waiting", 2], [2, "sent", 0]]);
		const words = { offline: "off.", signed_out: "out.", waits_one: "1 w.", waits_many: "%s w.", refused_one: "1 r.", refused_many: "%s r." };
		same("said", [q.say(words, { waiting: 0, others: 0, refused: 0 }, "on"), q.say(words, { waiting: 2, others: 1, refused: 1 }, "off"), q.say(words, { waiting: 1, others: 0, refused: 0 }, "signed_out")], ["", "off. 3 w. 1 r.", "out. 1 w."]);
		same("key", q.newKey(Uint8Array.from({ length: 26 }, (_, n) => n * 9)), "09JV4DPZ8HT3CNY7GS2BMX6FR1");
		return wrong;
	})()`, &wrong, awaiting))
	for _, w := range wrong {
		t.Error(w)
	}
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
	x.do("again", chromedp.Navigate(x.h.url+"/console/till/enrol"), set("main form", "phone", "910 00 888", "given_name", "Sara"), tap("main form button.main"))
	x.says("again", "Zara is a member already")
	x.items("again", "sent")
	x.do("nothing", chromedp.Navigate(x.h.url+"/console/till/enrol"), set("main form", "given_name", "Ola"), tap("main form button.main"))
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
	x.do("first", set(`[data-till="purchase"]`, "amount", "100", "receipt", "K-1"), tap(`button[value="record"]`))
	x.items("first", "waiting")
	x.says("first", "1 waits", "Kept on this device")
	x.picture("till-no-line")

	// The page of the device: the member is not known, and nothing of them is shown.
	x.do("anew", chromedp.Reload(), chromedp.WaitVisible("#off-amount", chromedp.ByQuery))
	x.items("anew", "waiting")
	x.do("second", set(`[data-till="purchase"]`, "amount", "50"), tap(`[data-till="purchase"] button.main`))
	x.items("second", "waiting", "waiting")
	x.do("enrol", open(`[data-till="enrolment"]`),
		set(`[data-till="enrolment"]`, "phone", "910 00 999", "given_name", "Nora"), tap(`[data-till="enrolment"] button.main`))
	x.items("enrol", "waiting", "waiting", "waiting")
	x.do("third", set(`[data-till="purchase"]`, "member", "910 00 999", "amount", "80"), tap(`[data-till="purchase"] button.main`))
	x.items("third", "waiting", "waiting", "waiting", "waiting")
	x.do("nobody", set(`[data-till="purchase"]`, "member", "nobody-has-this", "amount", "80"), tap(`[data-till="purchase"] button.main`))
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
	x.do("still", set(`[data-state="refused"]`, "member", "nobody-either"), tap(`[data-state="refused"] button`))
	x.says("still", "No member has “nobody-either”")
	x.do("mend", set(`[data-state="refused"]`, "member", "1001"), tap(`[data-state="refused"] button`))
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
	x.do("member", chromedp.Navigate(x.h.url+at), l.off(), set(`[data-till="purchase"]`, "amount", "100"), tap(`button[value="record"]`))
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
	x.do("take", tap(`[data-state="waiting"] button`))
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
	x.do("menu", tap("header details.menu > summary"))
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
