package api

import (
	"context"
	"fmt"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/record"
	"lojal.dev/lojal/internal/web"
)

// Requests that make many facts under one Idempotency-Key. Each fact has a key of its own made of it, so that a list which broke off goes on
// where it was when it is sent again; what was answered to the whole is kept when it is the last word.

// replayed gives what was answered to the whole before.
func (s *Server) replayed(ctx context.Context, c *Call) (out web.Reply, known bool, err error) {
	if c.idem == nil {
		return web.Reply{}, false, nil
	}
	err = s.DB.Read(ctx, func(tx *db.Tx) (err error) {
		out, known, err = c.known(ctx, tx)
		return err
	})
	return out, known, err
}

// partKey is the key of the i-th fact of a list, nil where the caller sent none.
func (c *Call) partKey(i int) *record.Key {
	if c.idem == nil {
		return nil
	}
	return &record.Key{Client: c.idem.Client, Key: fmt.Sprintf("%s#%d", c.idem.Key, i), Hash: c.idem.Hash}
}

// reused is the refusal of a list under the key of another one; nil where it is not what an outcome says.
func reused(err error) error {
	if errs.Is(err, errs.CodeInvalid, "idempotency_key_reused") {
		return keyReused()
	}
	return nil
}

// whole answers the whole. What is kept under the caller's key is the answer as strip left it, which takes out what is shown but once;
// with last false nothing is kept, since the same again may come to more.
func (s *Server) whole(ctx context.Context, c *Call, status int, answer any, last bool, strip func()) (web.Reply, error) {
	body, err := web.Marshal(answer)
	if err != nil {
		return web.Reply{}, err
	}
	out := replyOf(status, body, false)
	if c.idem == nil || !last {
		return out, nil
	}
	if strip != nil {
		strip()
		if body, err = web.Marshal(answer); err != nil {
			return out, err
		}
	}
	err = s.DB.Write(ctx, func(tx *db.Tx) error { return c.keep(ctx, tx, status, body) })
	if db.IsUnique(err) { // the same was sent twice at once; the keys of its parts have kept them apart
		err = nil
	}
	return out, err
}
