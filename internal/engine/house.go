package engine

import (
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// A house is a holder that people belong to: a household or an organization. Its books say who belongs to it, and each person's own state
// says the same from the other side; both are written in one transaction.
//
// A household has no points. What each brings lies in their own books until one of them spends it: then what the spender lacks moves from
// the others to the spender, lot by lot, each giving the same part of what they have, in the transaction of the redemption. What is undone later goes home by an
// errand, to who brought it. So leaving takes nothing from anybody, whatever happened before.
//
// An organization has points, tiers and rebates as a person has. What its people buy is recorded in its books, with who bought it.

// The kinds of houses.
const (
	Household    = "household"
	Organization = "organization"
)

// IsHouse says whether people belong to a kind of holder.
func IsHouse(kind string) bool { return kind == Household || kind == Organization }

// earns says whether rules, tiers and moments are for a holder.
func (s *State) earns() bool { return s.Kind == Person || s.Kind == Organization }

// HouseState is who belongs together: of a person what it belongs to, of a house its people.
type HouseState struct {
	// Household and Organization are what a person belongs to now.
	Household    *Belonging `json:"household,omitempty"`
	Organization *Belonging `json:"organization,omitempty"`
	// Left is when the person was last in a household.
	Left *time.Time `json:"left,omitempty"`
	// Were are the organizations that the person was in, for what comes late.
	Were []Belonging `json:"were,omitempty"`
	// Lent are the lots that others gave for what is spent next.
	Lent []Lent `json:"lent,omitempty"`

	// People are those of a house, in the order in which they came; Invited who may come.
	People  []HousePerson `json:"people,omitempty"`
	Invited []HousePerson `json:"invited,omitempty"`
}

// Belonging is a person's place in a house.
type Belonging struct {
	House string    `json:"house"`
	Since time.Time `json:"since"`
	// Until is when it ended.
	Until *time.Time `json:"until,omitempty"`
	// Keeps says that the member keeps out of what is spent together.
	Keeps bool `json:"keeps,omitempty"`
}

// HousePerson is somebody in a house, or invited to it.
type HousePerson struct {
	Member string    `json:"member"`
	Role   string    `json:"role"`
	Since  time.Time `json:"since"`
	// Until is when the person left, or the invitation ends.
	Until *time.Time `json:"until,omitempty"`
}

// Lent is a lot that came from another one of the household.
type Lent struct {
	Lot   int64  `json:"lot"`
	Owner string `json:"owner"`
}

func (h *HouseState) clone() *HouseState {
	if h == nil {
		return nil
	}
	c := *h
	c.Household, c.Organization = copied(h.Household), copied(h.Organization)
	c.Were, c.Lent, c.People, c.Invited = slices.Clone(h.Were), slices.Clone(h.Lent), slices.Clone(h.People), slices.Clone(h.Invited)
	return &c
}

// In gives what a person belongs to, nil for nothing.
func (s *State) In(kind string) *Belonging {
	switch {
	case s.House == nil:
		return nil
	case kind == Organization:
		return s.House.Organization
	}
	return s.House.Household
}

// SamePool says whether two people are in one household.
func SamePool(a, b *State) bool {
	x, y := a.In(Household), b.In(Household)
	return x != nil && y != nil && x.House == y.House
}

// ActsFor gives the organization for which a person did something at a moment, "" for none.
func (s *State) ActsFor(at time.Time) string {
	if s.House == nil {
		return ""
	}
	within := func(b *Belonging) bool { return !at.Before(b.Since) && (b.Until == nil || at.Before(*b.Until)) }
	if b := s.House.Organization; b != nil && within(b) {
		return b.House
	}
	for i := range s.House.Were {
		if within(&s.House.Were[i]) {
			return s.House.Were[i].House
		}
	}
	return ""
}

// HouseBody is something that happens to who belongs together. On the side of the house Member says whom it is about; on the side of the person
// House says which house.
type HouseBody struct {
	// Do is one of the House words below.
	Do string `json:"do"`
	// Kind is that of the house.
	Kind string `json:"kind,omitempty"`
	// House is the house, on the side of the person.
	House  string `json:"house,omitempty"`
	Member string `json:"member,omitempty"`
	Role   string `json:"role,omitempty"`
	// By is who does it; staff where it is empty.
	By string `json:"by,omitempty"`
	// Into is who a member was merged into.
	Into string `json:"into,omitempty"`
}

// What happens to who belongs together.
const (
	HouseOpen   = "open"   // it is made, with its owner
	HouseInvite = "invite" // somebody may come
	HouseNo     = "no"     // an invitation is declined, or taken back
	HouseJoin   = "join"   // who was invited comes
	HouseLeave  = "leave"  // somebody goes
	HouseRemove = "remove" // somebody is sent away
	HouseRole   = "role"   // somebody gets another role
	HouseKeep   = "keep"   // somebody keeps out of what is spent together
	HouseShare  = "share"  // somebody is in it again
	HouseGone   = "gone"   // somebody's membership ended; it follows that
	HouseMerged = "merged" // somebody's membership was merged into another; it follows that
)

// TwoSided says whether something happens in the books of the person too.
func (b *HouseBody) TwoSided() bool {
	switch b.Do {
	case HouseOpen, HouseJoin, HouseLeave, HouseRemove, HouseKeep, HouseShare:
		return true
	}
	return false
}

// Mirror is what happens on the side of the person. Roles are in the books of the house alone.
func (b *HouseBody) Mirror(house, kind string) *HouseBody {
	return &HouseBody{Do: b.Do, Kind: kind, House: house, By: b.By}
}

// HomeRule is the rule of postings that take what was given to another's spending home.
const HomeRule = "household:home"

// formerKept is how long it is kept who was in a house, for what comes late.
const formerKept = 400 * 24 * time.Hour

func (w *work) house() *HouseState {
	if w.st.House == nil {
		w.st.House = &HouseState{}
	}
	return w.st.House
}

// openHouse is the enrolment of a household or an organization.
func (w *work) openHouse(kind string) error {
	b := w.f.House
	if b == nil || b.Member == "" {
		return houseFault("/owner", "required", "say who owns it")
	}
	switch {
	case kind == Household && w.p.Doc.Households == nil:
		return errs.Forbidden("households_off", "The program has no households.")
	case kind == Organization && w.p.Doc.Organizations == nil:
		return errs.Forbidden("organizations_off", "The program has no organizations.")
	}
	w.st.Kind, w.st.Status, w.st.JoinedAt, w.st.At = kind, Active, w.at, w.at
	w.st.Zone, w.st.Language, w.st.Attributes = w.f.Enrolment.Zone, w.f.Enrolment.Language, w.f.Enrolment.Attributes
	w.house().People = []HousePerson{{Member: b.Member, Role: program.Owner, Since: w.at}}
	args := inHouse(b.Member, program.Owner)
	args["word"] = word(kind)
	w.note(NoteHouseOpened, args)
	w.houseEvent(EvHouseOpened, b.Member, program.Owner)
	if kind == Organization {
		w.st.Tallied = TallyNames(w.p)
		w.settleTiers(false)
	}
	return nil
}

func houseFault(pointer, reason, message string) error {
	return errs.Invalid("invalid_house", "That cannot be done so.", errs.Field{Pointer: pointer, Reason: reason, Message: message})
}

// inHouse names somebody in a house, with the role if there is one, for notes.
func inHouse(member, role string) Args {
	args := Args{"member": text(member)}
	if role != "" {
		args["role"] = word(role)
	}
	return args
}

// tellRole tells of a new role.
func (w *work) tellRole(member, role string) {
	w.note(NoteHouseRole, inHouse(member, role))
	w.houseEvent(EvHouseRole, member, role)
}

// tellTogether says of each unit that was spent or reserved how much of it was one's own, where others of the household gave some.
func (w *work) tellTogether(s *RedemptionState) {
	for _, unit := range sortedUnits(s.Price) {
		var others int64
		for _, l := range s.Lots {
			if l.Unit == unit && l.Owner != "" {
				others += l.Amount
			}
		}
		if others > 0 {
			w.note(NoteTogether, Args{"amount": Units(unit, s.Price[unit]-others), "others": Units(unit, others)})
		}
	}
}

// houseEvent tells of somebody in a house, in the books of the house.
func (w *work) houseEvent(typ, member, role string, more ...string) {
	data := map[string]string{"kind": w.st.Kind, "member": member}
	if role != "" {
		data["role"] = role
	}
	for i := 0; i+1 < len(more); i += 2 {
		data[more[i]] = more[i+1]
	}
	w.event(typ, data)
}

// doHouse is what happens to who belongs together, on either side.
func (w *work) doHouse() error {
	b := w.f.House
	if w.st.Kind == Person {
		return w.belong(b)
	}
	h := w.house()
	h.People = slices.DeleteFunc(h.People, func(p HousePerson) bool { return p.Until != nil && w.at.Sub(*p.Until) > formerKept })
	h.Invited = slices.DeleteFunc(h.Invited, func(p HousePerson) bool { return !p.Until.After(w.at) })
	switch b.Do {
	case HouseGone:
		w.goes(b.Member, b.Do)
		return nil
	case HouseMerged:
		w.mergePerson(b.Member, b.Into)
		return nil
	case HouseNo:
		return w.uninvite(b)
	}
	if b.Do != HouseLeave && b.Do != HouseRemove { // one can always get out
		if err := w.notClosed(); err != nil {
			return err
		}
	}
	switch b.Do {
	case HouseInvite:
		return w.inviteTo(b)
	case HouseJoin:
		i := slices.IndexFunc(h.Invited, func(p HousePerson) bool { return p.Member == b.Member })
		if p := w.person(b.Member); i < 0 && p != nil {
			return errs.Conflict("already_joined", "This member accepted already, and belongs to it.").With("role", p.Role).With("since", p.Since.Format(time.RFC3339))
		}
		if i < 0 {
			return errs.Conflict("not_invited", "This member is not invited, or the invitation has ended: nobody is put in without being asked.")
		}
		role := h.Invited[i].Role
		h.Invited = slices.Delete(h.Invited, i, i+1)
		if err := w.room(); err != nil {
			return err
		}
		h.People = append(h.People, HousePerson{Member: b.Member, Role: role, Since: w.at})
		w.note(NoteHouseJoined, inHouse(b.Member, role))
		w.houseEvent(EvHouseJoined, b.Member, role)
	case HouseLeave, HouseRemove:
		p := w.person(b.Member)
		if p == nil {
			return errs.NotFound("not_in_house", "This member does not belong to it.")
		}
		if b.Do == HouseRemove {
			if b.By == b.Member {
				return houseFault("/member", "same_member", "one who wants to go leaves")
			}
			if err := w.mayManage(b.By); err != nil {
				return err
			}
		}
		if w.st.Kind == Organization && w.st.Status != Closed && p.Role == program.Owner && w.owners() == 1 {
			return errs.Conflict("last_owner", "An organization needs an owner: make somebody else its owner first.")
		}
		w.goes(b.Member, b.Do)
	case HouseRole:
		return w.setRole(b)
	case HouseKeep, HouseShare:
		return w.sharing(b)
	default:
		return houseFault("/do", "unknown", "there is no such thing to do")
	}
	return nil
}

// person finds somebody who belongs to the house now.
func (w *work) person(member string) *HousePerson {
	for i := range w.st.House.People {
		if p := &w.st.House.People[i]; p.Member == member && p.Until == nil {
			return p
		}
	}
	return nil
}

// People are those who belong to a house now.
func (s *State) People() []HousePerson {
	if s.House == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.House.People), func(p HousePerson) bool { return p.Until != nil })
}

