package cli

import (
	"log/slog"

	"lojal.dev/lojal/internal/message"
)

// mailing is how messages to people are sent.
type mailing struct {
	SMTPURL  string `name:"smtp-url" env:"LOJAL_SMTP_URL" placeholder:"URL" help:"Mail server that messages to members go by: smtps://USER:PASSWORD@HOST:465, or smtp:// with STARTTLS, port 587. Without one they are written to the log."`
	MailFrom string `name:"mail-from" env:"LOJAL_MAIL_FROM" placeholder:"ADDRESS" help:"Address that mail comes from, such as \"Kaffebaren <hei@kaffebaren.no>\"; needed with --smtp-url."`
}

// smtp reads the settings; nil when no mail server is set.
func (m mailing) smtp(e *env) (*message.SMTP, error) {
	if m.SMTPURL == "" {
		return nil, nil //nolint:nilnil // none is what was asked for
	}
	return message.NewSMTP(message.Settings{URL: m.SMTPURL, From: m.MailFrom, Clock: e.now})
}

// sender gives the way that messages go. A demo sends nothing to anybody.
func (m mailing) sender(e *env, log *slog.Logger, demo bool) (message.Sender, error) {
	if demo {
		return message.Log{Logger: log, SMS: true}, nil
	}
	smtp, err := m.smtp(e)
	if err != nil {
		return nil, err
	}
	if smtp == nil {
		log.Warn("no mail server is set (--smtp-url): messages to members are written to this log, with the codes in them")
		return message.Log{Logger: log}, nil
	}
	return smtp, nil
}
