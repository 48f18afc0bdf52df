package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

type eventsIn struct {
	Call
	Paging
	// Type keeps to types of events, separated by commas, for example points.earned,tier.up.
	Type []string `query:"type"`
	// Wait is how many seconds to wait for an event when there is none: 0 to 30.
	Wait *int `query:"wait"`
}

const (
	// pollEvery is how often a waiting request looks.
	pollEvery = 200 * time.Millisecond
	// eventsAtOnce is how many events are read at once, mostLooked how many one request may look at for the types it wants.
	eventsAtOnce, mostLooked = 500, 10_000
	// mostWaiting bounds the requests that wait, since each of them looks: more are answered at once.
	mostWaiting = 64
)

func (s *Server) listEvents(ctx context.Context, in *eventsIn) (*Feed, error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	wait := 0
	if in.Wait != nil {
		if wait = *in.Wait; wait < 0 || wait > MaxWait {
			return nil, errs.Invalid("invalid_wait", "wait goes from 0 to 30 seconds.", errs.Field{Pointer: "wait", Reason: "out_of_range", Message: "Wait 0 to 30 seconds."})
		}
	}
	var at struct {
		Stamp int64 `json:"s"`
		N     int64 `json:"n"`
	}
	if err := web.ReadCursor("events", in.Cursor, &at); err != nil {
		return nil, err
	}
	out, after, err := s.readEvents(ctx, &in.Call, books.Cursor{Stamp: at.Stamp, N: at.N}, in.Type, limit)
	if err != nil || len(out.Items) > 0 || wait == 0 {
		return out, err
	}
	web.Waits(ctx)
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return out, nil // enough are waiting; this one asks again
	}
	deadline := time.NewTimer(time.Duration(wait) * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done(): // the server stops, or the client left: nothing came
			return out, nil
		case <-deadline.C:
			return out, nil
		case <-tick.C:
		}
		next, looked, err := s.readEvents(ctx, &in.Call, after, in.Type, limit)
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil {
			out, after = next, looked
		}
		if err == nil && len(next.Items) > 0 {
			return next, nil
		}
	}
}

// readEvents gives the events after a place, and the place it looked to: also past those of other types, so that nobody
// looks at them twice.
func (s *Server) readEvents(ctx context.Context, c *Call, after books.Cursor, types []string, limit int) (*Feed, books.Cursor, error) {
	out := &Feed{}
	page := limit + 1
	if len(types) > 0 {
		page = eventsAtOnce
	}
	last := after
	if s.DB.Distributed() {
		err := s.DB.Write(ctx, func(tx *db.Tx) error {
			_, err := books.LineUp(ctx, tx, c.program())
			return err
		})
		if err != nil {
			return out, after, err
		}
	}
	err := s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		out.Items = []Event{}
		last = after
		for looked := 0; ; {
			list, err := books.Events(ctx, tx, c.program(), last, page)
			if err != nil {
				return err
			}
			for _, e := range list {
				wanted := len(types) == 0 || slices.Contains(types, e.Type)
				if out.More = wanted && len(out.Items) == limit; out.More {
					break
				}
				if wanted {
					out.Items = append(out.Items, v.event(e))
				}
				last = e.Cursor
			}
			looked += len(list)
			if out.More || len(list) < page {
				break
			}
			if out.More = looked >= mostLooked; out.More { // whoever asks goes on from there
				break
			}
		}
		out.Cursor = web.Cursor("events", struct {
			Stamp int64 `json:"s"`
			N     int64 `json:"n"`
		}{last.Stamp, last.N})
		return nil
	})
	return out, last, err
}

type newestEventsIn struct {
	Call
	Paging
	// Type keeps to types of events, separated by commas; points.* is all that begin so.
	Type []string `query:"type"`
}

func (s *Server) newestEvents(ctx context.Context, in *newestEventsIn) (*Page[Event], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at books.EventPlace
	if err := web.ReadCursor("newest", in.Cursor, &at); err != nil {
		return nil, err
	}
	wanted := func(kind string) bool {
		return len(in.Type) == 0 || slices.ContainsFunc(in.Type, func(t string) bool {
			group, all := strings.CutSuffix(t, "*")
			return t == kind || all && strings.HasPrefix(kind, group)
		})
	}
	out := &Page[Event]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, next, err := books.NewestEvents(ctx, tx, in.program(), at, wanted, limit)
		if err != nil {
			return err
		}
		out.Items, out.Next = []Event{}, ""
		for _, e := range list {
			out.Items = append(out.Items, v.event(e))
		}
		if next != nil {
			out.Next = web.Cursor("newest", *next)
		}
		return nil
	})
}