func (w *work) owners() (n int) {
	for _, p := range w.st.People() {
		if p.Role == program.Owner {
			n++
		}
	}
	return n
}

// mayManage says whether somebody may say who belongs to the house. Staff may.
func (w *work) mayManage(by string) error {
	if by == "" {
		return nil
	}
	if p := w.person(by); p != nil && (p.Role == program.Owner || w.st.Kind == Organization && w.may(p.Role, program.MayManage)) {
		return nil
	}
	return errs.Forbidden("not_owner", "Only who owns it may say who belongs to it.")
}

func (w *work) may(role, what string) bool {
	o := w.p.Doc.Organizations
	return o != nil && slices.Contains(o.May()[role], what)
}

// room says whether there is room for one more.
func (w *work) room() error {
	var most int64
	switch {
	case w.st.Kind == Household && w.p.Doc.Households != nil:
		most = w.p.Doc.Households.Most
	case w.st.Kind == Organization && w.p.Doc.Organizations != nil:
		most = w.p.Doc.Organizations.People()
	default:
		return errs.Forbidden(w.st.Kind+"s_off", "The program has no such thing any more.")
	}
	if n := int64(len(w.st.People()) + len(w.st.House.Invited)); n >= most {
		return errs.Conflict("house_full", "There is no room for more: "+strconv.FormatInt(most, 10)+" at most, with those who are invited.").With("most", most)
	}
	return nil
}

