package api

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/member"
	"lojal.dev/lojal/internal/program"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// HousePath names a household or an organization.
type HousePath struct {
	// House is its id.
	House string `path:"house"`
}

// NewHouse makes a household or an organization.
type NewHouse struct {
	FactKey
	// Owner is the member who owns it: an id, or KIND:VALUE of an identifier.
	Owner string `json:"owner"`
	HouseProfile
}

// HouseProfile is what a household or an organization is called. It is changed as a member's profile is, under its id.
type HouseProfile struct {
	// Name is what people call it: the Hansens, or the name of a company.
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
	// Language is that in which it is written to, a BCP 47 tag.
	Language string `json:"language,omitempty"`
	Country  string `json:"country,omitempty"`
	Postcode string `json:"postcode,omitempty"`
	// Attributes are the program's own values; rules may ask for those of an organization.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Identifiers are those by which it is found and purchases may name it, such as your own number of a customer (ext), or linked payment cards.
	Identifiers []Identifier `json:"identifiers,omitempty"`
}

func (p HouseProfile) newcomer() *member.New {
	n := &member.New{Profile: member.Profile{Name: p.Name, Email: p.Email, Phone: p.Phone, Language: p.Language,
		Country: p.Country, Postcode: p.Postcode, Attributes: p.Attributes}}
	for _, i := range p.Identifiers {
		n.Identifiers = append(n.Identifiers, member.Identifier(i))
	}
	return n
}

// HouseStep is something that happens to who belongs to a household or an organization.
type HouseStep struct {
	FactKey
	// Do is invite, join (by who was invited), no (declined, or taken back), leave, remove or role; in a household also keep (keep out of what is spent together)
	// or share (be in it again), by the member alone or staff.
	Do string `json:"do"`
	// Member is whom it is about: an id, or KIND:VALUE of an identifier.
	Member string `json:"member"`
	// Role, with invite and role, is the role: owner or member in a household, one of the program's in an organization.
	Role string `json:"role,omitempty"`
	// By is the member who does it, whose role must allow it; staff when left out.
	By string `json:"by,omitempty"`
}

