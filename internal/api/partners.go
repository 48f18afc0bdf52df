package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/partner"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// PartnerPath names a partner.
type PartnerPath struct {
	// Partner is its id in the program.
	Partner string `path:"partner"`
}

// PartnerView is a partner as the program has agreed with it.
type PartnerView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Awards and Accepts are what one of each unit costs the partner, or is worth to it, in the program's currency.
	Awards  map[string]money.Decimal `json:"awards,omitempty"`
	Accepts map[string]money.Decimal `json:"accepts,omitempty"`
	// Pays is afterwards or ahead; Credit is what is left of what was paid ahead.
	Pays     string         `json:"pays"`
	Credit   *money.Decimal `json:"credit,omitempty"`
	Currency string         `json:"currency"`
	Benefits []string       `json:"benefits,omitempty"`
}

// PartnerAward is points that a partner gives.
type PartnerAward struct {
	// Member is an id, or KIND:VALUE of an identifier.
	Member string        `json:"member"`
	Unit   string        `json:"unit"`
	Amount money.Decimal `json:"amount"`
	// ExternalID is the partner's own number: the same again counts once.
	ExternalID string `json:"external_id"`
	// OccurredAt is the business time; now when left out.
	OccurredAt *time.Time `json:"occurred_at,omitempty"`
	Reason     string     `json:"reason,omitempty"`
}

// PartnerUndo takes back what was done at a partner.
type PartnerUndo struct {
	// Fact is the id of the award or payment, or, of this partner's own, its external id.
	Fact   string `json:"fact"`
	Reason string `json:"reason,omitempty"`
}

// PartnerMember is what a partner may know of a member.
type PartnerMember struct {
	ID string `json:"id"`
	// Status is active, blocked or closed.
	Status string `json:"status"`
	// Spendable is what the member could pay with here now.
	Spendable map[string]Amount `json:"spendable,omitempty"`
	// Benefits are those of the partner's that the member may have now: by tier, by plan or given, with their conditions.
	Benefits []string `json:"benefits"`
}

// NewPayment is what a partner paid, or, below zero, was paid.
type NewPayment struct {
	// Reference says which payment it is: the same again counts once.
	Reference string        `json:"reference"`
	Amount    money.Decimal `json:"amount"`
	PaidAt    *time.Time    `json:"paid_at,omitempty"`
	Note      string        `json:"note,omitempty"`
}

// Statement is a partner's month.
type Statement struct {
	Program string `json:"program"`
	Partner string `json:"partner"`
	Name    string `json:"name"`
	Month   string `json:"month"`
	// MonthName is the month for people, in the language that was asked for.
	MonthName string `json:"month_name"`
	Currency  string `json:"currency"`
	// Text is the whole statement in a few lines.
	Text string `json:"text"`
	// From and Until bound what was recorded, until not inside. Over says that the month is, by more than a minute, so that nothing of this changes any more.
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
	Over  bool      `json:"over"`
	// Pays is afterwards or ahead.
	Pays string `json:"pays"`
	// Sums are by sort, unit and price; Days by the day of recording.
	Sums     []StatementSum   `json:"sums"`
	Days     []StatementDay   `json:"days"`
	Payments []PartnerPayment `json:"payments"`
	// Opening is what the partner owed when the month began, Billed what the month comes to, Paid what was paid in it, and Closing what the
	// partner owes at its end: exactly, and below zero where it is owed to the partner. Due is Closing rounded to what can be paid.
	Opening money.Decimal `json:"opening"`
	Billed  money.Decimal `json:"billed"`
	Paid    money.Decimal `json:"paid"`
	Closing money.Decimal `json:"closing"`
	Due     money.Decimal `json:"due"`
}

