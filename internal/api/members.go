package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/claim"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type enrolIn struct {
	Call
	Included
	Body Enrolment
}

func (e Enrolment) fact() (engine.Fact, *member.New) {
	f := engine.Fact{Kind: engine.Enrolment, Enrolment: &engine.EnrolmentBody{Channel: e.Channel, Store: e.Store, Invited: invitation(e.InvitedBy)}}
	if e.JoinedAt != nil {
		f.OccurredAt = *e.JoinedAt
	}
	n := &member.New{Profile: member.Profile(e.Profile)}
	for _, i := range e.Identifiers {
		n.Identifiers = append(n.Identifiers, member.Identifier(i))
	}
	return f, n
}

func (s *Server) enrol(ctx context.Context, in *enrolIn) (*Answered[Enrolled], error) {
	if err := checkIncludes(in.Include, "explanation", "tiers", "balances"); err != nil {
		return nil, err
	}
	f, n := in.Body.fact()
	req := s.request(&in.Call, "", f)
	req.Enrol = n
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any {
			return Enrolled{Member: in.view(r.Program).member(r.Member, r.Account), Enrolment: in.recorded(r, in.Include)}
		})
	}
	out := &Answered[Enrolled]{}
	if err := s.submit(ctx, req, &out.Reply); err != nil || !slices.Contains(in.Include, "tiers") {
		return out, err
	}
	var e Enrolled
	if err := web.Unmarshal(out.JSON, &e); err != nil {
		return nil, fmt.Errorf("read a stored answer: %w", err)
	}
	var err error
	if e.Tiers, err = s.standing(ctx, &in.Call, e.ID); err != nil {
		return nil, err
	}
	out.JSON, err = web.Marshal(e)
	return out, err
}

type listMembersIn struct {
	Call
	Paging
	// Q searches names, e-mail addresses and phone numbers; every word must be found.
	Q string `query:"q"`
	// Merged lists members too that were merged into others.
	Merged bool `query:"merged"`
	// Order is newest for those who came last first; oldest when left out.
	Order string `query:"order"`
	// Kind looks one member up by an identifier: phone=, card=, email=, ext=, or a kind of the program's own.
	Kind web.Rest `query:"*"`
}

func (s *Server) listMembers(ctx context.Context, in *listMembersIn) (*Page[Member], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var after struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor("members", in.Cursor, &after); err != nil {
		return nil, err
	}
	if in.Order != "" && in.Order != "newest" && in.Order != "oldest" {
		return nil, errs.Malformed("invalid_parameter", "There is no such order. Write one of: newest, oldest.", errs.Field{Pointer: "order", Reason: "wrong_value", Message: "Write one of: newest, oldest."})
	}
	out := &Page[Member]{Items: []Member{}}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		out.Items, out.Next = []Member{}, ""
		if len(in.Kind) > 0 {
			return s.lookUp(ctx, tx, v, in, out)
		}
		list, next, err := member.List(ctx, tx, in.program(), member.Query{Search: in.Q, Merged: in.Merged, Newest: in.Order == "newest", After: after.ID, Limit: limit})
		if err != nil {
			return err
		}
		if err := s.withStatus(ctx, tx, v, list, out); err != nil {
			return err
		}
		if next != "" {
			after.ID = next
			out.Next = web.Cursor("members", after)
		}
		return nil
	})
}

// lookUp finds one member by an identifier; the page is empty when there is none.
func (s *Server) lookUp(ctx context.Context, tx *db.Tx, v view, in *listMembersIn, out *Page[Member]) error {
	kinds := member.Kinds(v.p)
	for name := range in.Kind {
		if !slices.Contains(kinds, name) {
			text := "There is no such parameter, nor such a kind of identifier: " + strings.Join(kinds, ", ") + "."
			return errs.Malformed("invalid_parameter", text, errs.Field{Pointer: name, Reason: "unknown_parameter", Message: text})
		}
	}
	if len(in.Kind) > 1 || in.Q != "" || in.Cursor != "" {
		return errs.Malformed("invalid_parameter", "Look up by one identifier and nothing else.")
	}
	for kind, value := range in.Kind {
		if kind == member.Phone && strings.HasPrefix(value, " ") {
			value = "+" + value[1:] // a + that was not escaped arrives as a space
		}
		if _, err := member.Normalize(v.p, kind, value); err != nil {
			return errs.Invalid("invalid_"+kind, err.Error(), errs.Field{Pointer: kind, Reason: "invalid_" + kind, Message: err.Error()})
		}
		m, err := member.Find(ctx, tx, v.p, kind, value)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		return s.withStatus(ctx, tx, v, []member.Member{m}, out)
	}
	return nil
}

