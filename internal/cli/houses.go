package cli

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/engine"
)

// houseKind tells households from organizations, whose commands are the same.
type houseKind interface{ words() houseWords }

type houseWords struct{ command, route, id, role, name string }

type aHousehold struct{}

func (aHousehold) words() houseWords {
	return houseWords{"household", "households", "hou_01k9zjq3hfe1f8m6v7j0q3x5c4", "owner", "The Hansens"}
}

type anOrganization struct{}

func (anOrganization) words() houseWords {
	return houseWords{"organization", "organizations", "org_01k9zjq3hfe1f8m6v7j0q3x5c4", "buyer", "Fjord Sport AS"}
}

func wordsOf[K houseKind]() houseWords {
	var k K
	return k.words()
}

// houseExample is the help of a command: what there is to say, and an example, in which HOUSE, ROLE and NAME stand for those of the kind.
func houseExample[K houseKind](text, line string) string {
	w := wordsOf[K]()
	if text != "" {
		text += "\n\n"
	}
	return text + "Examples:\n\n    lojal " + w.command + " " + strings.NewReplacer("HOUSE", w.id, "ROLE", w.role, "NAME", w.name).Replace(line)
}

type householdCmd struct {
	Make    houseMakeCmd[aHousehold]    `cmd:"" help:"Make a household of a member, who owns it."`
	List    houseListCmd[aHousehold]    `cmd:"" help:"List households."`
	Show    houseShowCmd[aHousehold]    `cmd:"" help:"Show who belongs to a household, and what can be spent together."`
	Invite  houseInviteCmd[aHousehold]  `cmd:"" help:"Invite a member."`
	Accept  houseAcceptCmd[aHousehold]  `cmd:"" help:"Accept an invitation, for the member who was invited."`
	Decline houseDeclineCmd[aHousehold] `cmd:"" help:"Decline an invitation, or take it back."`
	Role    houseRoleCmd[aHousehold]    `cmd:"" help:"Make somebody an owner, or a member again."`
	Leave   houseLeaveCmd[aHousehold]   `cmd:"" help:"Have a member leave."`
	Remove  houseRemoveCmd[aHousehold]  `cmd:"" help:"Send a member away."`
	Keep    houseKeepCmd                `cmd:"" help:"Keep a member's points out of what the household spends together."`
	Share   houseShareCmd               `cmd:"" help:"Have a member be in what is spent together again."`
	Close   houseCloseCmd[aHousehold]   `cmd:"" help:"Close a household, for good."`
}

type organizationCmd struct {
	Make    houseMakeCmd[anOrganization]    `cmd:"" help:"Make an organization with books of its own; a member owns it."`
	List    houseListCmd[anOrganization]    `cmd:"" help:"List organizations."`
	Show    houseShowCmd[anOrganization]    `cmd:"" help:"Show an organization: its people with their roles, its balances and tiers."`
	Invite  houseInviteCmd[anOrganization]  `cmd:"" help:"Invite a member."`
	Accept  houseAcceptCmd[anOrganization]  `cmd:"" help:"Accept an invitation, for the member who was invited."`
	Decline houseDeclineCmd[anOrganization] `cmd:"" help:"Decline an invitation, or take it back."`
	Role    houseRoleCmd[anOrganization]    `cmd:"" help:"Give somebody another role."`
	Leave   houseLeaveCmd[anOrganization]   `cmd:"" help:"Have a member leave."`
	Remove  houseRemoveCmd[anOrganization]  `cmd:"" help:"Send a member away."`
	Close   houseCloseCmd[anOrganization]   `cmd:"" help:"Close an organization, for good: what is in its books ends."`
}

type houseMakeCmd[K houseKind] struct {
	asking
	Owner      string   `arg:"" help:"Member who owns it: an id, or an identifier such as card:1001."`
	Name       string   `placeholder:"TEXT" help:"What people call it."`
	Identifier []string `sep:"none" placeholder:"KIND:VALUE" help:"By what it is found, and purchases may name it, such as your own number of a customer, ext:881. Can be given more than once."`
	keyed
}

func (houseMakeCmd[K]) Help() string { return houseExample[K]("", "make ext:4711 --name 'NAME'") }

