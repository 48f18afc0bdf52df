package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/giftcard"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type issueCardIn struct {
	Call
	Body NewGiftCard
}

func (s *Server) issueCard(ctx context.Context, in *issueCardIn) (*Answered[GiftCardIssued], error) {
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	if fields := in.Body.Data.Check(p, ""); len(fields) > 0 {
		return nil, errs.Invalid("invalid_gift_card", "The gift card cannot be made so.", fields...)
	}
	req := s.newCard(&in.Call, p, in.Body, "")
	res, err := s.Recorder.Record(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &Answered[GiftCardIssued]{Reply: replyOf(res.Status, res.Answer, res.Replayed)}
	if res.Recorded {
		return out, nil
	}
	var card GiftCardIssued
	if err := web.Unmarshal(res.Answer, &card); err != nil {
		return nil, fmt.Errorf("read an issued card: %w", err)
	}
	if err := s.tellData(ctx, &in.Call, []*GiftCardIssued{&card}); err != nil {
		return nil, err
	}
	out.JSON, err = web.Marshal(card)
	return out, err
}

// tellData puts into repeated answers what is kept of the cards now. It is in no answer that is stored, so that it can be erased.
func (s *Server) tellData(ctx context.Context, c *Call, cards []*GiftCardIssued) error {
	names := make([]string, len(cards))
	for i := range cards {
		names[i] = cards[i].ID
	}
	return s.DB.Read(ctx, func(tx *db.Tx) error {
		found, err := giftcard.Some(ctx, tx, c.program(), names)
		if err != nil {
			return err
		}
		codes, err := code.Of(ctx, tx, c.program(), names)
		if err != nil {
			return err
		}
		for _, one := range cards {
			one.Data, one.Batch = found[one.ID].Data, found[one.ID].Batch
			one.Tail, one.HasPIN = codes[one.ID].Tail, codes[one.ID].HasPIN
		}
		return nil
	})
}

// newCard is the request that issues a card: its account, its code, and what stands on it.
func (s *Server) newCard(c *Call, p *program.Compiled, n NewGiftCard, batch string) record.Request {
	f := n.fact(engine.Enrolment)
	f.Enrolment = &engine.EnrolmentBody{Kind: engine.GiftCard}
	f.Card = &engine.Card{Amount: n.Amount, Inactive: n.Inactive, Sample: n.Sample, ExpiresAt: n.ExpiresAt}
	id, text, pin := ids.New(giftcard.IDPrefix, c.now), code.Draw(), ""
	if g := p.Doc.GiftCards; g != nil && g.PIN {
		pin = ids.Digits(4)
	}
	req := s.request(c, "", f)
	req.Holder = id
	issued := func(r *record.Result) GiftCardIssued {
		v := c.view(r.Program)
		out := GiftCardIssued{GiftCardView: v.giftCard(r.Fact.Member, r.Account), Fact: r.Fact.ID, Duplicate: r.Duplicate}
		out.CreatedAt = v.time(r.Fact.RecordedAt)
		return out
	}
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any { return issued(r) })
	}
	req.Reveal = func(r *record.Result) []byte {
		_, b := renderResult(r, func() any {
			out := issued(r)
			out.Data, out.Batch, out.Code, out.PIN = n.Data, batch, code.Show(text), pin
			out.Tail, out.HasPIN = code.Tail(text), pin != ""
			return out
		})
		return b
	}
	req.Beside = func(ctx context.Context, tx *db.Tx, r *record.Result) error {
		k, err := code.MakeKey(ctx, tx, c.program(), c.now)
		if err != nil {
			return err
		}
		kept, err := k.Of(code.New{Kind: code.GiftCard, Text: text, Holder: id, Subject: id, PIN: pin, Batch: batch}, c.now)
		if err != nil {
			return err
		}
		code.KeepLater(tx, c.program(), []code.Code{kept})
		return giftcard.Keep(tx, c.program(), giftcard.Card{ID: id, Batch: batch, Sample: n.Sample, Data: n.Data, CreatedAt: r.Fact.RecordedAt})
	}
	return req
}

// MaxCards is the most cards in one batch.
const MaxCards = 1000

type issueBatchIn struct {
	Call
	Body NewGiftCardBatch
}

