package api

import (
	"context"
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
	after := books.Cursor{Stamp: at.Stamp, N: at.N}
	out, err := s.readEvents(ctx, &in.Call, after, in.Type, limit)
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
		next, err := s.readEvents(ctx, &in.Call, after, in.Type, limit)
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil && len(next.Items) > 0 {
			return next, nil
		}
	}
}

func (s *Server) readEvents(ctx context.Context, c *Call, after books.Cursor, types []string, limit int) (*Feed, error) {
	out := &Feed{}
	if s.DB.Distributed() {
		err := s.DB.Write(ctx, func(tx *db.Tx) error {
			_, err := books.LineUp(ctx, tx, c.program())
			return err
		})
		if err != nil {
			return out, err
		}
	}
	return out, s.look(ctx, c, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := books.Events(ctx, tx, c.program(), after, types, limit+1)
		if err != nil {
			return err
		}
		out.Items, out.More = []Event{}, len(list) > limit
		list = list[:min(len(list), limit)]
		last := after
		for _, e := range list {
			out.Items = append(out.Items, v.event(e))
			last = e.Cursor
		}
		out.Cursor = web.Cursor("events", struct {
			Stamp int64 `json:"s"`
			N     int64 `json:"n"`
		}{last.Stamp, last.N})
		return nil
	})
}