// StatementSum is what a partner did of one sort, unit and price comes to.
type StatementSum struct {
	// Sort is awarded, award_undone, accepted or accept_undone. SortName and UnitName are for people.
	Sort     string `json:"sort"`
	SortName string `json:"sort_name"`
	Unit     string `json:"unit"`
	UnitName string `json:"unit_name"`
	// Price is that of one, Count how often: an award that went to several lots is one.
	Price money.Decimal `json:"price"`
	Count int64         `json:"count"`
	// Amount is in the unit. Money is what it comes to: above zero the partner owes it, below zero it is owed to the partner.
	Amount money.Decimal `json:"amount"`
	Money  money.Decimal `json:"money"`
}

// StatementDay is what one day comes to.
type StatementDay struct {
	Day string `json:"day"`
	// DayName is the day for people.
	DayName string        `json:"day_name"`
	Count   int64         `json:"count"`
	Money   money.Decimal `json:"money"`
}

// PartnerPayment is a payment that was taken.
type PartnerPayment struct {
	Reference  string        `json:"reference"`
	Amount     money.Decimal `json:"amount"`
	PaidAt     time.Time     `json:"paid_at"`
	RecordedAt time.Time     `json:"recorded_at"`
	Note       string        `json:"note,omitempty"`
}

func (v view) payment(p partner.Payment) PartnerPayment {
	return PartnerPayment{p.Reference, p.Amount, v.time(p.PaidAt), v.time(p.RecordedAt), p.Note}
}

// own refuses a partner's key what is another partner's.
func (c *Call) own(id string) error {
	if c.key.Partner != "" && c.key.Partner != id {
		return engine.NoPartner()
	}
	return nil
}

type partnersIn struct{ Call }

func (s *Server) listPartners(ctx context.Context, in *partnersIn) (*Page[PartnerView], error) {
	out := &Page[PartnerView]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		out.Items = []PartnerView{}
		for i := range v.p.Doc.Partners {
			id := v.p.Doc.Partners[i].ID
			if in.own(id) != nil {
				continue
			}
			one, err := v.partner(ctx, tx, id)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, *one)
		}
		return nil
	})
}

func (v view) partner(ctx context.Context, tx *db.Tx, id string) (*PartnerView, error) {
	c := v.p.Partners[id]
	if c == nil {
		return nil, engine.NoPartner()
	}
	out := &PartnerView{ID: id, Name: c.Name.In(v.lang), Awards: c.Partner.Awards, Accepts: c.Partner.Accepts, Pays: "afterwards", Currency: v.p.Doc.Currency, Benefits: c.Benefits}
	if out.Name == "" {
		out.Name = id
	}
	if c.Pays != "" {
		out.Pays = c.Pays
	}
	if out.Pays == "ahead" {
		credit, err := partner.Credit(ctx, tx, v.p.Doc.Program, id)
		if err != nil {
			return nil, err
		}
		out.Credit = &credit
	}
	return out, nil
}

type partnerIn struct {
	Call
	PartnerPath
}

func (s *Server) getPartner(ctx context.Context, in *partnerIn) (*PartnerView, error) {
	if err := in.own(in.Partner); err != nil {
		return nil, err
	}
	var out *PartnerView
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) (err error) {
		out, err = v.partner(ctx, tx, in.Partner)
		return err
	})
}

type partnerAwardIn struct {
	Call
	PartnerPath
	Included
	Body PartnerAward
}

func (s *Server) partnerAward(ctx context.Context, in *partnerAwardIn) (*Answered[Recorded], error) {
	return s.atPartner(ctx, in, engine.PartnerAward)
}

func (s *Server) partnerAccept(ctx context.Context, in *partnerAwardIn) (*Answered[Recorded], error) {
	return s.atPartner(ctx, in, engine.PartnerAccept)
}

