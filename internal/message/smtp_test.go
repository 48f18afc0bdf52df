package message_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/message"
)

var now = time.Date(2026, 11, 22, 22, 30, 0, 0, time.UTC)

const user, password = "lojal", "p/ss:w@rd"

// post is a mail server: go-smtp, another implementation than the one that sends.
type post struct {
	*smtp.Server
	addr string
	mu   sync.Mutex
	got  []mail
	// refuse says no to a step ("mail", "rcpt", "data") with an answer.
	refuse map[string]*smtp.SMTPError
}

type mail struct {
	from, to string
	secure   bool
	signedIn string
	text     []byte
}

type talk struct {
	p        *post
	conn     *smtp.Conn
	m        mail
	signedIn string
}

func (t *talk) AuthMechanisms() []string { return []string{sasl.Plain} }
func (t *talk) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, secret string) error {
		if name != user || secret != password {
			return errors.New("wrong")
		}
		t.signedIn = name
		return nil
	}), nil
}
func (t *talk) Reset()        { t.m = mail{} }
func (t *talk) Logout() error { return nil }
func (t *talk) Mail(from string, _ *smtp.MailOptions) error {
	if t.signedIn == "" && !t.p.AllowInsecureAuth {
		return smtp.ErrAuthRequired
	}
	_, secure := t.conn.TLSConnectionState()
	t.m = mail{from: from, secure: secure, signedIn: t.signedIn}
	return t.p.no("mail")
}
func (t *talk) Rcpt(to string, _ *smtp.RcptOptions) error {
	t.m.to = to
	return t.p.no("rcpt")
}
func (t *talk) Data(r io.Reader) (err error) {
	if t.m.text, err = io.ReadAll(r); err != nil {
		return err
	}
	if err := t.p.no("data"); err != nil {
		return err
	}
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.p.got = append(t.p.got, t.m)
	return nil
}

func (p *post) no(step string) error {
	if e := p.refuse[step]; e != nil {
		return e
	}
	return nil
}

// last is the only mail that came.
func (p *post) last(t *testing.T) mail {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) != 1 {
		t.Fatalf("%d mails came, want one", len(p.got))
	}
	return p.got[0]
}

// identity is a certificate for names, and the pool that trusts it.
func identity(t *testing.T, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "post"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pool
}

// serve starts a mail server; implicit has it speak TLS from the start, change may alter it before.
func serve(t *testing.T, cert *tls.Certificate, implicit bool, change func(*post)) *post {
	t.Helper()
	p := &post{refuse: map[string]*smtp.SMTPError{}}
	p.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &talk{p: p, conn: c}, nil }))
	p.Domain, p.ErrorLog = "localhost", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if cert != nil {
		p.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
	}
	if change != nil {
		change(p)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, p.TLSConfig)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = p.Serve(l) }()
	t.Cleanup(func() { _, _ = l.Close(), p.Close(); <-done }) // the listener too: Serve may not have begun
	return p
}

