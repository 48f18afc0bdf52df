package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/web"
)

type couponBatchIn struct {
	Call
	Body NewCouponBatch
}

// issueCoupons makes many codes of a coupon. Each has a natural key of the batch and its number, so that the same again makes none twice.
func (s *Server) issueCoupons(ctx context.Context, in *couponBatchIn) (*Answered[CouponBatch], error) {
	out := &Answered[CouponBatch]{}
	var known bool
	var err error
	if out.Reply, known, err = s.replayed(ctx, &in.Call); err != nil || known {
		return out, err
	}
	b := in.Body
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	var fields []errs.Field
	if b.Batch == "" || len(b.Batch) > 100 {
		fields = append(fields, errs.Field{Pointer: "/batch", Reason: "required", Message: "name the batch: 1 to 100 characters; the same name again makes nothing twice"})
	}
	if b.Count < 1 || b.Count > MaxCards {
		fields = append(fields, errs.Field{Pointer: "/count", Reason: "out_of_range", Message: "must be 1 to " + strconv.Itoa(MaxCards)})
	}
	if c := p.Coupons[b.Coupon]; c == nil || c.Word != "" {
		fields = append(fields, errs.Field{Pointer: "/coupon", Reason: "unknown_coupon", Message: "must be a coupon of the program that has no word"})
	}
	if len(fields) > 0 {
		return nil, errs.Invalid("invalid_batch", "The batch cannot be made so.", fields...)
	}
	reqs := make([]record.Request, b.Count)
	for i := range reqs {
		reqs[i] = s.newCoupon(&in.Call, b, b.First+i)
		reqs[i].Key = in.partKey(i)
	}
	result := CouponBatch{Batch: b.Batch, Coupon: b.Coupon, Codes: make([]CouponIssued, len(reqs))}
	for i, o := range s.Recorder.Batch(ctx, reqs) {
		if err := reused(o.Err); err != nil {
			return nil, err
		}
		if errs.Is(o.Err, errs.CodeConflict, "duplicate_external_id") {
			o.Err = errs.Conflict("batch_known", "There is a batch of this name with codes of another coupon: give this one another name.")
		}
		if o.Err != nil { // those that were made are told: their codes are in this answer and nowhere else
			e := errs.As(o.Err)
			result.Codes[i].Error = &GiftCardProblem{Reason: e.Reason, Message: e.Message}
			if result.Failed++; result.Failed == len(reqs) {
				return nil, o.Err
			}
			continue
		}
		if err := web.Unmarshal(o.Result.Answer, &result.Codes[i]); err != nil {
			return nil, fmt.Errorf("read an issued code: %w", err)
		}
	}
	out.Reply, err = s.whole(ctx, &in.Call, http.StatusCreated, &result, result.Failed == 0, func() {
		for i := range result.Codes {
			result.Codes[i].Code = ""
		}
	})
	return out, err
}

func (s *Server) newCoupon(c *Call, b NewCouponBatch, number int) record.Request {
	f := engine.Fact{Kind: engine.Enrolment, Source: "coupons:" + b.Batch, ExternalID: strconv.Itoa(number), Enrolment: &engine.EnrolmentBody{Kind: engine.CouponCode}, Card: &engine.Card{Coupon: b.Coupon}}
	id, text := ids.New(code.CouponPrefix, c.now), code.Draw()
	req := s.request(c, "", f)
	req.Holder = id
	render := func(r *record.Result, shown string) (int, []byte) {
		return renderResult(r, func() any { return CouponIssued{ID: r.Fact.Member, Code: shown, Duplicate: r.Duplicate} })
	}
	req.Render = func(r *record.Result) (int, []byte) { return render(r, "") }
	req.Reveal = func(r *record.Result) []byte { _, body := render(r, code.Show(text)); return body }
	req.Beside = func(ctx context.Context, tx *db.Tx, _ *record.Result) error {
		k, err := code.MakeKey(ctx, tx, c.program(), c.now)
		if err != nil {
			return err
		}
		kept, err := k.Of(code.New{Kind: code.Coupon, Text: text, Holder: id, Subject: b.Coupon, Batch: b.Batch}, c.now)
		if err != nil {
			return err
		}
		code.KeepLater(tx, c.program(), []code.Code{kept})
		return nil
	}
	return req
}

