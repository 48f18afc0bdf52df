package program

import (
	"fmt"
	"slices"
)

// Households lets people who belong together use each other's points. What each brings lies in their own books until it is spent, so whoever
// leaves takes along what they brought and was not spent. docs/households.md tells of joining, spending and leaving.
type Households struct {
	// Most is how many may be in one household, 2 to 20. Required.
	Most int64 `json:"most"`
	// Shares are the units that all in a household may spend. Required.
	Shares []string `json:"shares"`
	// MemberFor is how long one must have been a member before one may be in a household, so that nobody enrols for the sake of others.
	MemberFor *Period `json:"member_for,omitempty"`
	// Wait is how long one waits after a household before one may be in another.
	Wait *Period `json:"wait,omitempty"`
	// Invited is how long an invitation stands; 14 days when left out.
	Invited *Period `json:"invited,omitempty"`
}

// Organizations lets a company be a member, with people who act for it. What they buy is the organization's: its points, its tiers and its
// rebates. docs/households.md tells of people and roles.
type Organizations struct {
	// Most is how many people an organization may have, 1 to 500; 50 when left out.
	Most int64 `json:"most,omitempty"`
	// Roles says what people may do by their role, any of manage (who belongs to it), buy and spend. Without it: {owner: [manage, buy, spend],
	// buyer: [buy, spend], viewer: []}. There is always an owner, who may manage.
	Roles map[string][]string `json:"roles,omitempty"`
	// Invited is how long an invitation stands; 14 days when left out.
	Invited *Period `json:"invited,omitempty"`
}

// What a role may do.
const (
	MayManage = "manage"
	MayBuy    = "buy"
	MaySpend  = "spend"
)

// Owner is the role of who made a household or an organization, Adult that of all others in a household.
const (
	Owner = "owner"
	Adult = "member"
)

var usualRoles = map[string][]string{Owner: {MayManage, MayBuy, MaySpend}, "buyer": {MayBuy, MaySpend}, "viewer": {}}

// defaultInvited is how long an invitation stands where the program does not say.
var defaultInvited = Period{N: 14, Unit: "day"}

// Stands is how long an invitation stands.
func (h *Households) Stands() Period { return orPeriod(h.Invited, defaultInvited) }

// Stands is how long an invitation stands.
func (o *Organizations) Stands() Period { return orPeriod(o.Invited, defaultInvited) }

func orPeriod(p *Period, otherwise Period) Period {
	if p == nil {
		return otherwise
	}
	return *p
}

// People is how many an organization may have.
func (o *Organizations) People() int64 {
	if o.Most == 0 {
		return 50
	}
	return o.Most
}

// May says what each role may do.
func (o *Organizations) May() map[string][]string {
	if len(o.Roles) == 0 {
		return usualRoles
	}
	return o.Roles
}

// HasHouses says whether people can belong to something in this program.
func (c *Compiled) HasHouses() bool { return c.Doc.Households != nil || c.Doc.Organizations != nil }

func (c *checker) houses() {
	if h := c.d.Households; h != nil {
		if h.Most < 2 || h.Most > 20 {
			c.say("/households/most", fmt.Sprintf("%d is not how many a household can have", h.Most), "write a number from 2 to 20")
		}
		if len(h.Shares) == 0 {
			c.missing("/households/shares", "the units that all may spend", "[star]")
		}
		for i, u := range h.Shares {
			ptr := at("/households/shares", i)
			c.spendable(ptr, u)
			if slices.Contains(h.Shares[:i], u) {
				c.say(ptr, fmt.Sprintf("%q is there already", u), "name each unit once")
			}
		}
		c.period("/households/member_for", h.MemberFor, 1)
		c.period("/households/wait", h.Wait, 1)
		c.period("/households/invited", h.Invited, 1)
	}
	o := c.d.Organizations
	if o == nil {
		return
	}
	if o.Most < 0 || o.Most > 500 {
		c.say("/organizations/most", fmt.Sprintf("%d is not how many people an organization can have", o.Most), "write a number from 1 to 500")
	}
	c.count("/organizations/roles", len(o.Roles), maxMapItems)
	for _, id := range sortedKeys(o.Roles) {
		ptr := at("/organizations/roles", id)
		c.id(ptr, id, "role")
		for i, may := range o.Roles[id] {
			c.oneOf(at(ptr, i), may, vocabulary["Organizations.roles"]...)
		}
	}
	if len(o.Roles) > 0 && !slices.Contains(o.Roles[Owner], MayManage) {
		c.say("/organizations/roles", "nobody could say who belongs to an organization", "add owner: [manage, buy, spend]")
	}
	c.period("/organizations/invited", o.Invited, 1)
}