func (c *houseMakeCmd[K]) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		in := api.NewHouse{FactKey: c.key(), Owner: c.Owner, HouseProfile: api.HouseProfile{Name: c.Name}}
		for _, i := range c.Identifier {
			kind, value, _ := strings.Cut(i, ":")
			in.Identifiers = append(in.Identifiers, api.Identifier{Kind: kind, Value: value})
		}
		return call(&c.asking, o, http.MethodPost, path(wordsOf[K]().route), nil, in, func(h *api.HouseMade) {
			before := ""
			if h.Duplicate {
				before = " (It was made before.)"
			}
			e.printf("%s  %s of %s%s\n", h.ID, h.Kind, c.Owner, before)
		})
	})
}

type houseListCmd[K houseKind] struct {
	asking
	Limit  int    `default:"50" placeholder:"N" help:"How many to list, ${default} when left out."`
	Search string `short:"q" placeholder:"TEXT" help:"Keep to those whose name, e-mail address or identifiers have these words."`
}

func (houseListCmd[K]) Help() string { return houseExample[K]("", "list --search 'NAME'") }

func (c *houseListCmd[K]) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		q := url.Values{}
		if c.Search != "" {
			q.Set("q", c.Search)
		}
		return list(&c.asking, o, path(wordsOf[K]().route), q, max(c.Limit, 1), func(h *api.HouseEntry) {
			e.printf("%s  %s, with %d  %s\n", h.ID, h.Status, h.People, strings.TrimSpace(h.Name+"  "+h.ExternalID))
		})
	})
}

// oneHouse is what commands on a household or an organization have in common.
type oneHouse struct {
	asking
	House string `arg:"" help:"Its id, as make and lojal member houses print it."`
}

type houseShowCmd[K houseKind] struct{ oneHouse }

func (houseShowCmd[K]) Help() string {
	return houseExample[K]("What a member belongs to is told by: lojal member houses", "show HOUSE")
}

func (c *houseShowCmd[K]) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodGet, path(wordsOf[K]().route, c.House), nil, nil, o.house)
	})
}

// house tells who belongs to one, and what they have.
func (o *door) house(h *api.House) {
	o.e.printf("%s  %s, %s", called(h.ID, h.Name), h.Kind, h.Status)
	if text := amounts(h.Shared); text != "" {
		o.e.printf(", can spend together %s", text)
	}
	o.e.printf("\n")
	for _, unit := range slices.Sorted(maps.Keys(h.Balances)) {
		o.e.printf("  has %s %s\n", h.Balances[unit].Spendable, unit)
	}
	for _, set := range slices.Sorted(maps.Keys(h.Tiers)) {
		if tier := h.Tiers[set].Tier; tier != "" {
			o.e.printf("  is %s in %s\n", tier, set)
		}
	}
	for _, p := range h.People {
		o.e.printf("  %s  %s since %s", called(p.Member, p.Name), p.Role, day(&p.Since))
		if p.KeepsOut {
			o.e.printf(", keeps out of what is spent together")
		}
		if text := amounts(p.Takes); text != "" {
			o.e.printf(", takes along %s", text)
		}
		o.e.printf("\n")
	}
	for _, p := range h.Invited {
		o.e.printf("  %s  invited as %s until %s\n", called(p.Member, p.Name), p.Role, day(p.Until))
	}
}

// called writes an id with the name, where there is one.
func called(id, name string) string { return strings.TrimSpace(id + "  " + name) }

// amounts writes what there is of each unit: 40 star, 3 mile.
func amounts(m map[string]api.Amount) string {
	var all []string
	for _, unit := range slices.Sorted(maps.Keys(m)) {
		all = append(all, string(m[unit])+" "+unit)
	}
	return strings.Join(all, ", ")
}

// houseStep is what commands on who belongs to one have in common.
type houseStep struct {
	oneHouse
	Member string `arg:"" help:"Whom it is about: an id, or an identifier such as card:1001."`
	keyed
}

func (c *houseStep) do(e *env, w houseWords, do, role, by string) error {
	return c.ask(e, func(o *door) error {
		in := api.HouseStep{FactKey: c.key(), Do: do, Member: c.Member, Role: role, By: by}
		return call(&c.asking, o, http.MethodPost, path(w.route, c.House, "steps"), nil, in, o.happened)
	})
}

// done is a step that one may do for another.
type done struct {
	houseStep
	By string `placeholder:"MEMBER" help:"Member who does it, whose role must allow it; staff when left out."`
}