// issueBatch makes many cards. Each has a natural key of the batch and its name in it, so that sending the list again makes none twice; with an
// Idempotency-Key the list is answered as the first time, and one that broke off goes on where it was.
func (s *Server) issueBatch(ctx context.Context, in *issueBatchIn) (*Answered[GiftCardBatch], error) {
	out := &Answered[GiftCardBatch]{}
	var known bool
	var err error
	if out.Reply, known, err = s.replayed(ctx, &in.Call); err != nil {
		return nil, err
	}
	if known {
		return out, s.retell(ctx, &in.Call, &out.Reply)
	}
	reqs, err := s.newCards(ctx, in)
	if err != nil {
		return nil, err
	}
	b := GiftCardBatch{Batch: in.Body.Batch, Cards: []GiftCardResult{}}
	var repeated []*GiftCardIssued
	for i, o := range s.Recorder.Batch(ctx, reqs) {
		r := GiftCardResult{Index: i}
		if err := reused(o.Err); err != nil {
			return nil, err
		}
		switch {
		case errs.CodeOf(o.Err) == errs.CodeUnavailable || o.Err != nil && errs.CodeOf(o.Err) == errs.CodeInternal:
			return nil, o.Err
		case o.Err != nil:
			e := errs.As(o.Err)
			r.Error = &GiftCardProblem{Reason: e.Reason, Message: e.Message}
			b.Failed++
		default:
			r.Card = &GiftCardIssued{}
			if err := web.Unmarshal(o.Result.Answer, r.Card); err != nil {
				return nil, fmt.Errorf("read an issued card: %w", err)
			}
			if !o.Result.Recorded {
				repeated = append(repeated, r.Card)
			}
			b.Issued++
		}
		b.Cards = append(b.Cards, r)
	}
	if len(repeated) > 0 {
		if err := s.tellData(ctx, &in.Call, repeated); err != nil {
			return nil, err
		}
	}
	out.Reply, err = s.whole(ctx, &in.Call, http.StatusCreated, b, true, func() {
		for _, r := range b.Cards {
			if r.Card != nil {
				r.Card.Data, r.Card.Batch, r.Card.Code, r.Card.PIN, r.Card.Tail = giftcard.Data{}, "", "", "", ""
			}
		}
	})
	return out, err
}

// retell puts into the stored answer to a batch what is kept of its cards now.
func (s *Server) retell(ctx context.Context, c *Call, reply *web.Reply) error {
	var b GiftCardBatch
	if err := web.Unmarshal(reply.JSON, &b); err != nil {
		return fmt.Errorf("read a stored answer: %w", err)
	}
	var cards []*GiftCardIssued
	for _, r := range b.Cards {
		if r.Card != nil {
			cards = append(cards, r.Card)
		}
	}
	err := s.tellData(ctx, c, cards)
	if err != nil {
		return err
	}
	reply.JSON, err = web.Marshal(b)
	return err
}

// newCards are the requests of a batch.
func (s *Server) newCards(ctx context.Context, in *issueBatchIn) ([]record.Request, error) {
	b := in.Body
	var fields []errs.Field
	if b.Batch == "" || len(b.Batch) > 100 {
		fields = append(fields, errs.Field{Pointer: "/batch", Reason: "required", Message: "name the batch: 1 to 100 characters; the same name again makes nothing twice"})
	}
	if len(b.Cards) == 0 || len(b.Cards) > MaxCards {
		fields = append(fields, errs.Field{Pointer: "/cards", Reason: "out_of_range", Message: "must be 1 to " + strconv.Itoa(MaxCards) + " cards"})
	}
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	names := map[string]int{}
	reqs := make([]record.Request, 0, len(b.Cards))
	for i, n := range b.Cards {
		if i >= MaxCards {
			break
		}
		fields = append(fields, n.Data.Check(p, "/cards/"+strconv.Itoa(i))...)
		if n.Greeting == "" {
			n.Greeting = b.Greeting
		}
		if n.Amount == nil {
			n.Amount = b.Amount
		}
		n.Source, n.ExternalID = "gift-cards:"+b.Batch, strconv.Itoa(i+1)
		if n.Reference != "" {
			n.ExternalID = n.Reference
		}
		if other, taken := names[n.ExternalID]; taken {
			fields = append(fields, errs.Field{Pointer: "/cards/" + strconv.Itoa(i) + "/reference", Reason: "repeated",
				Message: "card " + strconv.Itoa(other+1) + " of the list is called " + strconv.Quote(n.ExternalID) + " already: give each card a reference of its own; without one it is called by its place"})
		}
		names[n.ExternalID] = i
		req := s.newCard(&in.Call, p, n, b.Batch)
		req.Key = in.partKey(i)
		reqs = append(reqs, req)
	}
	if len(fields) > 0 {
		return nil, errs.Invalid("invalid_batch", "The batch cannot be made so.", fields...)
	}
	return reqs, nil
}

// current is the version of the program in force now.
func (s *Server) current(ctx context.Context, c *Call) (*program.Compiled, error) {
	var p *program.Compiled
	err := s.look(ctx, c, func(_ *db.Tx, v view, _ *version.Set) error {
		p = v.p
		return nil
	})
	return p, err
}

// GiftCardPath names a gift card.
type GiftCardPath struct {
	// Card is its id.
	Card string `path:"card"`
}

func (p GiftCardPath) check() error {
	if ids.Check(giftcard.IDPrefix, p.Card) != nil {
		return web.NotFound("gift card")
	}
	return nil
}

type getCardIn struct {
	Call
	GiftCardPath
	Spoken
}

func (s *Server) getCard(ctx context.Context, in *getCardIn) (*GiftCardView, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out, err := s.card(ctx, &in.Call, in.Card)
	if errs.CodeOf(err) == errs.CodeNotFound {
		return nil, web.NotFound("gift card")
	}
	return out, err
}

// card gives a card as it stands now.
func (s *Server) card(ctx context.Context, c *Call, id string) (*GiftCardView, error) {
	var list []giftcard.Card
	err := s.DB.Read(ctx, func(tx *db.Tx) error {
		card, err := giftcard.Get(ctx, tx, c.program(), id)
		list = []giftcard.Card{card}
		return err
	})
	if err != nil {
		return nil, err
	}
	out, _, err := s.cards(ctx, c, list)
	if err != nil {
		return nil, err
	}
	return &out[0], nil
}

