// Package api is the HTTP door: /v1 with JSON in and out, its OpenAPI document, and pages that show it.
//
// It owns routes, wire types, authentication of requests and what a failure looks like to a caller. It decides nothing:
// each handler reads a request, calls one verb of a flow or a noun, and renders what came of it.
// What always holds: the program is that of the API key, never of the request; an object of another program is answered
// like one that does not exist; amounts are decimal text and times carry the program's offset; a refused request
// leaves no fact behind.
package api

import (
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/health"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/trace"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// Config is what the door stands on. DB, Recorder and Versions are required.
type Config struct {
	DB       *db.DB
	Recorder *record.Recorder
	Versions *version.Cache
	// Clock gives the real time; time.Now when nil. Nothing below the door asks another one.
	Clock func() time.Time
	// Logger takes the access log and internal errors; nothing is logged when nil.
	Logger *slog.Logger
	Limits Limits
	Build  BuildInfo
	// Health says whether the server is ready; one that never stops when nil.
	Health *health.State
	// Metrics is where the door's meters are shown; nil shows them to nobody.
	Metrics prometheus.Registerer
	// Targets are what webhooks may be sent to besides public addresses.
	Targets relay.Targets
	// URL is where people reach the server, without a slash behind; it may be empty.
	URL string
	// Wallets are those of phones that members' cards can be kept in.
	Wallets Wallets
	// Wake, when set, has the relay look at its webhooks now.
	Wake func()
	// Tracer makes a span of each request; nil makes none.
	Tracer *trace.Tracer
	// Proxies are trusted for where a request came from; nil trusts nobody.
	Proxies *web.Proxies
	// Codes says how many codes that are none may be named; its zero value has the usual limits.
	Codes code.Guard
	// LogEvery logs one of so many requests that went well; 0 is each of them and a negative number none. Slow warns of one that took longer.
	LogEvery int64
	Slow     time.Duration
}

// BuildInfo says which program this is.
type BuildInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
}

// Limits bound what one caller may ask for. Zero values are the defaults; a negative Burst is no limit.
type Limits struct {
	// PerKey is the quota of one API key.
	PerKey web.Rate
	// FailedAuth is how often one address may come with a wrong key before it is told to wait. A right key always passes.
	FailedAuth web.Rate
	// PartnerMisses is how many members that are none the key of a partner may name at a node before it is told to wait.
	PartnerMisses web.Rate
	// MaxBody and MaxBatchBody bound bodies in bytes.
	MaxBody, MaxBatchBody int64
	// MaxUpload bounds the files of one upload; importer.MaxUpload when 0.
	MaxUpload int64
	// Requests is how many are answered at once, Bodies how many bytes of their bodies are held. More are told to wait.
	Requests, Bodies int64
}

// The defaults of Limits. A till in a busy chain does not come near PerKey; a loop gone wild does.
var (
	DefaultPerKey     = web.Rate{Burst: 60_000, Window: 10 * time.Second}
	DefaultFailedAuth = web.Rate{Burst: 30, Window: time.Minute}
	// DefaultPartnerMisses lets a hotel mistype all day, and nobody go through the phone book.
	DefaultPartnerMisses = web.Rate{Burst: 60, Window: 10 * time.Minute}
)

const (
	defaultMaxBody      = 1 << 20
	defaultMaxBatchBody = 8 << 20
	// DefaultRequests bounds the requests that are answered at once, so that more callers mean more waiting and not more memory. A
	// thousand tills in the same instant fit in.
	DefaultRequests = 1024
	// DefaultBodies bounds the bytes of their bodies.
	DefaultBodies = 64 << 20
	// MaxBatch is the most facts in one batch or simulation.
	MaxBatch = 1000
	// MaxWait bounds a long poll, in seconds.
	MaxWait = 30
	// requestTime bounds a request, within the server's time to write, so that its failure can still be told.
	requestTime = 50 * time.Second
)

// Server is the door. Close it when no request is under way any more.
type Server struct {
	Config
	handler http.Handler
	inside  http.Handler
	// local is who asks where there are no keys.
	local    *key.Key
	perKey   *web.Buckets
	misses   *web.Buckets // of members that partners name
	failed   *web.Buckets
	waiting  chan struct{} // one for each long poll
	bodies   *web.Budget
	known    knownKeys
	uses     key.Uses
	flushing atomic.Bool
	flushes  sync.WaitGroup
}

