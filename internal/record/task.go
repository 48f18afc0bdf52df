package record

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
)

// look is the kind of a task that takes no fact: it only brings an account up to now.
const look engine.Kind = "look"

// task is a request on its way. What stands above the line is made once; what stands below is made anew whenever its
// transaction is run.
type task struct {
	req Request
	// base is the request's fact, with what can be said of it before the books are open.
	base engine.Fact
	// natural says that it has a natural key, hash is that of its content then.
	natural bool
	hash    string
	// peek makes the result's account stand where it does now, for a fact that came late.
	peek bool
	// needs, of a look, says what is to be loaded besides.
	needs func(p *program.Compiled, f *books.Folio) engine.Needs
	// sweeps says that a look comes of the sweep, replan that it has the version in force plan for the account anew.
	sweeps, replan bool
	// trial is a simulation, which this task then only stands for.
	trial *trial
	// lost is why the whole transaction failed.
	lost error
	// hold is the task's place, void are the ids that it may not use, in a distributed database: see claim.go.
	hold *hold
	void map[string]bool
	// spans says that the books of its parent may be an organization's, although it names a person.
	spans bool
	// actor is who acts for an organization, and barred why they may not.
	actor  books.Ref
	barred error
	// wide says that it goes in one transaction also in a distributed database: what it repeats is in other books than it would go to.
	wide bool
	// told says that its outcome is known, whatever becomes of others.
	told bool

	result *Result
	err    error

	// fact is base with what the books say.
	fact   engine.Fact
	state  stage
	ready  bool // resolved
	ref    books.Ref
	other  books.Ref
	others []books.Ref // of a household, with the household itself
	by     books.Ref   // who invited, of a member who says so after enrolling
	enrols member.Member
	dues   []engine.Past
	codes  map[string]string // that were drawn, by hash
	// there says which of the claimed facts are there.
	there map[books.FactOf]bool
	next  func() (books.Deciding, bool)
	stop  func()
}

type stage int

const (
	waits stage = iota
	runs
	done
)

func (t *task) fail(err error) { t.result, t.err, t.state = nil, err, done }

func (t *task) lose(err error) {
	t.fail(err)
	t.lost = err
}

func (t *task) done(r *Result) { t.result, t.err, t.state = r, nil, done }

// reset makes the task as it was before its transaction was tried.
func (t *task) reset() {
	fresh := task{req: t.req, base: t.base, fact: t.base, natural: t.natural, hash: t.hash, peek: t.peek, needs: t.needs,
		sweeps: t.sweeps, replan: t.replan, hold: t.hold, void: t.void, told: t.told, spans: t.spans, actor: t.actor, barred: t.barred, wide: t.wide}
	*t = fresh
}

// lane is what puts the requests of one member into one writer.
func (t *task) lane() string {
	if t.req.Holder != "" {
		return t.req.Holder
	}
	if t.req.Member != "" {
		return t.req.Member
	}
	return t.req.Fact.Parent
}

// prefixes of the ids of facts, where not "fct".
var prefixes = map[engine.Kind]string{
	engine.Enrolment: "enr", engine.PurchaseK: "pur", engine.ReturnK: "ret", engine.ActivityK: "act",
	engine.Redeem: RedemptionPrefix, engine.Reserve: RedemptionPrefix, engine.AdjustmentK: "adj", engine.TransferOut: "trf", engine.RecognitionK: "rec", engine.ShareK: "shr",
}

// RedemptionPrefix is the type prefix of redemptions' ids.
const RedemptionPrefix = "red"

func prefixOf(k engine.Kind) string {
	if p := prefixes[k]; p != "" {
		return p
	}
	return "fct"
}

// earliest is the first business time that is taken: before it there was nobody to buy anything.
var earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)

// newTask makes a task of a request. A request that is wrong in itself has err set.
func newTask(req Request, simulated bool) *task {
	t := &task{req: req, base: req.Fact, peek: req.Render != nil || simulated}
	if err := t.prepare(simulated); err != nil {
		t.fail(err)
	}
	return t
}

