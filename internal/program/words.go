package program

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The small grammars inside fields: hours, dates and windows.

// vocabulary lists the words a field may hold, by type and name. The checks, the schema and the reference read it.
var vocabulary = map[string][]string{
	"Activity.properties":      {"text", "number", "whole", "yes/no"},
	"Basis.discounts":          {"net", "gross"},
	"Basis.paid_with_points":   {"included", "excluded"},
	"Basis.purchase_discounts": {"basket", "spread", "ignored"},
	"Basis.shipping":           {"included", "excluded"},
	"Basis.tax":                {"included", "excluded"},
	"Between.per":              {"day", "week", "month", "quarter", "year", "lifetime"},
	"Challenge.above":          {"carry", "burn"},
	"Challenge.at_end":         {"issue", "drop"},
	"Challenge.count":          {"purchases", "items", "lines", "times"},
	"Challenge.per":            {"day", "week", "month", "quarter", "year"},
	"Challenge.streak":         {"day", "week", "month", "quarter", "year"},
	"ChallengeReturns.counted": {"take back", "keep"},
	"ChallengeReturns.if_used": {"debt", "clamp", "refuse"},
	"ChallengeReturns.prizes":  {"unused", "waiting", "none"},
	"Condition.zone":           {"program", "member"},
	"Down.to":                  {"earned", "one step", "never"},
	"Expiry.at":                {"exact", "end of day", "end of month", "end of quarter", "end of year"},
	"Expiry.end_of":            {"day", "week", "month", "quarter", "year"},
	"Fading.since":             {"purchase"},
	"Give.each":                {"item", "line"},
	"Gives.kind":               {KindProduct, KindVoucher, KindCode, KindGiftCard, KindSeat, KindContent, KindDonation, KindRaffle, KindService, KindGoods, KindChoice},
	"Give.stepped":             {"whole", "each part"},
	"Limit.each":               {"member", "program"},
	"Limit.over":               {"clip", "refuse"},
	"Limit.per":                {"purchase", "day", "week", "month", "quarter", "year", "lifetime"},
	"Coupon.stacks":            {"with others", "alone"},
	"Limit.zone":               {"program", "member"},
	"Organizations.roles":      {"manage", "buy", "spend"},
	"Partner.pays":             {"afterwards", "ahead"},
	"Qualifies.purchase":       {"any", "first"},
	"Recognition.feed":         {"own", "all"},
	"Recognition.message":      {"optional", "required"},
	"Returns.earned":           {"take back", "keep"},
	"Returns.if_spent":         {"debt", "clamp", "refuse"},
	"Returns.round":            {"nearest", "down", "up"},
	"Returns.spent":            {"give back", "keep"},
	"Rounding.once":            {"line", "purchase", "end"},
	"Rounding.to":              {"down", "up", "nearest", "half-even"},
	"Rule.stack":               {"add", "exclusive", "best"},
	"Shared.for":               {"newcomers", "everybody"},
	"Spending.order":           {"earliest expiry", "earliest earned"},
	"Voucher.stacks":           {"with others", "alone"},
	"Spending.own":             {"at once", "later"},
	"Spending.short":           {"refuse", "use what there is"},
	"TierSet.current_purchase": {"counts", "next"},
	"TierSet.keep":             {"next period", "this period"},
}

var weekdays = map[string]time.Weekday{
	"monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday, "thursday": time.Thursday,
	"friday": time.Friday, "saturday": time.Saturday, "sunday": time.Sunday,
}

var weekdayNames = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

