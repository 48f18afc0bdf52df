package engine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

// A grant is something a member may have, whoever it came from: a reward that was won, a benefit that was passed on, what staff
// gave by hand. It says how often it may be used and until when, ends once, and says where it came from.
//
// A grant of a reward is redeemed as a redemption at no price. What was won is owed: the reward's condition, window and limits are
// for those who buy it; only its stock counts, since nobody can hand over what is not there.

// Grant is one of a member's.
type Grant struct {
	// N numbers the member's grants from 1. After a merge the survivor numbers those it got anew.
	N int64 `json:"n"`
	// Reward or Benefit is the id of what it is for.
	Reward  string `json:"reward,omitempty"`
	Benefit string `json:"benefit,omitempty"`
	// Source says whom it came from: "challenge:coffee-card", "hand", …; Fact is the fact that gave it.
	Source string    `json:"source,omitempty"`
	Fact   string    `json:"fact,omitempty"`
	At     time.Time `json:"at"`
	// By is who passed it on, Of the fact that did; empty where nobody did.
	By string `json:"by,omitempty"`
	Of string `json:"of,omitempty"`
	// Uses is how often it may be used, 0 for as often as one likes; Used how often it was, with what is reserved.
	Uses int64 `json:"uses,omitempty"`
	Used int64 `json:"used,omitempty"`
	// WaitsUntil is the moment from which it may be used; nil when it may.
	WaitsUntil *time.Time `json:"waits_until,omitempty"`
	// EndsAt is its end, WarnAt the moment of the warning before it.
	EndsAt *time.Time `json:"ends_at,omitempty"`
	WarnAt *time.Time `json:"warn_at,omitempty"`
	// HandsOver says that it is redeemed by itself as soon as it may be used.
	HandsOver bool `json:"hands_over,omitempty"`
	// Status is one of those below. A member's state holds grants that wait or are open.
	Status string `json:"status"`
}

// The statuses of grants.
const (
	GrantWaits     = "waiting"
	GrantOpen      = "open"
	GrantUsed      = "used"
	GrantEnded     = "ended"
	GrantTakenBack = "taken_back"
)

// HandSource is the source of grants that staff gave.
const HandSource = "hand"

// RaffleSource begins the source of grants that a draw gave; the raffle's reward follows.
const RaffleSource = "raffle:"

// GrantBody gives something by hand, or takes it back.
type GrantBody struct {
	// Reward is what is given; Benefit likewise.
	Reward  string `json:"reward,omitempty"`
	Benefit string `json:"benefit,omitempty"`
	// Uses is how often it may be used, once when left out.
	Uses int64 `json:"uses,omitempty"`
	// WaitsUntil is from when it may be used, at once when left out; EndsAt its end, for good when left out.
	WaitsUntil *time.Time `json:"waits_until,omitempty"`
	EndsAt     *time.Time `json:"ends_at,omitempty"`
	// TakeBack is the number of the grant that is taken back.
	TakeBack int64 `json:"take_back,omitempty"`
	// Reason is required.
	Reason string `json:"reason"`
	// Raffle is the reward whose draw was won with Ticket: the draw gives it, not staff.
	Raffle string `json:"raffle,omitempty"`
	Ticket string `json:"ticket,omitempty"`
}

// GrantUse is how often a redemption used a grant, with the grant as it was, so that it can be given back.
type GrantUse struct {
	Grant Grant `json:"grant"`
	Uses  int64 `json:"uses"`
}

// left is how often a grant can still be used.
func (g *Grant) left() int64 {
	if g.Uses == 0 {
		return maxHolding
	}
	return max(g.Uses-g.Used, 0)
}

// usable says whether a grant may be used at a moment, however late the sweep is.
func (g *Grant) usable(at time.Time) bool {
	return (g.WaitsUntil == nil || !g.WaitsUntil.After(at)) && (g.EndsAt == nil || g.EndsAt.After(at)) && !g.At.After(at) && g.left() > 0
}

// due is the next moment at which time changes a grant.
func (g *Grant) due() *time.Time {
	if g.WaitsUntil != nil {
		return earliest(g.WaitsUntil, g.EndsAt)
	}
	return earliest(g.EndsAt, g.WarnAt)
}

// what names what a grant is for in a note.
func (g *Grant) what() Value {
	if g.Reward != "" {
		return Value{Reward: g.Reward}
	}
	return Value{Benefit: g.Benefit}
}

func (g *Grant) args(more ...any) Args {
	a := Args{"reward": g.what()}
	for i := 0; i+1 < len(more); i += 2 {
		a[more[i].(string)] = more[i+1].(Value)
	}
	return a
}