type listCouponsIn struct {
	Call
	Paging
	// Batch keeps to the codes of one batch.
	Batch string `query:"batch"`
	Spoken
}

func (s *Server) listCoupons(ctx context.Context, in *listCouponsIn) (*Page[CouponCodeView], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor("coupons", in.Cursor, &at); err != nil {
		return nil, err
	}
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	list, err := s.couponCodes(ctx, &in.Call, in.Batch, at.ID, limit+1)
	if err != nil {
		return nil, err
	}
	out := &Page[CouponCodeView]{Items: []CouponCodeView{}}
	if len(list) > limit {
		list = list[:limit]
		at.ID = list[limit-1].ID
		out.Next = web.Cursor("coupons", at)
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Holder
	}
	viewed, err := s.Recorder.ViewCards(ctx, in.program(), names, in.now)
	if err != nil {
		return nil, err
	}
	v := in.view(p)
	for i, c := range list {
		if viewed[i].Err != nil {
			return nil, viewed[i].Err
		}
		st := &viewed[i].Account.State
		one := CouponCodeView{ID: c.Holder, Coupon: c.Subject, Status: engine.CouponStands(p, st, in.now), Tail: c.Tail, Batch: c.Batch, Uses: 1, CreatedAt: v.time(c.CreatedAt)}
		if d := p.Coupons[c.Subject]; d != nil {
			one.Uses = max(d.Uses, 1)
		}
		one.Used = st.Card.Used
		out.Items = append(out.Items, one)
	}
	return out, nil
}

func (s *Server) couponCodes(ctx context.Context, c *Call, batch, after string, limit int) (list []code.Code, err error) {
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = code.List(ctx, tx, c.program(), code.Coupon, batch, after, limit)
		return err
	})
	return list, err
}

// CouponPath names the code of a coupon.
type CouponPath struct {
	// Code is the id of a coupon's code, not the code itself.
	Code string `path:"code"`
}

type couponStatusIn struct {
	Call
	CouponPath
	Included
	Body GiftCardStatus
}

func (s *Server) setCouponStatus(ctx context.Context, in *couponStatusIn) (*Answered[Recorded], error) {
	if ids.Check(code.CouponPrefix, in.Code) != nil {
		return nil, web.NotFound("coupon")
	}
	f := in.Body.FactKey.fact(engine.Status)
	f.Status = &engine.StatusBody{To: in.Body.To, Reason: in.Body.Reason}
	return s.holderFact(ctx, &in.Call, in.Include, in.Code, f)
}

type cancelCouponsIn struct {
	Call
	// Batch is its name.
	Batch string `path:"batch"`
	Body  *CouponCancel
}

// cancelCoupons calls the codes of a batch off, some at a time.
func (s *Server) cancelCoupons(ctx context.Context, in *cancelCouponsIn) (*Answered[CouponsCancelled], error) {
	reply := &Answered[CouponsCancelled]{}
	var known bool
	var err error
	if reply.Reply, known, err = s.replayed(ctx, &in.Call); err != nil || known {
		return reply, err
	}
	if in.Body == nil {
		in.Body = &CouponCancel{}
	}
	list, err := s.couponCodes(ctx, &in.Call, in.Batch, in.Body.After, MaxCards+1)
	if err != nil {
		return nil, err
	}
	out := &CouponsCancelled{Batch: in.Batch}
	if len(list) > MaxCards {
		list = list[:MaxCards]
		out.After = list[MaxCards-1].ID
	}
	reqs := make([]record.Request, len(list))
	for i, c := range list {
		reqs[i] = s.request(&in.Call, "", engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed, Reason: in.Body.Reason}})
		reqs[i].Holder, reqs[i].Key = c.Holder, in.partKey(i)
	}
	for _, o := range s.Recorder.Batch(ctx, reqs) {
		if err := reused(o.Err); err != nil {
			return nil, err
		}
		switch {
		case o.Err == nil:
			out.Cancelled++
		case !errs.Is(o.Err, errs.CodeConflict, "member_closed"): // one that was called off before
			return nil, o.Err
		}
	}
	reply.Reply, err = s.whole(ctx, &in.Call, http.StatusOK, out, true, nil)
	return reply, err
}