func (w *work) inviteTo(b *HouseBody) error {
	h := w.st.House
	if err := w.mayManage(b.By); err != nil {
		return err
	}
	if w.person(b.Member) != nil {
		return errs.Conflict("in_house", "This member belongs to it already.")
	}
	role, err := w.roleOf(b.Role)
	if err != nil {
		return err
	}
	h.Invited = slices.DeleteFunc(h.Invited, func(p HousePerson) bool { return p.Member == b.Member })
	if err := w.room(); err != nil {
		return err
	}
	var stands program.Period
	if w.st.Kind == Household {
		stands = w.p.Doc.Households.Stands()
	} else {
		stands = w.p.Doc.Organizations.Stands()
	}
	until := stands.After(w.at, w.p.Zone)
	h.Invited = append(h.Invited, HousePerson{Member: b.Member, Role: role, Since: w.at, Until: &until})
	args := inHouse(b.Member, role)
	args["time"] = Time(until)
	w.note(NoteHouseInvited, args)
	w.houseEvent(EvHouseInvited, b.Member, role, "until", until.In(w.p.Zone).Format(time.RFC3339))
	return nil
}

// roleOf reads a role, the usual one when there is none.
func (w *work) roleOf(role string) (string, error) {
	if w.st.Kind == Household {
		if role != "" && role != program.Adult && role != program.Owner {
			return "", houseFault("/role", "unknown_role", "must be member or owner")
		}
		if role == "" {
			role = program.Adult
		}
		return role, nil
	}
	if o := w.p.Doc.Organizations; o != nil {
		if _, ok := o.May()[role]; ok {
			return role, nil
		}
	}
	return "", houseFault("/role", "unknown_role", "must be one of the program's roles, such as owner")
}

