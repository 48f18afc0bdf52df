// Package condition compiles and evaluates the expressions of a program: CEL with a type check, a bounded cost and a
// whitelist of names for each trigger.
//
// It owns the names an expression may use and what they cost. It knows no member and no rule: values come in as a map.
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
	// Trigger is "purchase", "activity:KIND", "enrolment" or "reward".
	Trigger string
	// Properties are the declared properties of the activity: name to "text", "number", "whole" or "yes/no".
	Properties map[string]string
	// Exponent is the number of decimals of the currency, for money("12.50").
	Exponent int
}
