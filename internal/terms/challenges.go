package terms

import (
	"strings"

	"lojal.dev/lojal/internal/explain"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/money"
	"lojal.dev/lojal/internal/program"
)

// challenges tells what there is to reach.
func (w *writer) challenges() []Item {
	var out []Item
	for i := range w.p.Doc.Challenges {
		c := w.p.Challenges[w.p.Doc.Challenges[i].ID]
		lines := []string{sentence(w.text(c.Description)), sentence(w.goal(c)), w.counted(c), w.scope(c.Lines), w.conditions(c.When), w.window(c.When, c.From, c.Until)}
		if c.Join {
			lines = append(lines, sentence(w.say("challenge.join")))
		}
		lines = append(lines, w.prize(c), w.again(c))
		if c.Leaderboard {
			lines = append(lines, sentence(w.say("challenge.leaderboard")))
		}
		if c.On == "purchase" && c.Returns.Counted != "keep" {
			lines = append(lines, sentence(w.say("challenge.returns")))
		}
		out = append(out, Item{Of: c.ID, Title: explain.Rule(w.p, c.ID, w.lang), Text: paragraph(lines...)})
	}
	return out
}

// goal says what to do, and how much of it.
func (w *writer) goal(c *program.CompiledChallenge) string {
	done := w.quoted(explain.Activity(w.p, c.On, w.lang))
	if c.On == program.RecognitionTrigger {
		done = w.quoted(explain.Rule(w.p, program.RecognitionRule, w.lang))
		if c.Metric == "times" && c.Shape == program.PlainShape {
			return w.say("goal.thanked", "n", lang.Number(w.lang, money.FromMinor(c.Goal, c.Scale)))
		}
		if unit, ok := strings.CutPrefix(c.Metric, "unit:"); ok && c.Shape == program.PlainShape {
			return w.say("goal.thanked.unit", "n", w.points(unit, c.Goal))
		}
	}
	n := lang.Number(w.lang, money.FromMinor(c.Goal, c.Scale))
	if one := money.Pow10(c.Scale); c.Goal%one == 0 {
		n = lang.Number(w.lang, money.New(c.Goal/one, 0))
	}
	kind, what, _ := strings.Cut(c.Metric, ":")
	switch {
	case c.Shape == program.StreakShape:
		key := "goal.streak"
		if c.On != "purchase" {
			key = "goal.streak.activity"
		}
		return w.say(key, "n", w.period(program.Period{N: int(c.Goal), Unit: c.Streak}), "x", done)
	case c.Shape == program.SetShape:
		n = w.count(c.Goal)
		if c.On != "purchase" {
			return w.say("goal.set.activity", "n", n, "what", explain.Word(w.p, c.Set, w.lang), "x", done)
		}
		return w.say("goal.set."+c.Set, "n", n)
	case kind == "spend":
		n = w.money(c.Goal)
	case kind == "unit":
		n = w.points(what, c.Goal)
	}
	return w.say("goal."+kind, "n", n, "x", done, "what", explain.Word(w.p, what, w.lang))
}

// counted says what a streak takes in each period, and which things a set has.
func (w *writer) counted(c *program.CompiledChallenge) string {
	switch {
	case c.Shape == program.StreakShape && c.Least > 1 && (c.Metric == "purchases" || c.Metric == "times"):
		return sentence(w.say("goal.least", "n", w.count(c.Least), "every", w.say("every."+c.Streak)))
	case c.Shape == program.SetShape && len(c.Challenge.Of) > 0:
		return sentence(w.say("goal.of", "x", w.and(w.named(c.Challenge.Of))))
	}
	return ""
}

func (w *writer) prize(c *program.CompiledChallenge) string {
	var out []string
	g := c.Gives
	switch {
	case g.Reward != "":
		out = append(out, sentence(w.say("prize.reward", "x", w.quoted(explain.Reward(w.p, g.Reward, w.lang)))))
		if g.Uses > 1 {
			out = append(out, sentence(w.say("prize.uses", "n", w.count(g.Uses))))
		}
	case g.Unit != "":
		out = append(out, sentence(w.say("prize.reward", "x", w.points(g.Unit, c.Amount))))
	}
	if g.Waits != nil {
		out = append(out, sentence(w.say("pending.for", "x", w.period(*g.Waits))))
	}
	if g.Valid != nil {
		out = append(out, sentence(w.say("prize.valid", "x", w.period(*g.Valid))))
	}
	if g.Warn != nil {
		out = append(out, sentence(w.say("expiry.warn", "x", w.period(*g.Warn))))
	}
	if len(c.Badge) > 0 {
		out = append(out, sentence(w.say("prize.badge", "x", w.quoted(w.text(c.Badge)))))
	}
	return paragraph(out...)
}

// again says whether there is another one after the first.
func (w *writer) again(c *program.CompiledChallenge) string {
	var out []string
	if c.Repeats {
		out = append(out, sentence(w.say("challenge.repeats")))
	}
	if c.Per != "" {
		out = append(out, sentence(w.say("challenge.per", "every", w.say("every."+c.Per))))
	}
	if c.Repeats && c.Most > 0 {
		out = append(out, sentence(w.say("challenge.times", "n", w.count(c.Most))))
	}
	if c.AtOnce > 0 {
		out = append(out, sentence(w.say("challenge.atonce", "n", w.count(c.AtOnce))))
	}
	return paragraph(out...)
}
