package ops_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/db/dbtest"
	"lojal.dev/lojal/internal/job"
	"lojal.dev/lojal/internal/relay"
	"lojal.dev/lojal/internal/sweep"
	"lojal.dev/lojal/internal/web"
)

// shown are the names of all metrics that a server shows once each of its parts has done something.
func shown(t *testing.T) map[string]bool {
	t.Helper()
	h := newHouse(t, dbtest.URL(t, db.SQLite))
	if s := h.post("/v1/members", `{"external_id": "1"}`); s != 201 {
		t.Fatal(s)
	}
	if s := h.post("/v1/purchases", `{"member": "ext:1", "amount": "50.00"}`); s != 201 {
		t.Fatal(s)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.LimitConnections(listener, 1, h.registry).Close()
	h.registry.MustRegister(relay.New(relay.Options{DB: h.d, Clock: time.Now}))
	h.now = noon.Add(3 * 24 * time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	clock := func() time.Time { return h.now }
	jobs := job.NewRunner(job.Options{DB: h.d, Clock: clock, Metrics: h.registry})
	sweep.Handle(jobs, h.d, h.rec, clock, time.Hour, slog.New(onMessage{"swept", stop}), sweep.NewMeters(h.registry))
	jobs.Run(ctx)
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	return names
}

// plain takes off what Prometheus adds to the name of a histogram.
func plain(name string, known map[string]bool) string {
	for _, end := range []string{"_bucket", "_sum", "_count"} {
		if cut, ok := strings.CutSuffix(name, end); ok && known[cut] {
			return cut
		}
	}
	return name
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The documentation names every metric there is, and none that is not.
func TestTheDocumentationNamesEveryMetric(t *testing.T) {
	t.Parallel()
	known := shown(t)
	text := read(t, "../../docs/operations.md")
	named := map[string]bool{}
	for _, name := range regexp.MustCompile(`\blojal_[a-z_]+[a-z]\b`).FindAllString(text, -1) {
		name = plain(name, known)
		named[name] = true
		if !known[name] {
			t.Errorf("docs/operations.md names %s, which is not shown", name)
		}
	}
	for name := range known {
		if strings.HasPrefix(name, "lojal_") && !named[name] {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
}

// An alert on a metric that does not exist never comes.
func TestTheAlertsAskForWhatIsShown(t *testing.T) {
	t.Parallel()
	known := shown(t)
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions([]byte(read(t, "../../docs/examples/alerts.yml")), &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("%+v", file)
	}
	metric := regexp.MustCompile(`\b(lojal|go|process)_[a-z_]+[a-z]\b`)
	for _, r := range file.Groups[0].Rules {
		for _, name := range metric.FindAllString(r.Expr, -1) {
			if !known[plain(name, known)] {
				t.Errorf("%s asks for %s, which is not shown", r.Alert, name)
			}
		}
		if r.Expr == "" || strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || strings.Count(r.Expr, "{") != strings.Count(r.Expr, "}") {
			t.Errorf("%s: %q", r.Alert, r.Expr)
		}
		for _, key := range []string{"summary", "meaning", "action"} {
			if r.Annotations[key] == "" {
				t.Errorf("%s has no %s", r.Alert, key)
			}
		}
		if !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
		if r.For != "" {
			if _, err := time.ParseDuration(r.For); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
		}
	}
}