// uninvite takes an invitation back, or declines it.
func (w *work) uninvite(b *HouseBody) error {
	h := w.st.House
	if b.By != b.Member {
		if err := w.mayManage(b.By); err != nil {
			return err
		}
	}
	i := slices.IndexFunc(h.Invited, func(p HousePerson) bool { return p.Member == b.Member })
	if i < 0 {
		return errs.NotFound("not_invited", "There is no such invitation, or it has ended.")
	}
	h.Invited = slices.Delete(h.Invited, i, i+1)
	w.note(NoteHouseUninvited, inHouse(b.Member, ""))
	w.houseEvent(EvHouseUninvited, b.Member, "")
	return nil
}

func (w *work) setRole(b *HouseBody) error {
	if err := w.mayManage(b.By); err != nil {
		return err
	}
	p := w.person(b.Member)
	if p == nil {
		return errs.NotFound("not_in_house", "This member does not belong to it.")
	}
	role, err := w.roleOf(b.Role)
	switch {
	case err != nil:
		return err
	case role == p.Role:
		return errs.Conflict("same_role", "That is the role already.")
	case p.Role == program.Owner && w.owners() == 1:
		return errs.Conflict("last_owner", "Somebody has to own it: make somebody else its owner first.")
	}
	w.assign(p, role)
	w.tellRole(b.Member, role)
	return nil
}

// sharing hears that somebody keeps out of what is spent together, or is in it again: that is for each to say for themselves.
func (w *work) sharing(b *HouseBody) error {
	switch {
	case w.st.Kind != Household:
		return houseFault("/do", "not_a_household", "only people of a household spend together")
	case b.By != "" && b.By != b.Member:
		return errs.Forbidden("not_yours", "Only the member may say so: it is about their own points.")
	case w.person(b.Member) == nil:
		return errs.NotFound("not_in_house", "This member does not belong to it.")
	}
	note, event := NoteHouseKeeps, EvHouseKeeps
	if b.Do == HouseShare {
		note, event = NoteHouseShares, EvHouseShares
	}
	w.note(note, inHouse(b.Member, ""))
	w.houseEvent(event, b.Member, "")
	return nil
}

// assign gives somebody another role. An organization keeps the one before, for what comes late.
func (w *work) assign(p *HousePerson, role string) {
	if w.st.Kind == Household {
		p.Role = role
		return
	}
	at := w.at
	now := HousePerson{Member: p.Member, Role: role, Since: at}
	p.Until = &at
	w.st.House.People = append(w.st.House.People, now)
}

// goes takes somebody out. A household without an owner is that of who came first of the others; one without anybody is closed.
func (w *work) goes(member, why string) {
	p := w.person(member)
	if p == nil {
		return
	}
	role := p.Role
	at := w.at
	p.Until = &at // what they did comes late perhaps
	w.note(NoteHouseLeft, inHouse(member, ""))
	w.houseEvent(EvHouseLeft, member, role, "reason", why)
	if w.st.Kind != Household || w.owners() > 0 {
		return
	}
	left := w.st.People()
	if len(left) == 0 {
		w.st.House.Invited = nil
		if w.st.Status != Closed {
			w.event(EvStatus, map[string]string{"to": Closed, "was": w.st.Status})
			w.st.Status = Closed
		}
		return
	}
	w.person(left[0].Member).Role = program.Owner
	w.tellRole(left[0].Member, program.Owner)
}

// dissolve takes everybody out of a house that is closed, and tells each of them.
func (w *work) dissolve() {
	if !IsHouse(w.st.Kind) || w.st.House == nil {
		return
	}
	h := w.st.House
	at := w.at
	for i := range h.People {
		p := &h.People[i]
		if p.Until != nil {
			continue
		}
		p.Until = &at
		w.note(NoteHouseLeft, inHouse(p.Member, ""))
		w.houseEvent(EvHouseLeft, p.Member, p.Role, "reason", Closed)
		w.event(EvBelongs, map[string]string{"kind": w.st.Kind, "house": w.f.Member, "do": HouseGone, "was": p.Member, "to": p.Member})
	}
	h.Invited = nil
	if w.st.Kind == Household {
		h.People = nil
	}
}

// mergePerson has the survivor of a merge stand for the other one.
func (w *work) mergePerson(member, into string) {
	p := w.person(member)
	if p == nil {
		return
	}
	if q := w.person(into); q != nil {
		if p.Role == program.Owner && q.Role != program.Owner {
			w.assign(q, program.Owner)
			w.tellRole(into, program.Owner)
		}
		w.goes(member, HouseMerged)
	} else if w.wentSince(into) {
		w.goes(member, HouseMerged)
	} else {
		w.note(NoteHouseMerged, Args{"member": text(into), "was": text(member)})
		w.houseEvent(EvHouseMerged, into, p.Role, "was", member)
	}
	for i := range w.st.House.People {
		if p := &w.st.House.People[i]; p.Member == member {
			p.Member = into
		}
	}
}

