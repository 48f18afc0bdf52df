// Package console is the door for those who run a program: pages under /console, made on the server, that read without a script.
//
// It owns pages, forms and what is said on them. It decides nothing and reads nothing of a program but through the routes of the API, in
// the right of who is signed in: see the table of pages for what each asks. What always holds: a page needs a session, and the scope that its line of
// the table names; whatever changes something is sent by POST from this very site; a form that is refused is shown again with what was typed and what is
// wrong beside each field.
package console

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate -log-level error

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/staff"
	"lojal.dev/lojal/internal/trace"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// Config is what the door stands on. DB, API, As and Versions are required.
type Config struct {
	DB       *db.DB
	Versions *version.Cache
	// API is the API's door from inside, and As gives a context the right of who is signed in there.
	API http.Handler
	As  func(ctx context.Context, id, program, name string, scopes []string) context.Context
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
	// Provider is where the organization's own people sign in; nil where they sign in here alone.
	Provider *staff.Provider
	// Demo says that the data are a sample, which is said on every page.
	Demo bool
}

// Console is the door.
type Console struct {
	Config
	handler http.Handler
	secure  bool
	same    *http.CrossOriginProtection
	tries   *web.Buckets
}

// triesPerAddress is how often one address may try to sign in; people behind one address are many, a machine that guesses is quicker.
var triesPerAddress = web.Rate{Burst: 60, Window: 10 * time.Minute}

// New makes the door.
func New(c Config) *Console {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Console{Config: c, secure: strings.HasPrefix(c.URL, "https://"), same: http.NewCrossOriginProtection(), tries: web.NewBuckets(triesPerAddress)}
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
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.handler.ServeHTTP(w, r) }

// Words in place of a scope.
const (
	// nobody needs to be signed in.
	nobody = "-"
	// halfway is who has given the password and not yet the second step.
	halfway = "half"
	// anybody on the staff.
	anybody = ""
)

// line is a page, or what a form of it does.
type line struct {
	pattern string
	// needs is the scope that it asks for, or one of the words above.
	needs string
	show  func(*Console, *visit) error
}

