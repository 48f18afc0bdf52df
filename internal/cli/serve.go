package cli

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/version"
	"lojal.dev/lojal/internal/web"
)

// listening is what serve and demo have in common.
type listening struct {
	Addr       string        `env:"LOJAL_ADDR" default:"127.0.0.1:8321" placeholder:"HOST:PORT" help:"Address to listen on, ${default} when left out; port 0 takes a free one."`
	URL        string        `name:"url" env:"LOJAL_URL" placeholder:"URL" help:"Address by which people reach the server, such as https://lojal.example.no: for links that are sent, and for cookies that are kept to https."`
	OpsAddr    string        `name:"ops-addr" env:"LOJAL_OPS_ADDR" placeholder:"HOST:PORT" help:"Address for metrics, health and profiles, such as 127.0.0.1:9321. It has no key: keep it from the public. There is none when left out."`
	LogFormat  string        `name:"log-format" env:"LOJAL_LOG_FORMAT" default:"text" enum:"text,json" placeholder:"FORM" help:"Form of the log on the error output: text (the default) or json."`
	LogLevel   string        `name:"log-level" env:"LOJAL_LOG_LEVEL" default:"${level}" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error; ${default} when left out."`
	SweepEvery time.Duration `name:"sweep-every" env:"LOJAL_SWEEP_EVERY" default:"1m" placeholder:"DURATION" help:"How often what time brings is done, every ${default} when left out; 0s is never."`
	SealEvery  time.Duration `name:"seal-every" env:"LOJAL_SEAL_EVERY" default:"5m" placeholder:"DURATION" help:"How often the books are sealed, every ${default} when left out; 0s is never."`
	Lease      time.Duration `env:"LOJAL_LEASE" default:"15s" placeholder:"DURATION" help:"How long this server may stand still before others take over the work that it has begun, ${default} when left out."`

	WebhookAllow   []string      `name:"webhook-allow" env:"LOJAL_WEBHOOK_ALLOW" placeholder:"CIDR|HOST" help:"Network, address or host that webhooks may be sent to though it is not public, also without https; may be given several times."`
	WebhookTimeout time.Duration `name:"webhook-timeout" env:"LOJAL_WEBHOOK_TIMEOUT" default:"15s" placeholder:"DURATION" help:"How long the receiver of a webhook may take for its answer, ${default} when left out."`
	Provider       []string      `env:"LOJAL_PROVIDERS" placeholder:"NAME=URL" help:"Provider from whom gift cards are bought over HTTP, as a program names it, with its address; may be given several times. Its token is read from LOJAL_PROVIDER_TOKEN_NAME. Any other is a pool of that name."`
	NoWebhooks     bool          `name:"no-webhooks" env:"LOJAL_NO_WEBHOOKS" help:"Send no webhooks from here, as on a copy of the database that others must not hear of."`
}

// tuning is what a server in earnest may want besides; its zero value is right for a demo.
type tuning struct {
	LogRequests    int64         `name:"log-requests" env:"LOJAL_LOG_REQUESTS" default:"1" placeholder:"N" help:"Log one of N requests that went well, each when left out, none when 0. What failed or was slow is always logged."`
	SlowAfter      time.Duration `name:"slow-after" env:"LOJAL_SLOW_AFTER" default:"1s" placeholder:"DURATION" help:"Warn of a request or a transaction that takes longer, ${default} when left out; 0s is never."`
	Drain          time.Duration `env:"LOJAL_DRAIN" default:"0s" placeholder:"DURATION" help:"How long to go on serving at a stop while /readyz says 503, so that a load balancer stops sending; ${default} when left out."`
	TrustedProxy   []string      `name:"trusted-proxy" env:"LOJAL_TRUSTED_PROXY" placeholder:"CIDR" help:"Address or network of a proxy whose word is taken for where a request came from. May be given several times, or with commas."`
	ProxyHeader    string        `name:"proxy-header" env:"LOJAL_PROXY_HEADER" default:"x-forwarded-for" enum:"x-forwarded-for,forwarded" placeholder:"NAME" help:"Header in which trusted proxies write it: x-forwarded-for (the default) or forwarded (RFC 7239)."`
	TLSCert        string        `name:"tls-cert" env:"LOJAL_TLS_CERT" type:"path" placeholder:"FILE" help:"Certificate chain to serve HTTPS with; read again when the file changes."`
	TLSKey         string        `name:"tls-key" env:"LOJAL_TLS_KEY" type:"path" placeholder:"FILE" help:"Private key of the certificate."`
	MaxRequests    int64         `name:"max-requests" env:"LOJAL_MAX_REQUESTS" default:"1024" placeholder:"N" help:"Requests that are answered at once, ${default} when left out; more are told to come again."`
	MaxConnections int           `name:"max-connections" env:"LOJAL_MAX_CONNECTIONS" placeholder:"N" help:"Connections of callers that are open at once; as many as files may be open, at most 10000, when left out. More wait."`
	DBConnections  int           `name:"db-connections" env:"LOJAL_DB_CONNECTIONS" placeholder:"N" help:"Connections to the database, 16 when left out."`
	Remember       int           `env:"LOJAL_REMEMBER" placeholder:"MB" help:"Memory for accounts that were looked at, so that they are not read anew while they stay as they are: 16 MB when left out, none with -1."`
	WaitDB         time.Duration `name:"wait-db" env:"LOJAL_WAIT_DB" default:"0s" placeholder:"DURATION" help:"How long to wait at the start for a database that does not answer yet; ${default} when left out."`
}

