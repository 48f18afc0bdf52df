package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what was measured.
type Report struct {
	// Ratios are those of the database measured first.
	Ratios    map[string]float64   `json:"ratios"`
	Databases map[string]*Database `json:"databases"`
	// Order is the order in which the databases were measured.
	Order        []string  `json:"order"`
	At           time.Time `json:"at"`
	Seconds      float64   `json:"seconds"`
	Machine      Machine   `json:"machine"`
	Seed         uint64    `json:"seed"`
	Quick        bool      `json:"quick"`
	Rounds       int       `json:"rounds"`
	RoundSeconds float64   `json:"round_seconds"`
	Members      int       `json:"members"`
	// Others is the part of the machine, 0 to 1, that other programs used meanwhile: ratios are right only where it is small
	// or even.
	Others float64 `json:"others_share"`
	// Targets are other servers that were measured alone, by their names.
	Targets map[string]*Database `json:"targets,omitempty"`
}

// Database is what was measured on one kind of database.
type Database struct {
	Ratios   map[string]float64 `json:"ratios"`
	Compared []*Comparison      `json:"compared"`
	Measured []*Row             `json:"measured"`
	// Disk is what purchases take on the disk.
	Disk *Disk `json:"disk,omitempty"`
	// Sizes are what a purchase costs in large databases.
	Sizes []*Size `json:"sizes,omitempty"`
	// Load says how much the load itself matters.
	Load *LoadShare `json:"load,omitempty"`
	// Proof compares what was acknowledged with the books.
	Proof    *Proof            `json:"proof,omitempty"`
	Version  string            `json:"version,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`
	// Fragile says why it is not durable, when it is not.
	Fragile string `json:"fragile,omitempty"`
}

// Disk is how much the database grew for each purchase, with all that was kept for it; and the raw one.
type Disk struct {
	BytesPerPurchase    float64 `json:"bytes_per_purchase"`
	RawBytesPerPurchase float64 `json:"raw_bytes_per_purchase"`
}

// Size is a large database beside a small one.
type Size struct {
	Small grown `json:"small"`
	Large grown `json:"large"`
	// Processor time of a purchase, in microseconds: server and database together.
	SmallCPU float64 `json:"small_cpu_us"`
	LargeCPU float64 `json:"large_cpu_us"`
	Ratio    float64 `json:"ratio"`

	small, large *Row
}

// LoadShare shows that the load is not what is measured.
type LoadShare struct {
	// EchoPerSecond is how many requests it sent to an echo, at most.
	EchoPerSecond float64 `json:"echo_per_second"`
	// Share is its part of the processor time of purchases at 256 clients, 0 to 1.
	Share float64 `json:"share"`
}

// Proof is what was found in the books.
type Proof struct {
	// Acknowledged purchases were answered as recorded, or imported; InBooks is how many came into the books meanwhile.
	Acknowledged int `json:"acknowledged"`
	InBooks      int `json:"in_books"`
	// Verified counts the databases that were proved whole.
	Verified int `json:"verified"`
}

// Comparison is one ratio with what it should be.
type Comparison struct {
	Key  string `json:"key"`
	What string `json:"what"`
	// Value is the ratio of the medians.
	Value float64 `json:"value"`
	// Aim is what it should be at least, or at most.
	Aim    float64 `json:"aim"`
	AtMost bool    `json:"at_most,omitempty"`
	Met    bool    `json:"met"`
	// Rounds are the ratios round by round.
	Rounds []float64 `json:"rounds"`
	// Note says what is to be known of it.
	Note string `json:"note,omitempty"`
}

// Row is one thing measured with one number of clients. Its numbers are medians over the rounds.
type Row struct {
	Name string `json:"name"`
	// Kind is http, raw, echo, or command.
	Kind    string `json:"kind"`
	Clients int    `json:"clients"`
	Median  Round  `json:"median"`
	// Memory is what the server used after the last round, PeakMemory its most so far, in bytes.
	Memory     int64   `json:"memory_bytes,omitempty"`
	PeakMemory int64   `json:"peak_memory_bytes,omitempty"`
	Rounds     []Round `json:"rounds"`
	// Done counts all that was done, with the warming up.
	Done int `json:"done"`
	// Planned is how many a second were planned, in an open loop.
	Planned float64 `json:"planned_per_second,omitempty"`
}

// Round is what one round came to.
type Round struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	// Processor time for each, in microseconds: of the server, of the database where it is a process of its own on this
	// machine, and of the load.
	ServerCPU   float64 `json:"server_cpu_us"`
	DatabaseCPU float64 `json:"database_cpu_us"`
	LoadCPU     float64 `json:"load_cpu_us"`
	// Late is, in an open loop, how much later than planned 99 of 100 requests were sent: it is a part of the latencies.
	Late float64 `json:"late_p99_ms,omitempty"`
}

func newDatabase(g *ground) *Database {
	return &Database{Ratios: map[string]float64{}, Version: g.version, Settings: g.settings, Fragile: g.fragile}
}

func (d *Database) add(name, kind string, clients int) *Row {
	r := &Row{Name: name, Kind: kind, Clients: clients}
	d.Measured = append(d.Measured, r)
	return r
}

