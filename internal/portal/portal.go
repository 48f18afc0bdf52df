// Package portal is the door for members: pages under /portal/{program}, made on the server for a phone, that read without a script.
//
// It owns pages, forms and what is said on them. It decides nothing and reads nothing of a member but through the routes of the API, in the right of
// who is signed in, which reaches no other member: see ownRoutes there. Whose session it is, and the codes that lead to one, are kept by internal/signin.
// What always holds: a page needs a session, but for those that lead to one and the program's own; whatever changes something is sent by POST from this
// very site; until a code is right, nothing that is shown or done depends on whether somebody is a member.
package portal

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -log-level error

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/message"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/trace"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// Config is what the door stands on. DB, API, As, Proven, Sender and Versions are required.
type Config struct {
	DB       *db.DB
	Versions *version.Cache
	// API is the API's door from inside, and As gives a context the right of a member there: see [Newcomer] for who is none yet.
	API http.Handler
	As  func(ctx context.Context, program, member string) context.Context
	// Proven adds to that right an address that the member has just shown to be theirs.
	Proven func(ctx context.Context, kind, value string) context.Context
	// Sender brings codes to people.
	Sender message.Sender
	// Clock gives the real time; time.Now when nil.
	Clock  func() time.Time
	Logger *slog.Logger
	// URL is where people reach the server, such as https://lojal.example.no; cookies are kept to it when it is https.
	URL     string
	Metrics prometheus.Registerer
	Tracer  *trace.Tracer
	Proxies *web.Proxies
	// LogEvery and Slow are those of the API's door.
	LogEvery int64
	Slow     time.Duration
	// Demo says that the data are a sample, which is said on every page.
	Demo bool
}

// Newcomer in place of a member is who is about to become one.
const Newcomer = "newcomer"

// Portal is the door.
type Portal struct {
	Config
	handler http.Handler
	secure  bool
	same    *http.CrossOriginProtection
	// tries are of codes, and sends are the codes that one address asks for.
	tries, sends *web.Buckets
}

// How often one address may try codes, and ask for them: people behind one address are many, a machine that guesses is quicker. What one e-mail address or
// phone number gets is counted besides, by internal/signin.
var (
	triesPerAddress = web.Rate{Burst: 60, Window: 10 * time.Minute}
	sendsPerAddress = web.Rate{Burst: 60, Window: time.Hour}
)

// New makes the door.
func New(c Config) *Portal {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Portal{Config: c, secure: strings.HasPrefix(c.URL, "https://"), same: http.NewCrossOriginProtection(), tries: web.NewBuckets(triesPerAddress), sends: web.NewBuckets(sendsPerAddress)}
	mux := http.NewServeMux()
	var patterns []string
	for _, p := range table() {
		mux.Handle(p.pattern, s.serve(p))
		patterns = append(patterns, p.pattern)
	}
	s.handler = web.Wrap(mux, web.Outside{
		Log: c.Logger, Now: c.Clock, Meters: web.NewMeters(c.Metrics, patterns), Tracer: c.Tracer, Proxies: c.Proxies, LogEvery: c.LogEvery, Slow: c.Slow,
	})
	return s
}

// ServeHTTP answers a request.
func (c *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := strings.TrimRight(r.URL.Path, "/"); p != r.URL.Path && r.Method == http.MethodGet && !strings.Contains(p, "//") { // as people type it
		http.Redirect(w, r, (&url.URL{Path: p}).EscapedPath(), http.StatusMovedPermanently)
		return
	}
	c.handler.ServeHTTP(w, r)
}

// who may see a page.
type who bool

const (
	anybody who = false
	members who = true
)

// line is a page, or what a form of it does.
type line struct {
	pattern string
	for_    who
	show    func(*Portal, *visit) error
}