// cards gives cards as they stand now, with their accounts.
func (s *Server) cards(ctx context.Context, c *Call, list []giftcard.Card) ([]GiftCardView, []*engine.Account, error) {
	p, err := s.current(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].ID
	}
	viewed, err := s.Recorder.ViewCards(ctx, c.program(), names, c.now)
	if err != nil {
		return nil, nil, err
	}
	var codes map[string]code.Code
	var ended map[string]time.Time
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		if codes, err = code.Of(ctx, tx, c.program(), names); err != nil {
			return err
		}
		ended, err = ends(ctx, tx, p, viewed, c.now)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	v := c.view(p)
	out, accounts := make([]GiftCardView, len(list)), make([]*engine.Account, len(list))
	for i, card := range list {
		if viewed[i].Err != nil {
			return nil, nil, viewed[i].Err
		}
		accounts[i] = viewed[i].Account
		out[i] = v.giftCard(card.ID, accounts[i])
		out[i].Tail, out[i].HasPIN = codes[card.ID].Tail, codes[card.ID].HasPIN
		out[i].Data, out[i].Batch, out[i].CreatedAt = card.Data, card.Batch, v.time(card.CreatedAt)
		if at, over := ended[card.ID]; over {
			out[i].ExpiredAt = v.moment(&at)
		}
	}
	return out, accounts, nil
}

// ends gives when the last of what was on cards ended, of those on which nothing is left and time took some.
func ends(ctx context.Context, tx *db.Tx, p *program.Compiled, viewed []record.Viewed, now time.Time) (map[string]time.Time, error) {
	var of []books.Ref
	for _, one := range viewed {
		if one.Err == nil && one.Account.State.CardExpired(p) {
			of = append(of, books.Ref{Program: p.Doc.Program, Member: one.Account.Member})
		}
	}
	if len(of) == 0 {
		return nil, nil //nolint:nilnil // the usual case: none ended
	}
	return books.LastEnds(ctx, tx, of, now)
}

func (v view) giftCard(id string, acc *engine.Account) GiftCardView {
	out := GiftCardView{ID: id, Status: acc.State.Status, Sample: acc.State.Card != nil && acc.State.Card.Sample, Balance: v.money(0), Currency: v.p.Doc.Currency}
	g := v.p.GiftCards
	if g == nil {
		return out
	}
	if acc.State.CardInactive(v.p) {
		out.Status = "inactive"
	}
	if h := acc.State.Units[g.Unit]; h != nil {
		out.Balance = v.money(h.Spendable)
		if h.Pending > 0 {
			out.Inactive = v.money(h.Pending)
		}
		if h.Reserved > 0 {
			out.Reserved = v.money(h.Reserved)
		}
	}
	for _, l := range acc.Lots {
		if l.Unit != g.Unit || l.ExpiresAt == nil || l.Spendable == 0 {
			continue
		}
		if out.ExpiresAt == nil || l.ExpiresAt.Before(*out.ExpiresAt) {
			out.ExpiresAt = v.moment(l.ExpiresAt)
		}
	}
	return out
}

type listCardsIn struct {
	Call
	Paging
	// Batch keeps to the cards of one batch.
	Batch string `query:"batch"`
	// Tail keeps to the cards whose code ends so, as a card shows it: the newest of them, on one page.
	Tail string `query:"tail"`
	// Order is newest for the newest first; oldest when left out.
	Order string `query:"order"`
	Spoken
}

