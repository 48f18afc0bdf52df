package portal

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/program"
)

// friends is what a member has for friends: an invitation to the program, and what may be passed on.
type friends struct {
	Code    string   `json:"code"`
	Friends []friend `json:"friends"`
	passed  []passed
	terms   termsOf
	link    string
	qr      page.Modules
	// made was passed on just now: its code is shown this once.
	made     passed
	madeLink string
	madeQR   page.Modules
}

// friend is somebody who came; who it is, is not told.
type friend struct {
	Status  string            `json:"status"`
	At      time.Time         `json:"at"`
	Earned  map[string]string `json:"earned"`
	Refused string            `json:"refused"`
}

// key is that of the words that tell what came of an invitation.
func (f friend) key() string {
	switch {
	case f.Refused != "":
		return "refused"
	case f.Status == "joined" || f.Status == "undone":
		return f.Status
	}
	return "qualified"
}

// passed is something that was passed on and that nobody has claimed.
type passed struct {
	ID    string     `json:"id"`
	Share string     `json:"share"`
	Title string     `json:"title"`
	Code  string     `json:"code"`
	Until *time.Time `json:"until"`
}

// forFriends says whether the program has anything for friends.
func (v *visit) forFriends() bool {
	return v.p != nil && (v.p.Referral != nil || len(v.p.Doc.Shares) > 0)
}

// out is an address of the portal as it is sent to others.
func (v *visit) out(parts ...string) string {
	from := v.c.URL
	if from == "" {
		from = "http://" + v.r.Host
	}
	return from + string(v.at(parts...))
}

func (c *Portal) friends(v *visit) error {
	return c.friendsWith(v, http.StatusOK, page.NewForm(), passed{})
}

func (c *Portal) friendsWith(v *visit, status int, f *page.Form, made passed) (err error) {
	ctx := v.r.Context()
	if !v.forFriends() {
		return errs.NotFound("no_page", v.T("no_page"))
	}
	out := friends{made: made}
	draw := func(link string) (m page.Modules) {
		if err == nil {
			m, err = page.QR(link)
		}
		return m
	}
	if v.p.Referral != nil {
		if err := v.api.Get(ctx, v.mine("referral"), nil, &out); err != nil {
			return err
		}
		if out.Code != "" {
			out.link = v.out("friend", out.Code)
			out.qr = draw(out.link)
		}
	}
	if len(v.p.Doc.Shares) > 0 {
		var list struct {
			Items []passed `json:"items"`
		}
		if err := v.api.Get(ctx, v.mine("shares"), nil, &list); err != nil {
			return err
		}
		out.passed = list.Items
	}
	if made.Code != "" {
		out.madeLink = v.out("gift", made.Code)
		out.madeQR = draw(out.madeLink)
	}
	if err != nil {
		return errs.Internal("friend_code", "a link cannot be drawn").Because(err)
	}
	if out.terms, err = v.terms(); err != nil {
		return err
	}
	return v.showAs(status, friendsPage(v, out, f))
}

// about are the program's own words about one part of it.
func (t termsOf) about(part string) []string {
	var out []string
	for _, s := range t.Sections {
		if s.ID == part {
			for _, i := range s.Items {
				out = append(out, i.Text)
			}
		}
	}
	return out
}

// shareTitle is what something that can be passed on is called.
func (v *visit) shareTitle(s program.Shared) string {
	if len(s.Title) > 0 {
		return s.Title.In(v.lang)
	}
	if r := v.p.Rewards[s.Reward]; r != nil {
		return r.Title.In(v.lang)
	}
	for _, b := range v.p.Benefits {
		if b.ID == s.Benefit {
			return b.Title.In(v.lang)
		}
	}
	return s.ID
}

// makeInvitation makes the link that brings friends, the same each time.
func (c *Portal) makeInvitation(v *visit) error {
	if err := v.api.Post(v.r.Context(), v.mine("referral"), "", nil, nil); err != nil {
		return v.again(page.NewForm(), err, func(status int) error { return c.friendsWith(v, status, page.NewForm(), passed{}) })
	}
	return v.to(string(v.at("friends")))
}

// passOn makes a code for a friend, and shows it: it is nowhere else afterwards.
func (c *Portal) passOn(v *visit) error {
	f, err := v.form()
	if err != nil {
		return err
	}
	var made passed
	if err := v.api.Post(v.r.Context(), v.mine("shares"), "share-"+f.Get("key"), map[string]string{"share": f.Get("share")}, &made); err != nil {
		return v.again(f, err, func(status int) error { return c.friendsWith(v, status, f, passed{}) })
	}
	return c.friendsWith(v, http.StatusOK, page.NewForm(), made)
}

func (c *Portal) takeBack(v *visit) error {
	f := page.NewForm()
	if err := v.api.Post(v.r.Context(), page.Path("shares", v.r.PathValue("share"), "void"), "", nil, nil); err != nil {
		return v.again(f, err, func(status int) error { return c.friendsWith(v, status, f, passed{}) })
	}
	return v.said(string(v.at("friends")), "taken_back")
}

// invitedCookie keeps whose link somebody came by until they have joined.
const (
	invitedCookie = "invited"
	invitedFor    = 30 * 24 * time.Hour
)

// invitations are what codes of invitations look like.
var invitations = regexp.MustCompile(`^[0-9A-Za-z]{6,20}$`)

// byFriend is where the link of an invitation leads. Whether its code is one is not told.
func (c *Portal) byFriend(v *visit) error {
	if v.p == nil {
		return c.nothing(v)
	}
	if code := v.r.PathValue("code"); v.m.ID == "" && invitations.MatchString(code) {
		v.keep(invitedCookie, code, invitedFor)
	}
	return v.to(v.base() + "/sign-in")
}

// invited is whose link somebody came by; empty for nobody's.
func (v *visit) invited() string {
	k, err := v.r.Cookie(v.cookie(invitedCookie))
	if err != nil || !invitations.MatchString(k.Value) { // no address: nobody finds out by it who is a member
		return ""
	}
	return k.Value
}

func (c *Portal) giftPage(v *visit) error {
	return v.show(giftPage(v, page.NewForm()))
}

// claimGift takes what a friend passed on.
func (c *Portal) claimGift(v *visit) error {
	f := page.NewForm()
	code := strings.TrimSpace(v.r.PathValue("code"))
	err := v.api.Post(v.r.Context(), page.Path("shares", "claim"), "claim-"+ids.HashSecret(v.m.ID+code), map[string]string{"member": v.m.ID, "code": code}, nil)
	if err != nil {
		return v.again(f, err, func(status int) error { return v.showAs(status, giftPage(v, f)) })
	}
	return v.said(v.base()+"/home", "claimed")
}

// has are the places of a menu that the program has.
func (v *visit) has(list []place) (out []place) {
	for _, p := range list {
		if p.key != "friends" || v.forFriends() {
			out = append(out, p)
		}
	}
	return out
}