// table is the contents of the console.
func table() []line {
	return []line{
		{"GET /console", anybody, (*Console).first},
		{"GET /console/sign-in", nobody, (*Console).signInPage},
		{"POST /console/sign-in", nobody, (*Console).signIn},
		{"GET /console/second-step", halfway, (*Console).secondStepPage},
		{"POST /console/second-step", halfway, (*Console).secondStep},
		{"POST /console/sign-out", nobody, (*Console).signOut},
		{"GET /console/set-up", nobody, (*Console).setUpPage},
		{"POST /console/set-up", nobody, (*Console).setUp},
		{"GET /console/invitation", nobody, (*Console).invitationPage},
		{"POST /console/invitation", nobody, (*Console).accept},
		{"GET /console/enter", nobody, (*Console).enterPage},
		{"POST /console/enter", nobody, (*Console).enter},
		{"POST /console/passkey/ask", nobody, (*Console).askPasskey},
		{"POST /console/passkey", nobody, (*Console).passkey},
		{"GET /console/oidc", nobody, (*Console).leave},
		{"GET /console/oidc/back", nobody, (*Console).comeBack},
		{"POST /console/look", nobody, (*Console).look},

		{"GET /console/members", "members:read", (*Console).members},
		{"GET /console/members/new", "members:write", (*Console).enrolPage},
		{"POST /console/members/new", "members:write", (*Console).enrol},
		{"GET /console/members/duplicates", "members:read", (*Console).duplicates},
		{"GET /console/members/{member}", "members:read", (*Console).member},
		{"GET /console/members/{member}/purchase", "purchases:write", (*Console).purchasePage},
		{"POST /console/members/{member}/purchase", "purchases:write", (*Console).purchase},
		{"GET /console/members/{member}/adjust", "adjustments:write", adjustAct.show},
		{"POST /console/members/{member}/adjust", "adjustments:write", adjustAct.do},
		{"GET /console/members/{member}/grant", "adjustments:write", grantAct.show},
		{"POST /console/members/{member}/grant", "adjustments:write", grantAct.do},
		{"GET /console/members/{member}/take-back", "adjustments:write", takeAct.show},
		{"POST /console/members/{member}/take-back", "adjustments:write", takeAct.do},
		{"GET /console/members/{member}/tier", "adjustments:write", tierAct.show},
		{"POST /console/members/{member}/tier", "adjustments:write", tierAct.do},
		{"GET /console/members/{member}/profile", "members:write", profileAct.show},
		{"POST /console/members/{member}/profile", "members:write", profileAct.do},
		{"GET /console/members/{member}/identifier", "members:write", identifierAct.show},
		{"POST /console/members/{member}/identifier", "members:write", identifierAct.do},
		{"GET /console/members/{member}/forget", "members:write", forgetAct.show},
		{"POST /console/members/{member}/forget", "members:write", forgetAct.do},
		{"GET /console/members/{member}/block", "members:write", blockAct.show},
		{"POST /console/members/{member}/block", "members:write", blockAct.do},
		{"GET /console/members/{member}/unblock", "members:write", unblockAct.show},
		{"POST /console/members/{member}/unblock", "members:write", unblockAct.do},
		{"GET /console/members/{member}/merge", "members:write", mergeAct.show},
		{"POST /console/members/{member}/merge", "members:write", mergeAct.do},
		{"GET /console/members/{member}/close", "members:write", closeAct.show},
		{"POST /console/members/{member}/close", "members:write", closeAct.do},
		{"GET /console/facts/{fact}", "members:read", (*Console).fact},

		{"GET /console/till", "purchases:write", (*Console).till},
		{"POST /console/till/place", "purchases:write", (*Console).place},
		{"GET /console/till/enrol", "members:write", (*Console).tillEnrolPage},
		{"POST /console/till/enrol", "members:write", (*Console).tillEnrol},
		{"GET /console/till/guest", "purchases:write", (*Console).guestPage},
		{"POST /console/till/guest", "purchases:write", (*Console).guest},
		{"GET /console/till/return", "purchases:write", (*Console).returnPage},
		{"POST /console/till/return", "purchases:write", (*Console).takeBack},
		{"GET /console/till/members/{member}", "purchases:write", (*Console).tillMember},
		{"POST /console/till/members/{member}/purchase", "purchases:write", (*Console).tillPurchase},
		{"POST /console/till/members/{member}/claim", "purchases:write", (*Console).claim},
		{"GET /console/till/members/{member}/stamps/{challenge}", "activities:write", (*Console).stampPage},
		{"POST /console/till/members/{member}/stamps/{challenge}", "activities:write", (*Console).stamp},
		{"GET /console/till/members/{member}/rewards/{reward}", "redemptions:write", (*Console).redeemPage},
		{"POST /console/till/members/{member}/rewards/{reward}", "redemptions:write", (*Console).redeem},
		{"GET /console/till/members/{member}/benefits/{benefit}", "benefits:write", (*Console).usePage},
		{"POST /console/till/members/{member}/benefits/{benefit}", "benefits:write", (*Console).use},
		{"GET /console/till/offline", "purchases:write", (*Console).offline},
		{"GET /console/till/now", "purchases:write", (*Console).whoIsHere},
		{"POST /console/till/send", "purchases:write", (*Console).sendKept},
		{"GET /console/till/worker.js", nobody, (*Console).worker},
		{"GET /console/till/app.webmanifest", nobody, (*Console).appManifest},

		{"GET /console/program", "programs:read", (*Console).program},
		{"GET /console/program/versions/{version}", "programs:read", (*Console).edition},
		{"POST /console/program/versions/{version}/back", "programs:write", (*Console).rollBack},
		{"GET /console/program/poster", "programs:read", (*Console).poster},
		{"GET /console/program/try", "simulations:write", (*Console).tryPage},
		{"GET /console/program/draft/parts", "programs:write", (*Console).partsPage},
		{"POST /console/program/draft/parts", "programs:write", (*Console).keepParts},
		{"GET /console/program/draft", "programs:write", (*Console).draft},
		{"POST /console/program/draft", "programs:write", (*Console).keepDraft},
		{"POST /console/program/draft/check", "programs:write", (*Console).checkDraft},
		{"POST /console/program/draft/drop", "programs:write", (*Console).dropDraft},
		{"GET /console/program/publish", "programs:write", (*Console).publishPage},
		{"POST /console/program/publish", "programs:write", (*Console).publishDraft},

		{"GET /console/rewards", "rewards:read", (*Console).rewards},
		{"GET /console/rewards/{reward}", "rewards:read", (*Console).oneReward},
		{"GET /console/pools/{pool}", "giftcards:write", (*Console).poolPage},
		{"POST /console/pools/{pool}", "giftcards:write", (*Console).loadPool},
		{"GET /console/partners", "partners:read", (*Console).partners},
		{"GET /console/partners/{partner}", "partners:read", (*Console).onePartner},
		{"GET /console/partners/{partner}/statements/{month}/{form}", "partners:read", (*Console).statementFile},
		{"POST /console/partners/{partner}/keys/revoke", "admin", (*Console).revokePartnerKey},
		{"GET /console/partners/{partner}/settle", "partners:write", settleDeed.show},
		{"POST /console/partners/{partner}/settle", "partners:write", settleDeed.do},
		{"GET /console/partners/{partner}/award", "awards:write", awardDeed.show},
		{"POST /console/partners/{partner}/award", "awards:write", awardDeed.do},
		{"GET /console/partners/{partner}/accept", "awards:write", acceptDeed.show},
		{"POST /console/partners/{partner}/accept", "awards:write", acceptDeed.do},
		{"GET /console/partners/{partner}/undo", "awards:write", undoDeed.show},
		{"POST /console/partners/{partner}/undo", "awards:write", undoDeed.do},
		{"GET /console/partners/{partner}/key", "admin", partnerKeyDeed.show},
		{"POST /console/partners/{partner}/key", "admin", partnerKeyDeed.do},
		{"GET /console/households", "members:read", households.list},
		{"GET /console/households/new", "members:write", households.newPage},
		{"POST /console/households/new", "members:write", households.make},
		{"GET /console/households/{house}", "members:read", households.one},
		{"GET /console/households/{house}/invite", "members:write", households.invite.show},
		{"POST /console/households/{house}/invite", "members:write", households.invite.do},
		{"GET /console/households/{house}/join", "members:write", households.join.show},
		{"POST /console/households/{house}/join", "members:write", households.join.do},
		{"GET /console/households/{house}/no", "members:write", households.no.show},
		{"POST /console/households/{house}/no", "members:write", households.no.do},
		{"GET /console/households/{house}/role", "members:write", households.role.show},
		{"POST /console/households/{house}/role", "members:write", households.role.do},
		{"GET /console/households/{house}/remove", "members:write", households.remove.show},
		{"POST /console/households/{house}/remove", "members:write", households.remove.do},
		{"GET /console/households/{house}/close", "members:write", households.end.show},
		{"POST /console/households/{house}/close", "members:write", households.end.do},
		{"GET /console/households/{house}/keep", "members:write", households.keep.show},
		{"POST /console/households/{house}/keep", "members:write", households.keep.do},
		{"GET /console/households/{house}/share", "members:write", households.share.show},
		{"POST /console/households/{house}/share", "members:write", households.share.do},
		{"GET /console/organizations", "members:read", organizations.list},
		{"GET /console/organizations/new", "members:write", organizations.newPage},
		{"POST /console/organizations/new", "members:write", organizations.make},
		{"GET /console/organizations/{house}", "members:read", organizations.one},
		{"GET /console/organizations/{house}/invite", "members:write", organizations.invite.show},
		{"POST /console/organizations/{house}/invite", "members:write", organizations.invite.do},
		{"GET /console/organizations/{house}/join", "members:write", organizations.join.show},
		{"POST /console/organizations/{house}/join", "members:write", organizations.join.do},
		{"GET /console/organizations/{house}/no", "members:write", organizations.no.show},
		{"POST /console/organizations/{house}/no", "members:write", organizations.no.do},
		{"GET /console/organizations/{house}/role", "members:write", organizations.role.show},
		{"POST /console/organizations/{house}/role", "members:write", organizations.role.do},
		{"GET /console/organizations/{house}/remove", "members:write", organizations.remove.show},
		{"POST /console/organizations/{house}/remove", "members:write", organizations.remove.do},
		{"GET /console/organizations/{house}/close", "members:write", organizations.end.show},
		{"POST /console/organizations/{house}/close", "members:write", organizations.end.do},
		{"GET /console/members/{member}/referral", "members:read", (*Console).referral},
		{"POST /console/members/{member}/referral", "members:write", (*Console).makeInvitation},
		{"GET /console/recognition", "members:read", (*Console).recognition},
		{"GET /console/recognition/{recognition}/approve", "adjustments:write", approveDeed.show},
		{"POST /console/recognition/{recognition}/approve", "adjustments:write", approveDeed.do},
		{"GET /console/recognition/{recognition}/decline", "adjustments:write", declineDeed.show},
		{"POST /console/recognition/{recognition}/decline", "adjustments:write", declineDeed.do},
		{"GET /console/recognition/{recognition}/undo", "transfers:write", unthankDeed.show},
		{"POST /console/recognition/{recognition}/undo", "transfers:write", unthankDeed.do},
		{"GET /console/gift-cards", "giftcards:read", (*Console).giftCards},
		{"GET /console/gift-cards/new", "giftcards:write", (*Console).sellPage},
		{"POST /console/gift-cards/new", "giftcards:write", (*Console).sell},
		{"GET /console/gift-cards/batch", "giftcards:write", (*Console).batchPage},
		{"POST /console/gift-cards/batch", "giftcards:write", (*Console).makeBatch},
		{"GET /console/gift-cards/{card}", "giftcards:read", (*Console).oneCard},
		{"GET /console/gift-cards/{card}/activate", "giftcards:write", activateDeed.show},
		{"POST /console/gift-cards/{card}/activate", "giftcards:write", activateDeed.do},
		{"GET /console/gift-cards/{card}/pay", "redemptions:write", payDeed.show},
		{"POST /console/gift-cards/{card}/pay", "redemptions:write", payDeed.do},
		{"GET /console/gift-cards/{card}/load", "giftcards:write", topUpDeed.show},
		{"POST /console/gift-cards/{card}/load", "giftcards:write", topUpDeed.do},
		{"GET /console/gift-cards/{card}/free", "giftcards:write", freeDeed.show},
		{"POST /console/gift-cards/{card}/free", "giftcards:write", freeDeed.do},
		{"GET /console/gift-cards/{card}/code", "giftcards:write", renewDeed.show},
		{"POST /console/gift-cards/{card}/code", "giftcards:write", renewDeed.do},
		{"GET /console/gift-cards/{card}/block", "giftcards:write", blockCardDeed.show},
		{"POST /console/gift-cards/{card}/block", "giftcards:write", blockCardDeed.do},
		{"GET /console/gift-cards/{card}/erase", "giftcards:write", eraseDeed.show},
		{"POST /console/gift-cards/{card}/erase", "giftcards:write", eraseDeed.do},
		{"GET /console/gift-cards/{card}/close", "giftcards:write", closeCardDeed.show},
		{"POST /console/gift-cards/{card}/close", "giftcards:write", closeCardDeed.do},
		{"GET /console/codes", "redemptions:read", (*Console).codePage},
		{"POST /console/codes", "redemptions:read", (*Console).findCode},
		{"GET /console/redemptions", "redemptions:read", (*Console).redemptionsPage},
		{"GET /console/redemptions/{redemption}", "redemptions:read", (*Console).oneRedemption},
		{"GET /console/redemptions/{redemption}/fulfil", "redemptions:write", fulfilDeed.show},
		{"POST /console/redemptions/{redemption}/fulfil", "redemptions:write", fulfilDeed.do},
		{"GET /console/redemptions/{redemption}/commit", "redemptions:write", commitDeed.show},
		{"POST /console/redemptions/{redemption}/commit", "redemptions:write", commitDeed.do},
		{"GET /console/redemptions/{redemption}/cancel", "redemptions:write", cancelDeed.show},
		{"POST /console/redemptions/{redemption}/cancel", "redemptions:write", cancelDeed.do},
		{"GET /console/redemptions/{redemption}/refund", "redemptions:write", refundDeed.show},
		{"POST /console/redemptions/{redemption}/refund", "redemptions:write", refundDeed.do},
		{"GET /console/redemptions/{redemption}/code", "redemptions:write", showCodeDeed.show},
		{"POST /console/redemptions/{redemption}/code", "redemptions:write", showCodeDeed.do},
		{"GET /console/redemptions/{redemption}/voucher", "redemptions:write", newVoucherDeed.show},
		{"POST /console/redemptions/{redemption}/voucher", "redemptions:write", newVoucherDeed.do},
		{"GET /console/redemptions/{redemption}/unuse", "redemptions:write", undoVoucherDeed.show},
		{"POST /console/redemptions/{redemption}/unuse", "redemptions:write", undoVoucherDeed.do},
		{"GET /console/redemptions/{redemption}/void", "redemptions:write", voidVoucherDeed.show},
		{"POST /console/redemptions/{redemption}/void", "redemptions:write", voidVoucherDeed.do},
		{"GET /console/redemptions/{redemption}/order", "redemptions:write", cancelOrderDeed.show},
		{"POST /console/redemptions/{redemption}/order", "redemptions:write", cancelOrderDeed.do},
		{"GET /console/imports", "imports:read", (*Console).imports},
		{"GET /console/imports/new", "imports:write", (*Console).newImport},
		{uploading, "imports:write", (*Console).upload},
		{"GET /console/imports/{import}", "imports:read", (*Console).oneImport},
		{"GET /console/imports/{import}/mapping", "imports:write", (*Console).mappingPage},
		{"POST /console/imports/{import}/mapping", "imports:write", (*Console).tryMapping},
		{"POST /console/imports/{import}/start", "imports:write", (*Console).startImport},
		{"POST /console/imports/{import}/cancel", "imports:write", (*Console).cancelImport},
		{"GET /console/imports/{import}/refused.csv", "imports:read", (*Console).refusedRows},

		{"GET /console/me", anybody, (*Console).me},
		{"POST /console/me/profile", anybody, (*Console).setProfile},
		{"POST /console/me/password", anybody, (*Console).setPassword},
		{"GET /console/me/second-step", anybody, (*Console).newSecondStep},
		{"POST /console/me/second-step", anybody, (*Console).keepSecondStep},
		{"POST /console/me/second-step/off", anybody, (*Console).dropSecondStep},
		{"GET /console/me/passkeys/new", anybody, (*Console).newPasskeyPage},
		{"POST /console/me/passkeys/offer", anybody, (*Console).offerPasskey},
		{"POST /console/me/passkeys", anybody, (*Console).keepPasskey},
		{"POST /console/me/passkeys/remove", anybody, (*Console).dropPasskey},
		{"POST /console/me/sessions/end", anybody, (*Console).endSessions},
		{"POST /console/program", anybody, (*Console).move},

		{"GET /console/events", "events:read", (*Console).events},
		{"GET /console/audit", "audit:read", (*Console).audit},
		{"GET /console/webhooks", "webhooks:read", (*Console).hooks},
		{"GET /console/webhooks/new", "webhooks:write", (*Console).newHook},
		{"POST /console/webhooks/new", "webhooks:write", (*Console).addHook},
		{"GET /console/webhooks/{webhook}", "webhooks:read", (*Console).oneHook},
		{"POST /console/webhooks/{webhook}/test", "webhooks:write", (*Console).testHook},
		{"POST /console/webhooks/{webhook}/rotate", "webhooks:write", (*Console).rotateHook},
		{"POST /console/webhooks/{webhook}/disable", "webhooks:write", (*Console).disableHook},
		{"POST /console/webhooks/{webhook}/enable", "webhooks:write", (*Console).enableHook},
		{"POST /console/webhooks/{webhook}/remove", "webhooks:write", (*Console).removeHook},
		{"POST /console/webhooks/{webhook}/replay", "webhooks:write", (*Console).replayHook},
		{"GET /console/webhooks/{webhook}/deliveries/{event}", "webhooks:read", (*Console).oneDelivery},
		{"POST /console/webhooks/{webhook}/deliveries/{event}/replay", "webhooks:write", (*Console).replayDelivery},

		{"GET /console/keys", "admin", (*Console).keys},
		{"POST /console/keys", "admin", (*Console).createKey},
		{"POST /console/keys/{key}/rotate", "admin", (*Console).rotateKey},
		{"POST /console/keys/{key}/revoke", "admin", (*Console).revokeKey},

		{"GET /console/staff", "admin", (*Console).staff},
		{"POST /console/staff", "admin", (*Console).addStaff},
		{"POST /console/staff/{staff}/role", "admin", (*Console).setRole},
		{"POST /console/staff/{staff}/invite", "admin", (*Console).invite},
		{"POST /console/staff/{staff}/remove", "admin", (*Console).removeStaff},

		{"/console/", nobody, (*Console).nothing},
	}
}