func (d *Database) find(name, kind string, clients int) *Row {
	for _, r := range d.Measured {
		if r.Name == name && r.Kind == kind && (clients == 0 || r.Clients == clients) {
			return r
		}
	}
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Clone(v)
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func (r *Row) column(of func(Round) float64) []float64 {
	out := make([]float64, len(r.Rounds))
	for i := range r.Rounds {
		out[i] = of(r.Rounds[i])
	}
	return out
}

func (r *Row) sum() {
	m := func(of func(Round) float64) float64 { return median(r.column(of)) }
	r.Median = Round{
		PerSecond: m(perSecond), P50: m(p50), P99: m(func(x Round) float64 { return x.P99 }), ServerCPU: m(func(x Round) float64 { return x.ServerCPU }),
		DatabaseCPU: m(func(x Round) float64 { return x.DatabaseCPU }), LoadCPU: m(func(x Round) float64 { return x.LoadCPU }),
		Late: m(func(x Round) float64 { return x.Late }),
	}
}

func perSecond(r Round) float64 { return r.PerSecond }
func p50(r Round) float64       { return r.P50 }

// compare makes the ratios of what was measured.
func (d *Database) compare() {
	for _, r := range d.Measured {
		r.sum()
	}
	over := func(name string, n int) *Row { return d.find(name, kindHTTP, n) }
	limit := func(name string) *Row { return d.find(name, kindRaw, 0) }
	d.ratio("purchase_http_c64_vs_single_statement", "purchases a second over HTTP, 64 clients / the same rows, one hand-made statement a commit, 64 connections", 1.0, false,
		over("purchase", connections), limit(rawSingle), perSecond)
	d.ratio("purchase_http_c256_vs_batched", "purchases a second over HTTP, 256 clients / the same rows by hand, 100 a commit", 0.35, false,
		over("purchase", mostClients), limit(rawBatched), perSecond)
	d.ratio("purchase_http_c1_p50_vs_commit", "p50 of a purchase over HTTP, 1 client / p50 of one hand-made commit", 1.5, true,
		over("purchase", 1), limit(rawCommit), p50)
	d.ratio("simulate_vs_echo", "simulations a second, 64 clients / HTTP echo of the same bodies", 0.4, false,
		over("simulate", connections), d.find("simulate", kindEcho, connections), perSecond)
	d.ratio("balance_vs_echo", "balances read a second, 64 clients / HTTP echo of the same bodies", 0.4, false,
		over("balance", connections), d.find("balance", kindEcho, connections), perSecond)
	d.ratio("redeem_http_c64_vs_single_statement", "redemptions a second over HTTP, 64 clients / the same rows, one hand-made statement a commit, 64 connections", 0.8, false,
		over("redeem", connections), limit(rawRedeem), perSecond)
	d.ratio("import_vs_batched", "purchases imported a second from a file / the same rows by hand, 100 a commit", 0.5, false,
		d.find("import", kindCommand, 0), limit(rawBatched+" (import)"), perSecond)
	d.ratio("sweep_vs_batched", "due lots ended a second / the same rows by hand, 100 a commit", 0.5, false,
		d.find("sweep", kindCommand, 0), limit(rawExpire), perSecond)
	d.growth()
	d.share()
	if half := d.find("purchase", kindHalfLoad, 0); half != nil && len(half.Rounds) > 0 {
		c := &Comparison{Key: "p99_at_half_load_vs_p50", What: "p99 / p50 of purchases over HTTP, sent by plan at half the best rate", Aim: 6, AtMost: true,
			Value: quotient(half.Median.P99, half.Median.P50), Note: fmt.Sprintf("at %.0f a second", half.Planned)}
		for _, r := range half.Rounds {
			c.Rounds = append(c.Rounds, quotient(r.P99, r.P50))
		}
		d.settle(c)
	}
}

// share finds out how much the load itself matters.
func (d *Database) share() {
	purchase := d.find("purchase", kindHTTP, mostClients)
	for _, r := range d.Measured {
		if r.Kind != kindEcho || purchase == nil {
			continue
		}
		if d.Load == nil {
			m := purchase.Median
			d.Load = &LoadShare{Share: quotient(m.LoadCPU, m.LoadCPU+m.ServerCPU+m.DatabaseCPU)}
		}
		d.Load.EchoPerSecond = max(d.Load.EchoPerSecond, r.Median.PerSecond)
	}
}

// growth compares what a purchase costs in the largest database with what it costs in the small one.
func (d *Database) growth() {
	cpu := func(r Round) float64 { return r.ServerCPU + r.DatabaseCPU }
	for i, s := range d.Sizes {
		s.SmallCPU, s.LargeCPU = median(s.small.column(cpu)), median(s.large.column(cpu))
		s.Ratio = quotient(s.LargeCPU, s.SmallCPU)
		if i < len(d.Sizes)-1 {
			continue
		}
		note := fmt.Sprintf("at %d members and %d purchases (%s) / %d and %d", s.Large.Members, s.Large.Purchases, size(s.Large.Bytes), s.Small.Members, s.Small.Purchases)
		if s.Large.Stopped != "" {
			note += "; stopped there by the bound on " + s.Large.Stopped
		}
		d.ratio("growth_10m_vs_10k", "processor time of a purchase in a large database / in a small one", 1.3, true, s.large, s.small, cpu)
		if n := len(d.Compared); n > 0 && d.Compared[n-1].Key == "growth_10m_vs_10k" {
			d.Compared[n-1].Note = note
		}
	}
}

// ratio compares two rows, when both were measured.
func (d *Database) ratio(key, what string, aim float64, atMost bool, a, b *Row, of func(Round) float64) {
	if a == nil || b == nil || len(a.Rounds) == 0 || len(b.Rounds) == 0 {
		return
	}
	c := &Comparison{Key: key, What: what, Aim: aim, AtMost: atMost, Value: quotient(median(a.column(of)), median(b.column(of)))}
	for i := range min(len(a.Rounds), len(b.Rounds)) {
		c.Rounds = append(c.Rounds, quotient(of(a.Rounds[i]), of(b.Rounds[i])))
	}
	d.settle(c)
}

func (d *Database) settle(c *Comparison) {
	c.Met = c.Value >= c.Aim
	if c.AtMost {
		c.Met = c.Value <= c.Aim
	}
	d.Compared = append(d.Compared, c)
	d.Ratios[c.Key] = c.Value
}

func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return float64(int(a/b*1000+0.5)) / 1000
}

