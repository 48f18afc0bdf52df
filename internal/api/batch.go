package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// scopeOf is what a key must have for a fact; kind is how the fact is named in the list.
func (a AnyFact) scopeOf() (kind, scope string) {
	switch {
	case a.Enrolment != nil:
		return "enrolment", "members:write"
	case a.Purchase != nil:
		return "purchase", "purchases:write"
	case a.Return != nil:
		return "return", "purchases:write"
	case a.Activity != nil:
		return "activity", "activities:write"
	case a.Redemption != nil:
		return "redemption", "redemptions:write"
	case a.Adjustment != nil:
		return "adjustment", "adjustments:write"
	case a.Transfer != nil:
		return "transfer", "transfers:write"
	case a.Plan != nil:
		return "plan", "plans:write"
	case a.Use != nil:
		return "use", "benefits:write"
	}
	return "", ""
}

func (a AnyFact) count() int {
	n := 0
	for _, have := range []bool{
		a.Enrolment != nil, a.Purchase != nil, a.Return != nil, a.Activity != nil, a.Redemption != nil, a.Adjustment != nil, a.Transfer != nil,
		a.Plan != nil, a.Use != nil,
	} {
		if have {
			n++
		}
	}
	return n
}

// request reads one fact of a list and makes a request of it. Pointers of its mistakes begin at the fact.
func (s *Server) requestOf(c *Call, raw Raw[AnyFact], write bool) (record.Request, error) {
	var a AnyFact
	if err := web.Unmarshal(raw.JSON, &a); err != nil {
		return record.Request{}, err
	}
	if a.count() != 1 {
		return record.Request{}, errs.Invalid("invalid_fact", "A fact has exactly one of the keys enrolment, purchase, return, activity, redemption, adjustment, transfer, plan, use.",
			errs.Field{Reason: "one_key", Message: "Give exactly one of these keys."})
	}
	kind, scope := a.scopeOf()
	if write {
		if err := c.key.Require(scope); err != nil {
			return record.Request{}, err
		}
	}
	need := func(member, name, message string) error {
		if member == "" {
			return required("/"+kind+"/"+name, message)
		}
		return nil
	}
	var req record.Request
	var err error
	switch {
	case a.Enrolment != nil:
		f, n := a.Enrolment.fact()
		req = s.request(c, "", f)
		req.Enrol = n
	case a.Purchase != nil:
		req = s.request(c, a.Purchase.Member, a.Purchase.fact())
	case a.Return != nil:
		of, perr := parent(a.Return.Purchase)
		if perr != nil {
			perr = errs.Invalid("invalid_fact", "Say which purchase it is of.",
				errs.Field{Pointer: "/return/purchase", Reason: "wrong_value", Message: "This must be a purchase's id, or SOURCE:EXTERNAL_ID."})
		}
		req, err = s.request(c, "", a.Return.fact(of)), perr
	case a.Activity != nil:
		req, err = s.request(c, a.Activity.Member, a.Activity.fact()), need(a.Activity.Member, "member", "Say which member did it.")
	case a.Redemption != nil:
		req, err = s.request(c, a.Redemption.Member, a.Redemption.fact()), need(a.Redemption.Member, "member", "Say whose points are spent.")
	case a.Adjustment != nil:
		req, err = s.request(c, a.Adjustment.Member, a.Adjustment.fact()), need(a.Adjustment.Member, "member", "Say whose balance is changed.")
	case a.Transfer != nil:
		req, err = s.request(c, a.Transfer.From, a.Transfer.fact()), need(a.Transfer.From, "from", "Say who gives.")
		if err == nil {
			err = need(a.Transfer.To, "to", "Say who receives.")
		}
	case a.Plan != nil:
		req, err = s.request(c, a.Plan.Member, a.Plan.fact()), need(a.Plan.Member, "member", "Say whose plan it is.")
	case a.Use != nil:
		req, err = s.request(c, a.Use.Member, a.Use.fact()), need(a.Use.Member, "member", "Say who used it.")
	}
	req.Key = nil
	if at := req.Fact.OccurredAt; err == nil && at.Year() > latestYear {
		// A simulation may look ahead, but not through thousands of years of due dates.
		err = errs.Invalid("out_of_range", "The time lies too far ahead.",
			errs.Field{Pointer: "/" + kind + "/occurred_at", Reason: "out_of_range", Message: fmt.Sprintf("must not lie after the year %d", latestYear)})
	}
	return req, err
}

// under puts the name of a fact's kind before the pointers of a refusal, since the flow speaks of the body alone.
func under(raw Raw[AnyFact], err error) error {
	if err == nil {
		return nil
	}
	var a AnyFact
	if web.Unmarshal(raw.JSON, &a) != nil {
		return err
	}
	kind, _ := a.scopeOf()
	e := *errs.As(err)
	fields := make([]errs.Field, len(e.Fields))
	for i, f := range e.Fields {
		if (f.Pointer == "" || strings.HasPrefix(f.Pointer, "/")) && !strings.HasPrefix(f.Pointer+"/", "/"+kind+"/") {
			f.Pointer = "/" + kind + f.Pointer
		}
		fields[i] = f
	}
	e.Fields = fields
	return &e
}

// latestYear bounds how far ahead anything may be looked at.
const latestYear = 2200