// wordOf gives the coupon of a public word.
func wordOf(p *program.Compiled, typed string) string {
	w, _ := ids.Word(typed)
	return p.Words[w]
}

type useCouponIn struct {
	Call
	Included
	Body CouponUseIn
}

// useCoupon uses a coupon: by its word in the books of the member who says it, or by a code.
func (s *Server) useCoupon(ctx context.Context, in *useCouponIn) (*Answered[Recorded], error) {
	if out, err := s.first(ctx, &in.Call, in.Include); out != nil || err != nil {
		return out, err
	}
	if err := checkIncludes(in.Include, "explanation", "balances"); err != nil {
		return nil, err
	}
	p, by, err := s.payer(ctx, &in.Call, in.Body.Member)
	if err != nil {
		return nil, err
	}
	with, err := s.beside(ctx, &in.Call, p, in.Body.With, in.Body.Address)
	if err != nil {
		return nil, err
	}
	f := in.Body.FactKey.fact(engine.CouponK)
	f.Coupon = &engine.CouponStep{Do: engine.CouponUsed, Total: in.Body.Total, With: with, Store: in.Body.Store, Channel: in.Body.Channel}
	if f.Coupon.Coupon = wordOf(p, in.Body.Code); f.Coupon.Coupon != "" {
		if by == "" {
			return nil, errs.Invalid("member_required", "Members alone may use this word.", errs.Field{Pointer: "/member", Reason: "required", Message: "say who pays"})
		}
		return s.recordFact(ctx, &in.Call, in.Include, in.Body.Member, f)
	}
	k, err := s.brought(ctx, &in.Call, in.Body.PresentedCode, code.Coupon)
	if err != nil {
		return nil, err
	}
	f.Coupon.By = by
	return s.opened(ctx, &in.Call, in.Include, k.Holder, k.Hash, f)
}

type undoCouponIn struct {
	Call
	// Use is the use, by the id of its fact.
	Use string `path:"use"`
	Included
	Body *CouponUndo
}