// grantEvent tells of a grant. Its data is thin.
func (w *work) grantEvent(typ string, g *Grant, more ...string) {
	data := map[string]string{"grant": strconv.FormatInt(g.N, 10), "source": g.Source}
	if g.Reward != "" {
		data["reward"] = g.Reward
	}
	if g.Benefit != "" {
		data["benefit"] = g.Benefit
	}
	for i := 0; i+1 < len(more); i += 2 {
		data[more[i]] = more[i+1]
	}
	w.event(typ, data)
}

// grantTerms works out when a grant that is given now may be used, when it ends and when that is told: valid counts from the moment it
// may be used, and the whole last day counts, as with points.
func (w *work) grantTerms(wait, valid, warn *program.Period) (waits, ends, warns *time.Time) {
	from := w.at
	if wait != nil {
		at := wait.After(w.at, w.p.Zone)
		waits, from = &at, at
	}
	if valid != nil {
		at := roundEnd(&program.Expiry{After: valid}, valid.After(from, w.p.Zone), w.p.Zone)
		ends = &at
		warns = grantWarning(warn, at, from, w.p.Zone)
	}
	return waits, ends, warns
}

func grantWarning(warn *program.Period, ends, from time.Time, zone *time.Location) *time.Time {
	if warn == nil {
		return nil
	}
	at := warn.Before(ends, zone)
	if at.Before(from) {
		at = from
	}
	return &at
}

// grant gives a grant: it numbers it, keeps it and tells of it. Reward or Benefit, Source, Uses and the times are the caller's.
func (w *work) grant(g Grant) Grant {
	w.st.Granted++
	g.N, g.Status = w.st.Granted, GrantOpen
	if g.At.IsZero() {
		g.At = w.at
	}
	if g.Fact == "" {
		g.Fact = w.f.ID
	}
	if g.WaitsUntil != nil || g.HandsOver {
		g.Status = GrantWaits
	}
	if g.HandsOver && g.WaitsUntil == nil {
		at := w.at
		g.WaitsUntil = &at // the due fact of this very moment hands it over
	}
	w.st.Grants = append(w.st.Grants, g)
	w.d.Grants = append(w.d.Grants, g)
	data := []string{"uses", strconv.FormatInt(g.Uses, 10)}
	switch {
	case g.WaitsUntil != nil && g.WaitsUntil.After(w.at):
		w.note(NoteGrantWaits, g.args("time", Time(*g.WaitsUntil)))
		data = append(data, "waits_until", g.WaitsUntil.In(w.p.Zone).Format(time.RFC3339))
	case g.EndsAt != nil:
		w.note(NoteGranted, g.args("time", Time(*g.EndsAt)))
	default:
		w.note(NoteGranted, g.args())
	}
	if g.EndsAt != nil {
		data = append(data, "ends_at", g.EndsAt.In(w.p.Zone).Format(time.RFC3339))
	}
	w.grantEvent(EvGranted, &g, data...)
	return g
}

// grantAt finds a grant by its number, -1 for one that is not there any more.
func (w *work) grantAt(n int64) int {
	return slices.IndexFunc(w.st.Grants, func(g Grant) bool { return g.N == n })
}

// dropGrant takes the grant at a place away, with the status it ends in.
func (w *work) dropGrant(i int, status string) Grant {
	g := w.st.Grants[i]
	w.st.Grants = slices.Delete(w.st.Grants, i, i+1)
	g.Status = status
	w.d.Grants = append(w.d.Grants, g)
	return g
}

// ungrant takes a grant back, wherever it stands.
func (w *work) ungrant(i int) {
	g := w.dropGrant(i, GrantTakenBack)
	w.note(NoteGrantBack, g.args())
	w.grantEvent(EvGrantBack, &g)
}

// useGrant uses a grant so many times, and gives what is needed to give it back.
func (w *work) useGrant(i int, uses int64) GrantUse {
	g := &w.st.Grants[i]
	u := GrantUse{*g, uses}
	g.Used += uses
	if g.Uses > 0 && g.Used >= g.Uses {
		w.dropGrant(i, GrantUsed)
	} else {
		w.d.Grants = append(w.d.Grants, *g)
	}
	return u
}

