package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/staff"
)

// receiver takes messages in, and refuses them when it is told to.
type receiver struct {
	mu       sync.Mutex
	refuse   bool
	messages []message
}

type message struct{ id, stamp, signature, body string }

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse || err != nil {
		http.Error(w, "closed for today", http.StatusServiceUnavailable)
		return
	}
	h := req.Header
	r.messages = append(r.messages, message{h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), h.Get("Webhook-Signature"), string(body)})
	_, _ = io.WriteString(w, "thanks")
}

// signed says whether a message is signed with the secret, as Standard Webhooks says.
func (m message) signed(secret string) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, raw)
	_, _ = io.WriteString(mac, m.id+"."+m.stamp+"."+m.body)
	return strings.Contains(m.signature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// TestAWebhookIsAddedTestedAndReplayed adds a webhook to a server of this test, sends it a test, has one fail, looks at its attempts and sends it again.
func TestAWebhookIsAddedTestedAndReplayed(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	r := &receiver{}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	var wrong, secret, first, page, at string
	do := `form[action="/console/webhooks/new"] button`
	err := chromedp.Run(ctx, network.Enable(), h.as(staff.Marketer), screens[1].actions(), chromedp.Navigate(h.url+"/console/webhooks"), push(`main a.button`),
		chromedp.WaitVisible("#f-url", chromedp.ByQuery), chromedp.SetValue("#f-url", "http://10.0.0.1/hook", chromedp.ByQuery), push(do),
		chromedp.WaitVisible(".field .wrong", chromedp.ByQuery), chromedp.Text(".field .wrong", &wrong, chromedp.ByQuery),
		chromedp.SetValue("#f-url", srv.URL+"/lojal", chromedp.ByQuery), chromedp.SetValue("#f-description", "The web shop", chromedp.ByQuery), push(`input[value="points.*"]`),
		push(do), chromedp.WaitVisible(".notice.good code", chromedp.ByQuery), chromedp.Text(".notice.good code", &secret, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(wrong, "not open on the internet") || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("%q, %q", wrong, secret)
	}
	test := `form[action$="/test"] button`
	err = chromedp.Run(ctx, push(test), chromedp.WaitVisible(".title .badge.good", chromedp.ByQuery), chromedp.Text("main", &page, chromedp.ByQuery), chromedp.Location(&at))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Test", "Received", "200", "thanks", "webhook-id: "} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	visit(ctx, t, h, "delivery", strings.TrimPrefix(at, h.url))
	err = chromedp.Run(ctx, screens[1].actions(), push(`form[action$="/replay"] button`), chromedp.WaitVisible("#attempts ~ .list li:nth-child(2) .badge.good", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	if len(r.messages) != 2 || r.messages[0].id != r.messages[1].id || r.messages[0].id == "" {
		t.Fatalf("%+v", r.messages)
	}
	for _, m := range r.messages {
		if !m.signed(secret) {
			t.Errorf("%+v is not signed with %s", m, secret)
		}
	}
	r.refuse = true
	r.mu.Unlock()
	err = chromedp.Run(ctx, push(".crumb"), chromedp.WaitVisible(test, chromedp.ByQuery), chromedp.Location(&first), push(test),
		chromedp.WaitVisible("#attempts ~ .list .badge.bad", chromedp.ByQuery), chromedp.Text("main", &page, chromedp.ByQuery), chromedp.Location(&at))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Waiting", "503", "closed for today", "Next attempt"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	visit(ctx, t, h, "delivery-waiting", strings.TrimPrefix(at, h.url))
	first = strings.TrimPrefix(first, h.url)
	visit(ctx, t, h, "webhook", first)
	visit(ctx, t, h, "webhooks", "/console/webhooks")
	visit(ctx, t, h, "webhook-new", "/console/webhooks/new")
	menu := chromedp.Tasks{push(`.title details.menu > summary`)}
	err = chromedp.Run(ctx, screens[1].actions(), chromedp.Navigate(h.url+first), menu, push(`form[action$="/disable"] button`), chromedp.WaitVisible(".notice.warn", chromedp.ByQuery),
		menu, push(`form[action$="/enable"] button`), chromedp.WaitVisible(".notice.good", chromedp.ByQuery),
		menu, push(`form[action$="/rotate"] button`), chromedp.WaitVisible(".notice.good code", chromedp.ByQuery), chromedp.Text(".notice.good code", &page, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(page, "whsec_") || page == secret {
		t.Errorf("the new secret is %q", page)
	}
	if _, err := chromedp.RunResponse(ctx, chromedp.Navigate(h.url+first), menu, push(`form[action$="/remove"] button`)); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(ctx, chromedp.WaitVisible(".empty", chromedp.ByQuery), chromedp.Text("main", &page, chromedp.ByQuery)); err != nil || !strings.Contains(page, "The webhook is removed") {
		t.Errorf("%v: %s", err, page)
	}
	for _, c := range *complaints {
		if !strings.Contains(c, "status of 422") {
			t.Errorf("the browser complains: %s", c)
		}
	}
}