// House is a household or an organization.
type House struct {
	ID string `json:"id"`
	// Kind is household or organization.
	Kind string `json:"kind"`
	// Name is what people call it, ExternalID its identifier of kind ext.
	Name       string `json:"name,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Status     string `json:"status"`
	// People are those who belong to it, Invited those who may come.
	People  []HousePerson `json:"people"`
	Invited []HousePerson `json:"invited"`
	// Shared is, of a household, what can be spent together of each unit that is shared.
	Shared map[string]Amount `json:"shared,omitempty"`
	// Balances and Tiers are those of an organization.
	Balances map[string]Balance `json:"balances,omitempty"`
	Tiers    map[string]Tier    `json:"tiers,omitempty"`
}

// HousePerson is somebody who belongs to a household or an organization, or is invited.
type HousePerson struct {
	Member string    `json:"member"`
	Name   string    `json:"name,omitempty"`
	Role   string    `json:"role"`
	Since  time.Time `json:"since"`
	// Until is how long an invitation stands.
	Until *time.Time `json:"until,omitempty"`
	// KeepsOut says that they neither give to nor take of what the household spends together.
	KeepsOut bool `json:"keeps_out,omitempty"`
	// Takes is what one takes along who leaves the household now: what they brought and was not spent, by the units that are shared.
	Takes map[string]Amount `json:"takes,omitempty"`
}

// HouseMade is a new household or organization.
type HouseMade struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Recorded
}

func (p HousePath) check(kind string) error {
	if ids.Check(record.HousePrefix(kind), p.House) != nil {
		return web.NotFound(kind)
	}
	return nil
}

type openHouseIn struct {
	Call
	Included
	Body NewHouse
}

func (s *Server) openHousehold(ctx context.Context, in *openHouseIn) (*Answered[HouseMade], error) {
	return s.openHouse(ctx, in, engine.Household)
}

func (s *Server) openOrganization(ctx context.Context, in *openHouseIn) (*Answered[HouseMade], error) {
	return s.openHouse(ctx, in, engine.Organization)
}

func (s *Server) openHouse(ctx context.Context, in *openHouseIn, kind string) (*Answered[HouseMade], error) {
	if err := checkIncludes(in.Include, "explanation", "balances"); err != nil {
		return nil, err
	}
	if in.Body.Owner == "" {
		return nil, required("/owner", "Say which member owns it.")
	}
	f := in.Body.FactKey.fact(engine.Enrolment)
	f.Enrolment = &engine.EnrolmentBody{Kind: kind}
	f.House = &engine.HouseBody{Do: engine.HouseOpen, Kind: kind, Member: in.Body.Owner}
	req := s.request(&in.Call, "", f)
	req.Holder = ids.New(record.HousePrefix(kind), in.now)
	req.Enrol = in.Body.newcomer()
	req.Render = func(r *record.Result) (int, []byte) {
		return renderResult(r, func() any {
			return HouseMade{ID: r.Fact.Member, Kind: kind, Recorded: in.recorded(r, in.Include)}
		})
	}
	out := &Answered[HouseMade]{}
	return out, s.submit(ctx, req, &out.Reply)
}

type houseStepIn struct {
	Call
	HousePath
	Included
	Body HouseStep
}

func (s *Server) householdStep(ctx context.Context, in *houseStepIn) (*Answered[Recorded], error) {
	return s.houseStep(ctx, in, engine.Household)
}

func (s *Server) organizationStep(ctx context.Context, in *houseStepIn) (*Answered[Recorded], error) {
	return s.houseStep(ctx, in, engine.Organization)
}

func (s *Server) houseStep(ctx context.Context, in *houseStepIn, kind string) (*Answered[Recorded], error) {
	if err := in.check(kind); err != nil {
		return nil, err
	}
	b := in.Body
	switch b.Do {
	case engine.HouseInvite, engine.HouseJoin, engine.HouseNo, engine.HouseLeave, engine.HouseRemove, engine.HouseRole, engine.HouseKeep, engine.HouseShare:
	default:
		return nil, required("/do", "Say what happens: invite, join, no, leave, remove, role, keep or share.")
	}
	if b.Member == "" {
		return nil, required("/member", "Say which member it is about.")
	}
	f := b.FactKey.fact(engine.HouseK)
	f.House = &engine.HouseBody{Do: b.Do, Kind: kind, Member: b.Member, Role: b.Role, By: b.By}
	return s.holderFact(ctx, &in.Call, in.Include, in.House, f)
}

type closeHouseIn struct {
	Call
	HousePath
	Included
	Body *Because
}

func (s *Server) closeHousehold(ctx context.Context, in *closeHouseIn) (*Answered[Recorded], error) {
	return s.closeHouse(ctx, in, engine.Household)
}

func (s *Server) closeOrganization(ctx context.Context, in *closeHouseIn) (*Answered[Recorded], error) {
	return s.closeHouse(ctx, in, engine.Organization)
}

func (s *Server) closeHouse(ctx context.Context, in *closeHouseIn, kind string) (*Answered[Recorded], error) {
	if err := in.check(kind); err != nil {
		return nil, err
	}
	f := engine.Fact{Kind: engine.Status, Status: &engine.StatusBody{To: engine.Closed}}
	if in.Body != nil {
		f.Status.Reason = in.Body.Reason
	}
	return s.holderFact(ctx, &in.Call, in.Include, in.House, f)
}

// HouseEntry is a household or an organization in a list.
type HouseEntry struct {
	ID string `json:"id"`
	// Kind is household or organization.
	Kind       string `json:"kind"`
	Name       string `json:"name,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Status     string `json:"status"`
	// People is how many belong to it.
	People    int       `json:"people"`
	CreatedAt time.Time `json:"created_at"`
}

type listHousesIn struct {
	Call
	Paging
	// Q searches names, e-mail addresses and identifiers; every word must be found.
	Q string `query:"q"`
}

func (s *Server) listHouseholds(ctx context.Context, in *listHousesIn) (*Page[HouseEntry], error) {
	return s.listHouses(ctx, in, engine.Household)
}

func (s *Server) listOrganizations(ctx context.Context, in *listHousesIn) (*Page[HouseEntry], error) {
	return s.listHouses(ctx, in, engine.Organization)
}

func (s *Server) listHouses(ctx context.Context, in *listHousesIn, kind string) (*Page[HouseEntry], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var after struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor(kind, in.Cursor, &after); err != nil {
		return nil, err
	}
	out := &Page[HouseEntry]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		out.Items, out.Next = []HouseEntry{}, ""
		list, next, err := member.List(ctx, tx, in.program(), member.Query{Kind: record.HousePrefix(kind), Search: in.Q, After: after.ID, Limit: limit})
		if err != nil {
			return err
		}
		refs := make([]books.Ref, len(list))
		for i, m := range list {
			refs[i] = books.Ref{Program: in.program(), Member: m.ID}
		}
		sheet := books.ReadSheet()
		if err := sheet.Open(ctx, tx, refs); err != nil {
			return err
		}
		for i, m := range list {
			st := &sheet.Folio(refs[i]).State
			out.Items = append(out.Items, HouseEntry{ID: m.ID, Kind: kind, Name: m.DisplayName(), ExternalID: m.ExternalID, Status: st.Status,
				People: len(st.People()), CreatedAt: v.time(m.CreatedAt)})
		}
		if next != "" {
			after.ID = next
			out.Next = web.Cursor(kind, after)
		}
		return nil
	})
}

