package api

import (
	"context"
	"slices"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// NewRecognition thanks another member.
type NewRecognition struct {
	FactKey
	// From gives and To is thanked: id, or KIND:VALUE of an identifier.
	From   string        `json:"from"`
	To     string        `json:"to"`
	Amount money.Decimal `json:"amount"`
	// Value is what it is for: the id of one of the program's values, where it has any.
	Value string `json:"value,omitempty"`
	// Message is read by the one who is thanked.
	Message string `json:"message,omitempty"`
}

// Recognition is one member's thanks to another, as it stands now.
type Recognition struct {
	ID   string `json:"id"`
	From string `json:"from"`
	To   string `json:"to"`
	// Unit is that of the allowance it was given from, Becomes that in which it arrives.
	Unit    string `json:"unit"`
	Becomes string `json:"becomes,omitempty"`
	Amount  Amount `json:"amount"`
	Value   string `json:"value,omitempty"`
	// For is the value's name in the language asked for.
	For     string `json:"for,omitempty"`
	Message string `json:"message,omitempty"`
	// Status is waiting, given, declined, lapsed (nobody approved it in time, or its giver left meanwhile) or undone.
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	// Until is when one that waits is let go.
	Until *time.Time `json:"until,omitempty"`
}

type recognizeIn struct {
	Call
	Included
	Body NewRecognition
}

func (s *Server) recognize(ctx context.Context, in *recognizeIn) (*Answered[Recorded], error) {
	b := in.Body
	if b.From == "" {
		return nil, required("/from", "Say who thanks.")
	}
	if b.To == "" {
		return nil, required("/to", "Say who is thanked.")
	}
	f := b.FactKey.fact(engine.RecognitionK)
	f.Recognition = &engine.RecognitionBody{Do: engine.RecognitionGive, To: b.To, Amount: &b.Amount, Value: b.Value, Message: b.Message}
	return s.recordFact(ctx, &in.Call, in.Include, b.From, f)
}

// recognitionPrefix is the type prefix of their ids.
const recognitionPrefix = "rec"

type recognitionIn struct {
	Call
	// Recognition is its id.
	Recognition string `path:"recognition"`
	Included
	Body *Because
}

func (s *Server) approveRecognition(ctx context.Context, in *recognitionIn) (*Answered[Recorded], error) {
	return s.recognitionStep(ctx, in, engine.RecognitionApprove)
}

func (s *Server) declineRecognition(ctx context.Context, in *recognitionIn) (*Answered[Recorded], error) {
	return s.recognitionStep(ctx, in, engine.RecognitionDecline)
}

func (s *Server) undoRecognition(ctx context.Context, in *recognitionIn) (*Answered[Recorded], error) {
	return s.recognitionStep(ctx, in, engine.RecognitionUndo)
}

func (s *Server) recognitionStep(ctx context.Context, in *recognitionIn, do string) (*Answered[Recorded], error) {
	if ids.Check(recognitionPrefix, in.Recognition) != nil {
		return nil, web.NotFound("recognition")
	}
	f := engine.Fact{Kind: engine.RecognitionK, Parent: in.Recognition, Recognition: &engine.RecognitionBody{Do: do}}
	if in.Body != nil {
		f.Recognition.Reason = in.Body.Reason
	}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

type getRecognitionIn struct {
	Call
	// Recognition is its id.
	Recognition string `path:"recognition"`
	Spoken
}

func (s *Server) getRecognition(ctx context.Context, in *getRecognitionIn) (*Recognition, error) {
	var out *Recognition
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		e, _, err := books.Find(ctx, tx, in.program(), in.Recognition)
		if errs.CodeOf(err) == errs.CodeNotFound || err == nil && !gave(&e) {
			return web.NotFound("recognition")
		}
		if err != nil {
			return err
		}
		list, err := v.recognitions(ctx, tx, []books.Entry{e})
		if err == nil {
			out = &list[0]
		}
		return err
	})
}

// gave says whether an entry is a member's thanks, and no later step of them.
func gave(e *books.Entry) bool {
	return e.Fact.Kind == engine.RecognitionK && e.Fact.Recognition != nil && e.Fact.Recognition.Do == engine.RecognitionGive
}

type feedIn struct {
	Call
	Paging
	// Status keeps to one of waiting, given, declined, lapsed and undone. A page may then have fewer items than it could; there is more as long as there is a next_cursor.
	Status string `query:"status"`
	Spoken
}

// feedCursor goes on after a recognition.
type feedCursor struct {
	At int64  `json:"a"`
	ID string `json:"i"`
}

var recognitionStatuses = []string{engine.ThanksStandWaiting, engine.ThanksStandGiven, engine.ThanksStandDeclined, engine.ThanksStandLapsed, engine.ThanksStandUndone}

