package browser

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/signin"
	"lojal.dev/lojal/internal/version"
)

// asMember has the browser be a member of the program, by an identifier of kind ext.
func (h *house) asMember(t *testing.T, ext string) chromedp.Action {
	t.Helper()
	d, err := db.Open(t.Context(), h.database, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	var token string
	now := time.Now()
	vs := &version.Cache{}
	err = d.Write(t.Context(), func(tx *db.Tx) error {
		set, err := vs.Get(t.Context(), tx, h.program)
		if err != nil {
			return err
		}
		m, err := member.Find(t.Context(), tx, set.At(now), "ext", ext)
		if err == nil {
			token, err = signin.Begin(t.Context(), tx, h.program, m.ID, signin.ByCode, "", "Mozilla/5.0 (iPhone) Safari/605.1", now)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return network.SetCookie("lojal_member_"+h.program, token).WithURL(h.url + "/portal/" + h.program + "/").WithPath("/portal/" + h.program + "/").WithHTTPOnly(true)
}

// mine opens pages of the portal as a member.
func (h *house) mine(ctx context.Context, t *testing.T, pages ...[2]string) {
	t.Helper()
	for _, p := range pages {
		visit(ctx, t, h, p[0], "/portal/"+h.program+p[1])
	}
}

// TestAMemberSeesAndEndsTheirMembership looks at what is known, gives a postcode, and leaves, knowing what is lost.
func TestAMemberSeesAndEndsTheirMembership(t *testing.T) {
	t.Parallel()
	h := full(t)
	ctx := browser(t)
	complaints := watch(ctx)
	if err := chromedp.Run(ctx, network.Enable(), h.asMember(t, "1001")); err != nil {
		t.Fatal(err)
	}
	h.mine(ctx, t, [2]string{"portal-data", "/me/data"}, [2]string{"portal-new-address", "/me/address/email"}, [2]string{"portal-leave", "/me/leave"})
	at := h.url + "/portal/" + h.program
	var postcode, lost, after string
	err := chromedp.Run(ctx, chromedp.Navigate(at+"/me/data"), chromedp.SetValue("#f-postcode", "0150", chromedp.ByQuery),
		chromedp.Click(`form[action$="/me/data"] button`, chromedp.ByQuery), chromedp.WaitVisible(".notice.good", chromedp.ByQuery), chromedp.Value("#f-postcode", &postcode, chromedp.ByQuery),
		chromedp.Click(`a[href$="/me/leave"]`, chromedp.ByQuery), chromedp.WaitVisible("#f-sure", chromedp.ByQuery), chromedp.Text("main", &lost, chromedp.ByQuery),
		chromedp.Click("#f-sure", chromedp.ByQuery), chromedp.Click(`form[action$="/me/leave"] button`, chromedp.ByQuery), chromedp.WaitVisible(".notice.warn", chromedp.ByQuery), chromedp.Text(".notice.warn", &after, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if postcode != "0150" || !strings.Contains(lost, "stjerner") || !strings.Contains(after, "avsluttet") {
		t.Errorf("%q, %q, %q", postcode, lost, after)
	}
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}

// TestAMemberInvitesAFriend makes a link that brings friends.
func TestAMemberInvitesAFriend(t *testing.T) {
	t.Parallel()
	h := full(t, "social-sharing")
	ctx := browser(t)
	complaints := watch(ctx)
	if err := chromedp.Run(ctx, network.Enable(), h.asMember(t, "1001")); err != nil {
		t.Fatal(err)
	}
	var link string
	at := h.url + "/portal/" + h.program
	err := chromedp.Run(ctx, chromedp.Navigate(at+"/friends"), chromedp.WaitVisible(`#invite`, chromedp.ByQuery),
		chromedp.Evaluate(`document.querySelector('form[action$="/friends/invite"]')?.requestSubmit(); 0`, nil), chromedp.WaitVisible(".qr", chromedp.ByQuery),
		chromedp.AttributeValue(`.pass a`, "href", &link, nil, chromedp.ByQuery))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(link, "/portal/"+h.program+"/friend/") {
		t.Errorf("the link is %q", link)
	}
	h.mine(ctx, t, [2]string{"portal-friends", "/friends"}, [2]string{"portal-gift", "/gift/NOTHING"})
	if len(*complaints) > 0 {
		t.Errorf("the browser complains: %v", *complaints)
	}
}
