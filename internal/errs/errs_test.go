package errs_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lojal.dev/lojal/internal/errs"
)

func TestEveryCodeHasItsStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err        *errs.Error
		code       errs.Code
		http, exit int
	}{
		{errs.Internal("r", "m"), "internal", 500, 1},
		{errs.Malformed("r", "m"), "malformed", 400, 2},
		{errs.Invalid("r", "m"), "invalid", 422, 3},
		{errs.NotFound("r", "m"), "not_found", 404, 4},
		{errs.Conflict("r", "m"), "conflict", 409, 5},
		{errs.Insufficient("r", "m"), "insufficient", 409, 6},
		{errs.Forbidden("r", "m"), "forbidden", 403, 7},
		{errs.Unauthenticated("r", "m"), "unauthenticated", 401, 8},
		{errs.RateLimited("r", "m"), "rate_limited", 429, 9},
		{errs.Unavailable("r", "m"), "unavailable", 503, 10},
	} {
		if got := errs.CodeOf(fmt.Errorf("record purchase: %w", c.err)); got != c.code {
			t.Errorf("CodeOf = %q, want %q", got, c.code)
		}
		if c.code.HTTP() != c.http || c.code.Exit() != c.exit || errs.Exit(c.err) != c.exit {
			t.Errorf("%s: HTTP %d exit %d, want %d and %d", c.code, c.code.HTTP(), c.code.Exit(), c.http, c.exit)
		}
	}
}

func TestAnErrorWithoutACodeIsInternalAndTellsNothing(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("read the key of Kari: %w", io.ErrUnexpectedEOF)
	e := errs.As(err)
	if e.Code != errs.CodeInternal || errs.Exit(err) != 1 {
		t.Errorf("code %q, exit %d", e.Code, errs.Exit(err))
	}
	if e.Message != "Something went wrong inside the program." {
		t.Errorf("message tells too much: %q", e.Message)
	}
	if !errors.Is(e, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	unknown := errs.Code("made up")
	if unknown.HTTP() != 500 || unknown.Exit() != 1 {
		t.Errorf("an unknown code is %d, %d", unknown.HTTP(), unknown.Exit())
	}
}

func TestNilStaysNil(t *testing.T) {
	t.Parallel()
	if errs.As(nil) != nil || errs.CodeOf(nil) != "" || errs.Exit(nil) != 0 || errs.Is(nil, errs.CodeInternal, "") {
		t.Error("nil became an error")
	}
}

func TestWithAndBecauseLeaveTheOriginalAlone(t *testing.T) {
	t.Parallel()
	base := errs.Insufficient("balance_too_low", "Too few points.")
	full := base.With("missing", 20).With("balance", 30).Because(io.EOF)
	if base.Meta != nil || base.Unwrap() != nil {
		t.Error("the original changed")
	}
	if diff := cmp.Diff(map[string]any{"missing": 20, "balance": 30}, full.Meta); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(full, io.EOF) || !errs.Is(full, errs.CodeInsufficient, "balance_too_low") || errs.Is(full, errs.CodeInsufficient, "stock") {
		t.Errorf("lost on the way: %v", full)
	}
}

func TestTheTextHoldsEveryMistake(t *testing.T) {
	t.Parallel()
	err := errs.Invalid("program", "The program has 2 mistakes.",
		errs.Field{Pointer: "/earn/0/on", Reason: "unknown", Message: "no such trigger"},
		errs.Field{Reason: "missing", Message: "a time zone is needed"}).Because(io.EOF)
	want := "The program has 2 mistakes.; /earn/0/on: no such trigger; a time zone is needed: EOF"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	if got := (&errs.Error{Code: errs.CodeConflict, Reason: "stale"}).Error(); got != "conflict: stale" {
		t.Errorf("without a message: %q", got)
	}
}