var hoursForm = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])$`)

// parseHours reads "07:00-10:00" as minutes of the day. "24:00" is the end of the day.
func parseHours(s string) ([2]int, error) {
	m := hoursForm.FindStringSubmatch(s)
	if m == nil {
		return [2]int{}, fmt.Errorf("%q is not a span of hours", clip(s))
	}
	n := [4]int{}
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	from, to := n[0]*60+n[1], n[2]*60+n[3]
	if to > 24*60 || from == to {
		return [2]int{}, fmt.Errorf("%q is not a span of hours", clip(s))
	}
	return [2]int{from, to}, nil
}

var dateForm = regexp.MustCompile(`^(?:([0-9]{4})-)?([0-9]{2})-([0-9]{2})$`)

// parseDates reads a day, or a span of days with both ends inside: "12-24", "2027-03-28", "12-24..01-06".
func parseDates(s string) (DateSpan, error) {
	from, to, span := strings.Cut(s, "..")
	if !span {
		to = from
	}
	var d DateSpan
	var ok1, ok2 bool
	d.FromYear, d.FromMonth, d.FromDay, ok1 = parseDay(from)
	d.ToYear, d.ToMonth, d.ToDay, ok2 = parseDay(to)
	switch {
	case !ok1 || !ok2:
		return d, fmt.Errorf("%q is not a day or a span of days", clip(s))
	case (d.FromYear == 0) != (d.ToYear == 0):
		return d, fmt.Errorf("%q has a year at one end only", clip(s))
	case d.FromYear > 0 && d.serial(true) > d.serial(false):
		return d, fmt.Errorf("%q ends before it begins", clip(s))
	}
	return d, nil
}

func (d DateSpan) serial(from bool) int {
	if from {
		return d.FromYear*10000 + d.FromMonth*100 + d.FromDay
	}
	return d.ToYear*10000 + d.ToMonth*100 + d.ToDay
}

// parseDay reads MM-DD (02-29 too) or YYYY-MM-DD.
func parseDay(s string) (y, m, d int, ok bool) {
	p := dateForm.FindStringSubmatch(s)
	if p == nil {
		return 0, 0, 0, false
	}
	y, _ = strconv.Atoi(p[1])
	m, _ = strconv.Atoi(p[2])
	d, _ = strconv.Atoi(p[3])
	year := y
	if p[1] == "" {
		year = 2000 // a leap year: 29 February is a day of some years
	} else if y == 0 {
		return 0, 0, 0, false
	}
	t := time.Date(year, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return y, m, d, t.Month() == time.Month(m) && t.Day() == d
}

// window is a metric's window, read.
type window struct {
	kind     string
	length   Period
	calendar string
}

// parseWindow reads "lifetime", "rolling 12 months", "calendar year" or "anniversary year".
func parseWindow(s string) (window, error) {
	bad := fmt.Errorf("%q is not a window", clip(s))
	if s == "" || s == "lifetime" {
		return window{kind: "lifetime"}, nil
	}
	kind, rest, _ := strings.Cut(s, " ")
	switch kind {
	case "rolling":
		p, err := ParsePeriod(rest)
		if err != nil || p.N == 0 || p.Unit == "minute" || p.Unit == "hour" {
			return window{}, bad
		}
		return window{kind: kind, length: p}, nil
	case "calendar":
		if rest == "month" || rest == "quarter" || rest == "year" {
			return window{kind: kind, calendar: rest}, nil
		}
	case "anniversary":
		if rest == "year" {
			return window{kind: kind, calendar: rest}, nil
		}
	}
	return window{}, bad
}

// specific says how narrow the lines are; see CompiledRule.Specific.
func (l *Lines) specific() int {
	if l == nil {
		return 0
	}
	n := 0
	if len(l.SKU) > 0 {
		n += 100
	}
	if len(l.Brand) > 0 {
		n += 10
	}
	if len(l.Tag) > 0 {
		n += 10
	}
	if len(l.Category) > 0 {
		depth := strings.Count(l.Category[0], "/")
		for _, c := range l.Category {
			depth = min(depth, strings.Count(c, "/"))
		}
		n += 1 + min(depth, 8)
	}
	if len(l.Store) > 0 {
		n++
	}
	if len(l.Channel) > 0 {
		n++
	}
	return n
}

// Match says whether a line counts. Within a field any word may match, all the fields given must match, and Not takes
// out again. A category matches itself and what lies below it; everything else is compared exactly. A nil Lines
// matches all.
func (l *Lines) Match(sku, category, brand string, tags []string, store, channel string) bool {
	if l == nil {
		return true
	}
	if !has(l.SKU, sku) || !has(l.Brand, brand) || !has(l.Store, store) || !has(l.Channel, channel) {
		return false
	}
	if len(l.Category) > 0 && !inCategory(l.Category, category) {
		return false
	}
	if len(l.Tag) > 0 && !shares(l.Tag, tags) {
		return false
	}
	return l.Not == nil || !l.Not.Match(sku, category, brand, tags, store, channel)
}

func has(words Words, w string) bool { return len(words) == 0 || slices.Contains(words, w) }

func inCategory(words Words, category string) bool {
	for _, w := range words {
		if category == w || (strings.HasPrefix(category, w) && category[len(w)] == '/') {
			return true
		}
	}
	return false
}

func shares(words Words, tags []string) bool {
	return slices.ContainsFunc(tags, func(t string) bool { return slices.Contains(words, t) })
}
