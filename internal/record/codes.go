package record

import (
	"context"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
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

// stillOpen refuses a request whose code another has taken the place of. Whoever replaces it holds the account as well: see ReplaceCode.
func (u *unit) stillOpen(ctx context.Context, t *task) error {
	if t.req.Code == "" || u.simulated {
		return nil
	}
	c, err := code.ByHash(ctx, u.tx, t.req.Program, t.req.Code)
	if err != nil {
		return err
	}
	return c.Usable(t.req.Now)
}

// keepCodes writes the codes of all facts that were decided and stayed, those of what is undone are forgotten. One whose place another took opens
// nothing from then on, also where both were drawn here.
func (u *unit) keepCodes(ctx context.Context) error {
	if len(u.keys) == 0 {
		return nil
	}
	fresh, replaced := map[string][]code.Code{}, map[string][]string{}
	for f, e := range u.sheet.Decided() {
		if e.Fact.Drawn == nil || len(e.Fact.Drawn.Secrets) == 0 {
			continue
		}
		for i := range e.Decision.Redemptions {
			r := &e.Decision.Redemptions[i]
			if r.Voucher == nil || !drew(e.Fact.Drawn, r.Voucher.Hash) {
				continue
			}
			if r.Voucher.Was != "" {
				replaced[f.Program] = append(replaced[f.Program], r.Voucher.Was)
			}
			fresh[f.Program] = append(fresh[f.Program], code.Code{ID: ids.NewIn(code.IDPrefix, e.Fact.RecordedAt, ids.Bucket(f.Program, r.Voucher.Hash)), Kind: code.Voucher,
				Hash: r.Voucher.Hash, Tail: r.Voucher.Tail, Holder: f.Member, Subject: r.ID, Status: code.Open, CreatedAt: e.Fact.RecordedAt, EndsAt: r.Voucher.ValidUntil})
		}
	}
	for id, list := range fresh {
		code.KeepLater(u.tx, id, list)
	}
	for id, list := range replaced {
		for _, hash := range list {
			if err := code.ReplaceOne(ctx, u.tx, id, hash); err != nil {
				return err
			}
		}
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

// ReplaceCode has a code stand for what those of a holder's subject stood for. It holds the holder's account, so that it comes before or after
// whatever happens to it, and before or after another that replaces the code.
func ReplaceCode(ctx context.Context, tx *db.Tx, program string, c code.Code) error {
	if err := books.Lock(ctx, tx, books.Ref{Program: program, Member: c.Holder}); err != nil {
		return err
	}
	if err := code.Replace(ctx, tx, program, c.Holder, c.Subject); err != nil {
		return err
	}
	return code.Keep(ctx, tx, program, []code.Code{c})
}