// withTail gives the cards whose codes end so.
func (s *Server) withTail(ctx context.Context, in *listCardsIn, limit int) (*Page[GiftCardView], error) {
	var list []giftcard.Card
	err := s.DB.Read(ctx, func(tx *db.Tx) error {
		list = nil
		names, err := code.WithTail(ctx, tx, in.program(), code.GiftCard, strings.ToUpper(in.Tail), limit)
		if err != nil || len(names) == 0 {
			return err
		}
		some, err := giftcard.Some(ctx, tx, in.program(), names)
		for _, id := range names {
			if c, ok := some[id]; ok {
				list = append(list, c)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Page[GiftCardView]{}
	out.Items, _, err = s.cards(ctx, &in.Call, list)
	return out, err
}

func (s *Server) listCards(ctx context.Context, in *listCardsIn) (*Page[GiftCardView], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor("gift-cards", in.Cursor, &at); err != nil {
		return nil, err
	}
	if in.Order != "" && in.Order != "newest" && in.Order != "oldest" {
		return nil, errs.Malformed("invalid_parameter", "There is no such order. Write one of: newest, oldest.", errs.Field{Pointer: "order", Reason: "wrong_value", Message: "Write one of: newest, oldest."})
	}
	if in.Tail != "" {
		return s.withTail(ctx, in, limit)
	}
	var list []giftcard.Card
	err = s.DB.Read(ctx, func(tx *db.Tx) error {
		var err error
		list, err = giftcard.List(ctx, tx, in.program(), in.Batch, at.ID, in.Order == "newest", limit+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Page[GiftCardView]{Items: []GiftCardView{}}
	if len(list) > limit {
		list = list[:limit]
		at.ID = list[limit-1].ID
		out.Next = web.Cursor("gift-cards", at)
	}
	out.Items, _, err = s.cards(ctx, &in.Call, list)
	return out, err
}

type cardFactsIn struct {
	Call
	GiftCardPath
	Paging
	// Include adds explanation.
	Include []string `query:"include"`
	Spoken
}

// cardFacts gives a card's history.
func (s *Server) cardFacts(ctx context.Context, in *cardFactsIn) (*Page[Fact], error) {
	if err := checkIncludes(in.Include, "explanation"); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &Page[Fact]{Items: []Fact{}}
	find := func(ctx context.Context, tx *db.Tx, _ view, id string) (string, error) {
		_, err := giftcard.Get(ctx, tx, in.program(), id)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return "", web.NotFound("gift card")
		}
		return id, err
	}
	var err error
	out.Next, err = s.history(ctx, &in.Call, "card-facts", find, in.Card, in.Paging, nil, func(v view, e books.Entry) {
		one := v.whole(e.Fact, e.Decision)
		if len(in.Include) > 0 {
			one.Explanation = v.explanation(e.Fact.Kind, e.Decision)
		}
		out.Items = append(out.Items, one)
	})
	return out, err
}

type eraseCardIn struct {
	Call
	GiftCardPath
}

// eraseCard forgets who a card is for, who gives it and what was written on it.
func (s *Server) eraseCard(ctx context.Context, in *eraseCardIn) (*Answered[GiftCardView], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	before, err := s.getCard(ctx, &getCardIn{Call: in.Call, GiftCardPath: in.GiftCardPath})
	if err != nil {
		return nil, err
	}
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		card, err := giftcard.Erase(ctx, tx, in.program(), in.Card)
		if err != nil {
			return nil, err
		}
		_, err = audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "gift_card.erased", Target: in.Card})
		out := *before
		out.Data = card.Data
		return out, err
	}, nil)
	return &Answered[GiftCardView]{reply}, err
}

type loadCardIn struct {
	Call
	GiftCardPath
	Included
	Body GiftCardLoad
}

func (s *Server) loadCard(ctx context.Context, in *loadCardIn) (*Answered[Recorded], error) {
	f := in.Body.FactKey.fact(engine.Load)
	f.Card = &engine.Card{Amount: in.Body.Amount, ExpiresAt: in.Body.ExpiresAt, Reason: in.Body.Reason}
	return s.cardFact(ctx, &in.Call, in.GiftCardPath, in.Include, f)
}

type cardStepIn struct {
	Call
	GiftCardPath
	Included
	Body *RedemptionStep
}

func (s *Server) activateCard(ctx context.Context, in *cardStepIn) (*Answered[Recorded], error) {
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	if p.GiftCards == nil {
		return nil, errs.Conflict("no_gift_cards", "The program has no gift cards of its own.")
	}
	if in.Body == nil {
		in.Body = &RedemptionStep{}
	}
	f := in.Body.FactKey.fact(engine.Release)
	f.Release = &engine.ReleaseBody{Unit: p.GiftCards.Unit, Reason: in.Body.Reason}
	return s.cardFact(ctx, &in.Call, in.GiftCardPath, in.Include, f)
}

type cardStatusIn struct {
	Call
	GiftCardPath
	Included
	Body GiftCardStatus
}

func (s *Server) setCardStatus(ctx context.Context, in *cardStatusIn) (*Answered[Recorded], error) {
	f := in.Body.FactKey.fact(engine.Status)
	f.Status = &engine.StatusBody{To: in.Body.To, Reason: in.Body.Reason}
	return s.cardFact(ctx, &in.Call, in.GiftCardPath, in.Include, f)
}

func (s *Server) cardFact(ctx context.Context, c *Call, path GiftCardPath, include []string, f engine.Fact) (*Answered[Recorded], error) {
	if err := path.check(); err != nil {
		return nil, err
	}
	return s.holderFact(ctx, c, include, path.Card, f)
}

// holderFact is recordFact about an account that is no member.
func (s *Server) holderFact(ctx context.Context, c *Call, include []string, holder string, f engine.Fact) (*Answered[Recorded], error) {
	return s.opened(ctx, c, include, holder, "", f)
}

// opened is holderFact where a code opened the account.
func (s *Server) opened(ctx context.Context, c *Call, include []string, holder, hash string, f engine.Fact) (*Answered[Recorded], error) {
	if err := checkIncludes(include, "explanation", "balances"); err != nil {
		return nil, err
	}
	req := s.request(c, "", f)
	req.Holder, req.Code = holder, hash
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any { return c.recorded(r, include) })
	}
	out := &Answered[Recorded]{}
	return out, s.submit(ctx, req, &out.Reply)
}

type renewCardIn struct {
	Call
	GiftCardPath
}

// renewCard has another code stand for a card: the old one opens nothing from then on.
func (s *Server) renewCard(ctx context.Context, in *renewCardIn) (*Answered[NewCode], error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	p, err := s.current(ctx, &in.Call)
	if err != nil {
		return nil, err
	}
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		if _, err := giftcard.Get(ctx, tx, in.program(), in.Card); err != nil {
			return nil, web.NotFound("gift card")
		}
		k, err := code.MakeKey(ctx, tx, in.program(), in.now)
		if err != nil {
			return nil, err
		}
		n := code.New{Kind: code.GiftCard, Text: code.Draw(), Holder: in.Card, Subject: in.Card}
		if p.GiftCards != nil && p.GiftCards.PIN {
			n.PIN = ids.Digits(4)
		}
		c, err := k.Of(n, in.now)
		if err != nil {
			return nil, err
		}
		return NewCode{ID: c.ID, Code: code.Show(n.Text), PIN: n.PIN}, record.ReplaceCode(ctx, tx, in.program(), c)
	}, withoutCode)
	return &Answered[NewCode]{reply}, err
}