func (s *Server) undoCoupon(ctx context.Context, in *undoCouponIn) (*Answered[Recorded], error) {
	if _, ok := ids.BucketOf(in.Use); !ok {
		return nil, web.NotFound("fact")
	}
	if in.Body == nil {
		in.Body = &CouponUndo{}
	}
	f := in.Body.FactKey.fact(engine.CouponK)
	f.Parent = in.Use
	f.Coupon = &engine.CouponStep{Do: engine.CouponUnused, Reason: in.Body.Reason}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

// The wire types.

// NewCouponBatch issues codes of a coupon.
type NewCouponBatch struct {
	// Batch names it: the same name again makes nothing twice. Required.
	Batch string `json:"batch"`
	// Coupon is one of the program's that has no word. Required.
	Coupon string `json:"coupon"`
	// Count is how many codes there shall be, up to 1,000; First is the number of the first of them in the batch, so that a batch can be made in several requests.
	Count int `json:"count"`
	First int `json:"first,omitempty"`
}

// CouponBatch is what was issued.
type CouponBatch struct {
	Batch  string         `json:"batch"`
	Coupon string         `json:"coupon"`
	Codes  []CouponIssued `json:"codes"`
	// Failed is how many of them were not made.
	Failed int `json:"failed,omitempty"`
}

// CouponUndo takes the use of a coupon back.
type CouponUndo struct {
	FactKey
	Reason string `json:"reason,omitempty"`
}

// CouponIssued is a new code of a coupon.
type CouponIssued struct {
	// ID is what it is called, Code the code itself, which is in this answer and nowhere else.
	ID        string `json:"id,omitempty"`
	Code      string `json:"code,omitempty"`
	Duplicate bool   `json:"duplicate,omitempty"`
	// Error is why this one was not made: the same again makes those that are missing.
	Error *GiftCardProblem `json:"error,omitempty"`
}

// CouponCodeView is a code of a coupon as it stands now.
type CouponCodeView struct {
	ID     string `json:"id"`
	Coupon string `json:"coupon"`
	// Status is usable, used, ended, blocked or void.
	Status string `json:"status"`
	// Tail is the end of the code, by which a person knows it.
	Tail  string `json:"tail,omitempty"`
	Batch string `json:"batch,omitempty"`
	// Uses is how often it can be used, Used how often it was.
	Uses      int64     `json:"uses"`
	Used      int64     `json:"used"`
	CreatedAt time.Time `json:"created_at"`
}

// CouponCancel calls a batch off.
type CouponCancel struct {
	Reason string `json:"reason,omitempty"`
	// After goes on where an answer ended.
	After string `json:"after,omitempty"`
}

// CouponsCancelled is how many codes were called off.
type CouponsCancelled struct {
	Batch     string `json:"batch"`
	Cancelled int    `json:"cancelled"`
	// After is there while there are more: send it to go on.
	After string `json:"after,omitempty"`
}

// CouponUseIn uses a coupon.
type CouponUseIn struct {
	FactKey
	PresentedCode
	// Member is who pays: required with a word, and told with a code where it is known.
	Member string `json:"member,omitempty"`
	// Total is what there is to pay before it.
	Total *money.Decimal `json:"total"`
	// With are the other codes of the same purchase: what does not stack is refused by them.
	With    []PresentedCode `json:"with,omitempty"`
	Store   string          `json:"store,omitempty"`
	Channel string          `json:"channel,omitempty"`
}

// CouponUse is what a coupon took off.
type CouponUse struct {
	Coupon string `json:"coupon"`
	Title  string `json:"title,omitempty"`
	// Amount is what it took off, in the program's currency; Undone says that the use was taken back.
	Amount Amount `json:"amount,omitempty"`
	Undone bool   `json:"undone,omitempty"`
}

// broughtWith is what was used with a purchase.
func (v view) broughtWith(b *engine.Purchase) (out []BroughtCode, off Amount) {
	var sum int64
	for i := range b.Codes {
		u := &b.Codes[i]
		one := BroughtCode{Coupon: u.Coupon, Redemption: u.Redemption, Reward: u.Reward, Benefit: u.Benefit, Lines: u.Lines, Use: u.Use}
		switch {
		case v.p.Coupons[u.Coupon] != nil:
			one.Title = v.p.Coupons[u.Coupon].Title.In(v.lang)
		case v.p.Rewards[u.Reward] != nil:
			one.Title = v.p.Rewards[u.Reward].Title.In(v.lang)
		case u.Benefit != "" && v.p.Benefit(u.Benefit) != nil:
			one.Title = v.p.Benefit(u.Benefit).Title.In(v.lang)
		}
		if u.Amount != nil {
			if n, err := u.Amount.Minor(v.p.Exponent); err == nil {
				sum += n
				one.Amount = v.money(n)
			}
		}
		out = append(out, one)
	}
	return out, v.money(sum)
}

// couponUse is what came of a fact about a coupon.
func (v view) couponUse(d engine.Decision) *CouponUse {
	for _, e := range d.Events {
		if e.Type == engine.EvCouponUsed || e.Type == engine.EvCouponUndone {
			out := &CouponUse{Coupon: e.Data["coupon"], Amount: Amount(e.Data["amount"]), Undone: e.Type == engine.EvCouponUndone}
			if c := v.p.Coupons[out.Coupon]; c != nil {
				out.Title = c.Title.In(v.lang)
			}
			return out
		}
	}
	return nil
}
