package browser

import (
	"testing"

	"lojal.dev/lojal/internal/staff"
)

// TestAHouseholdAtTheDesk finds a household, has somebody not share and share again, and dissolves it; a member who belongs to one makes no other.
func TestAHouseholdAtTheDesk(t *testing.T) {
	t.Parallel()
	h := full(t, "retail-sales-channel")
	d := h.desk(t, staff.Store)
	visit(d.ctx, t, h, "households", "/console/households")
	visit(d.ctx, t, h, "household-new", "/console/households/new")
	d.open("/console/households/new").act("name", "The Hansens", "owner", "nobody at all").says("No member has this.")
	d.act("owner", "1001").says("belongs to one already")
	d.open("/console/households").follow("td a[href^='/console/households/']")
	at := d.where()
	visit(d.ctx, t, h, "household", at)
	visit(d.ctx, t, h, "household-invite", at+"/invite")
	d.open(at+"/invite").act("member", "1001").says("already")
	d.open(at+"/keep").act().says("Does not share any more.", "Does not share")
	d.open(at + "/share").act().says("Shares again.")
	d.open(at+"/close").act("reason", "Moved apart").says("Dissolved")
	if d.has(`a[href="`+at+`/invite"]`) != 0 {
		t.Error("who is dissolved can invite")
	}
	analyst := h.desk(t, staff.Analyst).open("/console/households")
	if analyst.has(`a[href="/console/households/new"]`) != 0 {
		t.Error("who only reads is offered to make a household")
	}
	d.open(memberOf(d.ctx, t, h) + "/referral").says("The member's own code")
}

// TestThanksAreLookedOver looks at recognition, by what it stands at.
func TestThanksAreLookedOver(t *testing.T) {
	t.Parallel()
	h := full(t, "employee-recognition")
	d := h.desk(t, staff.Owner)
	visit(d.ctx, t, h, "recognition", "/console/recognition")
	if d.open("/console/recognition?status=given").has(".list > li") == 0 {
		t.Error("nobody thanked anybody")
	}
	visit(d.ctx, t, h, "recognition-all", "/console/recognition?status=")
}