// withStatus renders members with the status of their accounts, read in one go.
func (s *Server) withStatus(ctx context.Context, tx *db.Tx, v view, list []member.Member, out *Page[Member]) error {
	refs := make([]books.Ref, len(list))
	for i, m := range list {
		refs[i] = books.Ref{Program: v.p.Doc.Program, Member: m.ID}
	}
	sheet := books.ReadSheet()
	if err := sheet.Open(ctx, tx, refs); err != nil {
		return err
	}
	for i, m := range list {
		acc := &engine.Account{State: sheet.Folio(refs[i]).State}
		out.Items = append(out.Items, v.member(m, acc))
	}
	return nil
}

// MemberView is a member with an entity tag.
type MemberView struct {
	Member
	tag string
}

// ETag changes with the profile, the identifiers and the status.
func (m *MemberView) ETag() string { return m.tag }

func tagOf(m Member) string { return fmt.Sprintf(`"%d-%s"`, m.Revision, m.Status) }

type getMemberIn struct {
	Call
	MemberPath
	// Include adds balances, tiers, separated by commas.
	Include []string `query:"include"`
	// Lang is the language of names: nb, sv, da or en. Without it, Accept-Language counts.
	Lang string `query:"lang"`
}

func (s *Server) getMember(ctx context.Context, in *getMemberIn) (*MemberView, error) {
	if err := checkIncludes(in.Include, "balances", "tiers"); err != nil {
		return nil, err
	}
	out, id, err := s.memberView(ctx, &in.Call, in.Member)
	if err != nil || len(in.Include) == 0 {
		return out, err
	}
	if slices.Contains(in.Include, "balances") {
		acc, p, err := s.Recorder.ViewLots(ctx, in.program(), id, in.now)
		if err != nil {
			return nil, err
		}
		out.Balances = in.view(p).balances(acc, true)
	}
	if slices.Contains(in.Include, "tiers") {
		if out.Tiers, err = s.standing(ctx, &in.Call, id); err != nil {
			return nil, err
		}
	}
	out.tag = "" // it changes with every purchase, which is not what If-Match asks for
	return out, nil
}

func (s *Server) memberView(ctx context.Context, c *Call, ref string) (*MemberView, string, error) {
	var out *MemberView
	err := s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		id, err := resolve(ctx, tx, v, ref)
		if err != nil {
			return err
		}
		m, err := member.Get(ctx, tx, c.program(), id)
		if err != nil {
			return err
		}
		var page Page[Member]
		if err := s.withStatus(ctx, tx, v, []member.Member{m}, &page); err != nil {
			return err
		}
		out = &MemberView{page.Items[0], tagOf(page.Items[0])}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	return out, out.ID, nil
}

// resolve finds the id of a member named in an address. A name that no member can have is not found, like one that none has.
func resolve(ctx context.Context, tx *db.Tx, v view, ref string) (string, error) {
	id, err := member.Resolve(ctx, tx, v.p, ref)
	if errs.CodeOf(err) == errs.CodeMalformed && !strings.Contains(ref, ":") {
		return "", web.NotFound("member")
	}
	return id, err
}

// existing is resolve for what must also be there: an id by itself proves nothing.
func existing(ctx context.Context, tx *db.Tx, v view, ref string) (string, error) {
	id, err := resolve(ctx, tx, v, ref)
	if err != nil {
		return "", err
	}
	return id, member.Exists(ctx, tx, v.p.Doc.Program, id)
}

type patchMemberIn struct {
	Call
	MemberPath
	// IfMatch is the entity tag that the change is based on; another one in force is answered 412.
	IfMatch string `header:"If-Match"`
	Body    Patch
}

func (p Patch) change() member.Patch {
	text := func(c Change) *string {
		if !c.Set {
			return nil
		}
		return &c.Value
	}
	out := member.Patch{
		Name: text(p.Name), GivenName: text(p.GivenName), FamilyName: text(p.FamilyName), Email: text(p.Email), Phone: text(p.Phone),
		Language: text(p.Language), Zone: text(p.Zone), Birth: text(p.Birth), Country: text(p.Country), Postcode: text(p.Postcode),
		ExternalID: text(p.ExternalID),
	}
	if p.Attributes != nil {
		out.Attributes = map[string]*string{}
		for name, c := range p.Attributes {
			out.Attributes[name] = text(c)
		}
	}
	return out
}

