package scenario

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/program"
)

// ahead are the events by which members are told of what is to come, while they can still do something about it.
var ahead = []string{"points.expiring", "tier.warning", "grant.ending", "benefit.fading", "plan.failed"}

// shown is what a story says that it has checked.
type shown struct{ told, benefits, tiers, returns, purchases bool }

func (s *shown) step(st *step) {
	s.returns = s.returns || st.Return != nil
	s.purchases = s.purchases || st.Purchase != nil
	if st.Then == nil {
		return
	}
	if st.Then.Events != nil {
		s.told = s.told || slices.ContainsFunc(*st.Then.Events, func(e string) bool { return slices.Contains(ahead, e) })
	}
	seen := []*standing{&st.Then.standing}
	for _, of := range st.Then.Of {
		seen = append(seen, of)
	}
	for _, of := range seen {
		s.benefits = s.benefits || len(of.Benefits) > 0
		s.tiers = s.tiers || len(of.Tier) > 0
	}
}

// A story is a year in which what the blueprint has is seen: who reads it learns what the program does, and what it tells people.
func TestStoriesShowWhatTheirBlueprintsHave(t *testing.T) {
	t.Parallel()
	for _, file := range stories(t) {
		name := strings.TrimSuffix(file[strings.LastIndex(file, "/")+1:], ".story.yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := program.Blueprint(name)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := program.Parse(data, name+".yaml")
			if err != nil {
				t.Fatal(err)
			}
			p, err := program.Compile(doc, 1)
			if err != nil {
				t.Fatal(err)
			}
			s, err := read(file)
			if err != nil {
				t.Fatal(err)
			}
			told := &s.Scenarios[0]
			first, err := told.Clock.in(p.Zone)
			if err != nil {
				t.Fatal(err)
			}
			var seen shown
			last := first
			for i := range told.When {
				st := &told.When[i]
				seen.step(st)
				switch {
				case st.At != "":
					if last, err = st.At.in(p.Zone); err != nil {
						t.Fatal(err)
					}
				case st.After != nil:
					last = st.After.After(last, p.Zone)
				}
			}
			seen.check(t, p, first, last)
		})
	}
}

func (s *shown) check(t *testing.T, p *program.Compiled, first, last time.Time) {
	t.Helper()
	if last.Before(first.AddDate(1, 0, 0)) {
		t.Errorf("it goes from %s to %s: less than a year", first.Format(time.DateOnly), last.Format(time.DateOnly))
	}
	for what, missing := range map[string]bool{
		"nobody is told of what is to come: events of a step name none of " + strings.Join(ahead, ", "): !s.told,
		"no benefit is looked at": len(p.Doc.Benefits) > 0 && !s.benefits,
		"no tier is looked at":    len(p.TierIDs) > 0 && !s.tiers,
		"nothing is brought back": s.purchases && !s.returns,
	} {
		if missing {
			t.Error(what)
		}
	}
}