// wentSince says whether somebody was in the house and has left it after the time of the fact: it comes late, and whom they took over went with them.
func (w *work) wentSince(member string) bool {
	return slices.ContainsFunc(w.st.House.People, func(p HousePerson) bool { return p.Member == member && p.Until != nil && !p.Until.Before(w.at) })
}

// belong is the side of the person.
func (w *work) belong(b *HouseBody) error {
	place := func() **Belonging {
		if b.Kind == Organization {
			return &w.house().Organization
		}
		return &w.house().Household
	}()
	switch b.Do {
	case HouseOpen, HouseJoin:
		if err := w.mayAct(); err != nil {
			return err
		}
		if *place != nil {
			return errs.Conflict("in_another", "This member belongs to one already: leave it first.").With(b.Kind, (*place).House)
		}
		if err := w.mayBelong(b.Kind); err != nil {
			return err
		}
		*place = &Belonging{House: b.House, Since: w.at}
		w.note(NoteJoinedHouse, Args{"word": word(b.Kind), "house": text(b.House)})
	case HouseLeave, HouseRemove:
		if *place == nil || (*place).House != b.House {
			return errs.NotFound("not_in_house", "This member does not belong to it.")
		}
		w.leave(place, b.Kind)
		w.note(NoteLeftHouse, Args{"word": word(b.Kind), "house": text(b.House)})
	case HouseKeep, HouseShare:
		keeps := b.Do == HouseKeep
		switch {
		case *place == nil || (*place).House != b.House:
			return errs.NotFound("not_in_house", "This member does not belong to it.")
		case (*place).Keeps == keeps:
			return errs.Conflict("same_sharing", "That is so already.")
		}
		(*place).Keeps = keeps
		note := NoteSharesAgain
		if keeps {
			note = NoteKeepsOut
		}
		w.note(note, Args{"house": text(b.House)})
	case HouseGone: // the house was closed; who left it meanwhile has nothing to leave
		if *place != nil && (*place).House == b.House {
			w.leave(place, b.Kind)
			w.note(NoteLeftHouse, Args{"word": word(b.Kind), "house": text(b.House)})
		}
	}
	return nil
}

// leave ends a belonging.
func (w *work) leave(place **Belonging, kind string) {
	at := w.at
	if kind == Household {
		w.house().Left = &at
	} else {
		was := **place
		was.Until = &at
		h := w.house()
		h.Were = append(slices.DeleteFunc(h.Were, func(b Belonging) bool { return at.Sub(*b.Until) > formerKept }), was)
	}
	*place = nil
}

// mayBelong sees to the program's times for a household.
func (w *work) mayBelong(kind string) error {
	h := w.p.Doc.Households
	if kind != Household || h == nil {
		return nil
	}
	if h.MemberFor != nil {
		if from := h.MemberFor.After(w.st.JoinedAt, w.p.Zone); w.at.Before(from) {
			return errs.Conflict("too_new", "One may be in a household after "+h.MemberFor.String()+" as a member.").With("from", from.In(w.p.Zone).Format(time.RFC3339))
		}
	}
	if left := w.house().Left; h.Wait != nil && left != nil {
		if from := h.Wait.After(*left, w.p.Zone); w.at.Before(from) {
			return errs.Conflict("too_soon", "One may be in a household again "+h.Wait.String()+" after the last.").With("from", from.In(w.p.Zone).Format(time.RFC3339))
		}
	}
	return nil
}

// leaveHouses ends what a member belongs to as the membership ends.
func (w *work) leaveHouses() {
	h := w.st.House
	if h == nil {
		return
	}
	if b := h.Household; b != nil {
		w.tellHouse(Household, b.House, HouseGone, w.f.Member)
		w.leave(&h.Household, Household)
	}
	if b := h.Organization; b != nil {
		w.tellHouse(Organization, b.House, HouseGone, w.f.Member)
		w.leave(&h.Organization, Organization)
	}
}

// tellHouse has a house hear of what became of a member.
func (w *work) tellHouse(kind, house, do, was string) {
	w.event(EvBelongs, map[string]string{"kind": kind, "house": house, "do": do, "was": was})
}

// inheritHouses gives the survivor of a merge what the other one belonged to, where it belongs to nothing itself, and tells the houses.
func (w *work) inheritHouses(theirs *HouseState, other string) {
	if theirs == nil {
		return
	}
	mine := w.house()
	take := func(kind string, have **Belonging, has *Belonging) {
		if has == nil {
			return
		}
		do := HouseMerged
		switch {
		case *have == nil:
			*have = copied(has)
		case (*have).House == has.House:
			if has.Since.Before((*have).Since) {
				(*have).Since = has.Since
			}
			(*have).Keeps = (*have).Keeps || has.Keeps
		default:
			do = HouseGone
		}
		w.tellHouse(kind, has.House, do, other)
	}
	take(Household, &mine.Household, theirs.Household)
	take(Organization, &mine.Organization, theirs.Organization)
	if theirs.Left != nil && (mine.Left == nil || theirs.Left.After(*mine.Left)) {
		mine.Left = theirs.Left
	}
	mine.Were = append(mine.Were, theirs.Were...)
}