// withoutCode is what is kept of an answer with a code.
func withoutCode(answer any) any {
	if a, ok := answer.(NewCode); ok {
		a.Code, a.PIN = "", ""
		return a
	}
	return answer
}

// asked is a code as it came in a request: guesses count for the key, and for the address behind it.
func (c *Call) asked(ctx context.Context, p PresentedCode, kinds ...code.Kind) code.Asked {
	by := code.Asker{Key: c.key.ID, Address: p.Address}
	if by.Address == "" {
		by.Address = web.Household(web.ClientIP(ctx))
	}
	return code.Asked{Program: c.program(), Text: p.Code, PIN: p.PIN, Kinds: kinds, By: by}
}

type payCardIn struct {
	Call
	Included
	Body GiftCardPayment
}

func (s *Server) payCard(ctx context.Context, in *payCardIn) (*Answered[Recorded], error) {
	if out, err := s.first(ctx, &in.Call, in.Include); out != nil || err != nil {
		return out, err
	}
	c, err := s.brought(ctx, &in.Call, in.Body.PresentedCode, code.GiftCard)
	if err != nil {
		return nil, err
	}
	kind := engine.Redeem
	if in.Body.Reserve {
		kind = engine.Reserve
	}
	f := in.Body.FactKey.fact(kind)
	f.Redemption = &engine.Redemption{Spend: engine.Spend{Points: in.Body.Amount, Max: in.Body.Max}, Total: in.Body.Total, Hold: in.Body.Hold, Store: in.Body.Store, Channel: in.Body.Channel}
	return s.opened(ctx, &in.Call, in.Include, c.Holder, c.Hash, f)
}

// first gives the first answer to a request that is repeated under its Idempotency-Key, before anything is looked up for it; nil for one that is new.
func (s *Server) first(ctx context.Context, c *Call, include []string) (*Answered[Recorded], error) {
	if err := checkIncludes(include, "explanation", "tiers", "balances"); err != nil {
		return nil, err
	}
	var out *Answered[Recorded]
	reply, known, err := s.replayed(ctx, c)
	if known && reply.Status != 0 { // in a distributed database the key may only be claimed: the flow knows
		out = &Answered[Recorded]{reply}
	}
	if err == nil && out != nil && slices.Contains(include, "tiers") {
		err = s.addTiers(ctx, c, &out.Reply)
	}
	return out, err
}

// brought gives the code that somebody brought. One that opens nothing any more is given too: it is refused where the fact is decided, and a
// repetition under its natural key gets its first answer there.
func (s *Server) brought(ctx context.Context, c *Call, p PresentedCode, kinds ...code.Kind) (code.Code, error) {
	k, err := s.Codes.Look(ctx, s.DB, c.asked(ctx, p, kinds...), c.now)
	if errs.CodeOf(err) == errs.CodeConflict && k.Hash != "" {
		err = nil
	}
	return k, err
}

type checkCodesIn struct {
	Call
	Spoken
	Body CodeCheck
}

// mostCodes bounds the codes of one purchase.
const mostCodes = 50

func (s *Server) checkCodes(ctx context.Context, in *checkCodesIn) (*CodesChecked, error) {
	list := in.Body.Codes
	if in.Body.Code != "" {
		list = append([]PresentedCode{in.Body.PresentedCode}, list...)
	}
	if len(list) == 0 || len(list) > mostCodes {
		return nil, required("/codes", "Send 1 to 50 codes.")
	}
	for i := range list {
		if list[i].Address == "" {
			list[i].Address = in.Body.Address
		}
	}
	p, by, err := s.payer(ctx, &in.Call, in.Body.Member)
	if err != nil {
		return nil, err
	}
	found, out, err := s.present(ctx, &in.Call, p, by, list)
	if err != nil {
		return nil, err
	}
	v, total := in.view(p), int64(-1)
	if in.Body.Total != nil {
		if total, err = in.Body.Total.Minor(p.Exponent); err != nil || total < 0 {
			return nil, errs.Invalid("invalid_check", "The total cannot be used.", errs.Field{Pointer: "/total", Reason: "not_an_amount", Message: "must be 0 or more, with no more decimals than the currency"})
		}
	}
	presented := make([]engine.Presented, len(found))
	for i := range found {
		presented[i] = found[i].Presented
	}
	sum, err := engine.PresentAll(p, presented, total, by, in.now)
	if err != nil {
		return nil, err
	}
	for i := range found {
		one := &out.Codes[found[i].at]
		one.why(sum.Why[i])
		if total >= 0 {
			one.Amount = v.money(sum.Amounts[i])
		}
	}
	if total >= 0 {
		left := v.money(sum.Total)
		out.Total = &left
	}
	return out, nil
}

// payer gives the program in force and the id of the member who pays, "" for nobody.
func (s *Server) payer(ctx context.Context, c *Call, ref string) (p *program.Compiled, member string, err error) {
	err = s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		p = v.p
		if ref == "" {
			return nil
		}
		member, err = existing(ctx, tx, v, ref)
		return err
	})
	return p, member, err
}