func checkCount(n int) error {
	if n < 1 || n > MaxBatch {
		text := fmt.Sprintf("A list holds 1 to %d facts.", MaxBatch)
		return errs.Invalid("invalid_body", text, errs.Field{Pointer: "/facts", Reason: "out_of_range", Message: text})
	}
	return nil
}

type batchIn struct {
	Call
	Included
	Body Batch
}

func (s *Server) batch(ctx context.Context, in *batchIn) (*Answered[BatchResult], error) {
	if err := checkIncludes(in.Include, "explanation", "balances"); err != nil {
		return nil, err
	}
	if err := checkCount(len(in.Body.Facts)); err != nil {
		return nil, err
	}
	out := &Answered[BatchResult]{}
	var known bool
	var err error
	if out.Reply, known, err = s.replayed(ctx, &in.Call); err != nil || known {
		return out, err
	}
	requests := make([]record.Request, 0, len(in.Body.Facts))
	places := make([]int, 0, len(in.Body.Facts))
	outcomes := make([]Outcome, len(in.Body.Facts))
	for i, raw := range in.Body.Facts {
		req, err := s.requestOf(&in.Call, raw, true)
		if err == nil {
			err = under(raw, s.bring(ctx, &in.Call, req.Member, &req.Fact))
		}
		if err != nil {
			outcomes[i] = s.refused(ctx, err)
			continue
		}
		req.Key = in.partKey(i)
		enrols := req.Enrol != nil
		req.Render = func(r *record.Result) (int, []byte) {
			return renderResult(r, func() any {
				one := in.recorded(r, in.Include)
				if enrols {
					one.Member = r.Member.ID
				}
				return one
			})
		}
		requests, places = append(requests, req), append(places, i)
	}
	for k, o := range s.Recorder.Batch(ctx, requests) {
		i := places[k]
		if o.Err != nil {
			if err := reused(o.Err); err != nil {
				return nil, err
			}
			outcomes[i] = s.refused(ctx, under(in.Body.Facts[i], o.Err))
			continue
		}
		status, body := o.Result.Status, o.Result.Answer
		if body == nil {
			status, body = requests[k].Render(o.Result)
		}
		one := &Recorded{}
		if err := web.Unmarshal(body, one); err != nil {
			return nil, fmt.Errorf("read the answer to fact %d: %w", i, err)
		}
		outcomes[i] = Outcome{Status: status, Result: one}
	}
	result := BatchResult{Results: outcomes}
	for _, o := range outcomes {
		switch {
		case o.Problem != nil:
			result.Failed++
		case o.Result.Duplicate:
			result.Duplicates++
		default:
			result.Recorded++
		}
	}
	out.Reply, err = s.whole(ctx, &in.Call, http.StatusOK, result, !lostSome(outcomes), nil)
	return out, err
}

// lostSome says whether some facts may be recorded or not: such an answer must not be the last word under its key.
func lostSome(outcomes []Outcome) bool {
	for _, o := range outcomes {
		if o.Status >= http.StatusInternalServerError {
			return true
		}
	}
	return false
}

func (s *Server) refused(ctx context.Context, err error) Outcome {
	e := errs.As(err)
	if e.Code == errs.CodeInternal {
		s.Logger.ErrorContext(ctx, "a fact of a list failed", "request_id", web.RequestID(ctx), "error", err.Error())
	}
	p := web.ProblemOf(web.Said(ctx, e), web.RequestID(ctx))
	return Outcome{Status: p.Status, Problem: &p}
}

type simulateIn struct {
	Call
	Included
	Body Simulation
}

func (s *Server) simulate(ctx context.Context, in *simulateIn) (*SimulationResult, error) {
	if err := checkIncludes(in.Include, "explanation", "balances"); err != nil {
		return nil, err
	}
	if err := checkCount(len(in.Body.Facts)); err != nil {
		return nil, err
	}
	out := &SimulationResult{Results: make([]Outcome, len(in.Body.Facts))}
	var opts record.SimOptions
	text, at := []byte(in.Body.Draft.JSON), "/draft"
	if in.Body.Source != "" {
		if text != nil {
			return nil, required("/draft", "Give either draft or source, not both.")
		}
		text, at = []byte(in.Body.Source), "/source"
	}
	if text != nil {
		doc, err := parseDocument(text, at)
		if err != nil {
			return nil, err
		}
		if opts.Draft, err = program.Compile(doc, 0); err != nil {
			return nil, version.Problem(err)
		}
		out.Draft = true
	}
	var requests []record.Request
	var places []int
	for i, raw := range in.Body.Facts {
		req, err := s.requestOf(&in.Call, raw, false)
		if err == nil {
			err = under(raw, s.bring(ctx, &in.Call, req.Member, &req.Fact))
		}
		if err != nil {
			out.Results[i] = s.refused(ctx, err)
			continue
		}
		requests, places = append(requests, req), append(places, i)
	}
	outcomes, err := s.Recorder.Simulate(ctx, in.program(), requests, opts)
	if err != nil {
		return nil, err
	}
	for k, o := range outcomes {
		i := places[k]
		if o.Err != nil {
			out.Results[i] = s.refused(ctx, under(in.Body.Facts[i], o.Err))
			continue
		}
		one := in.recorded(o.Result, append(in.Include, "explanation"))
		out.Results[i] = Outcome{Status: http.StatusOK, Result: &one}
	}
	return out, nil
}
