package record

import (
	"context"
	"slices"
	"strconv"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/program"
)

// Present looks up what is brought with a purchase of a member (by id; "" for nobody), so that it can be recorded: words by the program, codes by
// look, which may refuse whoever guesses. What is wrong is told of all of them at once.
func Present(ctx context.Context, d *db.DB, id string, p *program.Compiled, member string, list []engine.CodeUse, look func(engine.CodeUse) (code.Code, error)) ([]engine.CodeUse, error) {
	if len(list) > engine.MostCodes {
		return nil, errs.Invalid("invalid_purchase", "The purchase has mistakes.", errs.Field{Pointer: "/codes", Reason: "too_many", Message: "has more than " + strconv.Itoa(engine.MostCodes) + " codes"})
	}
	out := make([]engine.CodeUse, len(list))
	var no engine.CodeRefusals
	for i, u := range list {
		found, err := present(ctx, d, id, p, member, u, look)
		switch {
		case err == nil:
			out[i] = found
		case !refused(err) || errs.CodeOf(err) == errs.CodeRateLimited:
			return nil, err
		default:
			no.Add(i, err)
		}
	}
	return out, no.Err()
}

func present(ctx context.Context, d *db.DB, id string, p *program.Compiled, member string, u engine.CodeUse, look func(engine.CodeUse) (code.Code, error)) (engine.CodeUse, error) {
	named := slices.DeleteFunc([]string{u.Code, u.Redemption, u.Benefit}, func(s string) bool { return s == "" })
	if said := u.Coupon + u.Reward + u.Holder + u.Use; len(named) != 1 || said != "" || u.Amount != nil || u.Lines != nil {
		return u, errs.Invalid("invalid_code", "Send one of code, redemption and benefit; the rest is said in the answer.")
	}
	if u.Benefit != "" {
		return engine.CodeUse{Benefit: u.Benefit}, nil
	}
	redemption, hash, holder := u.Redemption, "", ""
	if u.Code != "" {
		if w, ok := ids.Word(u.Code); ok && p.Words[w] != "" {
			return engine.CodeUse{Coupon: p.Words[w]}, nil
		}
		c, err := look(u)
		if err != nil {
			return u, err
		}
		switch c.Kind {
		case code.Coupon:
			return engine.CodeUse{Coupon: c.Subject, Holder: c.Holder}, nil
		case code.GiftCard:
			return u, errs.Invalid("gift_card_pays", "A gift card is no discount: it pays what is left, with POST /v1/gift-cards/payments.")
		case code.Share:
			return u, errs.Conflict("claim_first", "This was passed on: claim it with POST /v1/shares/claims, then use the benefit or the reward that it brings.")
		case code.Claim:
			return u, errs.NotFound("code_unknown", "There is no such code.")
		}
		redemption, hash, holder = c.Subject, c.Hash, c.Holder
	}
	err := d.Read(ctx, func(tx *db.Tx) error {
		r, err := books.FindRedemption(ctx, tx, id, redemption)
		if err != nil || hash == "" && (member == "" || r.Member != member) {
			return errs.NotFound("voucher_not_found", "There is no such voucher of this member: send its code.")
		}
		if holder == "" {
			holder = r.Member
		}
		u = engine.CodeUse{Redemption: r.ID, Reward: r.Reward, Holder: holder, Hash: hash}
		return nil
	})
	return u, err
}
