// Package message sends single messages to people: a code to sign in with, a word that something waits.
//
// It owns the ways a message can go (to a mail server, or into the log where there is none) and what a message must be to be let out: one
// address, no line breaks where headers are. It does not own what is said, to whom, whether they agreed to hear it, nor trying again: whoever
// sends does. What always holds: a message is handed over whole or an error says why not; no secret and no address stands in an
// error's own words; sending ends within a bounded time, or when the context does.
package message

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"lojal.dev/lojal/internal/errs"
)

// Kind is the way a message goes.
type Kind string

// The kinds.
const (
	Email Kind = "email"
	SMS   Kind = "sms"
)

// Message is one message to one person.
type Message struct {
	Kind Kind
	// To is a bare e-mail address, or a phone number in E.164 (+4791234567).
	To string
	// Subject is one line; an SMS has none.
	Subject string
	// Text is what is said, as plain text.
	Text string
	// HTML is the same as a page, for mail programs that show those; it may be empty.
	HTML string
	// Lang is the language of it, such as nb; it may be empty.
	Lang string
}

// Sender is a way to send. Several stand behind it, all safe to be used at once.
type Sender interface {
	// Send hands a message over to whoever delivers it. It fails with invalid ("message_to", "message_subject", "message_text", "message_lang")
	// for one that cannot be sent as it is, with invalid "mail_refused" when the receiving side will not have this one, and with unavailable when nothing
	// can be sent now ("no_sender", "mail_away", "mail_tls", "mail_sign_in", "mail_failed").
	Send(ctx context.Context, m Message) error
	// Reaches says whether messages of a kind can be sent at all, so that nobody is offered a way that leads nowhere.
	Reaches(k Kind) bool
}

// The most that is let out. A subject is shown to about sixty letters anyway; an address may have 254 bytes (RFC 5321, section 4.5.3.1.3).
const (
	maxTo, maxSubject = 254, 200
	maxText           = 256 << 10
)

var (
	phone = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	tag   = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
)

// check says what keeps a message from being sent by anybody.
func (m Message) check() error {
	switch m.Kind {
	case Email:
		if _, err := address(m.To); err != nil {
			return err
		}
	case SMS:
		if !phone.MatchString(m.To) {
			return errs.Invalid("message_to", "A message by SMS goes to one phone number with its country, such as +4791234567.")
		}
	default:
		return errs.Invalid("message_kind", "A message goes by email or by sms.")
	}
	switch {
	case !utf8.ValidString(m.Subject) || strings.ContainsFunc(m.Subject, unicode.IsControl) || utf8.RuneCountInString(m.Subject) > maxSubject:
		return errs.Invalid("message_subject", "The subject of a message is one line of at most 200 letters, without control characters.")
	case m.Kind == Email && strings.TrimSpace(m.Subject) == "":
		return errs.Invalid("message_subject", "A message by e-mail needs a subject.")
	case strings.TrimSpace(m.Text) == "" || len(m.Text)+len(m.HTML) > maxText || !utf8.ValidString(m.Text+m.HTML) || strings.ContainsRune(m.Text+m.HTML, 0):
		return errs.Invalid("message_text", "A message needs a text, of at most 256 kB.")
	case m.Lang != "" && !tag.MatchString(m.Lang):
		return errs.Invalid("message_lang", "The language of a message is a tag such as nb or en-GB.")
	}
	return nil
}

// Log is a sender that sends nothing and writes what it would have sent to the log, as a warning, since whoever waits for the message waits in vain. It is for
// trying things out: in the demo, and on a server that has no mail server yet.
//
// It claims to reach e-mail, so that a server can be tried before its mail is set up, and SMS only if told to: a demo shows both ways, while a
// server in earnest must not offer one for which there is no setting that could ever make it work.
type Log struct {
	Logger *slog.Logger
	SMS    bool
}

// Reaches implements Sender.
func (l Log) Reaches(k Kind) bool { return k == Email || k == SMS && l.SMS }

// Send implements Sender.
func (l Log) Send(ctx context.Context, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	if !l.Reaches(m.Kind) {
		return noSender(m.Kind)
	}
	l.Logger.WarnContext(ctx, "message not sent: no mail server is set up, this is what it says", "kind", string(m.Kind), "to", m.To, "subject", m.Subject, "text", m.Text, "lang", m.Lang)
	return nil
}

func noSender(k Kind) error {
	return errs.Unavailable("no_sender", "Nothing is set up that sends messages by "+string(k)+".")
}