// New makes the door.
func New(c Config) *Server {
	s := newServer(c)
	c = s.Config
	mux := http.NewServeMux()
	var patterns []string
	for _, r := range table() {
		pattern := r.Method + " " + r.Path
		mux.Handle(pattern, s.guard(r))
		patterns = append(patterns, pattern)
	}
	inside := http.NewServeMux()
	for _, r := range table() {
		inside.Handle(r.Method+" "+r.Path, s.guard(r))
	}
	s.inside = inside
	pages := s.pages(mux)
	s.handler = web.Wrap(mux, web.Outside{
		Log: c.Logger, Now: c.Clock, Meters: web.NewMeters(c.Metrics, append(patterns, pages...)), Tracer: c.Tracer, Proxies: c.Proxies,
		LogEvery: c.LogEvery, Slow: c.Slow, Most: c.Limits.Requests,
	})
	return s
}

// Local makes the door for a command on the same machine, which reads the database anyway: the same routes and answers, behind no
// key. Who is the name under which facts are kept. It has no pages.
func Local(c Config, program, who string) *Server {
	s := newServer(c)
	s.local = &key.Key{ID: who, Program: program, Name: who, Scopes: []string{key.Admin}}
	mux := http.NewServeMux()
	for _, r := range table() {
		mux.Handle(r.Method+" "+r.Path, s.guard(r))
	}
	s.handler = web.Wrap(mux, web.Outside{Log: s.Logger, Now: s.Clock, Meters: web.NewMeters(nil, nil), Most: s.Limits.Requests})
	return s
}

// newServer fills in what is left out.
func newServer(c Config) *Server {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Limits.PerKey.Burst == 0 {
		c.Limits.PerKey = DefaultPerKey
	}
	if c.Limits.FailedAuth.Burst == 0 {
		c.Limits.FailedAuth = DefaultFailedAuth
	}
	if c.Limits.PartnerMisses.Burst == 0 {
		c.Limits.PartnerMisses = DefaultPartnerMisses
	}
	if c.Limits.MaxBody <= 0 {
		c.Limits.MaxBody = defaultMaxBody
	}
	if c.Limits.MaxBatchBody <= 0 {
		c.Limits.MaxBatchBody = defaultMaxBatchBody
	}
	if c.Limits.Requests == 0 {
		c.Limits.Requests = DefaultRequests
	}
	if c.Limits.Bodies <= 0 {
		c.Limits.Bodies = DefaultBodies
	}
	c.Limits.Bodies = max(c.Limits.Bodies, c.Limits.MaxBatchBody) // or no batch would ever fit
	switch {
	case c.LogEvery == 0:
		c.LogEvery = 1
	case c.LogEvery < 0:
		c.LogEvery = 0
	}
	if c.Health == nil {
		c.Health = health.New(c.DB)
	}
	return &Server{Config: c, perKey: web.NewBuckets(c.Limits.PerKey), failed: web.NewBuckets(c.Limits.FailedAuth), misses: web.NewBuckets(c.Limits.PartnerMisses), waiting: make(chan struct{}, mostWaiting), bodies: web.NewBudget(c.Limits.Bodies)}
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close writes down which keys were used last.
func (s *Server) Close(ctx context.Context) error {
	s.flushes.Wait()
	if !s.uses.Waiting() {
		return nil
	}
	return s.DB.Write(ctx, func(tx *db.Tx) error { return s.uses.Flush(ctx, tx) })
}

// noteUse remembers that a key was used, and has what is remembered written beside the requests.
func (s *Server) noteUse(k key.Key, now time.Time) {
	s.uses.Note(k, now)
	if !s.uses.Waiting() || !s.flushing.CompareAndSwap(false, true) {
		return
	}
	s.flushes.Go(func() {
		defer s.flushing.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.DB.Write(ctx, func(tx *db.Tx) error { return s.uses.Flush(ctx, tx) }); err != nil {
			s.Logger.Warn("note the use of keys", "error", err)
		}
	})
}

// Call is who asks, when, and in which language. Every In of a route behind a key embeds it.
type Call struct {
	key  key.Key
	now  time.Time
	lang string
	// member says that a member reads the sentences.
	member bool
	// inPath says that the member is named by the address.
	inPath bool
	// ours says that the natural key of the fact is not what the caller sent: see record.Request.
	ours bool
	// idem is set when the caller sent an Idempotency-Key.
	idem *record.Key
}

func (c *Call) call() *Call { return c }

func (c *Call) view(p *program.Compiled) view {
	return view{p: p, lang: c.lang, forMember: c.member, own: c.key.Member != ""}
}

// Program is the program of the key.
func (c *Call) program() string { return c.key.Program }

// Actor is the name under which the caller's facts are kept.
func (c *Call) actor() string { return c.key.Name }

type called interface{ call() *Call }

type callKey struct{}

// guard puts before a route who asks, and the scope.
func (s *Server) guard(r *Route) http.Handler {
	maxBody := s.Limits.MaxBody
	if r.Batch {
		maxBody = s.Limits.MaxBatchBody
	}
	h := r.handle(s, web.Options{
		Status:  r.Status,
		MaxBody: maxBody,
		Types:   r.types,
		Prepare: s.prepare,
		Bodies:  s.bodies,
	})
	if r.Scope == Open {
		return h
	}
	r.checkOwn()
	inPath := strings.Contains(r.Path, "{member}")
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		now := s.Clock()
		if l, err := languageOf(req); err == nil && l != "en" {
			web.Say(req.Context(), func(e *errs.Error) *errs.Error { return explain.Refusal(l, e) })
		}
		k, err := s.who(w, req, now)
		if err != nil {
			web.Fail(w, req, err)
			return
		}
		if k.Member != "" {
			if err := s.ownOnly(req, r, &k); err != nil {
				web.Fail(w, req, err)
				return
			}
		}
		if r.Scope != AnyScope {
			if err := k.Require(r.Scope); err != nil {
				web.Fail(w, req, err)
				return
			}
		}
		if s.local == nil && k.Prefix != "" {
			s.noteUse(k, now)
		}
		ctx, cancel := req.Context(), context.CancelFunc(func() {})
		if r.Parts == nil { // an upload takes as long as it goes on
			ctx, cancel = context.WithTimeout(ctx, requestTime)
		}
		defer cancel()
		h.ServeHTTP(w, req.WithContext(context.WithValue(ctx, callKey{}, &Call{key: k, now: now, inPath: inPath})))
	})
}

