package engine

import (
	"slices"
	"strconv"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

// OfferLimit is how often a reward can be had.
type OfferLimit struct {
	// Each is member or program: whose redemptions count. Per is the period.
	Each, Per string
	Times     int64
	// Left is what is left of it now; Renews is when it can be had more often again, nil where never.
	Left   int64
	Renews *time.Time
}

// limits says what is left of each limit of a reward.
func (w *work) limits(r *program.CompiledReward, sc *scene) []OfferLimit {
	var out []OfferLimit
	for _, l := range r.Limits {
		if l.Times < 0 {
			continue
		}
		o := OfferLimit{Each: "member", Per: l.Per, Times: l.Times, Left: l.Times}
		if l.Each == "program" {
			o.Each = l.Each
		}
		if l.Per != "purchase" {
			asked, zone := w.f.AskedAt(), sc.zone(l.Zone)
			o.Left = max(l.Times-w.acc.Tallies[limitName(l)+"/times"][program.PeriodKey(l.Per, asked, zone)], 0)
			if l.Per != "lifetime" {
				end := program.EndOf(l.Per, asked, zone)
				o.Renews = &end
			}
		}
		out = append(out, o)
	}
	return out
}

// whyNot says what stands between a member and a reward.
func (w *work) whyNot(o *Offer, r *program.CompiledReward, sc *scene, err error) []Note {
	switch errs.As(err).Reason {
	case "member_blocked", "member_closed":
		return []Note{{Code: NoteBenefitInactive}}
	case "out_of_stock":
		return []Note{{Code: NoteOfferNone}}
	case "raffle_drawn":
		return []Note{{Code: NoteOfferDrawn}}
	case "reward_not_available":
		args := Args{}
		switch {
		case r.From != nil && w.at.Before(*r.From):
			args["from"] = Time(*r.From)
		case r.Until != nil && w.at.After(*r.Until):
			args["until"] = Time(*r.Until)
		}
		return []Note{{NoteOfferTime, args}}
	case "reward_not_granted":
		return []Note{{Code: NoteOfferGranted}}
	case "reward_not_allowed":
		if _, why, err := sc.holds(r.When); err == nil {
			return why
		}
	case "limit_reached":
		if i := slices.IndexFunc(o.Limits, func(l OfferLimit) bool { return l.Left == 0 }); i >= 0 {
			l := o.Limits[i]
			args := Args{"times": Number(strconv.FormatInt(l.Times, 10)), "per": word(l.Per)}
			if l.Renews != nil {
				args["time"] = Time(*l.Renews)
			}
			if l.Each == "program" {
				return []Note{{NoteOfferLimitAll, args}}
			}
			return []Note{{NoteOfferLimit, args}}
		}
	case "balance_too_low":
		var out []Note
		for _, unit := range sortedUnits(o.Missing) {
			out = append(out, Note{NoteOfferShort, Args{"missing": Units(unit, o.Missing[unit])}})
		}
		return out
	case "below_minimum":
		return []Note{{NoteOfferLeast, Args{"amount": Units(r.Pay.Unit, max(r.PayMin, r.PayPoints))}}}
	case "role_may_not", "not_in_house":
		return []Note{{Code: NoteOfferRole}}
	}
	return nil
}
