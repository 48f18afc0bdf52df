package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// recordFact has the flow record a fact and renders what came of it. The answer is made inside the transaction, so that a
// repetition under the same Idempotency-Key gets the same bytes.
func (s *Server) recordFact(ctx context.Context, c *Call, include []string, ref string, f engine.Fact) (*Answered[Recorded], error) {
	if err := checkIncludes(include, "explanation", "tiers", "balances"); err != nil {
		return nil, err
	}
	req := s.request(c, ref, f)
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any { return c.recorded(r, include) })
	}
	req.Reveal = func(r *record.Result) []byte {
		if len(r.Codes) == 0 {
			return nil
		}
		_, b := renderResult(r, func() any { return c.withCodes(r, c.recorded(r, include)) })
		return b
	}
	out := &Answered[Recorded]{}
	if err := s.submit(ctx, req, &out.Reply); err != nil {
		return nil, c.nobody(err, f.Kind)
	}
	if slices.Contains(include, "tiers") {
		return out, s.addTiers(ctx, c, &out.Reply)
	}
	return out, nil
}

// namedIn says where a body names whom a fact is about, and the other one; "" where the path names them. What is not here names one member, as
// member.
var namedIn = map[engine.Kind]struct{ who, other string }{
	engine.TransferOut: {"/from", "/to"}, engine.RecognitionK: {"/from", "/to"}, engine.MergeOut: {"", "/into"},
}

// nobody adds to an error of naming a member where in the body that member is named.
func (c *Call) nobody(err error, kind engine.Kind) error {
	f := errs.As(err)
	if f.Reason != "member_not_found" && f.Reason != "invalid_member_reference" || len(f.Fields) > 0 {
		return err
	}
	in, two := namedIn[kind]
	if !two && !c.inPath {
		in.who = "/member"
	}
	pointer := in.who
	if f.Meta["other"] == true {
		pointer = in.other
	}
	if pointer == "" || two && in.who != "" && f.Reason != "member_not_found" { // it is in the path, or may be either
		return err
	}
	named := *f
	named.Fields = []errs.Field{{Pointer: pointer, Reason: f.Reason, Message: "names no member here"}}
	return &named
}

// addTiers puts the member's standing into a recorded answer. It is that of now, and so it is not stored with the answer.
func (s *Server) addTiers(ctx context.Context, c *Call, reply *web.Reply) error {
	var r Recorded
	if err := web.Unmarshal(reply.JSON, &r); err != nil {
		return fmt.Errorf("read a stored answer: %w", err)
	}
	if r.Member == "" {
		return nil
	}
	var err error
	if r.Tiers, err = s.standing(ctx, c, r.Member); err != nil {
		return err
	}
	reply.JSON, err = web.Marshal(r)
	return err
}

// standing is where a member stands in each tier set now.
func (s *Server) standing(ctx context.Context, c *Call, id string) (map[string]Tier, error) {
	acc, p, err := s.Recorder.ViewProgress(ctx, c.program(), id, c.now)
	if err != nil {
		return nil, err
	}
	return c.view(p).tiers(acc, c.now), nil
}

func (s *Server) request(c *Call, ref string, f engine.Fact) record.Request {
	return record.Request{Program: c.program(), Member: ref, Fact: f, Key: c.idem, Now: c.now, Actor: c.actor(), Own: c.ours}
}

// submit records a request and takes its answer.
func (s *Server) submit(ctx context.Context, req record.Request, into *web.Reply) error {
	res, err := s.Recorder.Record(ctx, req)
	if err != nil {
		return err
	}
	status, body := res.Status, res.Answer
	if body == nil {
		status, body = req.Render(res)
	}
	*into = replyOf(status, body, res.Replayed)
	return nil
}

func replyOf(status int, body []byte, replayed bool) web.Reply {
	r := web.Reply{Status: status, JSON: body, Header: http.Header{}}
	if where := location(body); where != "" && status == http.StatusCreated {
		r.Header.Set("Location", where)
	}
	if replayed {
		r.Header.Set("Idempotent-Replayed", "true")
	}
	return r
}

