package browser

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
)

// TestSigningIn goes in by every way that a browser knows: with a password and the code of an app, and with a passkey of a device.
func TestSigningIn(t *testing.T) {
	t.Parallel()
	address, found := serve(t, "sqlite:"+filepath.Join(t.TempDir(), "lojal.db"), settingUp)
	h := &house{url: strings.Replace(address, "127.0.0.1", "localhost", 1)} // browsers know passkeys of names
	ctx := browser(t)
	complaints := watch(ctx)
	const password = "kaffe uten melk takk"
	fill := func(id, value string) chromedp.Action {
		return chromedp.SetValue("#"+id, value, chromedp.ByQuery)
	}
	done := chromedp.WaitVisible(".notice.good", chromedp.ByQuery)
	out := chromedp.Tasks{
		chromedp.Evaluate(`document.querySelector('form[action="/console/sign-out"]').requestSubmit()`, nil), chromedp.WaitVisible(`form[action="/console/sign-in"]`, chromedp.ByQuery),
	}
	err := chromedp.Run(ctx, chromedp.Navigate(h.url+found[0]), fill("f-name", "Kari Nordmann"), fill("f-email", "kari@example.no"), fill("f-password", password),
		chromedp.Click(`input[value="punch-card"]`, chromedp.ByQuery), chromedp.Click(`form[action="/console/set-up"] > button`, chromedp.ByQuery), done)
	if err != nil {
		t.Fatal(err)
	}

	// The code of an app.
	var secret string
	if err := chromedp.Run(ctx, chromedp.Navigate(h.url+"/console/me/second-step"), chromedp.Value(`input[name="secret"]`, &secret, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	now := time.Now()
	err = chromedp.Run(ctx, fill("f-code", code(now)), chromedp.Click(`form[action="/console/me/second-step"] button`, chromedp.ByQuery), chromedp.WaitVisible("ol code", chromedp.ByQuery), out,
		fill("f-email", "kari@example.no"), fill("f-password", password), chromedp.Click(`form[action="/console/sign-in"] button`, chromedp.ByQuery),
		chromedp.WaitVisible(`form[action="/console/second-step"]`, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	look(ctx, t, "the second step")
	// A code is good once: the next one is in time too.
	err = chromedp.Run(ctx, fill("f-code", code(now.Add(30*time.Second))), chromedp.Click(`form[action="/console/second-step"] button`, chromedp.ByQuery), chromedp.WaitReady(".side", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}

	// A passkey.
	err = chromedp.Run(ctx, webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true,
			IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	visit(ctx, t, h, "passkey-new", "/console/me/passkeys/new")
	send := chromedp.Click(`form[action="/console/me/passkeys"] button`, chromedp.ByQuery)
	err = chromedp.Run(ctx, fill("f-name", "Telefonen"), fill("f-current", "not the password"), send, chromedp.WaitVisible(".notice.bad", chromedp.ByQuery),
		fill("f-current", password), send, done)
	if err != nil {
		t.Fatal(err)
	}
	visit(ctx, t, h, "me-passkey", "/console/me")
	err = chromedp.Run(ctx, out, chromedp.WaitVisible(`form[action="/console/passkey"] button`, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	visit(ctx, t, h, "sign-in-passkey", "/console/sign-in?next=/console/me")
	err = chromedp.Run(ctx, chromedp.Click(`form[action="/console/passkey"] button`, chromedp.ByQuery), chromedp.WaitVisible(`form[action="/console/me/passkeys/remove"]`, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}

	// Taken away, it is none.
	err = chromedp.Run(ctx, chromedp.Click(`form[action="/console/me/passkeys/remove"] button`, chromedp.ByQuery), done, out,
		chromedp.Click(`form[action="/console/passkey"] button`, chromedp.ByQuery), chromedp.WaitVisible(".notice.bad", chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range *complaints {
		if !strings.Contains(c, "422 (Unprocessable Entity)") && !strings.Contains(c, "401 (Unauthorized)") { // the wrong password, and the passkey that was taken away
			t.Errorf("the browser complains: %s", c)
		}
	}
}