// table is the contents of the portal.
func table() []line {
	return []line{
		{"GET /portal", anybody, (*Portal).only},
		{"GET /portal/{program}", anybody, (*Portal).straight},
		{"GET /portal/{program}/home", members, (*Portal).home},

		{"GET /portal/{program}/card", members, (*Portal).card},
		{"GET /portal/{program}/card/apple", members, (*Portal).appleCard},
		{"GET /portal/{program}/card/google", members, (*Portal).googleCard},
		{"GET /portal/{program}/me/data", members, (*Portal).data},
		{"POST /portal/{program}/me/data", members, (*Portal).setData},
		{"GET /portal/{program}/me/data/copy", members, (*Portal).copyOfAll},
		{"GET /portal/{program}/me/address/{kind}", members, (*Portal).newAddressPage},
		{"POST /portal/{program}/me/address/{kind}", members, (*Portal).newAddress},
		{"GET /portal/{program}/me/address/{kind}/code", members, (*Portal).newAddressCodePage},
		{"POST /portal/{program}/me/address/{kind}/code", members, (*Portal).tryNewAddress},
		{"GET /portal/{program}/me/leave", members, (*Portal).leavePage},
		{"POST /portal/{program}/me/leave", members, (*Portal).leave},
		{"GET /portal/{program}/rewards", members, (*Portal).rewards},
		{"GET /portal/{program}/rewards/{reward}", members, (*Portal).rewardPage},
		{"POST /portal/{program}/rewards/{reward}", members, (*Portal).redeem},
		{"GET /portal/{program}/redemptions/{redemption}", members, (*Portal).redemption},
		{"POST /portal/{program}/redemptions/{redemption}/code", members, (*Portal).showCode},
		{"POST /portal/{program}/redemptions/{redemption}/cancel", members, (*Portal).cancel},
		{"GET /portal/{program}/benefits", members, (*Portal).benefits},
		{"POST /portal/{program}/benefits/{benefit}", members, (*Portal).useBenefit},
		{"GET /portal/{program}/challenges", members, (*Portal).challenges},
		{"GET /portal/{program}/history", members, (*Portal).history},
		{"GET /portal/{program}/me", members, (*Portal).me},
		{"POST /portal/{program}/me/name", members, (*Portal).setName},
		{"POST /portal/{program}/me/sessions/end", members, (*Portal).endSessions},
		{"GET /portal/{program}/style.css", anybody, (*Portal).style},
		{"GET /portal/{program}/app.webmanifest", anybody, (*Portal).manifest},
		{"GET /portal/{program}/worker.js", anybody, (*Portal).worker},
		{"GET /portal/{program}/friends", members, (*Portal).friends},
		{"POST /portal/{program}/friends/invite", members, (*Portal).makeInvitation},
		{"POST /portal/{program}/friends/share", members, (*Portal).passOn},
		{"POST /portal/{program}/friends/share/{share}/back", members, (*Portal).takeBack},
		{"GET /portal/{program}/friend/{code}", anybody, (*Portal).byFriend},
		{"GET /portal/{program}/gift/{code}", members, (*Portal).giftPage},
		{"POST /portal/{program}/gift/{code}", members, (*Portal).claimGift},
		{"GET /portal/{program}/terms", anybody, (*Portal).termsPage},

		// joining and signing in
		{"GET /portal/{program}/sign-in", anybody, (*Portal).addressPage},
		{"POST /portal/{program}/sign-in", anybody, (*Portal).sendCode},
		{"GET /portal/{program}/code", anybody, (*Portal).codePage},
		{"POST /portal/{program}/code", anybody, (*Portal).tryCode},
		{"GET /portal/{program}/join", anybody, (*Portal).joinPage},
		{"POST /portal/{program}/join", anybody, (*Portal).join},
		{"GET /portal/{program}/enter", anybody, (*Portal).enterPage},
		{"POST /portal/{program}/enter", anybody, (*Portal).enter},
		{"POST /portal/{program}/sign-out", anybody, (*Portal).signOut},
		{"POST /portal/{program}/look", anybody, (*Portal).look},

		{"/portal/", anybody, (*Portal).nothing},
	}
}

// serve puts before a page who asks, and gives a failure its page.
func (c *Portal) serve(l line) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Guard(w.Header())
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		v := &visit{c: c, w: w, r: r, now: c.Clock(), lang: page.LangOf(r, ""), theme: page.ThemeOf(r)}
		err := c.same.Check(r)
		if err != nil {
			err = errs.Forbidden("other_site", v.T("other_site")).Because(err)
		}
		if err == nil {
			err = v.open()
		}
		if err == nil {
			err = v.find()
		}
		if err != nil && errs.Is(err, errs.CodeUnauthenticated, "signed_out") && l.for_ == anybody {
			err = nil
		}
		if err == nil {
			err = l.show(c, v)
		}
		if err != nil {
			c.fail(v, err)
		}
	})
}

// maxForm bounds what a form sends.
const maxForm = 64 << 10

// fail shows what went wrong on a page of its own, or leads to where it can be mended.
func (c *Portal) fail(v *visit, err error) {
	if v.done {
		return
	}
	e := errs.As(err)
	if e.Code == errs.CodeUnauthenticated && e.Reason == "signed_out" && v.p != nil {
		to := v.base() + "/sign-in"
		if v.r.Method == http.MethodGet && v.r.URL.Path != v.base()+"/home" {
			to += "?next=" + escape(v.r.URL.RequestURI())
		}
		_ = v.to(to)
		return
	}
	status := web.StatusOf(e)
	if status >= http.StatusInternalServerError {
		web.Failed(v.r.Context(), err)
		c.Logger.ErrorContext(v.r.Context(), "page", "error", err, "request_id", web.RequestID(v.r.Context()))
	}
	if wait, ok := e.Meta["retry_after"]; ok {
		v.w.Header().Set("Retry-After", fmt.Sprint(wait))
	}
	if err := page.Write(v.r.Context(), v.w, v.r, status, failure(v, e, status)); err != nil {
		c.Logger.ErrorContext(v.r.Context(), "page of a failure", "error", err)
		http.Error(v.w, e.Message, status)
	}
}

func (c *Portal) nothing(v *visit) error { return errs.NotFound("no_page", v.T("no_page")) }

// straight leads to the first page.
func (c *Portal) straight(v *visit) error { return v.to(v.base() + "/home") }

// only leads to the program of an installation that has one; which of several somebody means, nobody knows.
func (c *Portal) only(v *visit) error {
	var list []version.Program
	err := c.DB.Read(v.r.Context(), func(tx *db.Tx) (err error) {
		list, err = version.Programs(v.r.Context(), tx)
		return err
	})
	if err != nil || len(list) != 1 {
		if err == nil {
			err = errs.NotFound("no_page", v.T("no_page"))
		}
		return err
	}
	return v.to("/portal/" + list[0].ID)
}
