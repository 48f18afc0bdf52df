package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"lojal.dev/lojal/internal/ids"
	"lojal.dev/lojal/internal/logs"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	secret := ids.Secret("lj_live_")
	for _, c := range []struct{ in, want string }{
		{"nothing to hide", "nothing to hide"},
		{"key " + secret + " is wrong", "key lj_live_[hidden] is wrong"},
		{"lj_test_abcDEF123", "lj_test_[hidden]"},
		{"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_[hidden]"},
		{"Authorization: Bearer abcdef123456", "Authorization: [hidden] [hidden]"},
		{"sent bearer abcdef123456 twice", "sent bearer [hidden] twice"},
		{`connect: host=db user=lojal password=hunter2 port=5432`, `connect: host=db user=lojal password=[hidden] port=5432`},
		{`{"password": "hunter 2", "a": 1}`, `{"password": [hidden], "a": 1}`},
		{"token=abc&next=1", "token=[hidden]&next=1"},
		{"dial postgres://lojal:hunter2@db:5432/lojal?sslmode=require failed", "dial postgres://[hidden]@db:5432/lojal?sslmode=require failed"},
		{"dial postgres://db:5432/lojal failed", "dial postgres://db:5432/lojal failed"},
		{`Key (email)=(kari.nordmann+club@example.no) already exists`, `Key (email)=([e-mail]) already exists`},
		{"søren@blåbær.dk", "[e-mail]"}, {"kari@3d.no", "[e-mail]"}, {"kari@localhost", "[e-mail]"},
		{"the head is 936f0fd3fc0ec7a582637b152e8f34e6@17", "the head is 936f0fd3fc0ec7a582637b152e8f34e6@17"},
		{"member phone:99887766 not found", "member phone:[hidden] not found"},
		{"member card:1001-2002 not found", "member card:[hidden] not found"},
		{"sms to +47 998 87 766.", "sms to [number]."},
		{"sms to +4799887766", "sms to [number]"},
		{"call 998 87 766, or 99887766", "call [number], or [number]"},
		{"card 10010009", "card [number]"},
		// What is no secret stays whole.
		{"fact pur_01k9zjq3hfe1f8m6v7j0q3x5c4 of till-1:R-1001", "fact pur_01k9zjq3hfe1f8m6v7j0q3x5c4 of till-1:R-1001"},
		{"2026-11-22T05:29:31.914123456Z took 12ms", "2026-11-22T05:29:31.914123456Z took 12ms"},
		{"ERROR: deadlock detected (SQLSTATE 40P01)", "ERROR: deadlock detected (SQLSTATE 40P01)"},
		{"dial tcp 127.0.0.1:5432: connect: connection refused", "dial tcp 127.0.0.1:5432: connect: connection refused"},
		{"backup lojal-20261122.db of 1234567 bytes", "backup lojal-20261122.db of 1234567 bytes"},
		// What would move a cursor or turn the reading direction is gone.
		{"a\x1b[2Jb\u009b31mc\u202ed\x00e\u2028f", "a[2Jb31mcdef"},
		{"not\xffutf8", "not�utf8"},
	} {
		if got := logs.Redact(c.in); got != c.want {
			t.Errorf("%q\n gives %q\n want  %q", c.in, got, c.want)
		}
	}
}

// hostile values as a caller, a database or another program may put them into an error.
var hostile = []string{
	"x\nlevel=ERROR msg=\"the books are wrong\"", "x\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}", "\x1b]0;title\a", "\u0085next", "a\u2028b\u2029c", "\"}{\"msg\":\"forged", "%s%n%d",
	"lj_live_0123456789abcdef\nlj_live_fedcba9876543210", "kari@example.no\tola@example.no", "+47 998 87 766\n+46 70 123 45 67", "postgres://u:p\n@h/d",
}

