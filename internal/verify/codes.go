package verify

import (
	"context"
	"fmt"

	"lojal.dev/lojal/internal/books"
	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/engine"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/waiting"
)

// codes proves that each code stands for what the books say: a gift card for an account of that kind, an open voucher's for the redemption that
// has its hash, a receipt's for a purchase that waits. What is worth how much is proved with the accounts.
func (r *run) codes(ctx context.Context, tx *db.Tx) error {
	fault := func(c code.Code, format string, args ...any) {
		r.out.add(Finding{Check: "codes", Row: "codes " + r.program + " " + c.ID, Member: c.Holder, Message: fmt.Sprintf(format, args...)})
	}
	return code.Each(ctx, tx, r.program, func(list []code.Code) error {
		sheet := books.ReadSheet()
		var refs []books.Ref
		for _, c := range list {
			if c.Kind == code.GiftCard || c.Kind == code.Coupon {
				refs = append(refs, books.Ref{Program: r.program, Member: c.Holder})
			}
		}
		if err := sheet.Open(ctx, tx, refs); err != nil {
			return err
		}
		for _, c := range list {
			switch c.Kind {
			case code.GiftCard:
				if f := sheet.Folio(books.Ref{Program: r.program, Member: c.Holder}); f.State.Kind != engine.GiftCard {
					fault(c, "stands for a gift card that is not there")
				}
			case code.Coupon:
				if f := sheet.Folio(books.Ref{Program: r.program, Member: c.Holder}); f.State.Kind != engine.CouponCode || f.State.Card == nil || f.State.Card.Coupon != c.Subject {
					fault(c, "stands for a coupon that is not there")
				}
			case code.Voucher:
				red, err := books.FindRedemption(ctx, tx, r.program, c.Subject)
				switch {
				case errs.CodeOf(err) == errs.CodeNotFound:
					fault(c, "stands for the redemption %s, which is not there", c.Subject)
				case err != nil:
					return err
				case red.Voucher == nil || (c.Status == code.Open) != (red.Voucher.Hash == c.Hash):
					fault(c, "is %s, and the redemption %s has another code", c.Status, c.Subject)
				}
			case code.Share:
				e, _, err := books.Find(ctx, tx, r.program, c.Subject)
				switch {
				case errs.CodeOf(err) == errs.CodeNotFound || err == nil && (e.Fact.Share == nil || e.Fact.Share.Do != engine.ShareMake):
					fault(c, "stands for %s, with which nothing was passed on", c.Subject)
				case err != nil:
					return err
				}
			case code.Claim:
				_, err := waiting.Get(ctx, tx, r.program, c.Subject)
				if errs.CodeOf(err) == errs.CodeNotFound {
					fault(c, "stands for the purchase %s, which does not wait", c.Subject)
				} else if err != nil {
					return err
				}
			}
		}
		return nil
	})
}
