package api

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// Passed is something that a member passed on.
type Passed struct {
	ID string `json:"id"`
	// Share is what it is, by its id in the program; Title is its name in the language asked for.
	Share string `json:"share"`
	Title string `json:"title"`
	// Code is what the friend claims it with. It is in the answer that made it, and nowhere else.
	Code string `json:"code,omitempty"`
	// From is who passed it on (not told to the member who claims it), To who claimed it.
	From string    `json:"from,omitempty"`
	To   string    `json:"to,omitempty"`
	At   time.Time `json:"at"`
	// Until is when it can be claimed no more, where nobody has.
	Until *time.Time `json:"until,omitempty"`
}

// PassOn makes a code to pass something on.
type PassOn struct {
	FactKey
	// Share is the id of what is passed on.
	Share string `json:"share"`
}

// ShareClaim claims what a friend passed on.
type ShareClaim struct {
	FactKey
	PresentedCode
	// Member is who claims it: id, or KIND:VALUE of an identifier.
	Member string `json:"member"`
}

type passOnIn struct {
	Call
	MemberPath
	Spoken
	Body PassOn
}

func (v view) passed(r *record.Result, share string) Passed {
	out := Passed{ID: r.Fact.ID, Share: share, Title: shareTitle(r.Program, share, v.lang), From: r.Fact.Member, At: v.time(r.Fact.OccurredAt)}
	for i := range r.Account.State.Passed {
		if p := &r.Account.State.Passed[i]; p.ID == r.Fact.ID {
			out.Until = v.moment(&p.Until)
		}
	}
	return out
}

func shareTitle(p *program.Compiled, id, language string) string {
	s := p.Shares[id]
	switch {
	case s == nil:
		return id
	case len(s.Title) > 0:
		return s.Title.In(language)
	case s.Reward != "":
		return explain.Reward(p, s.Reward, language)
	}
	return explain.Benefit(p, s.Benefit, language)
}

func (s *Server) passOn(ctx context.Context, in *passOnIn) (*Answered[Passed], error) {
	if in.Body.Share == "" {
		return nil, required("/share", "Say what is passed on.")
	}
	f := in.Body.FactKey.fact(engine.ShareK)
	f.Share = &engine.ShareBody{Do: engine.ShareMake, Share: in.Body.Share}
	text := code.Draw()
	req := s.request(&in.Call, in.Member, f)
	made := func(r *record.Result) Passed { return in.view(r.Program).passed(r, in.Body.Share) }
	req.Render = func(r *record.Result) (int, []byte) { return renderResult(r, func() any { return made(r) }) }
	req.Reveal = func(r *record.Result) []byte {
		_, b := renderResult(r, func() any {
			out := made(r)
			out.Code = code.Show(text)
			return out
		})
		return b
	}
	req.Beside = func(ctx context.Context, tx *db.Tx, r *record.Result) error {
		k, err := code.MakeKey(ctx, tx, in.program(), in.now)
		if err != nil {
			return err
		}
		kept, err := k.Of(code.New{Kind: code.Share, Text: text, Holder: r.Fact.Member, Subject: r.Fact.ID, EndsAt: made(r).Until}, in.now)
		if err == nil {
			code.KeepLater(tx, in.program(), []code.Code{kept})
		}
		return err
	}
	out := &Answered[Passed]{}
	return out, s.submit(ctx, req, &out.Reply)
}

type passedIn struct {
	Call
	MemberPath
	Spoken
}

// listPassed tells what a member passed on and nobody has claimed.
func (s *Server) listPassed(ctx context.Context, in *passedIn) (*Page[Passed], error) {
	out := &Page[Passed]{Items: []Passed{}}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return err
		}
		ref := books.Ref{Program: in.program(), Member: id}
		sheet := books.ReadSheet()
		if err := sheet.Open(ctx, tx, []books.Ref{ref}); err != nil {
			return err
		}
		for _, p := range sheet.Folio(ref).State.Passed {
			if p.Until.After(in.now) {
				out.Items = append(out.Items, Passed{ID: p.ID, Share: p.Share, Title: shareTitle(v.p, p.Share, v.lang), From: id, At: v.time(p.At), Until: v.moment(&p.Until)})
			}
		}
		return nil
	})
}

type voidShareIn struct {
	Call
	// Share is the id of what was passed on.
	Share string `path:"share"`
	Included
}

func (s *Server) voidShare(ctx context.Context, in *voidShareIn) (*Answered[Recorded], error) {
	if ids.Check("shr", in.Share) != nil {
		return nil, web.NotFound("share")
	}
	return s.recordFact(ctx, &in.Call, in.Include, "", engine.Fact{Kind: engine.ShareK, Parent: in.Share, Share: &engine.ShareBody{Do: engine.ShareVoid}})
}

type claimShareIn struct {
	Call
	Spoken
	Body ShareClaim
}

// claimShare claims what a friend passed on. The fact is the giver's: what is answered says nothing of what they have.
func (s *Server) claimShare(ctx context.Context, in *claimShareIn) (*Answered[Passed], error) {
	if in.Body.Member == "" {
		return nil, required("/member", "Say who claims it.")
	}
	reply, known, err := s.replayed(ctx, &in.Call)
	if err != nil || known && reply.Status != 0 {
		return &Answered[Passed]{reply}, err
	}
	c, err := s.brought(ctx, &in.Call, in.Body.PresentedCode, code.Share)
	if err != nil {
		return nil, err
	}
	f := in.Body.FactKey.fact(engine.ShareK)
	f.Parent, f.Share = c.Subject, &engine.ShareBody{Do: engine.ShareClaim, To: in.Body.Member}
	req := s.request(&in.Call, "", f)
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any {
			v := in.view(r.Program)
			out := Passed{ID: r.Fact.Parent, From: r.Fact.Member, To: r.Fact.Share.To, At: v.time(r.Fact.OccurredAt)}
			for _, e := range r.Decision.Events {
				if e.Type == engine.EvShareClaimed {
					out.Share = e.Data["share"]
				}
			}
			out.Title = shareTitle(r.Program, out.Share, v.lang)
			if v.own {
				out.From = ""
			}
			return out
		})
	}
	out := &Answered[Passed]{}
	return out, s.submit(ctx, req, &out.Reply)
}