func (s *Server) patchMember(ctx context.Context, in *patchMemberIn) (*MemberView, error) {
	before, id, err := s.memberView(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	if err := in.ownChange(before); err != nil {
		return nil, err
	}
	var revision int64
	if in.key.Member != "" && in.Body.Birth.Set { // it is said once
		revision = before.Revision
	}
	if in.IfMatch != "" {
		if !web.Matches(in.IfMatch, before.tag, false) {
			return nil, errs.Conflict("stale_revision", "The member was changed in between: read it again, then change it.").With("revision", before.Revision)
		}
		revision = before.Revision
	}
	change := in.Body.change()
	if _, err := s.Recorder.Record(ctx, record.Request{Program: in.program(), Member: id, Fact: engine.Fact{Kind: engine.ProfileK},
		Patch: &change, Revision: revision, Now: in.now, Actor: in.actor()}); err != nil {
		if in.key.Member != "" && errs.Is(err, errs.CodeConflict, "identifier_taken") {
			return nil, nobodys(err)
		}
		return nil, err
	}
	out, _, err := s.memberView(ctx, &in.Call, id)
	return out, err
}

type addIdentifierIn struct {
	Call
	MemberPath
	Body Identifier
}

func (s *Server) addIdentifier(ctx context.Context, in *addIdentifierIn) (*Answered[Member], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return nil, err
		}
		m, err := member.AddIdentifier(ctx, tx, v.p, id, member.Identifier(in.Body), in.now)
		if err != nil {
			return nil, err
		}
		return s.changed(ctx, tx, v, &in.Call, m, "identifier.added", in.Body.Kind)
	}, nil)
	if err != nil {
		return nil, err
	}
	id, _, err := s.named(ctx, &in.Call, in.Member)
	if err == nil { // what came with it before it was anybody's; sending the request again goes on where this stops
		_, err = claim.Linked(ctx, s.DB, s.Recorder, in.program(), id, in.now)
	}
	return &Answered[Member]{reply}, err
}

type removeIdentifierIn struct {
	Call
	MemberPath
	// Kind is the identifier's kind.
	Kind string `path:"kind"`
	// Value is the identifier, in any usual form.
	Value string `path:"value"`
}

func (s *Server) removeIdentifier(ctx context.Context, in *removeIdentifierIn) (*Answered[Member], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return nil, err
		}
		m, err := member.RemoveIdentifier(ctx, tx, v.p, id, member.Identifier{Kind: in.Kind, Value: in.Value}, in.now)
		if err != nil {
			return nil, err
		}
		return s.changed(ctx, tx, v, &in.Call, m, "identifier.removed", in.Kind)
	}, nil)
	return &Answered[Member]{reply}, err
}

// changed notes a change of who a member is and renders the member.
func (s *Server) changed(ctx context.Context, tx *db.Tx, v view, c *Call, m member.Member, action, kind string) (Member, error) {
	_, err := audit.Append(ctx, tx, audit.Entry{
		Program: c.program(), At: c.now, Actor: c.actor(), Action: action, Target: m.ID, Detail: map[string]any{"kind": kind},
	})
	if err != nil {
		return Member{}, err
	}
	var page Page[Member]
	if err := s.withStatus(ctx, tx, v, []member.Member{m}, &page); err != nil {
		return Member{}, err
	}
	return page.Items[0], nil
}

type balancesIn struct {
	Call
	MemberPath
	// At is another moment than now: in the past what was held then, in the future what would be left if nothing happened.
	At *time.Time `query:"at"`
}

func (s *Server) getBalances(ctx context.Context, in *balancesIn) (*Balances, error) {
	at := in.now
	if in.At != nil {
		if at = *in.At; at.Year() < 1900 || at.Year() > latestYear {
			return nil, errs.Malformed("invalid_parameter", "The time must lie between the years 1900 and 2200.",
				errs.Field{Pointer: "at", Reason: "out_of_range", Message: "Give a time between the years 1900 and 2200."})
		}
	}
	if !at.Before(in.now) {
		acc, p, err := s.Recorder.ViewLots(ctx, in.program(), in.Member, at)
		if err != nil {
			return nil, err
		}
		v := in.view(p)
		return &Balances{Member: acc.Member, At: v.time(at), Currency: p.Doc.Currency, acc: acc, of: v, withLots: true}, nil
	}
	id, v, err := s.named(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	out := &Balances{Member: id, At: v.time(at), Currency: v.p.Doc.Currency}
	return out, s.DB.Read(ctx, func(tx *db.Tx) error {
		held, err := books.BalancesAt(ctx, tx, books.Ref{Program: in.program(), Member: id}, at)
		if err != nil {
			return err
		}
		acc := &engine.Account{State: engine.State{Units: map[string]*ledger.Holding{}}}
		for unit, h := range held {
			acc.State.Units[unit] = &h
		}
		out.acc, out.of = acc, v
		return nil
	})
}

// named resolves a member that must be there, for handlers that read by id afterwards.
func (s *Server) named(ctx context.Context, c *Call, ref string) (string, view, error) {
	var id string
	var v view
	err := s.look(ctx, c, func(tx *db.Tx, now view, _ *version.Set) (err error) {
		v = now
		id, err = existing(ctx, tx, now, ref)
		return err
	})
	return id, v, err
}

type postingsIn struct {
	Call
	MemberPath
	Paging
	// Unit keeps to one unit.
	Unit string `query:"unit"`
}

func (s *Server) listPostings(ctx context.Context, in *postingsIn) (*Page[Posting], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		Seq int64 `json:"s"`
		N   int64 `json:"n"`
	}
	if err := web.ReadCursor("postings", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[Posting]{Items: []Posting{}}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return err
		}
		list, err := books.Postings(ctx, tx, books.Ref{Program: in.program(), Member: id},
			books.PostingPage{Unit: in.Unit, BeforeSeq: at.Seq, BeforeN: at.N, Limit: limit + 1})
		if err != nil {
			return err
		}
		out.Items, out.Next = []Posting{}, ""
		if len(list) > limit {
			list = list[:limit]
			next := at
			next.Seq, next.N = list[limit-1].Seq, list[limit-1].N
			out.Next = web.Cursor("postings", next)
		}
		for _, p := range list {
			out.Items = append(out.Items, Posting{
				Fact: p.Fact, Seq: p.Seq, N: int(p.N), Unit: p.Unit, Lot: p.Lot, From: p.From, To: p.To, Amount: v.unit(p.Unit, p.Amount),
				Rule: p.Rule, Of: p.Of, OccurredAt: v.time(p.OccurredAt), RecordedAt: v.time(p.RecordedAt),
			})
		}
		return nil
	})
}