func (t *task) prepare(simulated bool) error {
	f := &t.base
	if isHouse(t.req.Member) {
		t.req.Holder, t.req.Member = t.req.Member, ""
	}
	if err := t.body(); err != nil {
		return err
	}
	for _, field := range []struct{ pointer, text string }{{"/source", f.Source}, {"/external_id", f.ExternalID}, {"/parent", f.Parent}} {
		if !storable(field.text) {
			return errs.Invalid("invalid_natural_key", "The natural key cannot be used.",
				errs.Field{Pointer: field.pointer, Reason: "invalid_text", Message: "must be at most 400 bytes of text"})
		}
	}
	if t.req.Key != nil && !(storable(t.req.Key.Key) && storable(t.req.Key.Client)) {
		return errs.Invalid("invalid_idempotency_key", "The Idempotency-Key must be at most 400 bytes of text.")
	}
	if err := CheckSource(f.Kind, f.Source); err != nil && !(t.req.Own && engine.OwnSource(f.Source)) {
		return err
	}
	if t.natural = f.Source != "" && f.ExternalID != ""; t.natural {
		var err error
		if t.hash, err = contentHash(t.req); err != nil {
			return errs.Invalid("invalid_fact", "The fact cannot be written down.").Because(err)
		}
	}
	now := t.req.Now.UTC().Truncate(time.Microsecond)
	f.OccurredAt = f.OccurredAt.UTC().Truncate(time.Microsecond)
	switch {
	case t.req.Fact.OccurredAt.IsZero():
		f.OccurredAt = now
	case f.OccurredAt.Before(earliest):
		return errs.Invalid("too_long_ago", "The time lies before 1970.", errs.Field{Pointer: "/occurred_at", Reason: "too_long_ago", Message: "must be 1970 or later"})
	case simulated:
	case f.OccurredAt.After(now.Add(Ahead)):
		return errs.Invalid("in_the_future", "The time lies in the future.", errs.Field{Pointer: "/occurred_at", Reason: "in_the_future",
			Message: "must not lie more than 5 minutes ahead"})
	case f.OccurredAt.After(now):
		f.OccurredAt = now // the till's clock is a little fast; points must not end early because of it
	}
	f.RecordedAt, f.Actor, f.Drawn = now, t.req.Actor, nil
	return nil
}

// CheckSource refuses the source of a natural key that came from outside where it is kept for others.
func CheckSource(kind engine.Kind, source string) error {
	if _, partners := ledger.PartnerOf(source); !engine.OwnSource(source) && (!partners || kind == engine.PartnerK) {
		return nil
	}
	return errs.Invalid("reserved_source", "The natural key cannot be used.",
		errs.Field{Pointer: "/source", Reason: "reserved_source", Message: "is kept for what partners do and for what follows from other facts: use another word"})
}

// storable says whether a text can be a key in both databases.
func storable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, 0) && len(s) <= 400
}

