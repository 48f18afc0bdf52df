package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/db"
)

// taps watch the feeds of the programs that have endpoints on this node: one look for each program and not for each endpoint.
type taps struct {
	db    *db.DB
	every time.Duration
	log   *slog.Logger

	mu   sync.Mutex
	open map[string]*tap
}

// tap is the watch on one program's feed.
type tap struct {
	program string
	users   map[chan struct{}]bool
	look    chan struct{}
	close   context.CancelFunc
}

// watch nudges the channel when there is something in the program's feed after the place, until the function that it gives is called.
func (t *taps) watch(program string, after books.Cursor, news chan struct{}) (done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.open[program]
	if one == nil {
		ctx, cancel := context.WithCancel(context.Background())
		one = &tap{program: program, users: map[chan struct{}]bool{}, look: make(chan struct{}, 1), close: cancel}
		t.open[program] = one
		go t.run(ctx, one, after)
	}
	one.users[news] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(one.users, news)
		if len(one.users) == 0 {
			one.close()
			delete(t.open, program)
		}
	}
}

func (t *taps) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.open {
		nudge(one.look)
	}
}

func (t *taps) run(ctx context.Context, one *tap, after books.Cursor) {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-one.look:
		case <-tick.C:
		}
		var list []books.Event
		err := contain(func() (err error) {
			list, err = t.after(ctx, one.program, after)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				t.log.Warn("look at the feed", "program", one.program, "error", err)
			}
			continue
		}
		if len(list) == 0 {
			continue
		}
		after = list[len(list)-1].Cursor
		t.mu.Lock()
		for news := range one.users {
			nudge(news)
		}
		t.mu.Unlock()
	}
}

func (t *taps) after(ctx context.Context, program string, at books.Cursor) (list []books.Event, err error) {
	if t.db.Distributed() { // what follows fails too where this does
		_ = t.db.Write(ctx, func(tx *db.Tx) error {
			_, err := books.LineUp(ctx, tx, program)
			return err
		})
	}
	err = t.db.Read(ctx, func(tx *db.Tx) (err error) {
		list, err = books.Events(ctx, tx, program, at, pageSize)
		return err
	})
	return list, err
}
