package record

import (
	"context"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/ids"
)

// Codes that facts issue are drawn here. The books get a keyed hash, the answer to the request the code itself; it is nowhere else, not
// even in the answer that is kept under an Idempotency-Key.

// key is what the codes of a program are hashed with.
func (u *unit) key(ctx context.Context, t *task) (*code.Key, error) {
	id := t.req.Program
	if k := u.keys[id]; k != nil {
		return k, nil
	}
	k, err := code.MakeKey(ctx, u.tx, id, t.req.Now)
	if err != nil {
		return nil, err
	}
	if u.keys == nil {
		u.keys = map[string]*code.Key{}
	}
	u.keys[id] = k
	return k, nil
}

// secret draws a code for a fact of the task. A simulation draws none.
func (u *unit) secret(ctx context.Context, t *task) (engine.Secret, error) {
	if u.simulated {
		return engine.Secret{}, nil
	}
	k, err := u.key(ctx, t)
	if err != nil {
		return engine.Secret{}, err
	}
	text := code.Draw()
	c, err := k.Of(code.New{Kind: code.Voucher, Text: text}, t.req.Now)
	if err != nil {
		return engine.Secret{}, err
	}
	if t.codes == nil {
		t.codes = map[string]string{}
	}
	t.codes[c.Hash] = text
	return engine.Secret{Hash: c.Hash, Tail: c.Tail}, nil
}

// keepCodes writes the codes of all facts that were decided and stayed, those of what is undone are forgotten.
func (u *unit) keepCodes(ctx context.Context) error {
	if len(u.keys) == 0 {
		return nil
	}
	fresh := map[string][]code.Code{}
	for f, e := range u.sheet.Decided() {
		if e.Fact.Drawn == nil || len(e.Fact.Drawn.Secrets) == 0 {
			continue
		}
		for i := range e.Decision.Redemptions {
			r := &e.Decision.Redemptions[i]
			if r.Voucher == nil || !drew(e.Fact.Drawn, r.Voucher.Hash) {
				continue
			}
			if e.Fact.Kind == engine.VoucherK {
				if err := code.Replace(ctx, u.tx, f.Program, f.Member, r.ID); err != nil {
					return err
				}
			}
			fresh[f.Program] = append(fresh[f.Program], code.Code{ID: ids.NewIn(code.IDPrefix, e.Fact.RecordedAt, ids.Bucket(f.Program, r.Voucher.Hash)), Kind: code.Voucher,
				Hash: r.Voucher.Hash, Tail: r.Voucher.Tail, Holder: f.Member, Subject: r.ID, Status: code.Open, CreatedAt: e.Fact.RecordedAt, EndsAt: r.Voucher.ValidUntil})
		}
	}
	for id, list := range fresh {
		code.KeepLater(u.tx, id, list)
	}
	return nil
}

func drew(d *engine.Drawn, hash string) bool {
	for _, s := range d.Secrets {
		if s.Hash == hash && hash != "" {
			return true
		}
	}
	return false
}
