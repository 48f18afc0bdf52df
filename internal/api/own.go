package api

import (
	"cmp"
	"context"
	"net/http"
	"reflect"
	"slices"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/web"
)

// whose says by what a request names the member that it is about.
type whose int

const (
	// inPath is {member}, inQuery ?member=, inBody what the body says.
	inPath whose = iota + 1
	inQuery
	inBody
	// hasFact and hasRedemption are who has the fact, the redemption, of the path.
	hasFact
	hasRedemption
	// passedOn is who passed on the share of the path.
	passedOn
	// everybody's is what is the same for all.
	everybodys
	// joins is who is no member yet, and becomes one.
	joins
)

// ownRoutes are what members may ask in their own right: all else there is not for them. A route with a body says besides, in its asMember,
// what of it a member may send.
var ownRoutes = map[string]whose{
	"POST /v1/members": joins,

	"GET /v1/members/{member}":                          inPath,
	"PATCH /v1/members/{member}":                        inPath,
	"POST /v1/members/{member}/card":                    inPath,
	"GET /v1/members/{member}/wallet":                   inPath,
	"GET /v1/members/{member}/wallet/apple":             inPath,
	"GET /v1/members/{member}/wallet/google":            inPath,
	"POST /v1/members/{member}/close":                   inPath,
	"GET /v1/members/{member}/balances":                 inPath,
	"GET /v1/members/{member}/targets":                  inPath,
	"GET /v1/members/{member}/facts":                    inPath,
	"GET /v1/members/{member}/explanations":             inPath,
	"GET /v1/members/{member}/tiers":                    inPath,
	"GET /v1/members/{member}/redemptions":              inPath,
	"GET /v1/members/{member}/benefits":                 inPath,
	"GET /v1/members/{member}/benefits/{benefit}":       inPath,
	"POST /v1/members/{member}/benefits/{benefit}/uses": inPath,
	"GET /v1/members/{member}/plans":                    inPath,
	"GET /v1/members/{member}/challenges":               inPath,
	"GET /v1/members/{member}/grants":                   inPath,
	"GET /v1/members/{member}/referral":                 inPath,
	"POST /v1/members/{member}/referral":                inPath,
	"GET /v1/members/{member}/shares":                   inPath,
	"POST /v1/members/{member}/shares":                  inPath,

	"POST /v1/shares/claim":        inBody,
	"POST /v1/shares/{share}/void": passedOn,

	"GET /v1/facts/{fact}":             hasFact,
	"GET /v1/facts/{fact}/explanation": hasFact,

	"GET /v1/rewards":          inQuery,
	"GET /v1/rewards/{reward}": inQuery,

	"POST /v1/redemptions":                           inBody,
	"GET /v1/redemptions/{redemption}":               hasRedemption,
	"POST /v1/redemptions/{redemption}/code":         hasRedemption,
	"POST /v1/redemptions/{redemption}/voucher/code": hasRedemption,
	"POST /v1/redemptions/{redemption}/cancel":       hasRedemption,

	"GET /v1/program/terms": everybodys,
}

// ownScopes are the scopes of these routes.
var ownScopes = []string{"members:read", "members:write", "redemptions:read", "redemptions:write", "rewards:read", "benefits:read", "benefits:write", "plans:read", "programs:read"}

// asksAsMember is what a request sends that a member may ask in their own right: it refuses what is not a member's to say, and names in its body no
// one but the member.
type asksAsMember interface{ asMember(member string) error }

// checkOwn sees that a route that members may ask looks at what they send: a fault of the program else.
func (r *Route) checkOwn() {
	if ownRoutes[r.Method+" "+r.Path] == 0 {
		return
	}
	if _, sends := r.in.FieldByName("Body"); sends && !reflect.PointerTo(r.in).Implements(reflect.TypeFor[asksAsMember]()) {
		panic("api: " + r.Method + " " + r.Path + " does not say what of its body members may send")
	}
}