// Print writes the report as tables.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s, %d cores, %s memory, %s/%s, %s; seed %d, %d rounds of %.1f s, %d members; %.0f s in all\n", r.Machine.CPU, r.Machine.Cores, size(r.Machine.MemoryBytes),
		r.Machine.OS, r.Machine.Arch, r.Machine.Go, r.Seed, r.Rounds, r.RoundSeconds, r.Members, r.Seconds)
	if r.Others > 0.05 {
		fmt.Fprintf(w, "Other programs used %.0f %% of the machine meanwhile: read the ratios with care.\n", 100*r.Others)
	}
	for _, name := range r.Order {
		r.Databases[name].print(w, name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Targets)) {
		r.Targets[name].print(w, name)
	}
}

func (d *Database) print(w io.Writer, name string) {
	fmt.Fprintf(w, "\n%s %s\n", name, d.Version)
	if d.Fragile != "" {
		fmt.Fprintf(w, "NOT DURABLE: %s\n", d.Fragile)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tclients\ta second\tp50 ms\tp99 ms\tserver µs\tdatabase µs\tload µs\tmemory\tpeak\t")
	for _, m := range d.Measured {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", m.Kind+" "+m.Name, m.Clients, m.Median.PerSecond, millis(m.Median.P50), millis(m.Median.P99),
			micros(m.Median.ServerCPU), micros(m.Median.DatabaseCPU), micros(m.Median.LoadCPU), size(m.Memory), size(m.PeakMemory))
	}
	_ = t.Flush() // the writer's own errors are met when it is written to
	fmt.Fprintln(w)
	if d.Disk != nil {
		fmt.Fprintf(w, "On the disk a purchase takes %.0f bytes with all that is kept for it; the rows of the raw limit take %.0f.\n", d.Disk.BytesPerPurchase, d.Disk.RawBytesPerPurchase)
	}
	if d.Load != nil {
		fmt.Fprintf(w, "The load can send %.0f requests a second to the echo, and takes %.0f %% of the processor time of purchases at %d clients.\n", d.Load.EchoPerSecond, 100*d.Load.Share, mostClients)
	}
	if d.Proof != nil && d.Proof.InBooks > 0 {
		fmt.Fprintf(w, "%d purchases were acknowledged, and %d are in the books.\n", d.Proof.Acknowledged, d.Proof.InBooks)
	}
	for _, s := range d.Sizes {
		fmt.Fprintf(w, "With %d members and %d purchases there (%s) a purchase costs %.0f µs of processor time, with %d and %d %.0f: %.2f times as much.\n", s.Large.Members,
			s.Large.Purchases, size(s.Large.Bytes), s.LargeCPU, s.Small.Members, s.Small.Purchases, s.SmallCPU, s.Ratio)
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range d.Compared {
		aim, met := fmt.Sprintf("at least %g", c.Aim), "met"
		if c.AtMost {
			aim = fmt.Sprintf("at most %g", c.Aim)
		}
		if !c.Met {
			met = "NOT MET"
		}
		fmt.Fprintf(t, "%s\t%.3f\t%s\t%s\t(%s)\t%s\n", c.Key, c.Value, aim, met, spread(c.Rounds), c.Note)
	}
	_ = t.Flush()
}

func spread(v []float64) string {
	if len(v) == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%.2f to %.2f", slices.Min(v), slices.Max(v)))
}

func millis(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

func micros(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}

func size(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<20:
		return fmt.Sprintf("%d kB", n>>10)
	case n < 10<<30:
		return fmt.Sprintf("%d MB", n>>20)
	default:
		return fmt.Sprintf("%d GB", n>>30)
	}
}