// Pooled says whether a fact asks for what others of the household have.
func (f *Fact) Pooled() bool {
	switch {
	case f.Redemption != nil && (f.Kind == Redeem || f.Kind == Reserve):
		return f.Redemption.Household
	case f.Purchase != nil && f.Kind == PurchaseK:
		return slices.ContainsFunc(f.Purchase.Spend, func(s Spend) bool { return s.Household })
	}
	return false
}

// By is who did something for an organization.
func (f *Fact) By() string {
	switch {
	case f.Kind == PurchaseK && f.Purchase != nil:
		return f.Purchase.By
	case f.Kind == ActivityK && f.Activity != nil:
		return f.Activity.By
	case (f.Kind == Redeem || f.Kind == Reserve) && f.Redemption != nil:
		return f.Redemption.By
	}
	return ""
}

// Own says whether the fact is to be the member's own, whoever the member acts for.
func (f *Fact) Own() bool {
	switch {
	case f.Kind == PurchaseK && f.Purchase != nil:
		return f.Purchase.Own
	case f.Kind == ActivityK && f.Activity != nil:
		return f.Activity.Own
	case (f.Kind == Redeem || f.Kind == Reserve) && f.Redemption != nil:
		return f.Redemption.Own
	}
	return false
}

// For gives the fact as one of an organization, done by somebody of it.
func (f Fact) For(by string) Fact {
	switch {
	case f.Kind == PurchaseK && f.Purchase != nil:
		b := *f.Purchase
		b.By, f.Purchase = by, &b
	case f.Kind == ActivityK && f.Activity != nil:
		b := *f.Activity
		b.By, f.Activity = by, &b
	case (f.Kind == Redeem || f.Kind == Reserve) && f.Redemption != nil:
		b := *f.Redemption
		b.By, f.Redemption = by, &b
	}
	return f
}

// mayFor says whether the one who did something for an organization was somebody who may.
func (w *work) mayFor() error {
	by := w.f.By()
	if w.st.Kind != Organization {
		if by != "" {
			return errs.Invalid("invalid_house", "Only for an organization it is said who acts.", errs.Field{Pointer: "/by", Reason: "not_an_organization", Message: "leave it out"})
		}
		return nil
	}
	if w.f.Own() {
		return errs.Invalid("invalid_house", "An organization has nothing of its own besides its books.", errs.Field{Pointer: "/own", Reason: "not_a_person", Message: "name the member, or leave it out"})
	}
	if by == "" {
		return nil
	}
	needs := []string{program.MayBuy}
	switch {
	case w.f.Kind == ActivityK:
		needs = nil
	case w.f.Kind == Redeem || w.f.Kind == Reserve:
		needs = []string{program.MaySpend}
	case len(w.f.Purchase.Spend) > 0:
		needs = append(needs, program.MaySpend)
	}
	for _, p := range w.st.House.People {
		if p.Member != by || w.at.Before(p.Since) || p.Until != nil && !w.at.Before(*p.Until) {
			continue
		}
		for _, what := range needs {
			if !w.may(p.Role, what) {
				return errs.Forbidden("role_may_not", "Who has the role "+p.Role+" may not "+what+" for the organization.").With("role", p.Role).With("needs", what)
			}
		}
		return nil
	}
	return errs.Forbidden("not_in_house", "This member did not belong to the organization then.")
}

// Spendables is what a member has that can be spent at a moment, by unit. The lots must be loaded.
func Spendables(p *program.Compiled, acc *Account, units []string, at time.Time) map[string]int64 {
	w := newWork(p, Input{Account: acc, Fact: Fact{OccurredAt: at}})
	out := map[string]int64{}
	for _, u := range units {
		if n := w.spendable(u); n > 0 {
			out[u] = n
		}
	}
	return out
}

// Lacks says how much of what the others have a fact would take, by unit: it is tried with all of it. in is loaded as for the fact.
func Lacks(p *program.Compiled, in Input, others map[string]int64) (map[string]int64, error) {
	acc := in.Account.clone()
	lots := map[string]*ledger.Lot{}
	for _, unit := range sortedUnits(others) {
		h := acc.State.Units[unit]
		if h == nil {
			h = &ledger.Holding{}
			acc.State.Units[unit] = h
		}
		if h.Debt > 0 {
			continue // what is owed is one's own
		}
		acc.State.Lots++
		l := &ledger.Lot{ID: acc.State.Lots, Unit: unit, EarnedAt: in.Fact.OccurredAt, Amount: others[unit], Spendable: others[unit]}
		h.Spendable += others[unit]
		acc.Lots = append(acc.Lots, l)
		lots[unit] = l
	}
	in.Account = acc
	_, after, err := Decide(p, in)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for unit, l := range lots {
		for _, a := range after.Lots {
			if a.ID == l.ID && a.Spendable < l.Spendable {
				out[unit] = l.Spendable - a.Spendable
			}
		}
	}
	return out, nil
}