// broughtCode is a code that stands for something, with its place in the request.
type broughtCode struct {
	engine.Presented
	at int
}

// present looks codes up and says of each what it is. Those that are none, or cannot be used, say why.
func (s *Server) present(ctx context.Context, c *Call, prog *program.Compiled, by string, list []PresentedCode) ([]broughtCode, *CodesChecked, error) {
	out := &CodesChecked{Codes: make([]CodeState, len(list))}
	var found []broughtCode
	for i, p := range list {
		one := &out.Codes[i]
		if id := wordOf(prog, p.Code); id != "" {
			b := broughtCode{at: i}
			if err := s.presentCoupon(ctx, c, prog, one, &b, id, by); err != nil {
				return nil, nil, err
			}
			found = append(found, b)
			continue
		}
		k, err := s.Codes.Look(ctx, s.DB, c.asked(ctx, p, code.GiftCard, code.Voucher, code.Coupon), c.now)
		if errs.CodeOf(err) == errs.CodeRateLimited {
			return nil, nil, err
		}
		if err != nil {
			if errs.CodeOf(err) == errs.CodeUnavailable || errs.CodeOf(err) == errs.CodeInternal {
				return nil, nil, err
			}
			one.why(err)
			continue
		}
		one.Kind, one.Usable = string(k.Kind), true
		b := broughtCode{at: i}
		if k.Kind == code.Coupon {
			if err := s.presentCoupon(ctx, c, prog, one, &b, k.Subject, k.Holder); err != nil {
				return nil, nil, err
			}
			found = append(found, b)
			continue
		}
		if k.Kind == code.GiftCard {
			b.Card = k.Holder
			found = append(found, b)
			continue
		}
		err = s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
			r, err := books.FindRedemption(ctx, tx, c.program(), k.Subject)
			if err != nil {
				return err
			}
			shown := v.redemption(r.RedemptionState, r.Member, c.now)
			one.Voucher, one.Reward, one.Redemption = shown.Voucher, shown.Reward, shown.ID
			b.Redemption, b.Owner = &r.RedemptionState, r.Member
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		found = append(found, b)
	}
	return found, out, s.presentCards(ctx, c, found, out)
}

// presentCards says what the gift cards among codes hold, all in one read.
func (s *Server) presentCards(ctx context.Context, c *Call, found []broughtCode, out *CodesChecked) error {
	var names []string
	for i := range found {
		if id := found[i].Card; id != "" && !slices.Contains(names, id) {
			names = append(names, id)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var some map[string]giftcard.Card
	err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		some, err = giftcard.Some(ctx, tx, c.program(), names)
		return err
	})
	if err != nil {
		return err
	}
	list := make([]giftcard.Card, len(names))
	for i, id := range names {
		card, ok := some[id]
		if !ok {
			return web.NotFound("gift card")
		}
		list[i] = card
	}
	cards, accounts, err := s.cards(ctx, c, list)
	if err != nil {
		return err
	}
	for i := range found {
		if k := slices.Index(names, found[i].Card); k >= 0 {
			out.Codes[found[i].at].GiftCard, found[i].State, found[i].Ended = &cards[k], &accounts[k].State, cards[k].ExpiredAt
		}
	}
	return nil
}

// presentCoupon says what a coupon is in the books of an account, which is nobody's where it is "".
func (s *Server) presentCoupon(ctx context.Context, c *Call, p *program.Compiled, one *CodeState, b *broughtCode, coupon, account string) error {
	one.Kind, one.Usable, one.Coupon, b.Coupon = string(code.Coupon), true, coupon, coupon
	if d := p.Coupons[coupon]; d != nil {
		one.Title = d.Title.In(c.lang)
	}
	if account == "" {
		return nil
	}
	acc, _, err := s.Recorder.Coupon(ctx, c.program(), account, coupon, c.now)
	b.Account = acc
	return err
}

// why says that a code cannot be used, where err says so.
func (c *CodeState) why(err error) {
	if err == nil {
		return
	}
	e := errs.As(err)
	c.Usable, c.Reason, c.Message = false, e.Reason, e.Message
}

type useVoucherIn struct {
	Call
	Included
	Body VoucherUseIn
}