// serve puts before a page who asks, and gives a failure its page.
func (c *Console) serve(l line) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Guard(w.Header())
		if l.pattern != uploading {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		v := &visit{c: c, w: w, r: r, now: c.Clock(), lang: page.LangOf(r, ""), theme: page.ThemeOf(r)}
		err := c.same.Check(r)
		if err != nil {
			err = errs.Forbidden("other_site", v.T("other_site")).Because(err)
		}
		if err == nil {
			err = c.admit(v, l)
		}
		if err == nil {
			err = l.show(c, v)
		}
		if err != nil {
			c.fail(v, err)
		}
	})
}

// maxForm bounds what a form sends; files go another way.
const maxForm = 2 << 20

// admit finds who asks and whether they may.
func (c *Console) admit(v *visit, l line) error {
	err := v.find()
	switch {
	case err != nil && errs.CodeOf(err) != errs.CodeUnauthenticated:
		return err
	case l.needs == nobody:
		return nil
	case err != nil:
		return err
	case v.session.Half != (l.needs == halfway):
		if v.session.Half {
			return errs.Unauthenticated("second_step", "The second step is missing.")
		}
		return v.to("/console")
	case l.needs != halfway && v.session.Program == "" && !strings.HasPrefix(v.r.URL.Path, "/console/me"):
		return errs.Forbidden("no_role", v.T("no_role"))
	case l.needs != anybody && l.needs != halfway && !v.may(l.needs):
		return errs.Forbidden("role", v.T("not_yours"))
	}
	return nil
}

// fail shows what went wrong on a page of its own, or leads to where it can be mended.
func (c *Console) fail(v *visit, err error) {
	if v.done {
		return
	}
	e := errs.As(err)
	switch {
	case v.r.Header.Get("Accept") == "application/json" && v.asksData():
		v.failData(e)
		return
	case e.Reason == "second_step":
		_ = v.to("/console/second-step")
		return
	case e.Code == errs.CodeUnauthenticated && e.Reason == "signed_out":
		to := "/console/sign-in"
		if v.r.Method == http.MethodGet && v.r.URL.Path != "/console" {
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

func (c *Console) nothing(v *visit) error {
	if v.session.Staff == "" {
		return errs.Unauthenticated("signed_out", "Sign in first.")
	}
	return errs.NotFound("no_page", v.T("no_page"))
}