type getHouseIn struct {
	Call
	HousePath
	Spoken
}

func (s *Server) getHousehold(ctx context.Context, in *getHouseIn) (*House, error) {
	return s.house(ctx, in, engine.Household)
}

func (s *Server) getOrganization(ctx context.Context, in *getHouseIn) (*House, error) {
	return s.house(ctx, in, engine.Organization)
}

func (s *Server) house(ctx context.Context, in *getHouseIn, kind string) (*House, error) {
	if err := in.check(kind); err != nil {
		return nil, err
	}
	return s.houseOf(ctx, &in.Call, in.House)
}

// houseOf gives a household or an organization as it stands now.
func (s *Server) houseOf(ctx context.Context, c *Call, id string) (*House, error) {
	acc, people, p, err := s.Recorder.ViewHouse(ctx, c.program(), id, c.now)
	if errs.CodeOf(err) == errs.CodeNotFound {
		return nil, errs.NotFound("house_not_found", "There is no such household or organization in this program.")
	}
	if err != nil {
		return nil, err
	}
	v := c.view(p)
	st := &acc.State
	out := &House{ID: id, Kind: st.Kind, Status: st.Status, People: []HousePerson{}, Invited: []HousePerson{}}
	if st.House != nil {
		for _, i := range st.House.Invited {
			if i.Until.After(c.now) {
				out.Invited = append(out.Invited, HousePerson{Member: i.Member, Role: i.Role, Since: v.time(i.Since), Until: v.moment(i.Until)})
			}
		}
	}
	if st.Kind == engine.Organization {
		out.Balances = v.balances(acc, false)
		out.Tiers = v.tiers(acc, c.now)
	}
	sums := map[string]int64{}
	for i, one := range st.People() {
		person := HousePerson{Member: one.Member, Role: one.Role, Since: v.time(one.Since)}
		if st.Kind == engine.Household {
			person.Takes = v.units(takes(p, people[i], c.now, sums))
			person.KeepsOut = keepsOut(people[i])
		}
		out.People = append(out.People, person)
	}
	if st.Kind == engine.Household {
		out.Shared = v.units(sums)
	}
	return out, s.putNames(ctx, c, out)
}

// putNames says what a household or an organization is called, and its people.
func (s *Server) putNames(ctx context.Context, c *Call, h *House) error {
	who := []string{h.ID}
	for _, list := range [][]HousePerson{h.People, h.Invited} {
		for _, p := range list {
			who = append(who, p.Member)
		}
	}
	return s.DB.Read(ctx, func(tx *db.Tx) error {
		profiles, err := member.Profiles(ctx, tx, c.program(), who)
		if err != nil {
			return err
		}
		h.Name, h.ExternalID = profiles[h.ID].DisplayName(), profiles[h.ID].ExternalID
		for _, list := range [][]HousePerson{h.People, h.Invited} {
			for i := range list {
				list[i].Name = profiles[list[i].Member].DisplayName()
			}
		}
		return nil
	})
}

// takes is what a member of a household takes along who leaves now; sums adds up what can be spent together.
func takes(p *program.Compiled, acc *engine.Account, now time.Time, sums map[string]int64) map[string]int64 {
	out := map[string]int64{}
	if p.Doc.Households == nil {
		return out
	}
	can := engine.Spendables(p, acc, p.Doc.Households.Shares, now)
	for _, unit := range p.Doc.Households.Shares {
		if acc.State.Status == engine.Active && !keepsOut(acc) {
			sums[unit] += can[unit]
		}
		if h := acc.State.Units[unit]; h != nil {
			out[unit] = h.Balance()
		}
	}
	return out
}

func keepsOut(acc *engine.Account) bool {
	in := acc.State.In(engine.Household)
	return in != nil && in.Keeps
}

type memberHousesIn struct {
	Call
	MemberPath
	Spoken
}

// memberHouses tells what a member belongs to.
func (s *Server) memberHouses(ctx context.Context, in *memberHousesIn) (*Page[House], error) {
	var id string
	err := s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) (err error) {
		id, err = existing(ctx, tx, v, in.Member)
		return err
	})
	if err != nil {
		return nil, err
	}
	acc, _, err := s.Recorder.View(ctx, in.program(), id, in.now)
	if err != nil {
		return nil, err
	}
	out := &Page[House]{Items: []House{}}
	for _, kind := range []string{engine.Household, engine.Organization} {
		if b := acc.State.In(kind); b != nil {
			one, err := s.houseOf(ctx, &in.Call, b.House)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, *one)
		}
	}
	return out, nil
}