func sender(t *testing.T, url string, roots *x509.CertPool) *message.SMTP {
	t.Helper()
	s, err := message.NewSMTP(message.Settings{URL: url, From: "Kaffebaren på hjørnet <hei@kaffebaren.example>", Roots: roots, Clock: func() time.Time { return now }, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const signIn = "lojal:p%2Fss%3Aw%40rd@"

var hello = message.Message{Kind: message.Email, To: "kari@example.no", Subject: "Koden din er 482913 – blåbærøl", Lang: "nb",
	Text: "Hei Kåre!\n\nKoden din er 482913.\n.\nEn linje med bare et punktum endte ikke meldingen.\n" + strings.Repeat("æøå ", 300)}

func TestMailGoesOverTLSAndIsWhatWasWritten(t *testing.T) {
	t.Parallel()
	cert, roots := identity(t, "127.0.0.1")
	for name, c := range map[string]struct {
		scheme, option string
		implicit       bool
	}{"from the start": {"smtps", "", true}, "by STARTTLS": {"smtp", "?tls=starttls", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, &cert, c.implicit, nil)
			s := sender(t, c.scheme+"://"+signIn+p.addr+c.option, roots)
			if err := s.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(t.Context(), hello); err != nil {
				t.Fatal(err)
			}
			got := p.last(t)
			if !got.secure || got.signedIn != user || got.from != "hei@kaffebaren.example" || got.to != "kari@example.no" {
				t.Errorf("%+v", got)
			}
			read(t, got.text, hello)
		})
	}
}

// read compares a mail with what was to be said, by the standard library's readers.
func read(t *testing.T, raw []byte, want message.Message) *netmail.Message {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != want.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	from, err := m.Header.AddressList("From")
	if err != nil || len(from) != 1 || from[0].Name != "Kaffebaren på hjørnet" {
		t.Errorf("from %v, %v", from, err)
	}
	if at, err := m.Header.Date(); err != nil || !at.Equal(now) {
		t.Errorf("date %v, %v", at, err)
	}
	if id := m.Header.Get("Message-Id"); !strings.HasSuffix(id, "@kaffebaren.example>") || len(id) < 30 {
		t.Errorf("message id %q", id)
	}
	if m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Get("Content-Language") != want.Lang || m.Header.Get("User-Agent")+m.Header.Get("X-Mailer") != "" {
		t.Errorf("%v", m.Header)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if want.HTML == "" {
		text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if said := strings.ReplaceAll(string(text), "\r\n", "\n"); err != nil || kind != "text/plain" || strings.TrimRight(said, "\n") != strings.TrimRight(want.Text, "\n") {
			t.Errorf("%s %v: %q", kind, err, text)
		}
		return m
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, is := range []struct{ kind, text string }{{"text/plain", want.Text}, {"text/html", want.HTML}} {
		p, err := parts.NextPart() // undoes quoted-printable by itself
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p)
		if said := strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"); err != nil || !strings.HasPrefix(p.Header.Get("Content-Type"), is.kind) || said != strings.TrimRight(is.text, "\n") {
			t.Errorf("%v %v: %q", p.Header, err, text)
		}
	}
	return m
}

func TestMailWithAPageHasBoth(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, false, func(p *post) { p.AllowInsecureAuth = true })
	m := hello
	m.HTML = "<p>Hei <b>Kåre</b></p>"
	if err := sender(t, "smtp://"+p.addr, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	read(t, p.last(t).text, m)
}

func TestMailIsNotSentWithoutTheTLSThatIsDemanded(t *testing.T) {
	t.Parallel()
	cert, roots := identity(t, "127.0.0.1")
	other, others := identity(t, "mail.example")
	plain := serve(t, nil, false, func(p *post) { p.AllowInsecureAuth = true })
	secure := serve(t, &cert, true, nil)
	starts := serve(t, &cert, false, nil)
	wrong := serve(t, &other, true, nil)
	for name, c := range map[string]struct {
		url    string
		roots  *x509.CertPool
		reason string
	}{
		"no STARTTLS":                 {"smtp://" + signIn + plain.addr + "?tls=starttls", roots, "mail_tls"},
		"a certificate of nobody":     {"smtps://" + signIn + secure.addr, others, "mail_tls"},
		"nobody, by STARTTLS":         {"smtp://" + signIn + starts.addr + "?tls=starttls", others, "mail_tls"},
		"a certificate of others":     {"smtps://" + signIn + wrong.addr, others, "mail_tls"},
		"TLS to one who speaks plain": {"smtps://" + signIn + starts.addr, roots, "mail_tls"},
		"another password":            {"smtps://lojal:s3cret@" + secure.addr, roots, "mail_sign_in"},
		"nobody signed in":            {"smtps://" + secure.addr, roots, "mail_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := sender(t, c.url, c.roots).Send(t.Context(), hello)
			if !errs.Is(err, errs.CodeUnavailable, c.reason) {
				t.Errorf("%v, want %s", err, c.reason)
			}
			for _, secret := range []string{password, "s3cret", "p%2Fss"} {
				if strings.Contains(fmt.Sprintf("%v %+v", err, errs.As(err)), secret) {
					t.Errorf("the password is told: %v", err)
				}
			}
		})
	}
	for _, p := range []*post{plain, secure, starts, wrong} {
		p.mu.Lock()
		if len(p.got) > 0 {
			t.Errorf("a mail came: %+v", p.got)
		}
		p.mu.Unlock()
	}
}

