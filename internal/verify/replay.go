package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ledger"
)

// replay decides every fact of the member again, from nothing, and compares decision by decision and then the end.
func (c *check) replay() (err error) {
	sheet := books.ReadSheet()
	f := sheet.Whole(c.v.Ref)
	var e *books.VolumeEntry
	defer func() {
		if p := recover(); p != nil { // what was never recorded so may be more than the engine bears
			c.failf(c.factRow(e.Seq), e.Fact.ID, "cannot be decided again: %v", p)
		}
		if u, ok := errors.AsType[*books.Unreadable](err); ok { // in the books of a member who was merged
			c.failf(u.Row, u.Fact, "cannot be read: %v", u.Cause)
			err = nil
		}
	}()
	for i := range c.v.Entries {
		e = &c.v.Entries[i]
		p := c.set.Version(e.Version)
		if p == nil {
			return nil // told among the facts
		}
		sheet.See(c.program, e.Seen)
		d := books.Deciding{Folio: f, Program: p, Fact: e.Fact, Needs: engine.NeedsOf(p, &f.State, e.Fact)}
		if err := sheet.Fetch(c.ctx, c.tx, []books.Deciding{d}); err != nil {
			return err
		}
		in := f.Input(d)
		in.Versions = c.set
		again, after, err := engine.Decide(p, in)
		if err != nil {
			if _, refused := errors.AsType[*errs.Error](err); !refused {
				return err
			}
			c.failf(c.factRow(e.Seq), e.Fact.ID, "is refused when decided again: %v", err)
			return nil
		}
		if diff, err := decidedOtherwise(&e.Decision, &again); err != nil {
			return err
		} else if diff != "" {
			c.failf(c.factRow(e.Seq), e.Fact.ID, "is decided otherwise when decided again: %s", diff)
			return nil
		}
		if err := f.Post(d, in, again, after); err != nil {
			return err
		}
		c.report.Replayed++
	}
	return c.replayEnd(f)
}

// decidedOtherwise says where two decisions differ, "" when nowhere.
func decidedOtherwise(stored, again *engine.Decision) (string, error) {
	x, errX := books.Text(stored)
	y, errY := books.Text(again)
	if err := errors.Join(errX, errY); err != nil || x == y {
		return "", err
	}
	// With names in full, and with times by their instant.
	named, err := json.Marshal(stored)
	if err != nil {
		return "", fmt.Errorf("write a decision: %w", err)
	}
	anew, err := json.Marshal(again)
	if err != nil {
		return "", fmt.Errorf("write a decision: %w", err)
	}
	return difference(string(named), string(anew)), nil
}

func (c *check) replayEnd(f *books.Folio) error {
	state, err := json.Marshal(f.State)
	if err != nil {
		return fmt.Errorf("write a state: %w", err)
	}
	if diff := difference(c.v.Account.Text, string(state)); diff != "" {
		c.failf("accounts "+c.v.Ref.String(), "", "has another state than its facts lead to: %s", diff)
	}
	lots := f.Lots()
	if len(lots) != len(c.v.Lots) {
		c.failf("lots "+c.v.Ref.String(), "", "there are %d, the facts lead to %d", len(c.v.Lots), len(lots))
		return nil
	}
	for i, want := range lots {
		if have := &c.v.Lots[i].Lot; !sameLot(have, want) {
			c.failf(fmt.Sprintf("lots %s lot %d", c.v.Ref, have.ID), want.Fact, "is %+v, the facts lead to %+v", *have, *want)
		}
	}
	stored := map[string]map[string]int64{}
	for name, periods := range c.v.Tallies {
		stored[name] = maps.Clone(periods)
	}
	if row, message := compareTallies(stored, f.Tallies()); row != "" {
		c.name, c.bad = "tallies", false
		c.failf("tallies "+c.v.Ref.String()+row, "", "%s", message)
	}
	return nil
}

func sameLot(a, b *ledger.Lot) bool {
	moment := func(t *time.Time) int64 {
		if t == nil {
			return 0
		}
		return t.UnixMicro()
	}
	return a.ID == b.ID && a.Unit == b.Unit && a.Fact == b.Fact && a.EarnedAt.Equal(b.EarnedAt) && moment(a.ExpiresAt) == moment(b.ExpiresAt) &&
		moment(a.ReleaseAt) == moment(b.ReleaseAt) && moment(a.WarnAt) == moment(b.WarnAt) && a.Confirm == b.Confirm && a.Amount == b.Amount &&
		a.Spendable == b.Spendable && a.Pending == b.Pending && a.Reserved == b.Reserved && a.Gone == b.Gone
}

// difference says where two JSON texts mean something else, "" when nowhere. Times count by their instant.
func difference(a, b string) string {
	if a == b {
		return ""
	}
	x, errA := exact(a)
	y, errB := exact(b)
	if errA != nil || errB != nil {
		return "it cannot be read"
	}
	return differ("", x, y)
}

// exact reads JSON with its numbers as they are written.
func exact(text string) (out any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	err = d.Decode(&out)
	return out, err
}

func differ(at string, a, b any) string {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		for k := range y {
			if _, has := x[k]; !has {
				return fmt.Sprintf("%s/%s is new: %v", at, k, y[k])
			}
		}
		for k := range x {
			if _, has := y[k]; !has {
				return fmt.Sprintf("%s/%s is gone: %v", at, k, x[k])
			}
			if d := differ(at+"/"+k, x[k], y[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			break
		}
		for i := range x {
			if d := differ(fmt.Sprintf("%s/%d", at, i), x[i], y[i]); d != "" {
				return d
			}
		}
		return ""
	case string:
		y, ok := b.(string)
		if ok && (x == y || sameInstant(x, y)) {
			return ""
		}
	}
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return fmt.Sprintf("%s was %v and is %v", at, a, b)
}

func sameInstant(a, b string) bool {
	s, errA := time.Parse(time.RFC3339Nano, a)
	t, errB := time.Parse(time.RFC3339Nano, b)
	return errA == nil && errB == nil && s.Equal(t)
}

// sameJSON says whether two values are stored alike.
func sameJSON(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && difference(string(x), string(y)) == ""
}
