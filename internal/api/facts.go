package api

import (
	"context"
	"encoding/json"
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// whole renders a fact with what was sent.
func (v view) whole(f engine.Fact, d engine.Decision) Fact {
	out := Fact{Recorded: v.fact(f, d), Body: map[string]any{}}
	if v.own { // a body may name others, and say why staff did something
		return out
	}
	text, err := books.Body(f)
	if err != nil {
		return out
	}
	var body map[string]any
	if json.Unmarshal(text, &body) == nil { // it was written by the same package
		delete(body, "drawn")
		for _, part := range body {
			if m, ok := part.(map[string]any); ok {
				delete(m, "hash") // of a code: nobody who reads facts needs to know that two were the same
			}
		}
		out.Body = body
	}
	return out
}

type factsIn struct {
	Call
	MemberPath
	Paging
	// Kind keeps to kinds of facts, separated by commas: enrolment, purchase, return, activity, reserve, commit, cancel, redeem, refund, adjustment,
	// transfer_out, transfer_in, release, tier, plan, use, profile, status, merge_out, merge_in, due.
	Kind []string `query:"kind"`
	// Include adds explanation.
	Include []string `query:"include"`
	Spoken
}

// timeline reads a page of a member's facts.
func (s *Server) timeline(ctx context.Context, c *Call, list, ref string, paging Paging, kinds []string, each func(v view, e books.Entry)) (next string, err error) {
	return s.history(ctx, c, list, existing, ref, paging, kinds, each)
}

// history reads a page of the facts of an account, which find makes of what it is called by.
func (s *Server) history(ctx context.Context, c *Call, list string, find func(ctx context.Context, tx *db.Tx, v view, ref string) (string, error), ref string, paging Paging, kinds []string, each func(v view, e books.Entry)) (next string, err error) {
	limit, err := web.PageLimit(paging.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return "", err
	}
	var at struct {
		Seq int64 `json:"s"`
	}
	if err := web.ReadCursor(list, paging.Cursor, &at); err != nil {
		return "", err
	}
	page := books.Page{Before: at.Seq, Limit: limit + 1}
	for _, k := range kinds {
		page.Kinds = append(page.Kinds, engine.Kind(k))
	}
	var entries []books.Entry
	var now view
	var versions *version.Set
	err = s.look(ctx, c, func(tx *db.Tx, v view, set *version.Set) error {
		now, versions = v, set
		id, err := find(ctx, tx, v, ref)
		if err != nil {
			return err
		}
		entries, err = books.Facts(ctx, tx, books.Ref{Program: c.program(), Member: id}, page)
		return err
	})
	if err != nil {
		return "", err
	}
	if len(entries) > limit {
		entries = entries[:limit]
		at.Seq = entries[limit-1].Seq
		next = web.Cursor(list, at)
	}
	for _, e := range entries {
		each(now.by(versions, e.Decision.Version), e)
	}
	return next, nil
}

func (s *Server) listFacts(ctx context.Context, in *factsIn) (*Page[Fact], error) {
	if err := checkIncludes(in.Include, "explanation"); err != nil {
		return nil, err
	}
	out := &Page[Fact]{Items: []Fact{}}
	var err error
	out.Next, err = s.timeline(ctx, &in.Call, "facts", in.Member, in.Paging, in.Kind, func(v view, e books.Entry) {
		one := v.whole(e.Fact, e.Decision)
		if len(in.Include) > 0 {
			one.Explanation = v.explanation(e.Fact.Kind, e.Decision)
		}
		out.Items = append(out.Items, one)
	})
	return out, err
}

type explanationsIn struct {
	Call
	MemberPath
	Paging
	Spoken
}

func (s *Server) listExplanations(ctx context.Context, in *explanationsIn) (*Page[Explained], error) {
	out := &Page[Explained]{Items: []Explained{}}
	var err error
	out.Next, err = s.timeline(ctx, &in.Call, "explanations", in.Member, in.Paging, nil, func(v view, e books.Entry) {
		out.Items = append(out.Items, v.explained(e))
	})
	return out, err
}

func (v view) explained(e books.Entry) Explained {
	return Explained{FactRef: v.ref(e.Fact, e.Decision), Version: e.Decision.Version, Explanation: *v.explanation(e.Fact.Kind, e.Decision)}
}

type getFactIn struct {
	Call
	FactPath
	// Include adds explanation, postings, separated by commas.
	Include []string `query:"include"`
	Spoken
}

// moved renders what a fact moved in the books.
func (v view) moved(e books.Entry) []Posting {
	out := []Posting{}
	for i, p := range e.Decision.Postings {
		out = append(out, Posting{
			Fact: e.Fact.ID, Seq: e.Seq, N: i + 1, Unit: p.Unit, Lot: p.Lot, From: p.From, To: p.To, Amount: v.unit(p.Unit, p.Amount),
			Rule: p.Rule, Of: p.Of, OccurredAt: v.time(e.Fact.OccurredAt), RecordedAt: v.time(e.Fact.RecordedAt),
		})
	}
	return out
}

func (s *Server) getFact(ctx context.Context, in *getFactIn) (*Fact, error) {
	if err := checkIncludes(in.Include, "explanation", "postings"); err != nil {
		return nil, err
	}
	var out *Fact
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		e, _, err := find(ctx, tx, in.program(), in.Fact, "fact")
		if err != nil {
			return err
		}
		v = v.by(set, e.Decision.Version)
		one := v.whole(e.Fact, e.Decision)
		if slices.Contains(in.Include, "explanation") {
			one.Explanation = v.explanation(e.Fact.Kind, e.Decision)
		}
		if slices.Contains(in.Include, "postings") {
			one.Postings = v.moved(e)
		}
		out = &one
		return nil
	})
	return out, err
}

type explainFactIn struct {
	Call
	FactPath
	Spoken
}

func (s *Server) explainFact(ctx context.Context, in *explainFactIn) (*Explained, error) {
	var out *Explained
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, set *version.Set) error {
		e, _, err := find(ctx, tx, in.program(), in.Fact, "fact")
		if err != nil {
			return err
		}
		one := v.by(set, e.Decision.Version).explained(e)
		out = &one
		return nil
	})
	return out, err
}