// chipIn gives to what another one of the household spends.
func (w *work) chipIn() error {
	b, h := w.f.Transfer, w.p.Doc.Households
	in := w.st.In(Household)
	if h == nil || !slices.Contains(h.Shares, b.Unit) || in == nil || in.House != b.Household {
		return errs.Forbidden("not_shared", "This is not shared in a household.").With("unit", b.Unit)
	}
	n, err := w.units(b.Unit, b.Amount, "/amount")
	if err != nil {
		return err
	}
	if have := w.spendable(b.Unit); have < n {
		return errs.Insufficient("balance_too_low", "The balance is too low for this.").With("unit", b.Unit)
	}
	held, _ := w.take(b.Unit, n, ledger.Transferred, "")
	for _, l := range held {
		w.d.Moved = append(w.d.Moved, moved(w.lots[l.Lot], l.Amount, ledger.Spendable))
	}
	w.touch(b.Unit)
	w.note(NoteChippedIn, Args{"amount": Units(b.Unit, n), "member": text(b.Other)})
	w.unitEvent(EvChippedIn, b.Unit, n, "to", b.Other, "household", b.Household, "transfer", w.f.ID)
	return nil
}

// borrow takes what another one of the household gives.
func (w *work) borrow() error {
	b := w.f.Transfer
	var n int64
	for _, m := range b.Lots {
		l := w.put(terms{unit: m.Unit, earnedAt: m.EarnedAt, expires: m.ExpiresAt, fact: m.Fact}, m.Amount, ledger.Transferred, "")
		n += m.Amount
		if !slices.ContainsFunc(w.house().Lent, func(x Lent) bool { return x.Lot == l.ID }) {
			w.house().Lent = append(w.house().Lent, Lent{l.ID, b.Other})
		}
	}
	w.note(NoteBorrowed, Args{"amount": Units(b.Unit, n), "member": text(b.Other)})
	return nil
}

// owner says who gave a lot for what is spent now; "" for one's own.
func (w *work) owner(lot int64) string {
	if w.st.House == nil {
		return ""
	}
	for _, l := range w.st.House.Lent {
		if l.Lot == lot {
			return l.Owner
		}
	}
	return ""
}

// endLent sends home what was given and not needed, once something was spent.
func (w *work) endLent() {
	h := w.st.House
	if h == nil || len(h.Lent) == 0 || w.f.Kind == TransferIn {
		return
	}
	lent := h.Lent
	h.Lent = nil
	for _, b := range lent {
		if l := w.lots[b.Lot]; l != nil && l.Spendable > 0 {
			w.sendHome(b.Owner, l.Unit, l.ID, l.Spendable, ledger.Spendable, l.EarnedAt, l.ExpiresAt, l.Fact)
		}
	}
}

// sendHome takes what one of the household gave for something that is undone out of the books, for its owner: an errand brings it there.
func (w *work) sendHome(owner, unit string, lot, n int64, from string, earned time.Time, expires *time.Time, fact string) {
	w.post(ledger.Posting{Unit: unit, Lot: lot, From: from, To: ledger.Transferred, Amount: n, Rule: HomeRule})
	if l := w.lots[lot]; l != nil && fact == "" {
		earned, fact = l.EarnedAt, l.Fact
	}
	w.homes++
	data := map[string]string{"to": owner, "unit": unit, "amount": w.amount(unit, n), "minor": strconv.FormatInt(n, 10), "n": strconv.Itoa(w.homes),
		"earned_at": earned.UTC().Format(time.RFC3339Nano), "of": fact}
	if expires != nil {
		data["expires_at"] = expires.UTC().Format(time.RFC3339Nano)
	}
	w.note(NoteSentHome, Args{"amount": Units(unit, n), "member": text(owner)})
	w.event(EvSentHome, data)
}

// comeHome takes back what was given for something that was undone. Of one who has left the program it ends with all else they had.
func (w *work) comeHome() error {
	b := w.f.Transfer
	n := b.Home.Amount
	t := terms{unit: b.Home.Unit, earnedAt: b.Home.EarnedAt, expires: b.Home.ExpiresAt, fact: b.Home.Fact}
	w.payDebt(w.put(t, n, ledger.Transferred, HomeRule))
	w.note(NoteCameHome, Args{"amount": Units(b.Home.Unit, n), "member": text(b.Other)})
	w.unitEvent(EvCameHome, b.Home.Unit, n, "from", b.Other)
	w.endAgain()
	return nil
}

