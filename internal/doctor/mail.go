package doctor

import (
	"context"
	"time"

	"lojal.dev/lojal/internal/errs"
)

// mail looks whether messages to members can be sent. Nothing is sent.
func (e *exam) mail(ctx context.Context) {
	switch {
	case e.MailErr != nil:
		e.say("mail", Error, errs.As(e.MailErr).Message, "A server does not start with it: mend LOJAL_SMTP_URL and LOJAL_MAIL_FROM.")
	case e.Mail == nil:
		e.say("mail", Note, "No mail server is set: a server writes messages to members, and the codes in them, to its log instead of sending them.", "Set LOJAL_SMTP_URL and LOJAL_MAIL_FROM for the server, and here.")
	default:
		if err := e.Mail.Check(ctx); err != nil {
			e.say("mail", Error, errs.As(err).Message, "Messages to members do not go out. See that LOJAL_SMTP_URL is right and that this machine may connect there.")
			return
		}
		e.okf("mail", "The mail server %s answers and lets us in; nothing was sent.", e.Mail.Server())
	}
}

// passSoon is how long before its end the certificate for passes is warned of: Apple issues a new one within minutes, but somebody must ask for it.
const passSoon = 30 * 24 * time.Hour

// passes looks how long passes can still be signed.
func (e *exam) passes() {
	left := e.PassEnds.Sub(e.now)
	switch {
	case e.PassErr != nil:
		e.say("passes", Error, errs.As(e.PassErr).Message, "A server does not start with it: see docs/wallet.md.")
	case e.PassEnds.IsZero():
	case left <= 0:
		e.say("passes", Error, "The certificate for Apple Wallet has ended: no new passes are made.", "Renew it at Apple, as docs/wallet.md says.")
	case left < passSoon:
		e.say("passes", Warning, "The certificate for Apple Wallet ends in "+round(left)+".", "Renew it at Apple, as docs/wallet.md says. Passes that are out stay valid.")
	default:
		e.okf("passes", "The certificate for Apple Wallet is valid for another %s.", round(left))
	}
}
