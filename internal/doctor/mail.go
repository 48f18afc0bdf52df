package doctor

import (
	"context"

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