func (s *Server) atPartner(ctx context.Context, in *partnerAwardIn, do string) (*Answered[Recorded], error) {
	if err := in.own(in.Partner); err != nil {
		return nil, err
	}
	switch {
	case in.Body.Member == "":
		return nil, required("/member", "Say which member.")
	case in.Body.ExternalID == "":
		return nil, required("/external_id", "Give the partner's own number, so that a repetition does not count twice.")
	}
	f := engine.Fact{Kind: engine.PartnerK, Source: ledger.Partner(in.Partner), ExternalID: in.Body.ExternalID,
		Partner: &engine.PartnerBody{Partner: in.Partner, Do: do, Unit: in.Body.Unit, Amount: &in.Body.Amount, Reason: in.Body.Reason}}
	if in.Body.OccurredAt != nil {
		f.OccurredAt = *in.Body.OccurredAt
	}
	if err := s.mayName(&in.Call); err != nil {
		return nil, err
	}
	out, err := s.recordFact(ctx, &in.Call, in.included(in.Include), in.Body.Member, f)
	return out, s.missed(&in.Call, err)
}

// mayName refuses a partner's key that has named too many members who are none: who may name them one after the other learns which phone
// numbers are members'. It is counted in memory, so that an award never waits for a row.
func (s *Server) mayName(c *Call) error {
	if c.key.Partner == "" {
		return nil
	}
	q := s.misses.Take(c.key.ID, 0, c.now)
	if q.OK {
		return nil
	}
	e := *errs.As(web.TooMany(q))
	e.Reason, e.Message = "too_many_members", "This key has named many members who are none: wait, and ask for the card or the phone number again."
	return &e
}

// missed counts a member who is none that a partner's key named.
func (s *Server) missed(c *Call, err error) error {
	if c.key.Partner != "" && (errs.Is(err, errs.CodeNotFound, "member_not_found") || errs.Is(err, errs.CodeInvalid, "invalid_member_reference")) {
		s.misses.Take(c.key.ID, 1, c.now)
	}
	return err
}

// included is what may be asked for besides: nothing by a partner.
func (c *Call) included(include []string) []string {
	if c.key.Partner != "" {
		return nil
	}
	return include
}

type partnerUndoIn struct {
	Call
	PartnerPath
	Included
	Body PartnerUndo
}

func (s *Server) partnerUndo(ctx context.Context, in *partnerUndoIn) (*Answered[Recorded], error) {
	if err := in.own(in.Partner); err != nil {
		return nil, err
	}
	if in.Body.Fact == "" {
		return nil, required("/fact", "Say what is taken back.")
	}
	f := engine.Fact{Kind: engine.PartnerK, Parent: factRef(in.Body.Fact, ledger.Partner(in.Partner)),
		Partner: &engine.PartnerBody{Partner: in.Partner, Do: engine.PartnerUndo, Reason: in.Body.Reason}}
	return s.recordFact(ctx, &in.Call, in.included(in.Include), "", f)
}

type partnerMemberIn struct {
	Call
	PartnerPath
	MemberPath
}

// partnerMember answers only what the partner is agreed to know: who may pay with how much, and has which of its benefits.
func (s *Server) partnerMember(ctx context.Context, in *partnerMemberIn) (*PartnerMember, error) {
	if err := in.own(in.Partner); err != nil {
		return nil, err
	}
	if err := s.mayName(&in.Call); err != nil {
		return nil, err
	}
	var id string
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) (err error) {
		if v.p.Partners[in.Partner] == nil {
			return engine.NoPartner()
		}
		id, err = existing(ctx, tx, v, in.MemberPath.Member)
		return err
	})
	if err != nil {
		return nil, s.missed(&in.Call, err)
	}
	benefits, acc, p, err := s.Recorder.Benefits(ctx, in.program(), id, "", nil, in.now)
	if err != nil {
		return nil, err
	}
	c := p.Partners[in.Partner]
	if c == nil {
		return nil, engine.NoPartner()
	}
	v := in.view(p)
	out := &PartnerMember{ID: acc.Member, Status: acc.State.Status, Benefits: []string{}}
	for unit := range c.Accepts {
		if out.Spendable == nil {
			out.Spendable = map[string]Amount{}
		}
		var n int64
		if h := acc.State.Units[unit]; h != nil && acc.State.Status == engine.Active {
			n = max(h.Balance(), 0)
		}
		out.Spendable[unit] = v.unit(unit, n)
	}
	if acc.State.Status != engine.Active {
		return out, nil
	}
	var declared []string
	for _, b := range benefits {
		if declared = append(declared, b.Benefit.ID); b.Can && slices.Contains(c.Benefits, b.Benefit.ID) {
			out.Benefits = append(out.Benefits, b.Benefit.ID)
		}
	}
	for _, set := range p.TierIDs { // a benefit that only a tier names has no conditions
		t := p.Tiers[set]
		if place := t.Place(tierOf(acc, set)); place >= 0 {
			for _, b := range t.Steps[place].Benefits {
				if slices.Contains(c.Benefits, b) && !slices.Contains(declared, b) && !slices.Contains(out.Benefits, b) {
					out.Benefits = append(out.Benefits, b)
				}
			}
		}
	}
	return out, nil
}

