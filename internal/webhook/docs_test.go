package webhook

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/engine"
)

var update = flag.Bool("update", false, "write docs/events.md")

const eventsFile = "../../docs/events.md"

// catalogue is docs/events.md.
func catalogue() []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Made by go generate ./internal/webhook; do not edit. -->

# Events

What facts lead to, in the order in which it was committed: in the feed (` + "`GET /v1/events`" + `, scope ` + "`events:read`" + `) and by [webhooks](webhooks.md). Every
event has ` + "`id`, `type`, `member`, `fact`, `occurred_at`, `recorded_at`, `sequence` and `data`" + `; the tables say what ` + "`data`" + ` holds. All its values are text.

Events are versioned by type. Within a version a field may be added to ` + "`data`" + `, and new types come: a receiver passes over what it does not know. A field that is
taken away or means something else raises the type's version, and is announced in the changelog before. The scenarios of the test-suite lead to every type and
field below, and to no other.

`)
	describe := func(t engine.EventType) {
		fmt.Fprintf(&b, "## %s\n\n%s", t.Type, t.Text)
		if t.Version > 1 {
			fmt.Fprintf(&b, " Version %d.", t.Version)
		}
		b.WriteString("\n\n")
		if len(t.Fields) == 0 {
			return
		}
		b.WriteString("| data | is | for example |\n|---|---|---|\n")
		for _, f := range t.Fields {
			name := "`" + f.Name + "`"
			if f.Optional {
				name += ", not always"
			}
			fmt.Fprintf(&b, "| %s | %s | `%s` |\n", name, f.Text, f.Example)
		}
		b.WriteString("\n")
	}
	for _, t := range engine.EventTypes {
		describe(t)
	}
	b.WriteString("# Events of webhooks alone\n\nThese are about webhooks and not about members. They are sent, and are not in the feed; they have no `member`, `fact` and `sequence`.\n\n")
	for _, t := range OwnTypes {
		describe(t)
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

func TestTheEventsAreDocumented(t *testing.T) {
	t.Parallel()
	want := catalogue()
	if *update {
		if err := os.WriteFile(eventsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(eventsFile)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("docs/events.md is not up to date: run go generate ./internal/webhook (%v)", err)
	}
}

// The receivers that docs/webhooks.md shows take what we sign and nothing else.
func TestTheReceiversInTheDocsWork(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ language, file, command string }{
		{"go", "main.go", "go run main.go"},
		{"js", "receiver.mjs", "node receiver.mjs"},
		{"php", "receiver.php", "php -S 127.0.0.1:PORT receiver.php"},
	} {
		t.Run(c.language, func(t *testing.T) {
			t.Parallel()
			code := regexp.MustCompile("(?s)```" + c.language + "\n(.*?)```").FindSubmatch(text)
			if code == nil {
				t.Fatalf("docs/webhooks.md has no receiver in %s", c.language)
			}
			words := strings.Fields(c.command)
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Skipf("skipped: %s is not installed", words[0])
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.file), code[1], 0o600); err != nil {
				t.Fatal(err)
			}
			secret := newSecret()
			base := receive(t, dir, words, secret)
			send := func(what string, want int, at time.Time, secrets []string, body, sent string) {
				t.Helper()
				signature, err := Sign(secrets, "evt_1", at, body)
				if err != nil {
					t.Fatal(err)
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/lojal", strings.NewReader(sent))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set(HeaderID, "evt_1")
				req.Header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
				req.Header.Set(HeaderSignature, signature)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("%s: answered %d, want %d", what, res.StatusCode, want)
				}
			}
			const body = `{"type":"points.earned","data":{"name":"Åse"}}`
			now := time.Now()
			send("a message", 204, now, []string{secret}, body, body)
			send("one during a rotation", 204, now, []string{newSecret(), secret}, body, body)
			send("a stranger's", 400, now, []string{newSecret()}, body, body)
			send("a changed one", 400, now, []string{secret}, body, body+" ")
			send("an old one", 400, now.Add(-time.Hour), []string{secret}, body, body)
			send("one of tomorrow", 400, now.Add(time.Hour), []string{secret}, body, body)
		})
	}
}

// receive starts a receiver and gives its address.
func receive(t *testing.T, dir string, words []string, secret string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	ctx, cancel := context.WithCancel(context.Background())
	for i := range words {
		words[i] = strings.Replace(words[i], "PORT", port, 1)
	}
	if words[0] == "go" { // go run leaves what it started behind when it is killed
		build := exec.CommandContext(ctx, "go", "build", "-o", "receiver", "main.go")
		build.Dir = dir
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		words = []string{filepath.Join(dir, "receiver")}
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PORT="+port, "WEBHOOK_SECRET="+secret)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("%s", out.String())
		}
	})
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return "http://127.0.0.1:" + port
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the receiver ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