// houseFollowUp gives what follows from an event for those who belong together: what was undone goes home, a house hears of whose membership
// ended, and its people hear of its own end.
func houseFollowUp(e Event, member, fact string, at time.Time) (Fact, bool) {
	f := Fact{Source: FollowUpSource, OccurredAt: at}
	if e.Type == EvBelongs && e.Data["to"] != "" {
		f.Kind, f.Member, f.ExternalID = HouseK, e.Data["to"], e.Data["kind"]+"/"+fact+"/"+e.Data["to"]
		f.House = &HouseBody{Do: e.Data["do"], Kind: e.Data["kind"], House: e.Data["house"]}
		return f, true
	}
	if e.Type == EvBelongs {
		f.Kind, f.Member, f.ExternalID = HouseK, e.Data["house"], e.Data["kind"]+"/"+fact
		f.House = &HouseBody{Do: e.Data["do"], Kind: e.Data["kind"], Member: e.Data["was"], Into: member}
		return f, true
	}
	home := &MovedLot{Unit: e.Data["unit"], Fact: e.Data["of"]}
	amount, err := money.Parse(e.Data["amount"])
	if err == nil {
		home.Amount, err = strconv.ParseInt(e.Data["minor"], 10, 64)
	}
	if err == nil {
		home.EarnedAt, err = time.Parse(time.RFC3339Nano, e.Data["earned_at"])
	}
	if text := e.Data["expires_at"]; err == nil && text != "" {
		var ends time.Time
		ends, err = time.Parse(time.RFC3339Nano, text)
		home.ExpiresAt = &ends
	}
	f.Kind, f.Member, f.ExternalID = TransferIn, e.Data["to"], "home/"+fact+"/"+e.Data["n"]
	f.Transfer = &Transfer{Unit: home.Unit, Amount: amount, Other: member, Home: home}
	return f, err == nil
}

// Chip is what one of a household gives to what another one spends.
type Chip struct {
	Member, Unit string
	Amount       int64
}

// Gather says what each of the others in a household gives to what a fact spends: what is lacking after all that the spender has, each the same
// part of what they have, to the least part by largest remainder. in is loaded as for the fact, the others with their open lots, in the order in which they came.
// One who is blocked or keeps out gives nothing.
func Gather(p *program.Compiled, in Input, others []*Account) ([]Chip, error) {
	h := p.Doc.Households
	if h == nil {
		return nil, errs.Forbidden("households_off", "The program has no households.")
	}
	place := in.Account.State.In(Household)
	switch {
	case place == nil:
		return nil, errs.Forbidden("no_household", "This member is in no household.")
	case place.Keeps:
		return nil, errs.Forbidden("keeps_out", "This member keeps out of what the household spends together, and spends nothing of the others' either.")
	}
	have := make([]map[string]int64, len(others))
	all := map[string]int64{}
	for i, acc := range others {
		if acc.State.Status != Active || !SamePool(&in.Account.State, &acc.State) || acc.State.In(Household).Keeps {
			continue
		}
		have[i] = Spendables(p, acc, h.Shares, in.Fact.OccurredAt)
		for u, n := range have[i] {
			all[u] += n
		}
	}
	lacks, err := Lacks(p, in, all)
	if err != nil {
		return nil, err
	}
	var out []Chip
	for _, unit := range sortedUnits(lacks) {
		weights := make([]int64, len(others))
		for i := range have {
			weights[i] = have[i][unit]
		}
		parts, err := money.Split(lacks[unit], weights)
		if err != nil {
			return nil, refusal(err)
		}
		for i, n := range parts {
			if n > 0 {
				out = append(out, Chip{others[i].Member, unit, n})
			}
		}
	}
	return out, nil
}

// Gives is the fact by which a chip leaves its member, for what another one spends.
func (c *Chip) Gives(p *program.Compiled, to, household string) *Transfer {
	return &Transfer{Unit: c.Unit, Amount: money.New(c.Amount, p.Units[c.Unit].Precision), Other: to, Household: household}
}

// RoleOf is somebody's role in a house, "" of one who does not belong to it.
func (s *State) RoleOf(member string) string {
	for _, p := range s.People() {
		if p.Member == member {
			return p.Role
		}
	}
	return ""
}

// Acting gives a fact of a person as one of the organization that the person acted for, and whether there is one. st is the person's state. Who is
// blocked acts for nobody: what they do goes to their own books, which know what a block means.
func Acting(st *State, f Fact, person string) (Fact, string) {
	if st.Status == Blocked {
		return f, ""
	}
	switch f.Kind {
	case PurchaseK, ActivityK, Redeem, Reserve:
		if house := st.ActsFor(f.OccurredAt); house != "" && !f.Own() {
			return f.For(person), house
		}
	}
	return f, ""
}

// OnTheWay tells what a fact puts on the way home to who gave it, and, below zero, what came home by it.
func OnTheWay(f *Fact, d *Decision, each func(unit string, n int64)) {
	if f.Kind == TransferIn && f.Transfer != nil && f.Transfer.Home != nil {
		each(f.Transfer.Home.Unit, -f.Transfer.Home.Amount)
	}
	for i := range d.Events {
		if e := &d.Events[i]; e.Type == EvSentHome {
			if n, err := strconv.ParseInt(e.Data["minor"], 10, 64); err == nil {
				each(e.Data["unit"], n)
			}
		}
	}
}
