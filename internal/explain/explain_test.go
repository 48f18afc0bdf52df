package explain

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/lang"
	"lojal.dev/lojal/internal/program"
)

var update = flag.Bool("update", false, "write the golden files anew")

func kaffe(t *testing.T) *program.Compiled {
	t.Helper()
	data, err := os.ReadFile("testdata/kaffe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := program.Parse(data, "kaffe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.Compile(doc, 7)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// codes reads the constants that are codes of explanations from the engine's source: name to value.
func codes(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../engine/explanation.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for i, name := range v.Names {
				lit, ok := v.Values[i].(*ast.BasicLit)
				if !ok {
					t.Fatalf("%s is not a plain text", name.Name)
				}
				value, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				for _, prefix := range []string{"Why", "Cond", "Step", "Note"} {
					if strings.HasPrefix(name.Name, prefix) {
						out[name.Name] = value
					}
				}
			}
		}
	}
	if len(out) < 70 {
		t.Fatalf("only %d codes were found", len(out))
	}
	return out
}

func placeholders(s string) []string {
	found := placeholder.FindAllString(s, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryCodeHasATextInEveryLanguage(t *testing.T) {
	t.Parallel()
	all := codes(t)
	known := slices.Collect(maps.Values(all))
	for _, language := range lang.All {
		table := tables[language]
		for name, code := range all {
			if len(table.codes[code].staff) == 0 {
				t.Errorf("%s: no text for %s (%q)", language, name, code)
			}
		}
		for code := range table.codes {
			if !slices.Contains(known, code) {
				t.Errorf("%s: a text for %q, which is no code", language, code)
			}
		}
	}
}

// The same alternatives with the same values everywhere; English is what the others are held to.
func TestEveryLanguageSaysTheSameThings(t *testing.T) {
	t.Parallel()
	compare := func(language, what string, want, got []string) {
		if len(want) != len(got) {
			t.Errorf("%s: %s has %d alternatives, English %d", language, what, len(got), len(want))
			return
		}
		for i := range want {
			if d := cmp.Diff(placeholders(want[i]), placeholders(got[i])); d != "" {
				t.Errorf("%s: %s, alternative %d: %s", language, what, i, d)
			}
		}
	}
	for _, language := range lang.All {
		table := tables[language]
		for code, text := range en.codes {
			compare(language, code+" for staff", text.staff, table.codes[code].staff)
			compare(language, code+" for members", text.member, table.codes[code].member)
		}
		for code, text := range en.now {
			compare(language, code+" now for staff", text.staff, table.now[code].staff)
			compare(language, code+" now for members", text.member, table.now[code].member)
		}
		if len(table.now) != len(en.now) {
			t.Errorf("%s: %d conditions of now, English has %d", language, len(table.now), len(en.now))
		}
		compare(language, "gave", en.gave.staff, table.gave.staff)
		compare(language, "gave for members", en.gave.member, table.gave.member)
		compare(language, "dryRun", []string{en.dryRun}, []string{table.dryRun})
		for name, maps := range map[string][2]map[string]string{
			"per": {en.per, table.per}, "rounding": {en.rounding, table.rounding}, "status": {en.status, table.status},
		} {
			for word := range maps[0] {
				if maps[1][word] == "" {
					t.Errorf("%s: no word for %s in %s", language, word, name)
				}
			}
		}
		for unit := range en.periods {
			if table.periods[unit][0] == "" || table.periods[unit][1] == "" {
				t.Errorf("%s: no word for %s", language, unit)
			}
		}
	}
}

func TestSentencesAreWhole(t *testing.T) {
	t.Parallel()
	for _, language := range lang.All {
		for code, text := range tables[language].codes {
			for _, s := range slices.Concat(text.staff, text.member) {
				clause := strings.HasPrefix(code, "cond_")
				if !clause && !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "}") {
					t.Errorf("%s %s: %q does not end", language, code, s)
				}
				if clause && strings.HasSuffix(s, ".") {
					t.Errorf("%s %s: %q stands inside a sentence", language, code, s)
				}
				if strings.ContainsAny(s, `"'`) || strings.Contains(s, "  ") {
					t.Errorf("%s %s: %q has typewriter quotes or two spaces", language, code, s)
				}
			}
		}
	}
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

type (
	args = engine.Args
	note = engine.Note
	val  = engine.Value
)

var (
	m         = engine.Money
	stars     = func(n int64) val { return engine.Units("star", n) }
	num       = engine.Number
	when      = func(s string) val { return engine.Time(at(s)) }
	text1     = func(s string) val { return val{Text: s} }
	wordOf    = func(s string) val { return val{Word: s} }
	ruleOf    = func(s string) val { return val{Rule: s} }
	tierOf    = func(s string) val { return val{Tier: "club/" + s} }
	rewardOf  = func(s string) val { return val{Reward: s} }
	benefitOf = func(s string) val { return val{Benefit: s} }
	listOf    = func(s ...string) val { return val{List: s} }
)

// failed is a rule whose condition did not hold.
func failed(rule string, parts ...note) engine.RuleTrace {
	return engine.RuleTrace{Rule: rule, Why: note{Code: engine.WhyCondition}, Steps: parts}
}

func lost(rule, code string, a args) engine.RuleTrace {
	return engine.RuleTrace{Rule: rule, Why: note{Code: code, Args: a}}
}

func won(rule, code string, a args, steps ...note) engine.RuleTrace {
	return engine.RuleTrace{Rule: rule, Fired: true, Why: note{Code: code, Args: a}, Steps: steps}
}

var explanations = map[string]engine.Explanation{
	"01-coffee-on-a-tuesday": {
		Rules: []engine.RuleTrace{
			won("base", engine.WhyEarned, args{"gave": stars(24)}, note{Code: engine.StepBasis, Args: args{"money": m(24900)}},
				note{Code: engine.StepPer, Args: args{"basis": m(24900), "per": m(1000), "amount": stars(1), "gave": stars(24), "rounding": wordOf("down")}}),
			won("tuesday-coffee", engine.WhyMultiplied, args{"factor": num("2"), "gave": stars(8)},
				note{Code: engine.StepFactor, Args: args{"rule": ruleOf("base"), "factor": num("2"), "from": stars(8), "gave": stars(8)}}),
			lost("buns", engine.WhyScope, nil),
		},
		Notes: []note{
			{Code: engine.NoteLot, Args: args{"gave": stars(24), "time": when("2027-03-31T22:00:00Z")}},
			{Code: engine.NoteLot, Args: args{"gave": stars(8), "time": when("2027-03-31T22:00:00Z")}},
			{Code: engine.NoteTierUp, Args: args{"tier": tierOf("gold"), "was": tierOf("member"), "seen": m(301200), "from": m(300000)}},
		},
	},
	"02-double-only-for-gold": {
		Rules: []engine.RuleTrace{
			won("base", engine.WhyEarned, args{"gave": stars(25)},
				note{Code: engine.StepGross, Args: args{"discount": m(1000)}}, note{Code: engine.StepShipping, Args: args{"shipping": m(4900)}},
				note{Code: engine.StepDiscounts, Args: args{"discount": m(2000)}}, note{Code: engine.StepTax, Args: args{"tax": m(5000)}}, note{Code: engine.StepPayments, Args: args{"money": m(5000)}},
				note{Code: engine.StepRate, Args: args{"from": text1("20.00 EUR"), "rate": num("11.50"), "to": m(23000)}}, note{Code: engine.StepBasis, Args: args{"money": m(25000)}},
				note{Code: engine.StepPer, Args: args{"basis": m(25000), "per": m(1000), "amount": stars(1), "gave": stars(25), "rounding": wordOf("down")}}),
			failed("tuesday-coffee", note{Code: engine.CondTier, Args: args{"set": {Set: "club"}, "want": tierOf("gold"), "seen": tierOf("member")}}),
			failed("buns", note{Code: engine.CondWeekday, Args: args{"want": {Words: []string{"tuesday", "wednesday", "friday"}}, "seen": wordOf("saturday")}}),
			lost("secret", engine.WhyZero, nil),
		},
		Notes: []note{{Code: engine.NoteLotForever, Args: args{"gave": stars(25)}}},
	},
	"03-nothing-and-why": {
		Rules: []engine.RuleTrace{
			lost("base", engine.WhyScope, nil),
			lost("buns", engine.WhyWindowBefore, args{"from": when("2026-04-30T22:00:00Z")}),
			lost("secret", engine.WhyWindowAfter, args{"until": when("2026-02-28T22:59:59.999999999Z")}),
			lost("own-cup", engine.WhyLimit, args{"per": wordOf("day"), "times": num("1")}),
			lost("tuesday-coffee", engine.WhyNothing, nil),
		},
		Notes: []note{{Code: engine.NoteNothing}, {Code: engine.NoteLate, Args: args{"time": when("2026-03-14T11:05:00Z")}}},
	},
	"04-limits": {
		Rules: []engine.RuleTrace{
			lost("base", engine.WhyLimit, args{"per": wordOf("month"), "amount": stars(1000)}),
			lost("buns", engine.WhyLimitRefuse, args{"per": wordOf("lifetime"), "left": stars(1), "wanted": stars(12)}),
			won("own-cup", engine.WhyEarned, args{"gave": stars(1)}, note{Code: engine.StepFixed, Args: args{"gave": stars(2)}},
				note{Code: engine.StepClip, Args: args{"per": wordOf("purchase"), "left": stars(1), "gave": stars(1)}}),
			lost("secret", engine.WhyLimit, args{"per": wordOf("week"), "times": num("3")}),
		},
		Notes: []note{{Code: engine.NoteConfirm, Args: args{"gave": stars(1), "text": text1("activity:own_cup")}}, {Code: engine.NoteLotForever, Args: args{"gave": stars(1)}}},
	},
	"05-rules-among-themselves": {
		Rules: []engine.RuleTrace{
			lost("base", engine.WhyClaimed, args{"rule": ruleOf("buns")}),
			lost("secret", engine.WhyExclusive, args{"rule": ruleOf("buns")}),
			lost("own-cup", engine.WhyBest, args{"rule": ruleOf("buns"), "group": text1("spring")}),
			won("buns", engine.WhyEarned, args{"gave": stars(6)}, note{Code: engine.StepClaimed, Args: args{"lines": num("2"), "rule": ruleOf("tuesday-coffee")}},
				note{Code: engine.StepItems, Args: args{"items": num("3"), "amount": stars(2), "gave": stars(6)}},
				note{Code: engine.StepRounded, Args: args{"rounding": wordOf("half-even"), "gave": stars(6), "before": stars(6)}}),
			{Rule: "tuesday-coffee", Fired: true, DryRun: true, Why: note{Code: engine.WhyMultiplied, Args: args{"factor": num("1.5"), "gave": stars(3)}},
				Steps: []note{{Code: engine.StepFactor, Args: args{"rule": ruleOf("buns"), "factor": num("1.5"), "from": stars(6), "gave": stars(3)}}}},
		},
		Notes: []note{{Code: engine.NotePending, Args: args{"gave": stars(6), "time": when("2026-03-28T11:05:00Z")}}, {Code: engine.NoteLotForever, Args: args{"gave": stars(6)}}, {Code: engine.NoteDebtPaid, Args: args{"amount": stars(4)}}},
	},
	"06-conditions-of-time-and-place": {
		Rules: []engine.RuleTrace{
			failed("base", note{Code: engine.CondHours, Args: args{"want": listOf("07:00-10:00", "15:30-17:00"), "seen": text1("12:05")}}),
			failed("buns", note{Code: engine.CondDates, Args: args{"want": listOf("12-24..12-31", "2026-05-17"), "seen": {Day: "2026-03-14"}}}),
			failed("tuesday-coffee", note{Code: engine.CondAny},
				note{Code: engine.CondStore, Args: args{"want": listOf("Oslo S", "Bergen"), "seen": text1("Moss")}},
				note{Code: engine.CondChannel, Args: args{"want": listOf("app"), "seen": text1("")}},
				note{Code: engine.CondPayment, Args: args{"want": listOf("vipps", "swish"), "seen": listOf("card", "cash")}}),
			failed("secret", note{Code: engine.CondNot}),
			failed("own-cup", note{Code: engine.CondStore, Args: args{"want": listOf("Oslo S"), "seen": text1("")}}),
		},
		Notes: []note{{Code: engine.NoteNothing}},
	},
	"07-conditions-of-sums": {
		Rules: []engine.RuleTrace{
			failed("base", note{Code: engine.CondAmount, Args: args{"seen": m(24900), "from": m(50000), "to": m(100000)}}),
			failed("buns", note{Code: engine.CondAmount, Args: args{"seen": m(24900), "from": m(50000)}}),
			failed("secret", note{Code: engine.CondTotal, Args: args{"seen": m(123456700), "to": m(100000000)}}),
			failed("own-cup", note{Code: engine.CondItems, Args: args{"seen": num("2.5"), "from": num("3")}}),
			failed("tuesday-coffee", note{Code: engine.CondFormula, Args: args{"text": text1("total > money(\"500.00\")"), "seen": listOf("total = 24900")}}),
		},
		Notes: []note{{Code: engine.NoteNothing}},
	},
	"08-conditions-of-the-member": {
		Rules: []engine.RuleTrace{
			failed("base", note{Code: engine.CondFirst, Args: args{"seen": num("12")}}),
			failed("buns", note{Code: engine.CondNotFirst}),
			failed("secret", note{Code: engine.CondMemberFor, Args: args{"want": text1("3 months"), "seen": when("2026-03-01T08:00:00Z")}}),
			failed("tuesday-coffee", note{Code: engine.CondOnlyTier, Args: args{"want": {Tiers: []string{"club/member", "club/gold"}}, "seen": tierOf("")}}),
			failed("own-cup", note{Code: engine.CondAttribute, Args: args{"name": text1("shoe"), "want": listOf("38", "39"), "seen": text1("")}}),
			failed("own-cup", note{Code: engine.CondProperty, Args: args{"name": text1("size"), "want": listOf("large"), "seen": text1("small")}}),
			lost("base", engine.WhyNoMember, nil),
			lost("base", engine.WhyBlocked, nil),
		},
		Notes: []note{{Code: engine.NoteNothing}, {Code: engine.NoteVersion, Args: args{"version": num("7"), "time": when("2026-03-14T11:05:00Z")}}},
	},
	"09-a-return-of-nothing": *Whole(engine.ReturnK, engine.Explanation{}),
	"09-a-return": {
		Notes: []note{
			{Code: engine.NoteReversed, Args: args{"amount": stars(24), "rule": ruleOf("base")}},
			{Code: engine.NoteDebtMade, Args: args{"amount": stars(10)}},
			{Code: engine.NoteForgiven, Args: args{"amount": stars(1)}},
			{Code: engine.NoteGivenBack, Args: args{"amount": stars(50)}},
			{Code: engine.NoteGoneLot, Args: args{"amount": stars(20), "time": when("2026-02-28T23:00:00Z")}},
			{Code: engine.NoteKept},
			{Code: engine.NoteTierDown, Args: args{"tier": tierOf("member"), "was": tierOf("gold"), "seen": m(290000), "from": m(300000)}},
		},
	},
	"10-a-redemption": {
		Notes: []note{
			{Code: engine.NoteReserved, Args: args{"amount": stars(50), "reward": rewardOf("coffee"), "time": when("2026-03-14T11:20:00Z")}},
			{Code: engine.NoteSpent, Args: args{"amount": stars(50), "reward": rewardOf("coffee")}},
			{Code: engine.NoteLetGo, Args: args{"amount": stars(50), "reward": rewardOf("coffee")}},
			{Code: engine.NoteLapsed, Args: args{"amount": engine.Units("cash", 150), "reward": rewardOf("gone-reward")}},
			{Code: engine.NoteVoucherUsed, Args: args{"money": m(5000), "reward": rewardOf("coffee")}},
			{Code: engine.NoteVoucherUnused, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteVoucherVoid, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteVoucherWaits, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteMoneyDue, Args: args{"money": m(4900), "reward": rewardOf("coffee")}},
			{Code: engine.NoteMoneyPaid, Args: args{"money": m(4900), "reward": rewardOf("coffee")}},
			{Code: engine.NoteMoneyBack, Args: args{"money": m(2450), "reward": rewardOf("coffee")}},
			{Code: engine.NoteChosen, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteNotBack, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteOrdered, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NotePacked, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteSent, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteDelivered, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteCameBack, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteFailed, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteCouponUsed, Args: args{"money": m(5000), "text": engine.Value{Text: "summer"}}},
			{Code: engine.NoteCouponUnused, Args: args{"text": engine.Value{Text: "summer"}}},
			{Code: engine.NoteCardLoaded, Args: args{"amount": engine.Units("cash", 50000)}},
			{Code: engine.NoteCardHeld, Args: args{"amount": engine.Units("cash", 15000), "time": when("2026-03-14T11:20:00Z")}},
			{Code: engine.NoteCardPaid, Args: args{"amount": engine.Units("cash", 15000)}},
			{Code: engine.NoteCardLetGo, Args: args{"amount": engine.Units("cash", 15000)}},
		},
	},
	"15-a-challenge": {
		Notes: []note{
			{Code: engine.NoteChallenge, Args: args{"rule": ruleOf("coffee-card"), "amount": num("2"), "seen": num("7"), "want": num("9"), "missing": num("2")}},
			{Code: engine.NoteChallenge, Args: args{"rule": ruleOf("coffee-card"), "seen": num("3"), "want": num("5"), "missing": num("2")}},
			{Code: engine.NoteChallengeDone, Args: args{"rule": ruleOf("coffee-card")}},
			{Code: engine.NoteChallengeBack, Args: args{"rule": ruleOf("coffee-card"), "amount": num("2"), "seen": num("8"), "missing": num("1")}},
			{Code: engine.NoteChallengeDebt, Args: args{"rule": ruleOf("coffee-card"), "amount": num("1")}},
			{Code: engine.NoteChallengeShort, Args: args{"rule": ruleOf("coffee-card"), "amount": m(10000)}},
			{Code: engine.NoteChallengeHand, Args: args{"rule": ruleOf("coffee-card"), "amount": num("1"), "text": text1("The machine was broken.")}},
			{Code: engine.NoteChallengeIn, Args: args{"rule": ruleOf("coffee-card")}},
			{Code: engine.NoteChallengeOut, Args: args{"rule": ruleOf("coffee-card")}},
		},
	},
	"14-a-grant": {
		Notes: []note{
			{Code: engine.NoteGranted, Args: args{"reward": rewardOf("coffee"), "time": when("2026-06-30T22:00:00Z")}},
			{Code: engine.NoteGranted, Args: args{"reward": rewardOf("gone-reward")}},
			{Code: engine.NoteGrantWaits, Args: args{"reward": rewardOf("coffee"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteGrantOpen, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteGrantHeld, Args: args{"reward": rewardOf("coffee"), "time": when("2026-03-14T11:20:00Z")}},
			{Code: engine.NoteGrantUsed, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteGrantAgain, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteGrantEnding, Args: args{"reward": rewardOf("coffee"), "time": when("2026-06-30T22:00:00Z")}},
			{Code: engine.NoteGrantEnded, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteGrantClosed, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteGrantBack, Args: args{"reward": rewardOf("coffee")}},
			{Code: engine.NoteRaffleWon, Args: args{"reward": rewardOf("coffee")}},
		},
	},
	"11-time-passes": {
		Notes: []note{
			{Code: engine.NoteReleased, Args: args{"amount": stars(6)}},
			{Code: engine.NoteExpired, Args: args{"amount": stars(1234), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteExpiring, Args: args{"amount": stars(1), "time": when("2026-05-14T10:30:00Z")}},
			{Code: engine.NoteInactive, Args: args{"amount": engine.Units("cash", 1250), "time": when("2025-03-14T11:05:00Z")}},
			{Code: engine.NoteTierWarning, Args: args{"tier": tierOf("gold"), "to": tierOf("member"), "time": when("2026-04-30T22:00:00Z"), "missing": m(120000)}},
			{Code: engine.NoteTierWarning, Args: args{"tier": tierOf("gold"), "time": when("2026-04-30T22:00:00Z"), "missing": m(0)}},
			{Code: engine.NoteTierSafe, Args: args{"tier": tierOf("gold")}},
			{Code: engine.NoteTierKept, Args: args{"tier": tierOf("gold"), "time": when("2026-12-31T23:00:00Z")}},
		},
	},
	"12-by-hand": {
		Notes: []note{
			{Code: engine.NoteAdjusted, Args: args{"amount": stars(-25), "text": text1("Wrong receipt.")}},
			{Code: engine.NoteGave, Args: args{"amount": stars(5)}},
			{Code: engine.NoteReceived, Args: args{"amount": stars(5)}},
			{Code: engine.NoteCancelled, Args: args{"amount": stars(6)}},
			{Code: engine.NoteTierFloor, Args: args{"tier": tierOf("gold"), "time": when("2026-12-31T23:00:00Z")}},
			{Code: engine.NoteTierFloor, Args: args{"tier": tierOf("gold")}},
			{Code: engine.NoteTierDown, Args: args{"tier": tierOf(""), "was": tierOf("gold"), "seen": m(0), "from": m(300000)}},
			{Code: engine.NoteTierUp, Args: args{"tier": tierOf("gold"), "was": tierOf("member"), "seen": num("412"), "from": text1("12 months")}},
			{Code: engine.NoteMerged, Args: args{"text": text1("mem_01jqk0000000000000000000")}},
			{Code: engine.NoteStatus, Args: args{"word": wordOf("blocked")}},
			{Code: engine.NoteCardStatus, Args: args{"word": wordOf("blocked")}},
			{Code: engine.NoteClosedOut, Args: args{"amount": stars(31)}},
			{Code: engine.NoteCardClosed, Args: args{"amount": stars(31)}},
		},
	},
	"14-an-invitation": {
		Notes: []note{
			{Code: engine.NoteReferralOpen},
			{Code: engine.NoteReferralRefused, Args: args{"word": wordOf("circular")}}, {Code: engine.NoteReferralRefused, Args: args{"word": wordOf("household")}},
			{Code: engine.NoteReferralQualified},
			{Code: engine.NoteReferralUndone},
			{Code: engine.NoteReferralMissed},
			{Code: engine.NoteFriendJoined},
			{Code: engine.NoteFriendQualified},
			{Code: engine.NoteFriendUndone},
			{Code: engine.NotePartnerAward, Args: args{"amount": stars(40), "text": text1("hotel")}},
			{Code: engine.NotePartnerAccept, Args: args{"amount": stars(40), "text": text1("hotel")}},
			{Code: engine.NotePartnerUndo, Args: args{"amount": stars(40), "text": text1("hotel")}},
			{Code: engine.NoteThanksGiven, Args: args{"amount": stars(20), "text": text1("helped")}},
			{Code: engine.NoteThanksGiven, Args: args{"amount": stars(20)}},
			{Code: engine.NoteThanksWait, Args: args{"amount": stars(20), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteThanksApproved, Args: args{"amount": stars(20)}},
			{Code: engine.NoteThanksDeclined, Args: args{"amount": stars(20)}},
			{Code: engine.NoteThanksLapsed, Args: args{"amount": stars(20)}},
			{Code: engine.NoteThanksUndone, Args: args{"amount": stars(20)}},
			{Code: engine.NoteThanked, Args: args{"amount": stars(20), "text": text1("helped")}},
			{Code: engine.NoteThanksTaken},
			{Code: engine.NoteShareMade, Args: args{"reward": benefitOf("discount"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteShareClaimed, Args: args{"reward": benefitOf("discount")}},
			{Code: engine.NoteShareEnded, Args: args{"reward": benefitOf("discount")}},
			{Code: engine.NoteShareVoid, Args: args{"reward": benefitOf("discount")}},
			{Code: engine.NoteShareGot, Args: args{"reward": benefitOf("discount")}},
			{Code: engine.NoteShareNot, Args: args{"reward": benefitOf("discount")}},
			{Code: engine.NoteShareUsed, Args: args{"reward": benefitOf("discount")}},
			{Code: engine.NoteShareUndone, Args: args{"reward": benefitOf("discount")}},
		},
	},
	"14-benefits": {
		Rules: []engine.RuleTrace{failed("base", note{Code: engine.CondPlan, Args: args{"want": {Plans: []string{"plus", "pro"}}}})},
		Notes: []note{
			{Code: engine.NoteFading, Args: args{"benefit": benefitOf("discount"), "value": {Percent: "15"}, "to": {Percent: "12.5"}, "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteFading, Args: args{"benefit": benefitOf("discount"), "value": m(5000), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteFading, Args: args{"benefit": benefitOf("gone"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteFaded, Args: args{"benefit": benefitOf("discount"), "value": {Percent: "12.5"}}},
			{Code: engine.NoteFaded, Args: args{"benefit": benefitOf("discount")}},
			{Code: engine.NoteFadedAgain, Args: args{"benefit": benefitOf("discount"), "value": text1("1 day")}},
			{Code: engine.NoteFadeStopped, Args: args{"benefit": benefitOf("discount")}},
			{Code: engine.NoteRestored, Args: args{"benefit": benefitOf("discount"), "value": {Percent: "15"}}},
			{Code: engine.NoteBenefitTaken, Args: args{"benefit": benefitOf("discount")}}, {Code: engine.NoteBenefitUnused, Args: args{"benefit": benefitOf("discount")}},
			{Code: engine.NoteBenefitOff, Args: args{"benefit": benefitOf("discount"), "money": m(5000)}},
			{Code: engine.NoteBenefitInactive},
			{Code: engine.NoteBenefitFrom, Args: args{"time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteBenefitOver, Args: args{"time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteBenefitTier, Args: args{"tier": tierOf("gold"), "missing": m(23000), "time": when("2026-12-31T23:00:00Z")}},
			{Code: engine.NoteBenefitTier, Args: args{"tier": tierOf("gold"), "missing": stars(230)}},
			{Code: engine.NoteBenefitPlan, Args: args{"plan": {Plans: []string{"plus"}}}},
			{Code: engine.NoteBenefitGone, Args: args{"time": when("2025-11-14T11:05:00Z")}},
			{Code: engine.NoteBenefitLimit, Args: args{"times": num("2"), "per": wordOf("month"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteBenefitLimit, Args: args{"times": num("1"), "per": wordOf("lifetime")}},
			{Code: engine.NoteBenefitOpens, Args: args{"time": when("2026-03-30T08:00:00Z")}},
			{Code: engine.NoteBenefitNothing},
			{Code: engine.NoteOfferNone},
			{Code: engine.NoteOfferTime, Args: args{"from": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteOfferTime, Args: args{"until": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteOfferTime},
			{Code: engine.NoteOfferDrawn},
			{Code: engine.NoteOfferGranted},
			{Code: engine.NoteOfferLimit, Args: args{"times": num("2"), "per": wordOf("month"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteOfferLimit, Args: args{"times": num("1"), "per": wordOf("lifetime")}},
			{Code: engine.NoteOfferLimitAll, Args: args{"times": num("500"), "per": wordOf("day"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteOfferShort, Args: args{"missing": stars(120)}},
			{Code: engine.NoteOfferLeast, Args: args{"amount": stars(50)}},
			{Code: engine.NoteOfferRole},
			{Code: engine.NoteBenefitWhy, Args: args{"because": text1("…")}},
		},
	},
	"17-a-household": {
		Notes: []note{
			{Code: engine.NoteHouseOpened, Args: args{"word": wordOf("household"), "member": text1("mem_1")}}, {Code: engine.NoteHouseInvited, Args: args{"member": text1("mem_2"), "time": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteHouseJoined, Args: args{"member": text1("mem_2"), "role": wordOf("buyer")}}, {Code: engine.NoteHouseJoined, Args: args{"member": text1("mem_2")}}, {Code: engine.NoteHouseJoined},
			{Code: engine.NoteHouseUninvited, Args: args{"member": text1("mem_3")}}, {Code: engine.NoteHouseRole, Args: args{"member": text1("mem_2"), "role": wordOf("owner")}},
			{Code: engine.NoteHouseMerged, Args: args{"member": text1("mem_4"), "was": text1("mem_2")}}, {Code: engine.NoteHouseLeft, Args: args{"member": text1("mem_4")}},
			{Code: engine.NoteJoinedHouse, Args: args{"word": wordOf("household"), "house": text1("hou_1")}}, {Code: engine.NoteJoinedHouse, Args: args{"word": wordOf("organization")}},
			{Code: engine.NoteLeftHouse, Args: args{"word": wordOf("household"), "house": text1("hou_1")}},
			{Code: engine.NoteHouseKeeps, Args: args{"member": text1("mem_2")}}, {Code: engine.NoteHouseShares, Args: args{"member": text1("mem_2")}},
			{Code: engine.NoteKeepsOut, Args: args{"house": text1("hou_1")}}, {Code: engine.NoteSharesAgain, Args: args{"house": text1("hou_1")}},
			{Code: engine.NoteTogether, Args: args{"amount": stars(40), "others": stars(60)}},
			{Code: engine.NoteChippedIn, Args: args{"amount": stars(17), "member": text1("mem_1")}}, {Code: engine.NoteBorrowed, Args: args{"amount": stars(17), "member": text1("mem_2")}},
			{Code: engine.NoteSentHome, Args: args{"amount": stars(17), "member": text1("mem_2")}}, {Code: engine.NoteCameHome, Args: args{"amount": stars(17), "member": text1("mem_1")}},
		},
	},
	"15-plans": {
		Notes: []note{
			{Code: engine.NotePlanStarted, Args: args{"plan": {Plans: []string{"plus"}}, "time": when("2026-03-28T11:05:00Z")}},
			{Code: engine.NotePlanTrial, Args: args{"plan": {Plans: []string{"plus"}}, "time": when("2026-03-28T11:05:00Z")}},
			{Code: engine.NotePlanCancelled, Args: args{"plan": {Plans: []string{"plus"}}, "time": when("2026-03-28T11:05:00Z")}},
			{Code: engine.NotePlanRenewed, Args: args{"plan": {Plans: []string{"plus"}}, "time": when("2026-04-27T22:00:00Z")}},
			{Code: engine.NotePlanFailed, Args: args{"plan": {Plans: []string{"plus"}}, "time": when("2026-04-27T22:00:00Z")}},
			{Code: engine.NotePlanCancelled, Args: args{"plan": {Plans: []string{"plus"}}, "time": when("2026-04-27T22:00:00Z")}},
			{Code: engine.NotePlanResumed, Args: args{"plan": {Plans: []string{"plus"}}}},
			{Code: engine.NotePlanChanged, Args: args{"plan": {Plans: []string{"pro"}}, "was": {Plans: []string{"plus"}}}},
			{Code: engine.NotePlanChanges, Args: args{"plan": {Plans: []string{"pro"}}, "was": {Plans: []string{"plus"}}, "time": when("2026-04-27T22:00:00Z")}},
			{Code: engine.NotePlanEnded, Args: args{"plan": {Plans: []string{"pro"}}, "time": when("2026-04-27T22:00:00Z")}},
		},
	},
	"16-percents-and-periods": {
		Rules: []engine.RuleTrace{
			won("base", engine.WhyEarned, args{"gave": engine.Units("cash", 498)}, note{Code: engine.StepBasis, Args: args{"money": m(24900)}},
				note{Code: engine.StepPercent, Args: args{"percent": num("2"), "basis": m(24900), "gave": engine.Units("cash", 498)}}),
			won("buns", engine.WhyEarned, args{"gave": stars(5)},
				note{Code: engine.StepPercent, Args: args{"percent": num("1.5"), "basis": stars(399), "gave": stars(5), "rounding": wordOf("down")}}),
			won("secret", engine.WhyEarned, args{"gave": engine.Units("cash", 1050000)},
				note{Code: engine.StepBought, Args: args{"money": m(30000000), "from": when("2025-12-31T23:00:00Z"), "until": when("2026-03-31T22:00:00Z")}},
				note{Code: engine.StepPart, Args: args{"percent": num("3"), "basis": m(15000000)}},
				note{Code: engine.StepPart, Args: args{"percent": num("4"), "basis": m(15000000)}},
				note{Code: engine.StepPercent, Args: args{"basis": m(30000000), "gave": engine.Units("cash", 1050000)}}),
		},
		Notes: []note{{Code: engine.NoteCorrected, Args: args{"rule": ruleOf("secret"), "money": m(29000000), "from": when("2025-12-31T23:00:00Z"), "until": when("2026-03-31T22:00:00Z")}},
			{Code: engine.NoteWillGrow, Args: args{"amount": engine.Units("cash", 50000), "gave": engine.Units("cash", 52000), "until": when("2026-06-30T22:00:00Z")}},
			{Code: engine.NoteWillShrink, Args: args{"amount": stars(50), "gave": stars(20), "until": when("2026-06-30T22:00:00Z")}},
			{Code: engine.NoteWillStay, Args: args{"amount": stars(50), "gave": stars(50), "until": when("2026-06-30T22:00:00Z")}},
			{Code: engine.NoteTarget, Args: args{"rule": ruleOf("secret"), "money": m(9000000), "gave": engine.Units("cash", 0), "until": when("2026-06-30T22:00:00Z"), "missing": m(1000000), "percent": num("3")}},
			{Code: engine.NoteTarget, Args: args{"rule": ruleOf("secret"), "money": m(9000000), "gave": engine.Units("cash", 90000), "until": when("2026-06-30T22:00:00Z")}},
		},
	},
	"13-a-formula": {
		Rules: []engine.RuleTrace{
			won("secret", engine.WhyEarned, args{"gave": engine.Units("cash", 125)},
				note{Code: engine.StepFormula, Args: args{"text": text1("basis / 200"), "seen": listOf("basis = 24900"), "gave": engine.Units("cash", 125)}}),
			failed("base", note{Code: engine.CondFormula, Args: args{"text": text1("division by zero")}}),
		},
		Notes: []note{
			{Code: engine.NoteLotForever, Args: args{"gave": engine.Units("cash", 125)}},
			{Code: engine.NoteLot, Args: args{"gave": stars(1), "time": when("2027-03-31T22:00:00Z")}},
		},
	},
}

func TestGolden(t *testing.T) {
	t.Parallel()
	p := kaffe(t)
	for name, e := range explanations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, language := range lang.All {
				for _, member := range []bool{false, true} {
					reader := map[bool]string{false: "staff", true: "member"}[member]
					fmt.Fprintf(&b, "# %s, %s\n%s\n", language, reader, Summary(&e, p, language, member))
					for _, line := range Lines(&e, p, language, member) {
						b.WriteString("- " + line + "\n")
					}
					b.WriteByte('\n')
				}
			}
			// The no-break space is not to be seen: the golden files show it.
			got := strings.ReplaceAll(b.String(), "\u00a0", "~")
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
			if strings.ContainsAny(got, "{}") {
				t.Error("a value was not filled in")
			}
		})
	}
}

func TestTheGoldenFilesShowEveryCode(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, e := range explanations {
		for _, r := range e.Rules {
			shown[r.Why.Code] = true
			for _, s := range r.Steps {
				shown[s.Code] = true
			}
		}
		for _, n := range e.Notes {
			shown[n.Code] = true
		}
	}
	for name, code := range codes(t) {
		if !shown[code] {
			t.Errorf("%s (%q) is in no golden file", name, code)
		}
	}
}

// What stands in the way now is no story of what was, and a forecast tells of what will be.
func TestNowAndLaterAreNotToldAsPast(t *testing.T) {
	t.Parallel()
	p := kaffe(t)
	why := []note{{Code: engine.CondTier, Args: args{"set": {Set: "club"}, "seen": engine.Value{Tier: "club/"}, "want": engine.Value{Tier: "club/gold"}}}}
	for language, want := range map[string]string{
		lang.Norwegian: "Den gjelder ikke deg nå: den er for Gull, og du har ikke noe nivå ennå.", lang.Swedish: "Den gäller inte dig nu: den är för Guld, och du har ingen nivå än.",
		lang.Danish: "Den gælder ikke dig nu: den er for Guld, og du har ikke noget niveau endnu.", lang.English: "It is not for you now: it is for Gold, and you have no tier yet.",
	} {
		if got := Standing(why, p, language, true); len(got) != 1 || got[0] != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for language, want := range map[string]string{
		lang.Norwegian: "24 stjerner utløper: 6 stjerner", lang.Swedish: "24 stjärnor förfaller: 6 stjärnor", lang.Danish: "24 stjerner udløber: 6 stjerner", lang.English: "24 stars will expire: 6 stars",
	} {
		if got := strings.ReplaceAll(Change(&engine.Change{Unit: "star", Kind: engine.ChangeExpired, Amount: 24, Balance: 6}, p, language), "\u00a0", " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhatIsNotKnownIsShownAsItIs(t *testing.T) {
	t.Parallel()
	p := kaffe(t)
	e := engine.Explanation{
		Rules: []engine.RuleTrace{lost("gone", "brand_new", nil), lost("gone", engine.WhyZero, nil)},
		Notes: []note{{Code: engine.NoteSpent}},
	}
	want := []string{"brand_new", "“gone” came to nothing.", "Spent: nothing on “nothing”."}
	if d := cmp.Diff(want, Lines(&e, p, "fi", false)); d != "" {
		t.Error(d)
	}
	if got := Lines(&e, p, "en", true); len(got) != 2 {
		t.Errorf("a member reads of a code without a text: %q", got)
	}
	if Summary(&engine.Explanation{}, p, "nb", true) != "" || len(Sentences(&engine.Explanation{}, p, "nb", true)) != 0 {
		t.Error("nothing happened, and something is said")
	}
}

func TestNamesFallBackToAnotherLanguageAndThenTheID(t *testing.T) {
	t.Parallel()
	p := kaffe(t)
	for got, want := range map[string]string{
		Rule(p, "base", "da"): "Stjerner på alt", Rule(p, "buns", "en"): "To stjerner per bolle", Rule(p, "secret", "en"): "secret", Rule(p, "x", "en"): "x",
		Unit(p, "star", "sv", true): "stjärna", Unit(p, "x", "sv", true): "x", Tier(p, "club/gold", "nb"): "Gull", Tier(p, "club/", "nb"): "", Tier(p, "x/y", "nb"): "y",
		TierSet(p, "club", "en"): "The Coffee Club", Reward(p, "coffee", "sv"): "En kaffe", Activity(p, "activity:own_cup", "en"): "Own cup",
		Amount(p, "cash", 150, "en"): "1.50 bonus kroner", Amount(p, "star", 1, "sv"): "1 stjärna",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
