package terms

import (
	"slices"
	"strings"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/program"
)

// cost writes one of a reward's prices: all of its units, and the money besides.
func (w *writer) cost(p program.CompiledPrice) string {
	var all []string
	for _, unit := range slices.Sorted(keys(p.Units)) {
		all = append(all, w.points(unit, p.Units[unit]))
	}
	if p.Money > 0 {
		all = append(all, w.money(p.Money))
	}
	return w.and(all)
}

// costs writes all prices of which one is paid.
func (w *writer) costs(r *program.CompiledReward) string {
	all, sums := make([]string, len(r.Prices)), false
	for i, p := range r.Prices {
		all[i] = w.cost(p)
		sums = sums || len(p.Units) > 1 || len(p.Units) == 1 && p.Money > 0
	}
	if sums { // a comma alone would read as one more thing to pay
		return strings.Join(all, w.say("price.or"))
	}
	return w.or(all)
}

// kind tells what a reward gives that needs saying.
func (w *writer) kind(r *program.CompiledReward) string {
	g := &r.Gives
	switch r.Kind {
	case program.KindCode:
		return sentence(w.say("kind.code"))
	case program.KindGoods:
		return sentence(w.say("kind.goods"))
	case program.KindGiftCard:
		return sentence(w.say("kind.gift_card", "money", w.money(r.Card)))
	case program.KindSeat:
		s := sentence(w.say("kind.seat", "time", w.day(*r.Starts)))
		if len(g.Seat.Place) > 0 {
			s = paragraph(s, sentence(w.say("kind.place", "x", w.text(g.Seat.Place))))
		}
		return s
	case program.KindDonation:
		return sentence(w.say("kind.donation", "money", w.money(r.Donated), "x", w.text(g.Donation.To)))
	case program.KindRaffle:
		prize := w.quoted(explain.Reward(w.p, g.Raffle.Prize, w.lang))
		if g.Raffle.Winners > 1 {
			return sentence(w.say("kind.raffle.more", "time", w.last(*r.Draws), "n", w.count(g.Raffle.Winners), "x", prize))
		}
		return sentence(w.say("kind.raffle", "time", w.last(*r.Draws), "x", prize))
	case program.KindChoice:
		var all []string
		for _, id := range g.Choice {
			all = append(all, w.quoted(explain.Reward(w.p, id, w.lang)))
		}
		return sentence(w.say("kind.choice", "x", w.or(all)))
	}
	return ""
}
