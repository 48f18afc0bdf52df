package message

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"lojal.dev/lojal/internal/errs"
)

// sendFor is how long one message may take, from looking up the server to its word that it has it.
const sendFor = 20 * time.Second

// Settings say how mail is sent.
type Settings struct {
	// URL is smtp://USER:PASSWORD@HOST:PORT (TLS by STARTTLS, port 587 when left out) or smtps:// (TLS from the start, port 465). Without a user nothing signs in.
	// TLS is demanded, but of this machine itself; ?tls=none does without on a network of one's own, and then no password is sent. ?helo=NAME is how this
	// machine calls itself.
	URL string
	// From is the address that mail comes from, with a name or without: Kaffebaren <hei@kaffebaren.no>.
	From string
	// Timeout bounds one message; 20 s when 0.
	Timeout time.Duration
	// Roots are whom to trust for certificates; the system's when nil.
	Roots *x509.CertPool
	// Clock dates the messages.
	Clock func() time.Time
}

// SMTP sends by a mail server.
type SMTP struct {
	host, user, password, helo string
	port                       int
	// implicit is TLS from the start, plain none at all; else it is STARTTLS.
	implicit, plain bool
	from            *netmail.Address
	timeout         time.Duration
	roots           *x509.CertPool
	clock           func() time.Time
}

// mechanisms are the ways to sign in, the best first. Those that send the password as it is are refused by the library where there is no TLS, but on this machine.
var mechanisms = []mail.SMTPAuthType{mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthCramMD5}

// NewSMTP reads settings. It does not connect. A mistake is malformed ("smtp_url", "mail_from") and never quotes the URL, which holds a password.
func NewSMTP(in Settings) (*SMTP, error) {
	s := &SMTP{timeout: cmp.Or(in.Timeout, sendFor), roots: in.Roots, clock: in.Clock}
	wrong := func(what string) error {
		return errs.Malformed("smtp_url", "The address of the mail server "+what+" It is written smtps://USER:PASSWORD@HOST:465 or smtp://USER:PASSWORD@HOST:587; signs such as @, / and : in the password are written %40, %2F and %3A.")
	}
	u, err := url.Parse(in.URL)
	if err != nil {
		return nil, wrong("cannot be read.") // the cause would quote it
	}
	if u.Scheme != "smtp" && u.Scheme != "smtps" {
		return nil, wrong("begins with neither smtp:// nor smtps://.")
	}
	s.implicit, s.port = u.Scheme == "smtps", 587
	if s.implicit {
		s.port = 465
	}
	if s.host = u.Hostname(); s.host == "" {
		return nil, wrong("names no host.")
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, wrong("has a port that is none.")
		}
	}
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return nil, wrong("has something after the host.")
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
		if s.user == "" || s.password == "" {
			return nil, wrong("has a user without a password, or a password without a user.")
		}
	}
	s.plain = !s.implicit && loopback(s.host)
	for name, values := range u.Query() {
		switch v := values[len(values)-1]; {
		case name == "tls" && !s.implicit && (v == "none" || v == "starttls"):
			s.plain = v == "none"
		case name == "helo" && hostname(v):
			s.helo = v
		default:
			return nil, wrong("has an option that is none: there are tls=none and tls=starttls with smtp://, and helo=NAME.")
		}
	}
	if s.plain && s.user != "" && !loopback(s.host) {
		return nil, wrong("wants a password sent to another machine without TLS.")
	}
	if in.From == "" {
		return nil, errs.Malformed("mail_from", "A mail server is set, but not whom mail comes from: set --mail-from, such as \"Kaffebaren <hei@kaffebaren.no>\".")
	}
	s.from, err = netmail.ParseAddress(in.From)
	if err != nil || strings.ContainsFunc(in.From, unicode.IsControl) || len(s.from.Address) > maxTo {
		return nil, errs.Malformed("mail_from", "--mail-from is one address, with a name or without, such as \"Kaffebaren <hei@kaffebaren.no>\".")
	}
	return s, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func hostname(s string) bool {
	return s != "" && len(s) <= 253 && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '-'
	}) < 0
}

// address reads one bare e-mail address.
func address(to string) (*netmail.Address, error) {
	wrong := errs.Invalid("message_to", "A message by e-mail goes to one address, such as kari@example.no, without a name.")
	if len(to) > maxTo || strings.ContainsFunc(to, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`<>,;"()`, r)
	}) {
		return nil, wrong
	}
	a, err := netmail.ParseAddress(to)
	if err != nil || a.Name != "" || a.Address != to {
		return nil, wrong
	}
	return a, nil
}

// Server names the mail server, without user and password.
func (s *SMTP) Server() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// Reaches implements Sender.
func (s *SMTP) Reaches(k Kind) bool { return k == Email }

// Send implements Sender.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	if !s.Reaches(m.Kind) {
		return noSender(m.Kind)
	}
	mime, err := s.compose(m)
	if err != nil {
		return err
	}
	return s.talk(ctx, func(c *mail.Client, session *smtp.Client) error {
		if err := c.SendWithSMTPClient(session, mime); err != nil && !mime.IsDelivered() { // what failed after the server took it is no failure
			return s.refusal(err)
		}
		return nil
	})
}