func (s *Server) recognitionFeed(ctx context.Context, in *feedIn) (*Page[Recognition], error) {
	if in.Status != "" && !slices.Contains(recognitionStatuses, in.Status) {
		return nil, errs.Invalid("invalid_query", "There is no such status.", errs.Field{Pointer: "/status", Reason: "unknown_word", Message: "must be waiting, given, declined, lapsed or undone"})
	}
	return s.feed(ctx, &in.Call, in.Paging, func(r *Recognition) bool { return in.Status == "" || r.Status == in.Status })
}

// feed reads a page of all recognition, of which those are kept that are wanted.
func (s *Server) feed(ctx context.Context, c *Call, paging Paging, wanted func(*Recognition) bool) (*Page[Recognition], error) {
	limit, err := web.PageLimit(paging.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var after feedCursor
	if err := web.ReadCursor("recognitions", paging.Cursor, &after); err != nil {
		return nil, err
	}
	out := &Page[Recognition]{Items: []Recognition{}}
	return out, s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		entries, err := books.Recognitions(ctx, tx, c.program(), time.UnixMicro(after.At), after.ID, limit+1)
		if err != nil {
			return err
		}
		if len(entries) > limit {
			entries = entries[:limit]
			last := entries[limit-1].Fact
			out.Next = web.Cursor("recognitions", feedCursor{last.RecordedAt.UnixMicro(), last.ID})
		}
		list, err := v.recognitions(ctx, tx, entries)
		if err != nil {
			return err
		}
		for i := range list {
			if wanted(&list[i]) {
				out.Items = append(out.Items, list[i])
			}
		}
		return nil
	})
}

type memberFeedIn struct {
	Call
	MemberPath
	Paging
	Spoken
}

// memberRecognitions is what a member may see: where the program shows all, all that was given; else, and besides, what the member gave
// and was given.
func (s *Server) memberRecognitions(ctx context.Context, in *memberFeedIn) (*Page[Recognition], error) {
	var who string
	var all bool
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) (err error) {
		all = v.p.Recognition != nil && v.p.Recognition.Feed == "all"
		who, err = existing(ctx, tx, v, in.Member)
		return err
	})
	if err != nil {
		return nil, err
	}
	if all {
		return s.feed(ctx, &in.Call, in.Paging, func(r *Recognition) bool { return r.Status == engine.ThanksStandGiven || r.From == who })
	}
	out := &Page[Recognition]{Items: []Recognition{}}
	var entries []books.Entry
	kinds := []string{string(engine.RecognitionK), string(engine.ThanksK)}
	if out.Next, err = s.timeline(ctx, &in.Call, "member_recognitions", who, in.Paging, kinds, func(_ view, e books.Entry) { entries = append(entries, e) }); err != nil {
		return nil, err
	}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		given, err := givenBy(ctx, tx, in.program(), entries)
		if err != nil {
			return err
		}
		out.Items, err = v.recognitions(ctx, tx, given)
		return err
	})
}

// givenBy gives the thanks that a member's facts are or came of.
func givenBy(ctx context.Context, tx *db.Tx, program string, entries []books.Entry) ([]books.Entry, error) {
	var of []books.FactOf
	for i := range entries {
		if b := entries[i].Fact.Thanks; b != nil && b.For == "recognition" && b.Step == engine.ThanksGiven {
			of = append(of, books.FactOf{Program: program, ID: b.Of})
		}
	}
	others, err := books.Entries(ctx, tx, of)
	if err != nil {
		return nil, err
	}
	var out []books.Entry
	for i := range entries {
		e := entries[i]
		if b := e.Fact.Thanks; b != nil && b.For == "recognition" && b.Step == engine.ThanksGiven {
			e = others[books.FactOf{Program: program, ID: b.Of}]
		}
		if gave(&e) {
			out = append(out, e)
		}
	}
	return out, nil
}

// recognitions says how thanks stand.
func (v view) recognitions(ctx context.Context, tx *db.Tx, entries []books.Entry) ([]Recognition, error) {
	list, err := record.RecognitionsOf(ctx, tx, v.p.Doc.Program, entries)
	if err != nil {
		return nil, err
	}
	out := make([]Recognition, len(list))
	for i := range list {
		f := &list[i].Fact
		r := Recognition{ID: f.ID, From: f.Member, To: f.Recognition.To, Value: f.Recognition.Value, Message: f.Recognition.Message, Status: list[i].Status,
			At: v.time(f.OccurredAt), Until: v.moment(list[i].Until)}
		for _, p := range list[i].Decision.Postings {
			r.Unit = p.Unit
		}
		if v.p.Recognition != nil {
			r.Becomes = v.p.Recognition.Becomes
		}
		if u := v.p.Units[r.Unit]; u != nil && f.Recognition.Amount != nil {
			if n, err := f.Recognition.Amount.Minor(u.Precision); err == nil {
				r.Amount = v.unit(r.Unit, n)
			}
		}
		if r.Value != "" {
			r.For = explain.Praise(v.p, r.Value, v.lang)
		}
		out[i] = r
	}
	return out, nil
}
