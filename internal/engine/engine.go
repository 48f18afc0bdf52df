package engine

import (
	"time"

	"lojal.dev/lojal/internal/program"
)

// Programs gives the version in force at a business time. The later of two that begin at the same moment wins.
type Programs interface {
	At(t time.Time) *program.Compiled
}

// Input is what a decision is made of, besides the program.
type Input struct {
	// Account is read and never changed: the decision carries the account after. It must have loaded what Needs asked for.
	Account *Account
	Fact    Fact
	// Past is the parent fact with its children, where Needs asked for it.
	Past *Past
	// Related are further facts that a return looks at: the redemptions of the purchase, each with its children.
	Related []Past
}