// places are where the things live whose ids begin so.
var places = map[string]string{"mem": "/v1/members/", "pur": "/v1/purchases/", "red": "/v1/redemptions/", "gft": "/v1/gift-cards/", "wtg": "/v1/claims/", "key": "/v1/keys/", "whk": "/v1/webhooks/", "imp": "/v1/imports/"}

// location is the address of what an answer is about: its id stands first.
func location(body []byte) string {
	rest, ok := bytes.CutPrefix(body, []byte(`{"id":"`))
	id, _, whole := bytes.Cut(rest, []byte(`"`))
	if !ok || !whole {
		return ""
	}
	prefix, _, _ := strings.Cut(string(id), "_")
	if p := places[prefix]; p != "" {
		return p + string(id)
	}
	return "/v1/facts/" + string(id)
}

// renderResult gives 201 for what is new and 200 for what was there.
func renderResult(r *record.Result, body func() any) (int, []byte) {
	status := http.StatusCreated
	if r.Duplicate || !r.Recorded {
		status = http.StatusOK
	}
	b, err := web.Marshal(body())
	if err != nil {
		panic("api: an answer cannot be written: " + err.Error()) // a fault of the program; the transaction is given up
	}
	return status, b
}

// withCodes puts the codes that were drawn into an answer.
func (c *Call) withCodes(r *record.Result, out Recorded) Recorded {
	for i := range out.Redemptions {
		for j := range r.Decision.Redemptions {
			d := &r.Decision.Redemptions[j]
			if d.ID == out.Redemptions[i].ID && d.Voucher != nil && r.Codes[d.Voucher.Hash] != "" {
				out.Redemptions[i].Voucher.Code = code.Show(r.Codes[d.Voucher.Hash])
			}
			if d.ID == out.Redemptions[i].ID && d.Pooled != nil && r.Codes[d.Pooled.Hash] != "" {
				out.Redemptions[i].Code.Code = r.Codes[d.Pooled.Hash]
			}
		}
	}
	return out
}

// recorded renders a result with what is asked for besides.
func (c *Call) recorded(r *record.Result, include []string) Recorded {
	v := c.view(r.Program)
	out := v.fact(r.Fact, r.Decision)
	out.Duplicate = r.Duplicate
	if c.key.Partner != "" {
		return v.forPartner(&out, &r.Decision)
	}
	for _, d := range r.Dues {
		out.Facts = append(out.Facts, v.ref(d.Fact, d.Decision))
	}
	if r.Recorded {
		out.Facts = append(out.Facts, v.ref(r.Fact, r.Decision))
		slices.SortStableFunc(out.Facts, func(a, b FactRef) int { return a.OccurredAt.Compare(b.OccurredAt) })
	}
	if r.Account != nil {
		out.Balances = v.balances(r.Account, false)
	}
	out.Guest = r.Fact.Member == ""
	if slices.Contains(include, "explanation") {
		out.Explanation = v.explanation(r.Fact.Kind, r.Decision)
	}
	return out
}

// forPartner is what a partner is told of a fact: which it is, and what the partner itself gave, took or had back by it. What else came of
// it is nothing to a partner, and so it is built of what may be said, not cleared of what may not.
func (v view) forPartner(whole *Recorded, d *engine.Decision) Recorded {
	out := Recorded{ID: whole.ID, Kind: whole.Kind, Member: whole.Member, FactNames: whole.FactNames, Version: whole.Version, Duplicate: whole.Duplicate, Earned: map[string]Amount{}}
	out.Actor = ""
	for _, e := range d.Events {
		own := map[string]Amount{e.Data["unit"]: Amount(e.Data["amount"])}
		switch {
		case e.Type == engine.EvPartnerAward:
			out.Earned = own
		case e.Type == engine.EvPartnerAccept:
			out.Spent = own
		case e.Type == engine.EvPartnerUndo && e.Data["was"] == engine.PartnerAward:
			out.TakenBack = own
		case e.Type == engine.EvPartnerUndo:
			out.GivenBack = own
		}
	}
	for _, n := range d.Explanation.Notes {
		switch n.Code {
		case engine.NotePartnerAward, engine.NotePartnerAccept, engine.NotePartnerUndo:
			out.Summary = explain.Statement(n, v.p, v.lang, v.forMember)
		}
	}
	return out
}