// useVoucher uses the voucher that a code stands for, or that a redemption gave.
func (s *Server) useVoucher(ctx context.Context, in *useVoucherIn) (*Answered[Recorded], error) {
	if out, err := s.first(ctx, &in.Call, in.Include); out != nil || err != nil {
		return out, err
	}
	id, hash := in.Body.Redemption, ""
	if in.Body.Code != "" {
		c, err := s.brought(ctx, &in.Call, in.Body.PresentedCode, code.Voucher)
		if err != nil {
			return nil, err
		}
		id, hash = c.Subject, c.Hash
	}
	if _, ok := ids.BucketOf(id); !ok {
		return nil, required("/code", "Send the code, or the redemption of a voucher that is bound to its member.")
	}
	p, by, err := s.payer(ctx, &in.Call, in.Body.Member)
	if err != nil {
		return nil, err
	}
	if in.Body.Code == "" {
		if err := s.boundTo(ctx, &in.Call, id, by); err != nil {
			return nil, err
		}
	}
	with, err := s.beside(ctx, &in.Call, p, in.Body.With, in.Body.Address)
	if err != nil {
		return nil, err
	}
	f := in.Body.FactKey.fact(engine.VoucherK)
	f.Parent = id
	f.Voucher = &engine.VoucherStep{Do: engine.VoucherUsed, Total: in.Body.Total, By: by, Hash: hash, With: with, Store: in.Body.Store, Channel: in.Body.Channel}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

// beside looks up the other codes of a purchase. Gift cards go with everything.
func (s *Server) beside(ctx context.Context, c *Call, prog *program.Compiled, list []PresentedCode, address string) ([]engine.Beside, error) {
	if len(list) > mostCodes {
		return nil, required("/with", "Send at most "+strconv.Itoa(mostCodes)+" codes.")
	}
	var out []engine.Beside
	for _, p := range list {
		if p.Address == "" {
			p.Address = address
		}
		if id := wordOf(prog, p.Code); id != "" {
			out = append(out, engine.Beside{Coupon: id})
			continue
		}
		k, err := s.brought(ctx, c, p, code.Voucher, code.Coupon, code.GiftCard)
		if err != nil {
			return nil, err
		}
		switch k.Kind {
		case code.GiftCard:
			continue
		case code.Coupon:
			out = append(out, engine.Beside{Coupon: k.Subject, Code: k.Holder})
			continue
		}
		err = s.DB.Read(ctx, func(tx *db.Tx) error {
			r, err := books.FindRedemption(ctx, tx, c.program(), k.Subject)
			out = append(out, engine.Beside{Redemption: r.ID, Reward: r.Reward})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// boundTo sees that whoever names a voucher without its code is its owner.
func (s *Server) boundTo(ctx context.Context, c *Call, redemption, by string) error {
	return s.look(ctx, c, func(tx *db.Tx, _ view, _ *version.Set) error {
		r, err := books.FindRedemption(ctx, tx, c.program(), redemption)
		if err != nil || by == "" || r.Member != by {
			return errs.NotFound("voucher_not_found", "There is no such voucher of this member: send its code.")
		}
		return nil
	})
}

type voucherStepIn struct {
	Call
	RedemptionPath
	Included
	Body *VoucherStepIn
}

func (s *Server) undoVoucher(ctx context.Context, in *voucherStepIn) (*Answered[Recorded], error) {
	return s.voucherStep(ctx, in, engine.VoucherUnused)
}

func (s *Server) voidVoucher(ctx context.Context, in *voucherStepIn) (*Answered[Recorded], error) {
	return s.voucherStep(ctx, in, engine.VoucherVoid)
}

func (s *Server) renewVoucher(ctx context.Context, in *voucherStepIn) (*Answered[Recorded], error) {
	return s.voucherStep(ctx, in, engine.VoucherCode)
}

func (s *Server) voucherStep(ctx context.Context, in *voucherStepIn, do string) (*Answered[Recorded], error) {
	if _, ok := ids.BucketOf(in.Redemption); !ok {
		return nil, web.NotFound("redemption")
	}
	if in.Body == nil {
		in.Body = &VoucherStepIn{}
	}
	f := in.Body.FactKey.fact(engine.VoucherK)
	f.Parent = in.Redemption
	f.Voucher = &engine.VoucherStep{Do: do, Use: in.Body.Use, Reason: in.Body.Reason}
	return s.recordFact(ctx, &in.Call, in.Include, "", f)
}

// The wire types.

// NewGiftCard issues a gift card.
type NewGiftCard struct {
	FactKey
	// Amount is what is put on it, in the program's currency.
	Amount *money.Decimal `json:"amount,omitempty"`
	// Inactive keeps it from being used until it is activated: for cards that hang in a shop.
	Inactive bool `json:"inactive,omitempty"`
	// Sample makes a card to look at: nothing can be paid with it.
	Sample bool `json:"sample,omitempty"`
	// ExpiresAt overrides the program's time.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	giftcard.Data
}

// NewGiftCardBatch issues many.
type NewGiftCardBatch struct {
	// Batch names it: the same name again makes nothing twice. Required.
	Batch string `json:"batch"`
	// Amount and Greeting are for each card that says none.
	Amount   *money.Decimal `json:"amount,omitempty"`
	Greeting string         `json:"greeting,omitempty"`
	Cards    []NewGiftCard  `json:"cards"`
}

// GiftCardView is a gift card as it stands now.
type GiftCardView struct {
	ID string `json:"id"`
	// Status is active, inactive, blocked or closed.
	Status string `json:"status"`
	Sample bool   `json:"sample,omitempty"`
	// Balance can be used now; Inactive waits for the activation, Reserved is held by a till.
	Balance  Amount `json:"balance"`
	Inactive Amount `json:"inactive,omitempty"`
	Reserved Amount `json:"reserved,omitempty"`
	Currency string `json:"currency"`
	// ExpiresAt is when the first part of the balance ends; ExpiredAt when the last of it did, of a card on which nothing is left and time took some.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	ExpiredAt *time.Time `json:"expired_at,omitempty"`
	// Tail is the end of the code, by which a person knows the card.
	Tail   string `json:"tail,omitempty"`
	HasPIN bool   `json:"has_pin,omitempty"`
	// Batch is the one it was made in.
	Batch     string    `json:"batch,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	giftcard.Data
}

// GiftCardIssued is a new gift card with its code, which is in this answer and nowhere else.
type GiftCardIssued struct {
	GiftCardView
	// Code and PIN open the card. A repetition of the request does not show them again: POST …/code makes new ones.
	Code string `json:"code,omitempty"`
	PIN  string `json:"pin,omitempty"`
	// Fact is the fact that issued it.
	Fact      string `json:"fact"`
	Duplicate bool   `json:"duplicate,omitempty"`
}

// GiftCardBatch is what came of a batch.
type GiftCardBatch struct {
	Batch  string           `json:"batch"`
	Issued int              `json:"issued"`
	Failed int              `json:"failed"`
	Cards  []GiftCardResult `json:"cards"`
}

// GiftCardResult is one of a batch.
type GiftCardResult struct {
	// Index is its place in the request, from 0.
	Index int              `json:"index"`
	Card  *GiftCardIssued  `json:"card,omitempty"`
	Error *GiftCardProblem `json:"error,omitempty"`
}

// GiftCardProblem says why a card of a batch was not made.
type GiftCardProblem struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// GiftCardLoad tops a card up.
type GiftCardLoad struct {
	FactKey
	Amount    *money.Decimal `json:"amount"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty"`
	Reason    string         `json:"reason,omitempty"`
}

// GiftCardStatus blocks a card, frees it, or calls it off.
type GiftCardStatus struct {
	FactKey
	// To is active, blocked, or closed: then what is on it is taken out of the books, for good.
	To     string `json:"to"`
	Reason string `json:"reason,omitempty"`
}

// NewCode is a code that stands for the same as the one before it.
type NewCode struct {
	ID string `json:"id"`
	// Code and PIN are in this answer and nowhere else.
	Code string `json:"code,omitempty"`
	PIN  string `json:"pin,omitempty"`
}

// PresentedCode is a code that somebody brings.
type PresentedCode struct {
	// Code is what was typed or scanned; case, spaces and hyphens do not matter.
	Code string `json:"code,omitempty"`
	PIN  string `json:"pin,omitempty"`
	// Address is that of the person behind a shop that asks for many: an address, a session. Who names many codes that are none is told to
	// wait by it. The address that the request came from when left out.
	Address string `json:"address,omitempty"`
}

// GiftCardPayment pays with a card.
type GiftCardPayment struct {
	FactKey
	PresentedCode
	// Amount is what is paid. Or Max, with Total: as much of the total as there is.
	Amount *money.Decimal `json:"amount,omitempty"`
	Max    bool           `json:"max,omitempty"`
	Total  *money.Decimal `json:"total,omitempty"`
	// Reserve holds the amount until the redemption is committed or cancelled.
	Reserve bool   `json:"reserve,omitempty"`
	Hold    int64  `json:"hold_seconds,omitempty"`
	Store   string `json:"store,omitempty"`
	Channel string `json:"channel,omitempty"`
}

// CodeCheck asks what codes are worth.
type CodeCheck struct {
	PresentedCode
	// Codes are several; a single one may stand in code.
	Codes []PresentedCode `json:"codes,omitempty"`
	// Member is who pays, for vouchers that are bound to their member.
	Member string `json:"member,omitempty"`
	// Total is what there is to pay: then the answer says what each code takes off it.
	Total *money.Decimal `json:"total,omitempty"`
}

// CodesChecked is what codes are worth.
type CodesChecked struct {
	Codes []CodeState `json:"codes"`
	// Total is what is left to pay with all that can be used.
	Total *Amount `json:"total,omitempty"`
}

// CodeState is what one code is.
type CodeState struct {
	// Kind is gift_card, voucher or coupon; empty for what is no code.
	Kind   string `json:"kind,omitempty"`
	Usable bool   `json:"usable"`
	// Reason and Message say why not.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// Amount is what it takes off the total, or pays of it.
	Amount   Amount        `json:"amount,omitempty"`
	GiftCard *GiftCardView `json:"gift_card,omitempty"`
	Voucher  *Voucher      `json:"voucher,omitempty"`
	// Redemption is that of a voucher, Reward what was redeemed.
	Redemption string `json:"redemption,omitempty"`
	Reward     string `json:"reward,omitempty"`
	// Coupon is the coupon of a word or a code.
	Coupon string `json:"coupon,omitempty"`
	Title  string `json:"title,omitempty"`
}

// VoucherUseIn uses a voucher.
type VoucherUseIn struct {
	FactKey
	PresentedCode
	// Redemption names the voucher in place of the code, together with its owner as member.
	Redemption string `json:"redemption,omitempty"`
	// Member is who pays; a bound voucher asks for its owner.
	Member string `json:"member,omitempty"`
	// Total is what there is to pay before it.
	Total *money.Decimal `json:"total"`
	// With are the other codes of the same purchase: vouchers that do not stack are refused by them.
	With    []PresentedCode `json:"with,omitempty"`
	Store   string          `json:"store,omitempty"`
	Channel string          `json:"channel,omitempty"`
}

// VoucherStepIn takes a use of a voucher back, calls it off, or gives it another code.
type VoucherStepIn struct {
	FactKey
	// Use is the use that is taken back, by the id of its fact; the last one when left out.
	Use    string `json:"use,omitempty"`
	Reason string `json:"reason,omitempty"`
}