type houseInviteCmd[K houseKind] struct {
	done
	Role string `placeholder:"ROLE" help:"Role that the member is to have."`
}

func (houseInviteCmd[K]) Help() string {
	return houseExample[K]("Nobody is put in: the member comes by accepting.", "invite HOUSE ext:4721 --by ext:4711")
}

func (c *houseInviteCmd[K]) Run(e *env) error {
	return c.do(e, wordsOf[K](), engine.HouseInvite, c.Role, c.By)
}

type houseAcceptCmd[K houseKind] struct{ houseStep }

func (houseAcceptCmd[K]) Help() string { return houseExample[K]("", "accept HOUSE ext:4721") }

func (c *houseAcceptCmd[K]) Run(e *env) error {
	return c.do(e, wordsOf[K](), engine.HouseJoin, "", "")
}

type houseDeclineCmd[K houseKind] struct{ done }

func (houseDeclineCmd[K]) Help() string {
	return houseExample[K]("", "decline HOUSE ext:4721 --by ext:4721")
}

func (c *houseDeclineCmd[K]) Run(e *env) error {
	return c.do(e, wordsOf[K](), engine.HouseNo, "", c.By)
}

type houseRoleCmd[K houseKind] struct {
	oneHouse
	Member string `arg:"" help:"Whom it is about: an id, or an identifier such as card:1001."`
	Role   string `arg:"" help:"Role: owner or member in a household, one of the program's in an organization."`
	By     string `placeholder:"MEMBER" help:"Member who does it, whose role must allow it; staff when left out."`
	keyed
}

func (houseRoleCmd[K]) Help() string { return houseExample[K]("", "role HOUSE ext:4721 ROLE") }

func (c *houseRoleCmd[K]) Run(e *env) error {
	step := houseStep{c.oneHouse, c.Member, c.keyed}
	return step.do(e, wordsOf[K](), engine.HouseRole, c.Role, c.By)
}

type houseLeaveCmd[K houseKind] struct{ houseStep }

func (houseLeaveCmd[K]) Help() string {
	return houseExample[K]("What one brought to a household and was not spent one takes along.", "leave HOUSE ext:4721")
}

func (c *houseLeaveCmd[K]) Run(e *env) error {
	return c.do(e, wordsOf[K](), engine.HouseLeave, "", "")
}

type houseRemoveCmd[K houseKind] struct{ done }

func (houseRemoveCmd[K]) Help() string {
	return houseExample[K]("", "remove HOUSE ext:4721 --by ext:4711")
}

func (c *houseRemoveCmd[K]) Run(e *env) error {
	return c.do(e, wordsOf[K](), engine.HouseRemove, "", c.By)
}

type houseKeepCmd struct{ houseStep }

func (houseKeepCmd) Help() string {
	return houseExample[aHousehold]("They stay in the household, give nothing to what others spend, and spend nothing of theirs.", "keep HOUSE ext:4721")
}

func (c *houseKeepCmd) Run(e *env) error {
	return c.do(e, wordsOf[aHousehold](), engine.HouseKeep, "", "")
}

type houseShareCmd struct{ houseStep }

func (houseShareCmd) Help() string { return houseExample[aHousehold]("", "share HOUSE ext:4721") }

func (c *houseShareCmd) Run(e *env) error {
	return c.do(e, wordsOf[aHousehold](), engine.HouseShare, "", "")
}

type houseCloseCmd[K houseKind] struct {
	oneHouse
	Reason string `placeholder:"TEXT" help:"Why, for its history."`
}

func (houseCloseCmd[K]) Help() string {
	return houseExample[K]("It cannot be undone.", `close HOUSE --reason "They asked for it"`)
}

func (c *houseCloseCmd[K]) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return call(&c.asking, o, http.MethodPost, path(wordsOf[K]().route, c.House, "close"), nil, api.Because{Reason: c.Reason}, o.happened)
	})
}

type memberHousesCmd struct{ ofMember }

func (memberHousesCmd) Help() string {
	return `Examples:

    lojal member houses ext:4711`
}

func (c *memberHousesCmd) Run(e *env) error {
	return c.ask(e, func(o *door) error {
		return list(&c.asking, o, path("members", c.Member, "houses"), nil, 0, o.house)
	})
}