// Check connects and signs in, and sends nothing. It fails as Send does.
func (s *SMTP) Check(ctx context.Context) error {
	return s.talk(ctx, func(*mail.Client, *smtp.Client) error { return nil })
}

// compose makes the mail. Its Message-ID is of the sender's domain: the library's own would tell the name of this machine.
func (s *SMTP) compose(m Message) (*mail.Msg, error) {
	mime := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(mime.FromFormat(s.from.Name, s.from.Address), mime.To(m.To)); err != nil {
		return nil, errs.Invalid("message_to", "A message by e-mail goes to one address, such as kari@example.no, without a name.").Because(err)
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	mime.SetMessageIDWithValue(hex.EncodeToString(id[:]) + s.from.Address[strings.LastIndex(s.from.Address, "@"):])
	mime.SetDateWithValue(s.clock())
	mime.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody who is away answers it
	if m.Lang != "" {
		mime.SetGenHeader("Content-Language", m.Lang)
	}
	mime.Subject(m.Subject)
	mime.SetBodyString(mail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		mime.AddAlternativeString(mail.TypeTextHTML, m.HTML)
	}
	return mime, nil
}

// talk connects, signs in and has something done, all within the time. The connection is ours, so that it is closed whatever happens, and at once when the
// context ends.
func (s *SMTP) talk(ctx context.Context, do func(*mail.Client, *smtp.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	config := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
	opts := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(s.timeout), mail.WithTLSConfig(config), mail.WithoutNoop(),
		mail.WithDialContextFunc(func(dialing context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(dialing, network, addr)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = conn.Close() }) // at the latest when talk returns
			if !s.implicit {
				return conn, nil
			}
			secure := tls.Client(conn, config)
			if err := secure.HandshakeContext(dialing); err != nil {
				return nil, err
			}
			return secure, nil
		}),
	}
	switch {
	case s.implicit:
		opts = append(opts, mail.WithSSL())
	case s.plain:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.user != "" {
		opts = append(opts, mail.WithUsername(s.user), mail.WithPassword(s.password), mail.WithOpportunisticSMTPAuth(mechanisms...))
	}
	if s.helo != "" {
		opts = append(opts, mail.WithHELO(s.helo))
	}
	client, err := mail.NewClient(s.host, opts...)
	if err != nil {
		return errs.Malformed("smtp_url", "The settings of the mail server cannot be used.").Because(err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.away(ctx, err)
	}
	if err := do(client, session); err != nil {
		return err
	}
	_ = client.CloseWithSMTPClient(session) // a goodbye that is not answered changes nothing
	return nil
}

// away says why there is no session, in words that hold neither user nor password.
func (s *SMTP) away(ctx context.Context, err error) error {
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	text := err.Error()
	switch {
	case errors.As(err, &certificate):
		return errs.Unavailable("mail_tls", fmt.Sprintf("The certificate of the mail server %s is not valid for it, or of nobody who is trusted.", s.Server())).Because(err)
	case errors.As(err, &header):
		return errs.Unavailable("mail_tls", fmt.Sprintf("The mail server %s does not speak TLS from the start: smtp:// asks for it by STARTTLS.", s.Server())).Because(err)
	case strings.HasPrefix(text, "STARTTLS mode"):
		return errs.Unavailable("mail_tls", fmt.Sprintf("The mail server %s offers no TLS (STARTTLS), so nothing is sent to it: use smtps://, or ?tls=none on a network of your own.", s.Server()))
	case strings.HasPrefix(text, "SMTP AUTH failed"), strings.Contains(text, "SMTP AUTH"):
		return errs.Unavailable("mail_sign_in", fmt.Sprintf("The mail server %s does not let us in with the user and password that are set.", s.Server())).Because(err)
	case ctx.Err() != nil, isTimeout(err):
		return errs.Unavailable("mail_away", fmt.Sprintf("The mail server %s did not answer in time.", s.Server())).Because(err)
	}
	return errs.Unavailable("mail_away", fmt.Sprintf("The mail server %s cannot be reached, or does not answer as one.", s.Server())).Because(err)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// refusal says why the server did not take a message. Only a lasting no to the receiver or to the content is the message's own fault.
func (s *SMTP) refusal(err error) error {
	if e, ok := errors.AsType[*mail.SendError](err); ok && !e.IsTemp() && e.ErrorCode() >= 500 {
		switch e.Reason {
		case mail.ErrSMTPRcptTo:
			return errs.Invalid("mail_refused", "The mail server says that no mail can be sent to this address.").Because(err)
		case mail.ErrSMTPMailFrom:
			return errs.Unavailable("mail_failed", fmt.Sprintf("The mail server %s takes no mail from the address that is set as --mail-from.", s.Server())).Because(err)
		case mail.ErrSMTPData, mail.ErrSMTPDataClose:
			return errs.Invalid("mail_refused", "The mail server will not have this message.").Because(err)
		default:
		}
	}
	return errs.Unavailable("mail_failed", fmt.Sprintf("The mail server %s could not take the message now.", s.Server())).Because(err)
}