// who is who has the key of a request, within its quota.
func (s *Server) who(w http.ResponseWriter, r *http.Request, now time.Time) (key.Key, error) {
	if s.local != nil {
		return *s.local, nil
	}
	if k, ok := r.Context().Value(insideKey{}).(*key.Key); ok {
		web.SetActor(r.Context(), k.ID)
		return *k, nil
	}
	k, err := s.authenticate(w, r, now)
	if err != nil {
		return k, err
	}
	web.SetActor(r.Context(), k.ID)
	q := s.perKey.Take(k.ID, 1, now)
	s.perKey.Headers(w.Header(), "key", q)
	if !q.OK {
		return k, web.TooMany(q)
	}
	return k, nil
}

func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, now time.Time) (key.Key, error) {
	secret, err := bearer(r.Header)
	var k key.Key
	if err == nil {
		k, err = s.findKey(r.Context(), secret, now)
	}
	if err == nil || errs.CodeOf(err) != errs.CodeUnauthenticated {
		return k, err
	}
	q := s.failed.Take(web.Household(web.ClientIP(r.Context())), 1, now)
	if !q.OK {
		s.failed.Headers(w.Header(), "failed-auth", q)
		return key.Key{}, web.TooMany(q)
	}
	return key.Key{}, err
}

func (s *Server) findKey(ctx context.Context, secret string, now time.Time) (key.Key, error) {
	hash := ids.HashSecret(secret)
	if k, ok := s.known.get(hash, now); ok {
		return k, nil
	}
	var k key.Key
	err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		k, err = key.Authenticate(ctx, tx, secret, now)
		return err
	})
	if err == nil {
		s.known.put(hash, k)
	}
	return k, err
}

// knownKeys remembers for a moment which keys were right, so that a busy till does not ask the database twice for each
// purchase. A key that this server revokes is forgotten at once; one that another process revokes opens for at most
// keysKnownFor longer.
type knownKeys struct {
	mu   sync.Mutex
	keys map[string]knownKey // by the hash of the secret
}

type knownKey struct {
	key.Key
	at time.Time // of the machine: the time that this may be believed is no business time
}

