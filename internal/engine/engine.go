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
	// Redemptions are those Needs asked for and those named in Past's decision, as they stand now, by id.
	Redemptions map[string]*RedemptionState
	// Rebuilt holds the metrics that Needs asked to rebuild: tally name, then period.
	Rebuilt map[string]map[string]int64
	// Versions gives the versions by which earlier facts were decided.
	Versions Versions
}

// Versions gives a version of the program by its number, nil when there is none.
type Versions interface {
	Version(n int64) *program.Compiled
}