// returnGrants gives back what a redemption used of grants. What has ended in the meantime is gone.
func (w *work) returnGrants(s *RedemptionState) {
	for _, u := range s.Grants {
		i := w.grantAt(u.Grant.N)
		if s.Member == w.f.Member && i >= 0 {
			g := &w.st.Grants[i]
			g.Used = max(g.Used-u.Uses, 0)
			w.d.Grants = append(w.d.Grants, *g)
			w.note(NoteGrantAgain, g.args())
			continue
		}
		g := u.Grant
		if g.EndsAt != nil && !g.EndsAt.After(w.now) {
			w.note(NoteGrantEnded, g.args())
			continue
		}
		g.Status, g.WaitsUntil, g.HandsOver = GrantOpen, nil, false
		if g.Uses > 0 {
			g.Used = max(g.Uses-u.Uses, 0)
		}
		if s.Member != w.f.Member { // it comes from the books of the member that was merged into this one
			w.st.Granted++
			g.N = w.st.Granted
		}
		w.st.Grants = append(w.st.Grants, g)
		w.d.Grants = append(w.d.Grants, g)
		w.note(NoteGrantAgain, g.args())
	}
	s.Grants = nil
}

// cover finds the grants that pay for a redemption: the one that is named, else those that end first. It gives how many pieces
// they pay for.
func (w *work) cover(s Spend, r *program.CompiledReward) (uses []grantUses, pieces int64, err error) {
	want := max(s.Quantity, 1)
	if s.Grant != 0 {
		i := w.grantAt(s.Grant)
		if i < 0 {
			return nil, 0, errs.NotFound("grant_not_found", "The member has no grant "+strconv.FormatInt(s.Grant, 10)+" that is open: it was used, has ended or was taken back.").With("grant", s.Grant)
		}
		g := &w.st.Grants[i]
		switch {
		case g.Reward != r.ID:
			return nil, 0, errs.Invalid("other_grant", "The grant is for something else.", errs.Field{Pointer: "/grant", Reason: "other_grant",
				Message: "is for " + strconv.Quote(g.Reward+g.Benefit)})
		case g.WaitsUntil != nil && g.WaitsUntil.After(w.at):
			return nil, 0, errs.Conflict("grant_waits", "What was won cannot be used yet.").With("grant", g.N).With("waits_until", g.WaitsUntil.In(w.p.Zone).Format(time.RFC3339))
		case g.EndsAt != nil && !g.EndsAt.After(w.at):
			return nil, 0, errs.Conflict("grant_ended", "What was won has ended.").With("grant", g.N).With("ended_at", g.EndsAt.In(w.p.Zone).Format(time.RFC3339))
		case !g.usable(w.at) || g.left() < want:
			return nil, 0, errs.Conflict("grant_used_up", "The grant cannot be used that often.").With("grant", g.N).With("left", g.left())
		}
		return []grantUses{{g.N, want}}, want, nil
	}
	if s.Paid || r.Pay != nil {
		return nil, 0, nil
	}
	for _, i := range w.inOrderOfEnd(r.ID, "") {
		g := &w.st.Grants[i]
		n := min(g.left(), want-pieces)
		if n <= 0 {
			break
		}
		uses = append(uses, grantUses{g.N, n})
		pieces += n
	}
	return uses, pieces, nil
}

// grantUses is how many pieces the grant with a number pays for.
type grantUses struct{ n, uses int64 }

// inOrderOfEnd lists the places of the grants of a reward or a benefit that may be used now, those that end first before the others.
func (w *work) inOrderOfEnd(reward, benefit string) []int {
	var out []int
	for i := range w.st.Grants {
		if g := &w.st.Grants[i]; g.Reward == reward && g.Benefit == benefit && reward+benefit != "" && g.usable(w.at) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		x, y := w.st.Grants[a].EndsAt, w.st.Grants[b].EndsAt
		switch {
		case same(x, y):
			return 0
		case x == nil || y != nil && y.Before(*x):
			return 1
		}
		return -1
	})
	return out
}

// dueGrants makes the changes that time brings to grants: what waited may be used or is handed over, what will end is told,
// what is past its end is gone.
func (w *work) dueGrants() {
	for i := 0; i < len(w.st.Grants); {
		g := &w.st.Grants[i]
		if g.EndsAt != nil && !g.EndsAt.After(w.at) {
			w.prizeOver(g)
			ended := w.dropGrant(i, GrantEnded)
			w.note(NoteGrantEnded, ended.args())
			w.grantEvent(EvGrantEnded, &ended)
			continue
		}
		if g.WaitsUntil != nil && !g.WaitsUntil.After(w.at) {
			if w.openGrant(i) {
				continue
			}
		}
		g = &w.st.Grants[i]
		if g.WarnAt != nil && !g.WarnAt.After(w.at) && g.WaitsUntil == nil {
			g.WarnAt = nil
			w.d.Grants = append(w.d.Grants, *g)
			if g.EndsAt != nil && g.EndsAt.After(w.now) && g.left() > 0 {
				w.note(NoteGrantEnding, g.args("time", Time(*g.EndsAt)))
				w.grantEvent(EvGrantEnding, g, "ends_at", g.EndsAt.In(w.p.Zone).Format(time.RFC3339))
			}
		}
		i++
	}
}