const keysKnownFor = time.Second

func (n *knownKeys) get(hash string, now time.Time) (key.Key, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	k, ok := n.keys[hash]
	if !ok || time.Since(k.at) > keysKnownFor || k.ExpiresAt != nil && !k.ExpiresAt.After(now) {
		return key.Key{}, false
	}
	return k.Key, true
}

func (n *knownKeys) put(hash string, k key.Key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.keys == nil || len(n.keys) > 1000 {
		n.keys = map[string]knownKey{}
	}
	n.keys[hash] = knownKey{k, time.Now()}
}

// forget drops all of them, after a key was revoked or rotated.
func (n *knownKeys) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keys = nil
}

func bearer(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) > 1 {
		return "", errs.Unauthenticated("key_malformed", "Send one Authorization header.")
	}
	if len(values) == 0 || values[0] == "" {
		return "", errs.Unauthenticated("key_missing", "Send an API key: Authorization: Bearer lj_live_….")
	}
	scheme, secret, ok := strings.Cut(values[0], " ")
	secret = strings.TrimSpace(secret)
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(secret) > 200 {
		return "", errs.Unauthenticated("key_malformed", "Send the API key as: Authorization: Bearer lj_live_….")
	}
	return secret, nil
}

// prepare gives a bound In who asks, and the idempotency key with the hash of what was asked.
func (s *Server) prepare(r *http.Request, body []byte, in any) error {
	dst, ok := in.(called)
	if !ok {
		return nil
	}
	c := r.Context().Value(callKey{}).(*Call)
	var err error
	if c.lang, err = languageOf(r); err != nil {
		return err
	}
	switch r.URL.Query().Get("audience") {
	case "":
		_, c.member = in.(interface{ shown() })
	case "staff":
	case "member":
		c.member = true
	default:
		return errs.Malformed("invalid_parameter", "The audience is staff or member.", errs.Field{Pointer: "audience", Reason: "wrong_value", Message: "Write staff or member."})
	}
	if c.key.Member != "" {
		c.member = true
		if own, ok := in.(interface{ theirOwn() }); ok {
			own.theirOwn()
		}
		if own, ok := in.(asksAsMember); ok {
			if err := own.asMember(c.key.Member); err != nil {
				return err
			}
		}
	}
	if r.Method == http.MethodPost {
		k, err := idempotencyKey(r.Header)
		if err != nil {
			return err
		}
		if k != "" {
			h := sha256.New()
			_, _ = io.WriteString(h, r.Method+"\n"+r.URL.EscapedPath()+"\n") // a hash never fails
			_, _ = h.Write(body)
			c.idem = &record.Key{Client: c.key.ID, Key: k, Hash: [32]byte(h.Sum(nil))}
		}
	}
	*dst.call() = *c
	return nil
}

// idempotencyKey reads the header as draft-ietf-httpapi-idempotency-key-header-07 has it (a quoted string) and as most clients send
// it (bare).
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	bad := func(message string) error {
		return errs.Malformed("invalid_idempotency_key", message, errs.Field{Pointer: "Idempotency-Key", Reason: "wrong_value", Message: message})
	}
	if len(values) > 1 {
		return "", bad("Send one Idempotency-Key.")
	}
	k := values[0]
	if len(k) >= 2 && k[0] == '"' && k[len(k)-1] == '"' {
		k = k[1 : len(k)-1]
	}
	if k == "" || len(k) > 255 {
		return "", bad("An Idempotency-Key has 1 to 255 characters.")
	}
	for i := range len(k) {
		if k[i] <= ' ' || k[i] > '~' || k[i] == '"' || k[i] == '\\' {
			return "", bad("An Idempotency-Key is made of letters, digits and signs of ASCII, without spaces, quotation marks and backslashes.")
		}
	}
	return k, nil
}

func languageOf(r *http.Request) (string, error) {
	want := r.URL.Query().Get("lang")
	if want == "" {
		return lang.Negotiate(r.Header.Get("Accept-Language")), nil
	}
	l := lang.Known(want)
	if l == "" {
		const text = "Write nb, sv, da or en."
		return "", errs.Malformed("invalid_parameter", "There are no sentences in this language. "+text, errs.Field{Pointer: "lang", Reason: "wrong_value", Message: text})
	}
	return l, nil
}