func tierOf(acc *engine.Account, set string) string {
	if t := acc.State.Tiers[set]; t != nil {
		return t.Tier
	}
	return ""
}

type payIn struct {
	Call
	PartnerPath
	Body NewPayment
}

func (s *Server) payPartner(ctx context.Context, in *payIn) (*Answered[PartnerPayment], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		n := partner.New{Program: v.p, Partner: in.Partner, Reference: in.Body.Reference, Amount: in.Body.Amount, Note: in.Body.Note, Actor: in.actor(), Now: in.now}
		if in.Body.PaidAt != nil {
			n.PaidAt = *in.Body.PaidAt
		}
		p, known, err := partner.Pay(ctx, tx, n)
		if err != nil {
			return nil, err
		}
		if !known {
			_, err = audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "partner.paid", Target: in.Partner,
				Detail: map[string]any{"reference": p.Reference, "amount": p.Amount.String()}})
		}
		return v.payment(p), err
	}, nil)
	return &Answered[PartnerPayment]{reply}, err
}

// StatementPath names a partner's month.
type StatementPath struct {
	// Partner is its id in the program.
	Partner string `path:"partner"`
	// Month is YYYY-MM, in the program's time zone.
	Month string `path:"month"`
}

type statementIn struct {
	Call
	StatementPath
}

func (s *Server) getStatement(ctx context.Context, in *statementIn) (*Statement, error) {
	st, err := s.statement(ctx, &in.Call, in.Partner, in.Month)
	if err != nil {
		return nil, err
	}
	out := &Statement{
		Program: st.Program, Partner: st.Partner, Name: st.Name, Month: st.Month, MonthName: st.MonthName(in.lang), Text: partner.Text(st, in.lang), Currency: st.Currency, From: st.From, Until: st.Until, Over: st.Over, Pays: st.Pays,
		Sums: []StatementSum{}, Days: []StatementDay{}, Payments: []PartnerPayment{},
		Opening: st.Opening, Billed: st.Billed, Paid: st.Paid, Closing: st.Closing, Due: st.Due,
	}
	for _, x := range st.Sums {
		out.Sums = append(out.Sums, StatementSum{x.Sort, partner.SortName(x.Sort, in.lang), x.Unit, x.UnitName, x.Price, x.Count, x.Amount, x.Money})
	}
	for _, x := range st.Days {
		out.Days = append(out.Days, StatementDay{x.Day, lang.Day(in.lang, x.Day), x.Count, x.Money})
	}
	for _, x := range st.Payments {
		out.Payments = append(out.Payments, PartnerPayment{x.Reference, x.Amount, x.PaidAt, x.RecordedAt, x.Note})
	}
	return out, nil
}

func (s *Server) statement(ctx context.Context, c *Call, id, month string) (*partner.Statement, error) {
	if err := c.own(id); err != nil {
		return nil, err
	}
	var out *partner.Statement
	return out, s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) (err error) {
		out, err = partner.Make(ctx, tx, v.p, id, month, v.lang, c.now)
		return err
	})
}