// openGrant lets a grant that waited be used; it says whether it was handed over and is gone.
func (w *work) openGrant(i int) bool {
	g := &w.st.Grants[i]
	hands := g.HandsOver
	g.WaitsUntil, g.HandsOver, g.Status = nil, false, GrantOpen
	w.d.Grants = append(w.d.Grants, *g)
	w.note(NoteGrantOpen, g.args())
	w.grantEvent(EvGrantOpen, g)
	r := w.p.Rewards[g.Reward]
	if !hands || r == nil || w.st.Status != Active || r.Kind == program.KindCode && w.f.Drawn == nil {
		return false
	}
	before := len(w.st.Grants)
	q, err := w.quoteSpend(Spend{Reward: g.Reward, Quantity: g.left(), Grant: g.N}, bill{whole: -1, left: -1}, w.scene())
	if err != nil {
		return false // what cannot be handed over now, for want of stock, stays the member's to fetch
	}
	s := w.redeem(q, w.drawnID(0), "")
	if err := w.hand(&s); err != nil { // its stock was looked at
		w.err = err
	}
	return len(w.st.Grants) < before
}

// doGrant gives or takes back by hand.
func (w *work) doGrant() error {
	b := w.f.Grant
	var fields []errs.Field
	fail := func(pointer, reason, message string) {
		fields = append(fields, errs.Field{Pointer: pointer, Reason: reason, Message: message})
	}
	if strings.TrimSpace(b.Reason) == "" {
		fail("/reason", "required", "say why; the member can read it")
	} else if len(b.Reason) > 1000 {
		fail("/reason", "too_long", "is longer than 1,000 characters")
	}
	if b.TakeBack == 0 {
		switch r := w.p.Rewards[b.Reward]; {
		case b.Benefit != "" && b.Reward != "":
			fail("/benefit", "one_of_two", "give a reward or a benefit, not both")
		case b.Benefit != "":
			if w.p.Benefit(b.Benefit) == nil {
				fail("/benefit", "unknown_benefit", "there is no benefit "+strconv.Quote(b.Benefit)+" in this program")
			}
		case r == nil:
			fail("/reward", "unknown_reward", "there is no reward "+strconv.Quote(b.Reward)+" in this program")
		case r.Pay != nil:
			fail("/reward", "paid_by_rate", "this reward is money off for points; give points instead")
		}
		if b.Uses < 0 || b.Uses > 1000 {
			fail("/uses", "out_of_range", "must be 1 to 1,000")
		}
		if b.EndsAt != nil && (!b.EndsAt.After(w.at) || b.WaitsUntil != nil && !b.EndsAt.After(*b.WaitsUntil)) {
			fail("/ends_at", "in_the_past", "must be later than now, and than waits_until")
		}
	}
	if len(fields) > 0 {
		return errs.Invalid("invalid_grant", "The grant has mistakes.", fields...)
	}
	if b.TakeBack > 0 {
		i := w.grantAt(b.TakeBack)
		if i < 0 {
			return errs.NotFound("grant_not_found", "The member has no such grant that is open: it was used, has ended or was taken back.").With("grant", b.TakeBack)
		}
		w.prizeOver(&w.st.Grants[i])
		w.ungrant(i)
		return nil
	}
	if err := w.notClosed(); err != nil {
		return err
	}
	if len(w.st.Grants) >= maxGrants && b.Raffle == "" {
		return errs.Conflict("too_many_grants", "The member has "+strconv.Itoa(maxGrants)+" open grants already; that is the most.")
	}
	g := Grant{Reward: b.Reward, Benefit: b.Benefit, Source: HandSource, Uses: max(b.Uses, 1), EndsAt: b.EndsAt}
	from := w.at
	if b.WaitsUntil != nil && b.WaitsUntil.After(w.at) {
		g.WaitsUntil, from = b.WaitsUntil, *b.WaitsUntil
	}
	if b.EndsAt != nil {
		g.WarnAt = grantWarning(&handWarning, *b.EndsAt, from, w.p.Zone)
	}
	if b.Raffle != "" {
		g.Source = RaffleSource + b.Raffle
		w.note(NoteRaffleWon, Args{"reward": {Reward: b.Raffle}})
		w.event(EvRaffleDrawn, map[string]string{"raffle": b.Raffle, "ticket": b.Ticket, "reward": b.Reward})
	}
	w.grant(g)
	return nil
}