// ownOnly refuses a member what is not of that member. What is another's is answered like what is not there.
func (s *Server) ownOnly(req *http.Request, r *Route, k *key.Key) error {
	how := ownRoutes[r.Method+" "+r.Path]
	if newcomer := k.Member == key.Newcomer; how == 0 || newcomer && how != joins && how != everybodys || !newcomer && how == joins {
		return errs.Forbidden("not_for_members", "This is not for members to ask.")
	}
	ctx := req.Context()
	switch how {
	case inPath:
		if req.PathValue("member") != k.Member {
			return web.NotFound("member")
		}
	case inQuery:
		for _, m := range req.URL.Query()["member"] {
			if m != k.Member {
				return web.NotFound("member")
			}
		}
	case hasFact:
		return s.owned(ctx, k, "fact", func(tx *db.Tx) (string, error) {
			e, _, err := find(ctx, tx, k.Program, req.PathValue("fact"), "fact")
			return e.Fact.Member, err
		})
	case passedOn:
		return s.owned(ctx, k, "share", func(tx *db.Tx) (string, error) {
			e, _, err := find(ctx, tx, k.Program, req.PathValue("share"), "share")
			if err == nil && e.Fact.Kind != engine.ShareK {
				err = web.NotFound("share")
			}
			return e.Fact.Member, err
		})
	case hasRedemption:
		return s.owned(ctx, k, "redemption", func(tx *db.Tx) (string, error) {
			rd, err := books.FindRedemption(ctx, tx, k.Program, req.PathValue("redemption"))
			return rd.Member, err
		})
	}
	return nil
}

// owned is nil where what is looked at is the member's.
func (s *Server) owned(ctx context.Context, k *key.Key, noun string, look func(*db.Tx) (string, error)) error {
	var owner string
	err := s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		owner, err = look(tx)
		return err
	})
	if errs.CodeOf(err) == errs.CodeNotFound || err == nil && owner != k.Member {
		return web.NotFound(noun)
	}
	return err
}

// notTheirs refuses a part of a body.
func notTheirs(pointer string) error {
	const text = "This is not for members to say."
	e := errs.Forbidden("not_for_members", text)
	e.Fields = []errs.Field{{Pointer: pointer, Reason: "not_for_members", Message: text}}
	return e
}

// asMember leaves the natural key and the time of a fact to the server.
func (k FactKey) asMember(string) error {
	if k.Source != "" || k.ExternalID != "" || k.OccurredAt != nil {
		return notTheirs("/" + map[bool]string{true: "occurred_at", false: "external_id"}[k.OccurredAt != nil])
	}
	return nil
}

func (in *enrolIn) asMember(string) error {
	b := in.Body
	b.Name, b.GivenName, b.FamilyName, b.Email, b.Phone, b.Language, b.Channel, b.InvitedBy = "", "", "", "", "", "", "", ""
	if !reflect.ValueOf(b).IsZero() {
		return notTheirs("")
	}
	return nil
}

func (in *patchMemberIn) asMember(string) error {
	b := in.Body
	b.Name, b.GivenName, b.FamilyName, b.Language, b.Country, b.Postcode = Change{}, Change{}, Change{}, Change{}, Change{}, Change{}
	b.Email, b.Phone, b.Birth = Change{}, Change{}, Change{} // see ownChange
	if !reflect.ValueOf(b).IsZero() {
		return notTheirs("")
	}
	return nil
}

// ownChange refuses a member an address that has not been shown to be theirs, and another day of birth than the one that is known: birthdays are worth
// something.
func (in *patchMemberIn) ownChange(before *MemberView) error {
	if in.key.Member == "" {
		return nil
	}
	for _, a := range []struct {
		kind string
		to   Change
	}{{member.Email, in.Body.Email}, {member.Phone, in.Body.Phone}} {
		if a.to.Set && (a.to.Value == "" || proven(a.kind, a.to.Value) != in.key.Shown) {
			return notTheirs("/" + a.kind)
		}
	}
	if b := in.Body.Birth; b.Set && before.Birth != "" && b.Value != before.Birth {
		return notTheirs("/birth")
	}
	return nil
}

// nobodys is a refusal that says nothing of the member whose identifier it is: who asks has shown that it is theirs too.
func nobodys(err error) error {
	e := errs.Conflict("identifier_taken", "Another membership has this address.")
	for _, f := range errs.As(err).Fields {
		e.Fields = append(e.Fields, errs.Field{Pointer: f.Pointer, Reason: "identifier_taken", Message: e.Message})
	}
	return e
}

func proven(kind, value string) string { return kind + ":" + value }

// Proven adds to the right of a member of [As] that an address, as it is kept, was just now shown to be theirs.
func Proven(ctx context.Context, kind, value string) context.Context {
	k, ok := ctx.Value(insideKey{}).(*key.Key)
	if !ok || k.Member == "" {
		return ctx
	}
	with := *k
	with.Shown = proven(kind, value)
	return context.WithValue(ctx, insideKey{}, &with)
}