func (s *Server) statementPDF(w http.ResponseWriter, req *http.Request, c *Call) error {
	st, err := s.statement(req.Context(), c, req.PathValue("partner"), req.PathValue("month"))
	if err != nil {
		return err
	}
	pdf, err := partner.PDF(st, c.lang)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="`+st.Partner+"-"+st.Month+`.pdf"`)
	h.Set("Cache-Control", "no-store")
	if _, err = io.Copy(w, bytes.NewReader(pdf)); err != nil {
		s.Logger.Warn("send a statement", "partner", st.Partner, "error", err)
	}
	return nil
}

// spool holds what is sent once it is whole: in memory as long as it is small, and in a file that nobody else sees above that.
type spool struct {
	small bytes.Buffer
	file  *os.File
}

// maxSmall is how much of a spool is in memory.
const maxSmall = 1 << 20

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && s.small.Len()+len(p) <= maxSmall {
		return s.small.Write(p)
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "lojal-")
		if err != nil {
			return 0, fmt.Errorf("make room for what is sent: %w", err)
		}
		s.file = f
	}
	return s.file.Write(p)
}

// reset begins anew.
func (s *spool) reset() error {
	s.small.Reset()
	return s.close()
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), os.Remove(s.file.Name()))
	s.file = nil
	return err
}

func (s *spool) send(w io.Writer) error {
	if _, err := s.small.WriteTo(w); err != nil || s.file == nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.file)
	return err
}

// statementCSV sends a row for each thing that the partner did in the month. It is sent when it is whole, so that nobody is billed by a part of
// it, and the database waits for no slow reader.
func (s *Server) statementCSV(w http.ResponseWriter, req *http.Request, c *Call) error {
	id, month := req.PathValue("partner"), req.PathValue("month")
	if err := c.own(id); err != nil {
		return err
	}
	var all spool // not the connection: a reading that is tried again would write what it has read twice
	defer func() {
		if err := all.close(); err != nil {
			s.Logger.Warn("put a statement away", "partner", id, "error", err)
		}
	}()
	err := s.look(req.Context(), c, func(tx *db.Tx, v view, _ *version.Set) error {
		if err := all.reset(); err != nil {
			return err
		}
		out := csv.NewWriter(&all)
		if err := out.Write(partner.Header(v.p.Doc.Currency)); err != nil {
			return err
		}
		err := partner.Lines(req.Context(), tx, v.p, id, month, func(l *partner.Line) error { return out.Write(web.Cells(l.Record())) })
		out.Flush()
		if err == nil {
			err = out.Error()
		}
		return err
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+id+"-"+month+`.csv"`)
	h.Set("Cache-Control", "no-store")
	if err = all.send(w); err != nil {
		s.Logger.Warn("send a statement", "partner", id, "error", err)
	}
	return nil
}

// factRef makes a parent of what a caller names: an id, or an own number of the source.
func factRef(ref, source string) string {
	if _, ok := ids.BucketOf(ref); ok {
		return ref
	}
	return source + "/" + ref
}

type inviteIn struct {
	Call
	MemberPath
	Included
	Body Invite
}

// Invite says who invited a member.
type Invite struct {
	// InvitedBy is the code of an invitation, or a member: id, or KIND:VALUE of an identifier.
	InvitedBy string `json:"invited_by"`
}

func (s *Server) invite(ctx context.Context, in *inviteIn) (*Answered[Recorded], error) {
	if in.Body.InvitedBy == "" {
		return nil, required("/invited_by", "Say who invited the member: the code of the invitation.")
	}
	f := engine.Fact{Kind: engine.InvitedK, Invited: invitation(in.Body.InvitedBy)}
	return s.recordFact(ctx, &in.Call, in.Include, in.Member, f)
}