func TestMailOnThisMachineNeedsNoTLS(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, false, func(p *post) { p.AllowInsecureAuth = true })
	if err := sender(t, "smtp://"+signIn+p.addr, nil).Send(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	if got := p.last(t); got.secure || got.signedIn != user {
		t.Errorf("%+v", got)
	}
}

func TestMailThatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step   string
		answer int
		code   errs.Code
		reason string
	}{
		"no such mailbox":       {"rcpt", 550, errs.CodeInvalid, "mail_refused"},
		"mailbox is full now":   {"rcpt", 452, errs.CodeUnavailable, "mail_failed"},
		"not from this address": {"mail", 553, errs.CodeUnavailable, "mail_failed"},
		"come again":            {"mail", 451, errs.CodeUnavailable, "mail_failed"},
		"takes it for spam":     {"data", 554, errs.CodeInvalid, "mail_refused"},
		"disk is full":          {"data", 452, errs.CodeUnavailable, "mail_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, nil, false, func(p *post) {
				p.AllowInsecureAuth = true
				p.refuse[c.step] = &smtp.SMTPError{Code: c.answer, EnhancedCode: smtp.EnhancedCode{c.answer / 100, 1, 1}, Message: "no"}
			})
			err := sender(t, "smtp://"+p.addr, nil).Send(t.Context(), hello)
			if !errs.Is(err, c.code, c.reason) {
				t.Errorf("%v, want %s %s", err, c.code, c.reason)
			}
			if strings.Contains(errs.As(err).Message, "kari") {
				t.Errorf("the address is told: %s", errs.As(err).Message)
			}
		})
	}
}

func TestNoLineGetsIntoHeadersOrCommands(t *testing.T) {
	t.Parallel()
	p := serve(t, nil, false, func(p *post) { p.AllowInsecureAuth = true })
	s := sender(t, "smtp://"+p.addr, nil)
	for _, change := range []func(*message.Message){
		func(m *message.Message) { m.Subject = "Hei\r\nBcc: all@example.no" },
		func(m *message.Message) { m.Subject = "Hei\nBcc: all@example.no" },
		func(m *message.Message) { m.Subject = "Hei\x00" },
		func(m *message.Message) { m.Subject = " " },
		func(m *message.Message) { m.Subject = strings.Repeat("x", 201) },
		func(m *message.Message) { m.Subject = "\xff" },
		func(m *message.Message) { m.To = "kari@example.no\r\nRCPT TO:<all@example.no>" },
		func(m *message.Message) { m.To = "kari@example.no,all@example.no" },
		func(m *message.Message) { m.To = "Kari <kari@example.no>" },
		func(m *message.Message) { m.To = "<kari@example.no>" },
		func(m *message.Message) { m.To = "\"a\r\nb\"@example.no" },
		func(m *message.Message) { m.To = "kari@example.no (a comment)" },
		func(m *message.Message) { m.To = "kari" },
		func(m *message.Message) { m.To = "" },
		func(m *message.Message) { m.To = strings.Repeat("k", 250) + "@example.no" },
		func(m *message.Message) { m.Lang = "nb\r\nBcc: all@example.no" },
		func(m *message.Message) { m.Text = "" },
		func(m *message.Message) { m.Text = strings.Repeat("x", 257<<10) },
		func(m *message.Message) { m.Kind = "pigeon" },
		func(m *message.Message) { m.Kind = message.SMS },
	} {
		m := hello
		change(&m)
		if err := s.Send(t.Context(), m); errs.CodeOf(err) != errs.CodeInvalid {
			t.Errorf("%.60q %.60q %q: %v", m.To, m.Subject, m.Lang, err)
		}
	}
	if len(p.got) > 0 {
		t.Errorf("something was sent: %+v", p.got)
	}
	if err := s.Send(t.Context(), message.Message{Kind: message.SMS, To: "+4791234567", Text: "Hei"}); !errs.Is(err, errs.CodeUnavailable, "no_sender") || s.Reaches(message.SMS) || !s.Reaches(message.Email) {
		t.Errorf("%v", err)
	}
}

