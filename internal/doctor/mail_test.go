package doctor_test

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"lojal.dev/lojal/internal/doctor"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/message"
)

// asked is a session of a mail server to which nothing may be sent.
type asked struct{ t *testing.T }

func (asked) Reset()                                 {}
func (asked) Logout() error                          { return nil }
func (a asked) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (a asked) Data(io.Reader) error                 { return nil }
func (a asked) Mail(string, *smtp.MailOptions) error {
	a.t.Error("a mail was begun")
	return nil
}

func TestTheMailServerIsAskedAndNothingIsSent(t *testing.T) {
	t.Parallel()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return asked{t}, nil }))
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	mail, err := message.NewSMTP(message.Settings{URL: "smtp://" + l.Addr().String(), From: "hei@example.no", Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	says := func(in doctor.Input, level doctor.Level, word string) {
		t.Helper()
		in.Clock, in.OpenErr = time.Now, errs.NotFound("database", "There is no database.")
		for _, f := range doctor.Examine(t.Context(), in).Findings {
			if f.Check == "mail" {
				if f.Level != level || !strings.Contains(f.Message, word) {
					t.Errorf("%+v, want %s with %q", f, level, word)
				}
				return
			}
		}
		t.Error("nothing is said of mail")
	}
	says(doctor.Input{Mail: mail}, doctor.OK, l.Addr().String())
	says(doctor.Input{}, doctor.Note, "No mail server is set")
	says(doctor.Input{MailErr: errs.Malformed("mail_from", "No sender.")}, doctor.Error, "No sender.")
	_, _ = l.Close(), server.Close()
	<-done
	says(doctor.Input{Mail: mail}, doctor.Error, "cannot be reached")
}

func TestTheCertificateForPassesIsWatched(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    doctor.Input
		level doctor.Level
		word  string
	}{
		{doctor.Input{PassEnds: now.Add(100 * 24 * time.Hour)}, doctor.OK, "100 days"},
		{doctor.Input{PassEnds: now.Add(10 * 24 * time.Hour)}, doctor.Warning, "ends in 10 days"},
		{doctor.Input{PassEnds: now}, doctor.Error, "has ended"},
		{doctor.Input{PassErr: errs.Malformed("apple_pass", "Give all three.")}, doctor.Error, "Give all three."},
		{doctor.Input{}, "", ""},
	} {
		c.in.Clock, c.in.OpenErr = func() time.Time { return now }, errs.NotFound("database", "There is no database.")
		var said doctor.Finding
		for _, f := range doctor.Examine(t.Context(), c.in).Findings {
			if f.Check == "passes" {
				said = f
			}
		}
		if said.Level != c.level || !strings.Contains(said.Message, c.word) {
			t.Errorf("%+v, want %s with %q", said, c.level, c.word)
		}
	}
}