// invitation reads a code alone as an identifier of that kind.
func invitation(said string) *engine.Invitation {
	if said == "" {
		return nil
	}
	return &engine.Invitation{By: member.InvitationRef(said)}
}

// Referral is a member's part in bringing others.
type Referral struct {
	// Code is what the member hands to friends; nothing before it was made.
	Code string `json:"code,omitempty"`
	// InvitedBy is who brought the member (not told to members, nor who their friends are), and Status what came of it: open, qualified, missed, undone or refused.
	InvitedBy string     `json:"invited_by,omitempty"`
	Status    string     `json:"status,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Purchase  string     `json:"purchase,omitempty"`
	// Friends are those the member brought, the newest first, at most 500 steps back.
	Friends []Friend `json:"friends"`
}

// Friend is somebody whom a member brought.
type Friend struct {
	Member string `json:"member,omitempty"`
	// Status is joined, qualified or undone.
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	// Earned is what the member got for it.
	Earned map[string]Amount `json:"earned,omitempty"`
	// Refused is why nothing was given, where it was refused.
	Refused string `json:"refused,omitempty"`
}

type referralIn struct {
	Call
	MemberPath
}

func (s *Server) getReferral(ctx context.Context, in *referralIn) (*Referral, error) {
	var out *Referral
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return err
		}
		out, err = v.referral(ctx, tx, id)
		return err
	})
}

func (v view) referral(ctx context.Context, tx *db.Tx, id string) (*Referral, error) {
	ref := books.Ref{Program: v.p.Doc.Program, Member: id}
	m, err := member.Get(ctx, tx, ref.Program, id)
	if err != nil {
		return nil, err
	}
	out := &Referral{Friends: []Friend{}}
	for _, i := range m.Identifiers {
		if i.Kind == member.Referral {
			out.Code = i.Value
		}
	}
	sheet := books.ReadSheet()
	if err := sheet.Open(ctx, tx, []books.Ref{ref}); err != nil {
		return nil, err
	}
	if r := sheet.Folio(ref).State.Referral; r != nil {
		out.InvitedBy, out.Status, out.Purchase, out.Until = r.By, r.Status, r.Purchase, v.moment(r.Until)
		if v.own {
			out.InvitedBy = ""
		}
	}
	list, err := books.Facts(ctx, tx, ref, books.Page{Limit: 500, Kinds: []engine.Kind{engine.ThanksK}})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, e := range list {
		b := e.Fact.Thanks
		if b.For != "referral" || seen[b.From] {
			continue
		}
		seen[b.From] = true
		f := Friend{Member: b.From, Status: b.Step, At: v.time(e.Fact.OccurredAt), Refused: b.Refused}
		if sums := e.Decision.Sums(); len(sums) > 0 {
			f.Earned = v.units(sums)
		}
		if v.own { // who came, and why nothing is given for them, is theirs
			f.Member, f.Refused = "", map[bool]string{true: "refused"}[b.Refused != ""]
		}
		out.Friends = append(out.Friends, f)
	}
	return out, nil
}

// makeCode gives a member the code with which friends say who invited them; the same again gives the same.
func (s *Server) makeCode(ctx context.Context, in *referralIn) (*Answered[Referral], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return nil, err
		}
		if v.p.Referral == nil {
			return nil, errs.Conflict("referral_off", "The program gives nothing for bringing others.")
		}
		out, err := v.referral(ctx, tx, id)
		if err != nil || out.Code != "" {
			return out, err
		}
		code := member.NewInvitation()
		m, err := member.AddIdentifier(ctx, tx, v.p, id, code, in.now)
		if err != nil {
			return nil, err
		}
		if _, err := s.changed(ctx, tx, v, &in.Call, m, "identifier.added", code.Kind); err != nil {
			return nil, err
		}
		out.Code = code.Value
		return out, nil
	}, nil)
	return &Answered[Referral]{reply}, err
}