// body sees that the body of the kind is there, and keeps the times in it to what the books can hold. Bodies are copied
// where they are changed: the request belongs to the caller.
func (t *task) body() error {
	f := &t.base
	missing := false
	switch f.Kind {
	case engine.Enrolment:
		if t.req.Holder != "" {
			missing = f.Enrolment == nil
			break
		}
		if missing = t.req.Enrol == nil; !missing && f.Enrolment == nil {
			f.Enrolment = &engine.EnrolmentBody{}
		}
	case engine.PurchaseK:
		missing = f.Purchase == nil
	case engine.ReturnK:
		if f.Return == nil {
			f.Return = &engine.Return{}
		}
	case engine.ActivityK:
		missing = f.Activity == nil
	case engine.Redeem, engine.Reserve:
		missing = f.Redemption == nil
	case engine.Commit, engine.Cancel, engine.Refund:
		missing = f.Parent == ""
	case engine.AdjustmentK:
		if missing = f.Adjustment == nil; !missing {
			c := *f.Adjustment
			c.ExpiresAt, c.ReleaseAt = keep(c.ExpiresAt), keep(c.ReleaseAt)
			f.Adjustment = &c
		}
	case engine.TransferOut:
		if missing = f.Transfer == nil; !missing && (f.Transfer.Household != "" || f.Transfer.Home != nil) {
			return errs.Invalid("invalid_transfer", "The transfer has mistakes.", errs.Field{Pointer: "/household", Reason: "not_asked_for", Message: "follows from spending; leave it out"})
		}
	case engine.TransferIn:
		missing = f.Transfer == nil || f.Transfer.Home == nil || f.Source != engine.FollowUpSource
	case engine.HouseK:
		missing = f.House == nil || f.House.Member == "" || t.req.Holder == ""
		if f.House != nil && f.House.Do == engine.HouseGone && f.House.House != "" { // the side of the person
			missing = t.req.Member == ""
		}
		if !missing && (f.House.Do == engine.HouseGone || f.House.Do == engine.HouseMerged) && f.Source != engine.FollowUpSource {
			missing = true
		}
	case engine.Release:
		if f.Release == nil {
			f.Release = &engine.ReleaseBody{}
		}
	case engine.TierGrant:
		if missing = f.Tier == nil; !missing {
			c := *f.Tier
			c.Until = keep(c.Until)
			f.Tier = &c
		}
	case engine.ChallengeK:
		missing = f.Challenge == nil
	case engine.GrantK:
		if missing = f.Grant == nil; !missing {
			c := *f.Grant
			c.WaitsUntil, c.EndsAt = keep(c.WaitsUntil), keep(c.EndsAt)
			f.Grant = &c
		}
	case engine.PlanK:
		if missing = f.Plan == nil; !missing {
			c := *f.Plan
			c.Until = keep(c.Until)
			f.Plan = &c
		}
	case engine.UseK:
		missing = f.Use == nil
	case engine.ProfileK:
		missing = t.req.Patch == nil
	case engine.Status:
		missing = f.Status == nil
	case engine.MergeOut:
		missing = f.Merge == nil
	case engine.InvitedK:
		missing = f.Invited == nil
	case engine.ThanksK:
		missing = f.Thanks == nil
	case engine.VoucherK:
		missing = f.Voucher == nil || f.Parent == ""
	case engine.FulfilK:
		missing = f.Fulfil == nil || f.Parent == ""
	case engine.Load:
		missing = f.Card == nil
	case engine.PartnerK:
		missing = f.Partner == nil
	case engine.ShareK:
		missing = f.Share == nil
	case engine.RecognitionK:
		missing = f.Recognition == nil
	case engine.CouponK:
		missing = f.Coupon == nil
	case look:
	default:
		return errs.Invalid("unknown_kind", fmt.Sprintf("A fact of kind %q cannot be asked for.", f.Kind))
	}
	if missing {
		return errs.Invalid("empty_fact", fmt.Sprintf("A fact of kind %q says nothing.", f.Kind))
	}
	return nil
}

func keep(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := t.UTC().Truncate(time.Microsecond)
	return &c
}

// contentHash is the hash of what a request says, whoever sends it and whenever.
func contentHash(req Request) (string, error) {
	body, err := books.Body(req.Fact)
	if err != nil {
		return "", err
	}
	said := struct {
		Kind   engine.Kind     `json:"kind"`
		Parent string          `json:"parent,omitempty"`
		At     time.Time       `json:"at,omitzero"`
		Body   json.RawMessage `json:"body"`
		Enrol  *member.New     `json:"enrol,omitempty"`
	}{req.Fact.Kind, req.Fact.Parent, req.Fact.OccurredAt.UTC(), body, req.Enrol}
	b, err := json.Marshal(said)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

func (t *task) naturalKey() books.NaturalKey {
	return books.NaturalKey{Program: t.req.Program, Source: t.req.Fact.Source, ExternalID: t.req.Fact.ExternalID}
}

func (t *task) answerKey() books.AnswerKey {
	return books.AnswerKey{Program: t.req.Program, Client: t.req.Key.Client, Key: t.req.Key.Key}
}

func (t *task) keyHash() string { return base64.RawURLEncoding.EncodeToString(t.req.Key.Hash[:]) }

// replay answers from what is stored under the request's Idempotency-Key.
func (t *task) replay(a books.Answer) {
	if a.Hash != t.keyHash() {
		t.fail(errReused())
		return
	}
	t.done(&Result{Status: a.Status, Answer: []byte(a.Body), Replayed: true})
}

func errReused() error {
	return errs.Invalid("idempotency_key_reused", "This Idempotency-Key was used for another request: use a new key for each request.")
}

// isID tells an id from a natural key as SOURCE/EXTERNAL_ID.
func isID(ref string) bool {
	_, ok := ids.BucketOf(ref)
	return ok
}

// refused says whether err is the request's own fault (or the engine's), and not that of the database.
func refused(err error) bool {
	var e *errs.Error
	return errors.As(err, &e) && e.Code != errs.CodeUnavailable
}