type tiersIn struct {
	Call
	MemberPath
	Spoken
}

func (s *Server) getTiers(ctx context.Context, in *tiersIn) (*Tiers, error) {
	id, _, err := s.named(ctx, &in.Call, in.Member)
	if err != nil {
		return nil, err
	}
	tiers, err := s.standing(ctx, &in.Call, id)
	return &Tiers{Member: id, Tiers: tiers}, err
}

type statusIn struct {
	Call
	MemberPath
	Included
	Body *Because
}

func (s *Server) block(ctx context.Context, in *statusIn) (*Answered[Recorded], error) {
	return s.setStatus(ctx, in, engine.Blocked)
}

func (s *Server) unblock(ctx context.Context, in *statusIn) (*Answered[Recorded], error) {
	return s.setStatus(ctx, in, engine.Active)
}

func (s *Server) closeMember(ctx context.Context, in *statusIn) (*Answered[Recorded], error) {
	return s.setStatus(ctx, in, engine.Closed)
}

func (s *Server) setStatus(ctx context.Context, in *statusIn, to string) (*Answered[Recorded], error) {
	f := engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: to}}
	if in.Body != nil {
		f.Status.Reason = in.Body.Reason
	}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

type tierIn struct {
	Call
	MemberPath
	Included
	Body TierGrant
}

func (s *Server) grantTier(ctx context.Context, in *tierIn) (*Answered[Recorded], error) {
	if strings.TrimSpace(in.Body.Reason) == "" {
		return nil, required("/reason", "Say why: it stands in the member's history.")
	}
	f := engine.Fact{Kind: engine.TierGrant, Tier: &engine.TierBody{Set: in.Body.Set, Tier: in.Body.Tier, Until: in.Body.Until, Reason: in.Body.Reason}}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

type mergeIn struct {
	Call
	MemberPath
	Included
	Body MergeInto
}

func (s *Server) merge(ctx context.Context, in *mergeIn) (*Answered[Recorded], error) {
	if in.Body.Into == "" {
		return nil, required("/into", "Say which member takes everything over.")
	}
	f := engine.Fact{Kind: engine.MergeOut, Merge: &engine.Merge{Other: in.Body.Into, Reason: in.Body.Reason}}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

func required(pointer, message string) error {
	return errs.Invalid("invalid_body", "Something is missing.", errs.Field{Pointer: pointer, Reason: "required", Message: message})
}

// DuplicatePair is two members that look like one.
type DuplicatePair struct {
	A string `json:"a"`
	B string `json:"b"`
	// Reasons say what they share: same_name_and_birth, same_email, same_name_and_postcode.
	Reasons []string `json:"reasons"`
}

type duplicatesIn struct {
	Call
	Paging
}

func (s *Server) listDuplicates(ctx context.Context, in *duplicatesIn) (*Page[DuplicatePair], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var after struct {
		Pair string `json:"p"`
	}
	if err := web.ReadCursor("duplicates", in.Cursor, &after); err != nil {
		return nil, err
	}
	out := &Page[DuplicatePair]{}
	return out, s.DB.Read(ctx, func(tx *db.Tx) error {
		list, next, err := member.Duplicates(ctx, tx, in.program(), after.Pair, limit)
		if err != nil {
			return err
		}
		out.Items, out.Next = []DuplicatePair{}, ""
		for _, p := range list {
			out.Items = append(out.Items, DuplicatePair(p))
		}
		if next != "" {
			out.Next = web.Cursor("duplicates", struct {
				Pair string `json:"p"`
			}{next})
		}
		return nil
	})
}
