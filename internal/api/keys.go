package api

import (
	"context"
	"net/http"
	"time"

	"lojal.dev/lojal/internal/audit"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

func (v view) key(k key.Key, secret string) Key {
	return Key{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scopes: k.Scopes, Partner: k.Partner, CreatedAt: v.time(k.CreatedAt), ExpiresAt: v.moment(k.ExpiresAt),
		RevokedAt: v.moment(k.RevokedAt), LastUsedAt: v.moment(k.LastUsedAt), Secret: secret,
	}
}

// withoutSecret is what is kept of an answer with a secret: the secret is stored nowhere, so a repetition cannot show it.
func withoutSecret(answer any) any {
	switch a := answer.(type) {
	case Key:
		a.Secret = ""
		return a
	case Webhook:
		a.Secret = ""
		return a
	case Staff:
		a.Invitation = ""
		return a
	}
	return answer
}

type newKeyIn struct {
	Call
	Body NewKey
}

func (s *Server) createKey(ctx context.Context, in *newKeyIn) (*Answered[Key], error) {
	return s.newKey(ctx, &in.Call, "key.created", "", func(tx *db.Tx) (key.Key, string, error) {
		if id := in.Body.Partner; id != "" {
			v, _, err := s.view(ctx, tx, &in.Call)
			if err != nil {
				return key.Key{}, "", err
			}
			if v.p.Partners[id] == nil {
				return key.Key{}, "", errs.Invalid("invalid_key", "The key cannot be made like this.", errs.Field{Pointer: "/partner", Reason: "unknown_partner", Message: "The program has no such partner."})
			}
		}
		return key.Create(ctx, tx, key.New{
			Program: in.program(), Name: in.Body.Name, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt, Partner: in.Body.Partner, Test: in.Body.Test, Now: in.now,
		})
	})
}

func (s *Server) newKey(ctx context.Context, c *Call, action, old string, create func(*db.Tx) (key.Key, string, error)) (*Answered[Key], error) {
	reply, err := s.once(ctx, c, http.StatusCreated, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, c)
		if err != nil {
			return nil, err
		}
		k, secret, err := create(tx)
		if err != nil {
			return nil, err
		}
		detail := map[string]any{"name": k.Name, "scopes": k.Scopes}
		if old != "" {
			detail["replaces"] = old
		}
		_, err = audit.Append(ctx, tx, audit.Entry{Program: c.program(), At: c.now, Actor: c.actor(), Action: action, Target: k.ID, Detail: detail})
		return v.key(k, secret), err
	}, withoutSecret)
	s.known.forget()
	return &Answered[Key]{reply}, err
}

type keysIn struct{ Call }

func (s *Server) listKeys(ctx context.Context, in *keysIn) (*Page[Key], error) {
	out := &Page[Key]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		list, err := key.List(ctx, tx, in.program())
		if err != nil {
			return err
		}
		out.Items = []Key{}
		for _, k := range list {
			out.Items = append(out.Items, v.key(k, ""))
		}
		return nil
	})
}

func (s *Server) me(ctx context.Context, in *keysIn) (*Me, error) {
	out := &Me{Program: in.program()}
	return out, s.look(ctx, &in.Call, func(_ *db.Tx, v view, _ *version.Set) error {
		out.Key = v.key(in.key, "")
		out.Key.LastUsedAt = nil // it is now, and what is remembered is some other request's
		return nil
	})
}

// KeyPath names an API key.
type KeyPath struct {
	// Key is its id.
	Key string `path:"key"`
}

type keyIn struct {
	Call
	KeyPath
}

func (s *Server) getKey(ctx context.Context, in *keyIn) (*Key, error) {
	out := &Key{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		k, err := key.Get(ctx, tx, in.program(), in.KeyPath.Key)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return web.NotFound("key")
		}
		*out = v.key(k, "")
		return err
	})
}

func (s *Server) revokeKey(ctx context.Context, in *keyIn) (*Answered[Key], error) {
	reply, err := s.once(ctx, &in.Call, http.StatusOK, func(tx *db.Tx) (any, error) {
		v, _, err := s.view(ctx, tx, &in.Call)
		if err != nil {
			return nil, err
		}
		k, err := key.Revoke(ctx, tx, in.program(), in.KeyPath.Key, in.now)
		if errs.CodeOf(err) == errs.CodeNotFound {
			return nil, web.NotFound("key")
		}
		if err != nil {
			return nil, err
		}
		_, err = audit.Append(ctx, tx, audit.Entry{Program: in.program(), At: in.now, Actor: in.actor(), Action: "key.revoked", Target: k.ID})
		return v.key(k, ""), err
	}, nil)
	s.known.forget()
	return &Answered[Key]{reply}, err
}

type rotateKeyIn struct {
	Call
	KeyPath
	Body *Rotation
}

func (s *Server) rotateKey(ctx context.Context, in *rotateKeyIn) (*Answered[Key], error) {
	var seconds int64
	if in.Body != nil {
		seconds = in.Body.OverlapSeconds
	}
	if seconds < 0 || seconds > 90*24*3600 {
		return nil, errs.Invalid("invalid_overlap", "The overlap goes from 0 seconds to 90 days.",
			errs.Field{Pointer: "/overlap_seconds", Reason: "out_of_range", Message: "Write 0 to 7776000 seconds."})
	}
	return s.newKey(ctx, &in.Call, "key.rotated", in.KeyPath.Key, func(tx *db.Tx) (key.Key, string, error) {
		k, secret, err := key.Rotate(ctx, tx, in.program(), in.KeyPath.Key, time.Duration(seconds)*time.Second, in.now)
		if errs.CodeOf(err) == errs.CodeNotFound {
			err = web.NotFound("key")
		}
		return k, secret, err
	})
}

type auditIn struct {
	Call
	Paging
	// Actor keeps to what one actor did.
	Actor string `query:"actor"`
	// Action keeps to one action, for example key.created.
	Action string `query:"action"`
	// Target keeps to what was done to one thing.
	Target string `query:"target"`
	// Since keeps to what was done at that time or later.
	Since *time.Time `query:"since"`
	// Until keeps to what was done before that time.
	Until *time.Time `query:"until"`
}

func (s *Server) listAudit(ctx context.Context, in *auditIn) (*Page[AuditEntry], error) {
	limit, err := web.PageLimit(in.Limit, web.DefaultLimit, web.MaxLimit)
	if err != nil {
		return nil, err
	}
	var at struct {
		ID string `json:"id"`
	}
	if err := web.ReadCursor("audit", in.Cursor, &at); err != nil {
		return nil, err
	}
	out := &Page[AuditEntry]{}
	return out, s.look(ctx, &in.Call, func(tx *db.Tx, v view, _ *version.Set) error {
		q := audit.Query{Actor: in.Actor, Action: in.Action, Target: in.Target, Before: at.ID, Limit: limit}
		if in.Since != nil {
			q.Since = *in.Since
		}
		if in.Until != nil {
			q.Until = *in.Until
		}
		list, next, err := audit.List(ctx, tx, in.program(), q)
		if err != nil {
			return err
		}
		out.Items, out.Next = []AuditEntry{}, ""
		for _, e := range list {
			out.Items = append(out.Items, AuditEntry{ID: e.ID, At: v.time(e.At), Actor: e.Actor, Action: e.Action, Target: e.Target, Detail: e.Detail})
		}
		if next != "" {
			cursor := at
			cursor.ID = next
			out.Next = web.Cursor("audit", cursor)
		}
		return nil
	})
}