// A server that takes the connection and says nothing holds nobody for ever.
func TestAMailServerThatFallsSilent(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := make(chan net.Conn, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	}()
	for _, scheme := range []string{"smtp", "smtps"} {
		s, err := message.NewSMTP(message.Settings{URL: scheme + "://" + l.Addr().String(), From: "hei@example.no", Timeout: 50 * time.Millisecond, Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), hello); !errs.Is(err, errs.CodeUnavailable, "mail_away") || !strings.Contains(err.Error(), "in time") {
			t.Errorf("%s: %v", scheme, err)
		}
		c := <-taken // and the connection is closed on our side
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Error(err)
		}
		_ = c.Close()
	}
	s := sender(t, "smtp://"+l.Addr().String(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error)
	go func() { sent <- s.Send(ctx, hello) }()
	c := <-taken
	cancel()
	if err := <-sent; !errs.Is(err, errs.CodeUnavailable, "mail_away") {
		t.Error(err)
	}
	_ = c.Close()
	_ = l.Close()
	if err := s.Check(t.Context()); !errs.Is(err, errs.CodeUnavailable, "mail_away") {
		t.Error(err)
	}
}

func TestSettingsThatAreNone(t *testing.T) {
	t.Parallel()
	const from = "hei@example.no"
	for url, from := range map[string]string{
		"mail.example.no:587":                          from,
		"http://mail.example.no":                       from,
		"smtp://":                                      from,
		"smtp://lojal:s3cret/x@mail.example.no":        from,
		"smtp://lojal:s3cret@mail.example.no:0":        from,
		"smtp://lojal:s3cret@mail.example.no:s3cret":   from,
		"smtp://lojal:s3cret@mail.example.no/x":        from,
		"smtp://lojal@mail.example.no":                 from,
		"smtp://:s3cret@mail.example.no":               from,
		"smtp://mail.example.no?tls=maybe":             from,
		"smtps://mail.example.no?tls=none":             from,
		"smtp://mail.example.no?helo=a%20b":            from,
		"smtp://lojal:s3cret@mail.example.no?tls=none": from,
		"smtps://lojal:s3cret@mail.example.no":         "",
		"smtps://lojal:s3cret@mail2.example.no":        "a@example.no, b@example.no",
		"smtps://lojal:s3cret@mail3.example.no":        "Kaffe\r\nBcc: x <a@example.no>",
	} {
		_, err := message.NewSMTP(message.Settings{URL: url, From: from, Clock: time.Now})
		if errs.CodeOf(err) != errs.CodeMalformed || strings.Contains(fmt.Sprint(err), "s3cret") {
			t.Errorf("%s from %q: %v", url, from, err)
		}
	}
	for url, server := range map[string]string{"smtps://mail.example.no": "mail.example.no:465", "smtp://u:p@mail.example.no": "mail.example.no:587", "smtp://relay?tls=none&helo=lojal.example.no": "relay:587", "smtp://[::1]:25": "[::1]:25"} {
		if s, err := message.NewSMTP(message.Settings{URL: url, From: from, Clock: time.Now}); err != nil || s.Server() != server {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestTheLogSaysWhatWouldHaveBeenSent(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	quiet := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})) // as in the demo
	sms := message.Message{Kind: message.SMS, To: "+4791234567", Text: "Koden din er 482913"}
	for _, l := range []message.Log{{Logger: quiet}, {Logger: quiet, SMS: true}} {
		out.Reset()
		if err := l.Send(t.Context(), hello); err != nil || !strings.Contains(out.String(), "482913") || !l.Reaches(message.Email) {
			t.Errorf("%v: %s", err, out.String())
		}
		out.Reset()
		err := l.Send(t.Context(), sms)
		if l.Reaches(message.SMS) != l.SMS || (err == nil) != l.SMS || strings.Contains(out.String(), "482913") != l.SMS {
			t.Errorf("%+v: %v %s", l, err, out.String())
		}
	}
	if err := (message.Log{Logger: quiet}).Send(t.Context(), message.Message{Kind: message.Email, To: "x"}); errs.CodeOf(err) != errs.CodeInvalid {
		t.Error(err)
	}
}
