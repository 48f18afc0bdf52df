package explain

import (
	"slices"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// standings are what is said of a challenge besides what counts: in the order of lang.All.
var standings = map[string][4]string{
	"done":  {"Du har nådd den.", "Du har nått den.", "Du har nået den.", "You have reached it."},
	"over":  {"Den er over.", "Den är över.", "Den er forbi.", "It is over."},
	"soon":  {"Den har ikke begynt ennå.", "Den har inte börjat än.", "Den er ikke begyndt endnu.", "It has not begun yet."},
	"join":  {"Bli med, så begynner det å telle.", "Gå med, så börjar det räknas.", "Kom med, så begynder det at tælle.", "Join, and it begins to count."},
	"until": {" Siste dag er {time:last}.", " Sista dagen är {time:last}.", " Sidste dag er {time:last}.", " The last day is {time:last}."},
}

// Challenge says in words where a member stands in a challenge: what counts, what is missing, and until when.
func Challenge(g *engine.ChallengeProgress, p *program.Compiled, language string, forMember bool) string {
	w := newWriter(p, language, forMember)
	say := func(key string) string {
		i := slices.Index([]string{lang.Norwegian, lang.Swedish, lang.Danish, lang.English}, w.lang)
		return standings[key][max(i, 0)]
	}
	h := p.Challenges[g.Challenge]
	switch {
	case g.Over:
		return titledBy(h, w.lang) + say("over")
	case !g.Running:
		return titledBy(h, w.lang) + say("soon")
	case g.Done:
		return titledBy(h, w.lang) + say("done")
	case !g.Taking:
		return titledBy(h, w.lang) + say("join")
	}
	text := w.say(engine.NoteChallenge, engine.Args{"rule": {Rule: h.ID}, "seen": Counted(h, g.Value), "want": Counted(h, h.Goal), "missing": Counted(h, g.Missing)})
	if g.Until != nil {
		text += w.fill([]string{say("until")}, "", engine.Args{"time": engine.Time(*g.Until)})
	}
	return text
}

// Grant says in words what a member may have, and until when.
func Grant(g *engine.Grant, p *program.Compiled, language string, forMember bool) string {
	w := newWriter(p, language, forMember)
	args := engine.Args{"reward": {Reward: g.Reward}}
	if g.Reward == "" {
		args["reward"] = engine.Value{Rule: g.Benefit}
	}
	if g.WaitsUntil != nil {
		args["time"] = engine.Time(*g.WaitsUntil)
		return w.say(engine.NoteGrantWaits, args)
	}
	if g.EndsAt != nil {
		args["time"] = engine.Time(*g.EndsAt)
	}
	return w.say(engine.NoteGranted, args)
}

// Counted is what a challenge counts, as a value: money, points, or a number.
func Counted(h *program.CompiledChallenge, n int64) engine.Value {
	switch {
	case h.Shape != program.PlainShape:
		return engine.Number(money.Format(n, 0))
	case h.Metric == "spend":
		return engine.Money(n)
	case len(h.Metric) > 5 && h.Metric[:5] == "unit:":
		return engine.Units(h.Metric[5:], n)
	}
	return engine.Number(trimmed(n, h.Scale))
}

// trimmed writes a number without the zeros behind its last digit.
func trimmed(n int64, scale int) string {
	for ; scale > 0 && n%10 == 0; scale-- {
		n /= 10
	}
	return money.Format(n, scale)
}

// titledBy begins a sentence with a challenge's title.
func titledBy(h *program.CompiledChallenge, language string) string {
	return titled(h.Title, language, h.ID) + ": "
}