func TestALineStaysALineAndHoldsNoSecret(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		for _, text := range hostile {
			for how, write := range map[string]func(*slog.Logger){
				"message": func(l *slog.Logger) { l.Error(text) },
				"text":    func(l *slog.Logger) { l.Error("m", "value", text) },
				"error":   func(l *slog.Logger) { l.Error("m", "error", fmt.Errorf("wrapped: %w", errors.New(text))) },
				"bytes":   func(l *slog.Logger) { l.Error("m", "value", []byte(text)) },
				"any":     func(l *slog.Logger) { l.Error("m", "value", struct{ A string }{text}) },
				"group":   func(l *slog.Logger) { l.Error("m", slog.Group("g", slog.Group("h", "value", text))) },
				"with":    func(l *slog.Logger) { l.With("value", text).WithGroup("g").Error("m") },
				"context": func(l *slog.Logger) { l.ErrorContext(context.WithValue(t.Context(), aboutKey{}, text), "m") },
			} {
				var b bytes.Buffer
				write(logs.New(&b, logs.Options{JSON: asJSON, About: func(ctx context.Context) []slog.Attr {
					if v, ok := ctx.Value(aboutKey{}).(string); ok {
						return []slog.Attr{slog.String("about", v)}
					}
					return nil
				}}))
				out := b.String()
				if strings.Count(out, "\n") != 1 || !strings.HasSuffix(out, "\n") {
					t.Errorf("%s of %q (json %v) is more than a line: %q", how, text, asJSON, out)
				}
				if i := strings.IndexFunc(strings.TrimSuffix(out, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
					t.Errorf("%s of %q (json %v) holds an unprintable sign: %q", how, text, asJSON, out)
				}
				var line map[string]any
				if asJSON && (json.Unmarshal([]byte(out), &line) != nil || line["level"] != "ERROR") {
					t.Errorf("%s of %q is no JSON of its own: %s", how, text, out)
				}
				for _, secret := range []string{"0123456789abcdef", "fedcba9876543210", "kari@", "ola@", "998 87", "123 45", "u:p"} {
					if strings.Contains(out, secret) {
						t.Errorf("%s of %q (json %v) holds %q: %s", how, text, asJSON, secret, out)
					}
				}
			}
		}
	}
}

type aboutKey struct{}

func TestALineTellsItsRequestOnce(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := logs.New(&b, logs.Options{JSON: true, About: func(context.Context) []slog.Attr { return []slog.Attr{slog.String("request_id", "req_1")} }})
	log.InfoContext(t.Context(), "m", "took", 1500*time.Microsecond)
	log.InfoContext(t.Context(), "m", "request_id", "req_1")
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"took_ms":1.5,"request_id":"req_1"`) || strings.Count(lines[1], "request_id") != 1 {
		t.Errorf("%s", b.String())
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug is logged")
	}
}

// FuzzRedact looks for an e-mail address, a key or a URL's password that comes through whatever stands around it.
func FuzzRedact(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, secret := range []string{"lj_live_0123456789abcdef", "kari.nordmann@example.no"} {
			out := logs.Redact(before + " " + secret + " " + after)
			if strings.Contains(out, secret) {
				t.Errorf("%q comes through: %q", secret, out)
			}
			if strings.ContainsAny(out, "\r\x1b\u202e") {
				t.Errorf("%q", out)
			}
		}
	})
}

func BenchmarkAccessLine(b *testing.B) {
	for name, log := range map[string]*slog.Logger{
		"plain": slog.New(slog.NewJSONHandler(discard{}, nil)), "redacted": logs.New(discard{}, logs.Options{JSON: true}),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(context.Background(), slog.LevelInfo, "request", slog.String("request_id", "req_01m80vpfebe9j8g5w6zta11gky"), slog.String("method", "GET"),
					slog.String("route", "GET /v1/members/{member}"), slog.Int("status", 200), slog.Int64("bytes", 800), slog.Duration("took", time.Millisecond),
					slog.String("actor", "key_01k9zjq3hfe1f8m6v7j0q3x5c4"), slog.String("ip", "127.0.0.1"))
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
