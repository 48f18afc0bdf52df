package cli

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"lojal.dev/lojal/internal/api"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/wallet"
)

// wallets is what cards in the wallets of phones are signed with.
type wallets struct {
	ApplePassCert      string `name:"apple-pass-cert" env:"LOJAL_APPLE_PASS_CERT" type:"path" placeholder:"FILE" help:"Certificate of a pass type, as PEM, with which cards for Apple Wallet are signed."`
	ApplePassKey       string `name:"apple-pass-key" env:"LOJAL_APPLE_PASS_KEY" type:"path" placeholder:"FILE" help:"Private key of --apple-pass-cert, as PEM without a password."`
	AppleWWDR          string `name:"apple-wwdr" env:"LOJAL_APPLE_WWDR" type:"path" placeholder:"FILE" help:"Certificate of the issuer of --apple-pass-cert, as Apple hands it out."`
	GoogleWalletIssuer string `name:"google-wallet-issuer" env:"LOJAL_GOOGLE_WALLET_ISSUER" placeholder:"ID" help:"Issuer id of Google Wallet, a number."`
	GoogleWalletKey    string `name:"google-wallet-key" env:"LOJAL_GOOGLE_WALLET_KEY" type:"path" placeholder:"FILE" help:"Key of a service account of Google that may issue cards, as JSON."`
}

// load reads the files.
func (w wallets) load() (out api.Wallets, err error) {
	read := func(path, flag string) []byte {
		if err != nil {
			return nil
		}
		var text []byte
		if text, err = os.ReadFile(path); err != nil {
			err = errs.Invalid("file", fmt.Sprintf("The file %s, which %s names, cannot be read: %s.", path, flag, reasonOf(err)))
		}
		return text
	}
	switch given := count(w.ApplePassCert != "", w.ApplePassKey != "", w.AppleWWDR != ""); {
	case given == 3:
		cert, key, wwdr := read(w.ApplePassCert, "--apple-pass-cert"), read(w.ApplePassKey, "--apple-pass-key"), read(w.AppleWWDR, "--apple-wwdr")
		if err != nil {
			return out, err
		}
		if out.Apple, err = wallet.NewApple(cert, key, wwdr); err != nil {
			return out, err
		}
	case given > 0:
		return out, errs.Malformed("apple_pass", "--apple-pass-cert, --apple-pass-key and --apple-wwdr go together: give all three.")
	}
	if (w.GoogleWalletIssuer == "") != (w.GoogleWalletKey == "") {
		return out, errs.Malformed("google_wallet", "--google-wallet-issuer and --google-wallet-key go together: give both.")
	}
	if w.GoogleWalletKey == "" {
		return out, nil
	}
	account := read(w.GoogleWalletKey, "--google-wallet-key")
	if err != nil {
		return out, err
	}
	out.Google, err = wallet.NewGoogle(w.GoogleWalletIssuer, account)
	return out, err
}

type walletCmd struct {
	Apple  walletAppleCmd  `cmd:"" help:"Write a member's card for Apple Wallet."`
	Google walletGoogleCmd `cmd:"" help:"Print a link that saves a member's card in Google Wallet."`
}

// reached is where people reach the server.
type reached struct {
	URL string `name:"url" env:"LOJAL_URL" placeholder:"URL" help:"Address by which people reach the server, such as https://lojal.example.no."`
}

func (r reached) address() string { return strings.TrimRight(r.URL, "/") }

type walletAppleCmd struct {
	asking
	Member string `arg:"" help:"The member: an id, or card:NUMBER, phone:NUMBER, email:ADDRESS, ext:ID."`
	Output string `short:"o" placeholder:"FILE" help:"File to write, best NAME.pkpass; the standard output when left out."`
	reached
	wallets
}

func (walletAppleCmd) Help() string {
	return `Examples:

    lojal wallet apple ext:4711 --lang nb --output kari.pkpass`
}

func (c *walletAppleCmd) Run(e *env) error {
	loaded, err := c.load()
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		o.server.Wallets, o.server.URL = loaded, c.address()
		pass, err := o.send(http.MethodGet, path("members", c.Member, "wallet", "apple"), url.Values{"lang": {c.Lang}}, nil)
		if err != nil {
			return err
		}
		return e.written(c.Output, pass)
	})
}

type walletGoogleCmd struct {
	asking
	Member string `arg:"" help:"The member: an id, or card:NUMBER, phone:NUMBER, email:ADDRESS, ext:ID."`
	reached
	wallets
}

func (walletGoogleCmd) Help() string {
	return `Whoever opens the link is asked whether to keep the card: give it to the member alone.

Examples:

    lojal wallet google ext:4711 --lang nb --url https://lojal.example.no`
}

func (c *walletGoogleCmd) Run(e *env) error {
	loaded, err := c.load()
	if err != nil {
		return err
	}
	return c.ask(e, func(o *door) error {
		o.server.Wallets, o.server.URL = loaded, c.address()
		return call(&c.asking, o, http.MethodGet, path("members", c.Member, "wallet", "google"), url.Values{"lang": {c.Lang}}, nil, func(l *api.WalletLink) { e.printf("%s\n", l.URL) })
	})
}