type serveCmd struct {
	listening `set:"level=info"`
	NoMigrate bool `name:"no-migrate" env:"LOJAL_NO_MIGRATE" help:"Leave the database as it is: stop when it is of an older version."`
	tuning
	mailing
	signingIn
	wallets
	database
	Settings bool `help:"Print the settings that would be in force and where each comes from, and stop."`
}

func (serveCmd) Help() string {
	return `A database that is empty or of an older version is migrated first. The API is described at /docs, for people, and at
/openapi.json. The server stops when it gets SIGTERM or SIGINT, after the requests that are under way.

Each flag can be set by its variable in the environment instead; a flag on the command line wins. LOJAL_DB_FILE names a
file that holds the database's URL, so that its password stands neither in the environment nor in the list of processes.

Examples:

    lojal serve
    lojal serve --addr 0.0.0.0:8080 --db postgres://lojal@db/lojal --log-format json
    lojal serve --ops-addr 127.0.0.1:9321 --trusted-proxy 10.0.0.0/8 --drain 10s
    lojal serve --settings`
}

func (c *serveCmd) Run(e *env) error {
	if c.Settings {
		return e.printSettings()
	}
	proxies, err := c.proxies()
	if err != nil {
		return err
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errs.Malformed("tls", "A certificate and its key go together: give both --tls-cert and --tls-key.")
	}
	s := &server{c: &c.listening, t: &c.tuning, mailing: c.mailing, signing: c.signingIn, wallets: c.wallets, e: e, proxies: proxies}
	s.open = func(opts db.Options) (*db.DB, error) {
		opts.Migrate = !c.NoMigrate
		d, err := c.await(e, s, opts)
		return d, hint(err)
	}
	return s.serve(func(d *db.DB, url string) {
		e.printf("lojal serves %s (console: %s/console, API: %s/docs)\n", url, url, url)
		if code, err := setUpCode(e, d); err != nil {
			s.log.Error("make a code for the set-up", "error", err)
		} else if code != "" {
			e.printf("Set it up in a browser: %s/console/set-up?code=%s\n", cmp.Or(strings.TrimRight(c.URL, "/"), url), code)
		}
		e.printf("%s\n", c.next(e, d))
	})
}

// await opens the database, and again for as long as was asked while it does not answer.
func (c *serveCmd) await(e *env, s *server, opts db.Options) (*db.DB, error) {
	began := time.Now()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		d, err := db.Open(e.ctx, c.DB, opts)
		left := c.WaitDB - time.Since(began)
		if errs.CodeOf(err) != errs.CodeUnavailable || left <= 0 {
			return d, err
		}
		s.log.Warn("the database does not answer yet", "error", err, "waiting", left.Round(time.Second))
		select {
		case <-time.After(min(wait, left)):
		case <-e.ctx.Done():
			return nil, err
		}
	}
}

// proxies reads whom to trust.
func (t *tuning) proxies() (*web.Proxies, error) {
	p := &web.Proxies{Forwarded: t.ProxyHeader == "forwarded"}
	for _, text := range t.TrustedProxy {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			a, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, errs.Malformed("trusted_proxy", fmt.Sprintf("--trusted-proxy: %q is neither an address nor a network such as 10.0.0.0/8.", text))
			}
			prefix = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		p.Trusted = append(p.Trusted, prefix.Masked())
	}
	return p, nil
}

// next says what is still to be done before a till can use the server.
func (c *serveCmd) next(e *env, d *db.DB) string {
	var programs []version.Program
	err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
		programs, err = version.Programs(e.ctx, tx)
		return err
	})
	flag := ""
	if c.DB != "sqlite:lojal.db" {
		flag = " --db …"
	}
	if err == nil && len(programs) == 0 {
		return "There is no program yet: `lojal init`, then `lojal program publish program.yaml" + flag + "`."
	}
	return "An API key: `lojal key create NAME" + flag + "`. Stop with Ctrl-C."
}
