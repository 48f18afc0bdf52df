// Package condition compiles and evaluates the expressions of a program: CEL with a type check, a bounded cost and a
// whitelist of names for each trigger.
//
// It owns the names an expression may use and what they cost. It knows no member and no rule: values come in as a map.
// What always holds: an expression that compiles is of the wanted type, uses whole numbers only, and stops within MaxCost.
package condition

// Result is the type an expression must have.
type Result string

// The results.
const (
	Bool Result = "yes or no"
	Int  Result = "whole number"
)

// Context tells which names an expression may use.
type Context struct {
	// Trigger is "purchase", "activity:KIND", "enrolment", "reward", or "moment" for what time brings and for tiers.
	Trigger string
	// Properties are the declared properties of the activity: name to "text", "number", "whole" or "yes/no".
	Properties map[string]string
	// Exponent is the number of decimals of the currency, for money("12.50").
	Exponent int
	// Units and TierSets are the ids that balance and tier know. Where they are given, another one is a mistake.
	Units, TierSets []string
}

// MaxText is the length of the longest expression, in characters.
const MaxText = 2000

// MaxCost bounds an expression, before it is accepted (by the largest purchase it could meet) and again while it runs.
// A unit of cost is about one look-up or comparison; the bound is some tens of milliseconds.
const MaxCost = 500_000

// The largest inputs that the cost is estimated with.
const (
	maxLines    = 1000
	maxTags     = 20
	maxPayments = 20
	maxKeys     = 100
	maxString   = 200
)