func checkIncludes(include []string, known ...string) error {
	for _, word := range include {
		if !slices.Contains(known, word) {
			text := "There can be included: " + strings.Join(known, ", ") + "."
			return errs.Malformed("invalid_parameter", text, errs.Field{Pointer: "include", Reason: "unknown_word", Message: text})
		}
	}
	return nil
}

// fact makes a fact of a kind with its natural key.
func (k FactKey) fact(kind engine.Kind) engine.Fact {
	f := engine.Fact{Kind: kind, Source: k.Source, ExternalID: k.ExternalID}
	if k.OccurredAt != nil {
		f.OccurredAt = *k.OccurredAt
	}
	return f
}

// once makes a change that is not a fact: in one transaction, with its answer under the caller's Idempotency-Key if there is
// one. kept is what is stored of the answer in place of it, for an answer that may be seen only once; nil stores it whole.
func (s *Server) once(ctx context.Context, c *Call, status int, change func(*db.Tx) (any, error), kept func(any) any) (web.Reply, error) {
	for {
		var out web.Reply
		err := s.DB.Write(ctx, func(tx *db.Tx) error {
			var err error
			if known, ok, err := c.known(ctx, tx); err != nil || ok {
				out = known
				return err
			}
			answer, err := change(tx)
			if err != nil {
				return err
			}
			body, err := web.Marshal(answer)
			if err != nil {
				return err
			}
			out = replyOf(status, body, false)
			if c.idem == nil {
				return nil
			}
			if kept != nil {
				if body, err = web.Marshal(kept(answer)); err != nil {
					return err
				}
			}
			return c.keep(ctx, tx, status, body)
		})
		if c.idem != nil && db.IsUnique(err) && ctx.Err() == nil {
			continue // somebody else was first with the key: what was answered then is there now
		}
		return out, err
	}
}

func (c *Call) answerKey() books.AnswerKey {
	return books.AnswerKey{Program: c.program(), Client: c.idem.Client, Key: c.idem.Key}
}

// known gives the first answer under the caller's Idempotency-Key, if there is one.
func (c *Call) known(ctx context.Context, tx *db.Tx) (web.Reply, bool, error) {
	if c.idem == nil {
		return web.Reply{}, false, nil
	}
	k := c.answerKey()
	found, err := books.Answers(ctx, tx, []books.AnswerKey{k})
	if err != nil {
		return web.Reply{}, false, err
	}
	a, ok := found[k]
	if !ok {
		return web.Reply{}, false, nil
	}
	if a.Hash != base64.RawURLEncoding.EncodeToString(c.idem.Hash[:]) {
		return web.Reply{}, false, keyReused()
	}
	return replyOf(a.Status, []byte(a.Body), true), true, nil
}

func keyReused() error {
	return errs.Invalid("idempotency_key_reused", "This Idempotency-Key came before with another request. Take a new key for a new request.")
}

// keep stores the answer under the caller's Idempotency-Key.
func (c *Call) keep(ctx context.Context, tx *db.Tx, status int, body []byte) error {
	sheet := books.NewSheet()
	sheet.AddAnswer(books.Answer{AnswerKey: c.answerKey(), Hash: base64.RawURLEncoding.EncodeToString(c.idem.Hash[:]), Status: status, Body: string(body), At: c.now})
	return sheet.Write(ctx, tx)
}

// look runs a reading handler: one snapshot, with the versions of the caller's program and a view by the one in force now.
func (s *Server) look(ctx context.Context, c *Call, read func(tx *db.Tx, v view, set *version.Set) error) error {
	return s.DB.Read(ctx, func(tx *db.Tx) error {
		v, set, err := s.view(ctx, tx, c)
		if err != nil {
			return err
		}
		return read(tx, v, set)
	})
}

func (s *Server) view(ctx context.Context, tx *db.Tx, c *Call) (view, *version.Set, error) {
	set, err := s.Versions.Get(ctx, tx, c.program())
	if err != nil {
		return view{}, nil, err
	}
	p := set.At(c.now)
	if p == nil {
		p = set.Latest()
	}
	return c.view(p), set, nil
}

// by is the view by the version that decided a fact.
func (v view) by(set *version.Set, n int64) view {
	if p := set.Version(n); p != nil {
		v.p = p
	}
	return v
}