// handWarning is how long before its end a member is told of what staff gave.
var handWarning = program.Period{N: 7, Unit: "day"}

// maxGrants bounds what is open for one member at once: what staff gives is refused beyond it.
const maxGrants = 500

// carryGrants takes over the grants of a member that was merged into this one; it gives their new numbers by the old ones.
func (w *work) carryGrants(grants []Grant) map[int64]int64 {
	numbers := map[int64]int64{}
	for _, g := range grants {
		w.st.Granted++
		numbers[g.N], g.N = w.st.Granted, w.st.Granted
		w.st.Grants = append(w.st.Grants, g)
		w.d.Grants = append(w.d.Grants, g)
	}
	return numbers
}

// endGrants ends all grants with the membership.
func (w *work) endGrants() {
	for len(w.st.Grants) > 0 {
		g := w.dropGrant(0, GrantEnded)
		w.note(NoteGrantClosed, g.args())
		w.grantEvent(EvGrantEnded, &g, "reason", "closed")
	}
}

// grantDraws counts what a due fact needs to hand over what has waited. It draws no code for a voucher: nobody asks as time passes, so
// nobody would get it. Such a voucher waits until somebody asks for its code: VoucherCode. A code of a pool is drawn: it can be shown at any time.
func grantDraws(p *program.Compiled, st *State, at time.Time, d *Draw) {
	for i := range st.Grants {
		g := &st.Grants[i]
		r := p.Rewards[g.Reward]
		if !g.HandsOver || r == nil || !opens(p, g, at) {
			continue
		}
		d.Redemptions++
		if r.Kind == program.KindCode {
			d.Pools = append(d.Pools, r.Gives.Pool)
		}
	}
}

// opens says whether a grant's waiting is over at a moment: its own, or because its challenge has ended.
func opens(p *program.Compiled, g *Grant, at time.Time) bool {
	if g.WaitsUntil == nil {
		return false
	}
	end := challengeEnd(p, g)
	return !g.WaitsUntil.After(at) || end != nil && !end.After(at)
}

// HandOverTallies are the counters that handing over what has waited needs.
func HandOverTallies(p *program.Compiled, st *State, at time.Time) []TallyRange {
	var out []TallyRange
	for i := range st.Grants {
		if g := &st.Grants[i]; g.HandsOver && opens(p, g, at) {
			out = append(out, rewardTallies(p, st, p.Rewards[g.Reward], at)...)
		}
	}
	return out
}

// FoldGrants gives what a member's facts leave to be had, by number: a state's grants are just these.
func FoldGrants(past []Past) []Grant {
	last := map[int64]Grant{}
	for i := range past {
		for _, g := range past[i].Decision.Grants {
			last[g.N] = g
		}
	}
	out := []Grant{}
	for _, n := range slices.Sorted(maps.Keys(last)) {
		if g := last[n]; g.Status == GrantWaits || g.Status == GrantOpen {
			out = append(out, g)
		}
	}
	return out
}

// CheckGrants says what is wrong with a member's grants, by the facts that made them; "" for nothing.
func CheckGrants(st *State, past []Past) string {
	if st.Status == Merged {
		return ""
	}
	have := slices.Clone(st.Grants)
	slices.SortFunc(have, func(a, b Grant) int { return cmp.Compare(a.N, b.N) })
	want := FoldGrants(past)
	for i := range have {
		switch g := &have[i]; {
		case i >= len(want) || g.N != want[i].N:
			return fmt.Sprintf("grant %d is held, and the facts leave %d grants", g.N, len(want))
		case g.Used < 0 || g.Uses > 0 && g.Used >= g.Uses || g.N > st.Granted:
			return fmt.Sprintf("grant %d was used %d of %d times, and the last one is %d", g.N, g.Used, g.Uses, st.Granted)
		case g.Used != want[i].Used || g.Uses != want[i].Uses || g.Reward != want[i].Reward || g.Benefit != want[i].Benefit || g.Status != want[i].Status ||
			!same(g.EndsAt, want[i].EndsAt) || !same(g.WaitsUntil, want[i].WaitsUntil):
			return fmt.Sprintf("grant %d stands as %+v, the last fact left it as %+v", g.N, *g, want[i])
		}
	}
	if len(want) > len(have) {
		return fmt.Sprintf("%d grants are held, and the facts leave %d", len(have), len(want))
	}
	return ""
}