func (in *statusIn) asMember(string) error {
	if in.Body != nil && in.Body.Reason != "" {
		return notTheirs("/reason")
	}
	return nil
}

func (in *redeemIn) asMember(member string) error {
	b := in.Body
	if b.Member != member {
		return web.NotFound("member")
	}
	may := engine.Redemption{Spend: engine.Spend{Reward: b.Reward, Quantity: b.Quantity, Grant: b.Grant, Paid: b.Paid, Option: b.Option, Choose: b.Choose}, Channel: b.Channel}
	if !reflect.DeepEqual(b.Redemption, may) {
		return notTheirs("")
	}
	in.Body.Own = true // what members have of their own
	return b.FactKey.asMember(member)
}

func (in *redemptionStepIn) asMember(member string) error {
	if in.Body == nil {
		return nil
	}
	if in.Body.Money != nil {
		return notTheirs("/money")
	}
	return in.Body.FactKey.asMember(member)
}

func (in *voucherStepIn) asMember(member string) error {
	if in.Body == nil {
		return nil
	}
	return in.Body.FactKey.asMember(member)
}

func (in *passOnIn) asMember(member string) error { return in.Body.FactKey.asMember(member) }

func (in *claimShareIn) asMember(member string) error {
	if in.Body.Member != member {
		return web.NotFound("member")
	}
	if in.Body.PIN != "" || in.Body.Address != "" {
		return notTheirs("")
	}
	in.Body.Address = member // who guesses is told to wait, wherever they are
	return in.Body.FactKey.asMember(member)
}

func (in *useIn) asMember(member string) error {
	if in.Body == nil {
		return nil
	}
	if in.Body.Store != "" {
		return notTheirs("/store")
	}
	return in.Body.FactKey.asMember(member)
}

// theirOwn has members see what they have of their own, though they act for an organization.
func (in *rewardsIn) theirOwn() { in.Own = true }

func (in *rewardIn) theirOwn() { in.Own = true }

// forOwn is what members are told of a fact of theirs: what it gave and took, and why. Who wrote it down, under which number, and what others had by it is
// nothing to them, and so it is built of what may be said.
func (v view) forOwn(whole *Recorded) Recorded {
	return Recorded{
		ID: whole.ID, Kind: whole.Kind, Member: whole.Member, FactNames: FactNames{OccurredAt: whole.OccurredAt, RecordedAt: whole.RecordedAt},
		Version: whole.Version, Duplicate: whole.Duplicate, Summary: whole.Summary, Why: whole.Why, Earned: whole.Earned, Pending: whole.Pending,
		Spent: whole.Spent, GivenBack: whole.GivenBack, TakenBack: whole.TakenBack, Owed: whole.Owed, Forgiven: whole.Forgiven, Adjusted: whole.Adjusted,
		Transferred: whole.Transferred, Partners: whole.Partners, Released: whole.Released, Expired: whole.Expired, Redemptions: whole.Redemptions,
		TierChanges: whole.TierChanges, Codes: whole.Codes, Off: whole.Off,
	}
}

// key is the right of who asks.
func (a Asker) key() *key.Key {
	k := &key.Key{ID: a.ID, Program: a.Program, Name: a.Name, Scopes: a.Scopes, Member: a.Member}
	if a.Member != "" {
		k.ID, k.Name, k.Scopes = cmp.Or(a.ID, a.Member), "member", slices.Clone(ownScopes)
	}
	return k
}

type cardIn struct {
	Call
	MemberPath
}

// giveCard gives a member a card, once.
func (s *Server) giveCard(ctx context.Context, in *cardIn) (*Answered[Member], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		id, err := existing(ctx, tx, v, in.Member)
		if err != nil {
			return nil, err
		}
		m, err := member.Get(ctx, tx, in.program(), id)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(m.Identifiers, func(i member.Identifier) bool { return i.Kind == member.Card }) {
			var page Page[Member]
			if err := s.withStatus(ctx, tx, v, []member.Member{m}, &page); err != nil {
				return nil, err
			}
			return page.Items[0], nil
		}
		if m, err = member.AddIdentifier(ctx, tx, v.p, id, member.NewCard(), in.now); err != nil {
			return nil, err
		}
		return s.changed(ctx, tx, v, &in.Call, m, "identifier.added", member.Card)
	}, nil)
	return &Answered[Member]{reply}, err
}
