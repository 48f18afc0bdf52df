package cli_test

import (
	"archive/zip"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lojal.dev/lojal/internal/wallet/wallettest"
)

func TestWallets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.recorded()
		o := wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(1000*24*time.Hour))
		account, _ := wallettest.Google(t, 2048)
		with := s.with("LOJAL_APPLE_PASS_CERT="+s.write("cert.pem", string(o.Cert)), "LOJAL_APPLE_PASS_KEY="+s.write("key.pem", string(o.Key)), "LOJAL_APPLE_WWDR="+s.write("wwdr.pem", string(o.WWDR)),
			"LOJAL_GOOGLE_WALLET_ISSUER=3388000000012345678", "LOJAL_GOOGLE_WALLET_KEY="+s.write("google.json", string(account)))
		s.fails(5, args("wallet apple card:70020001 -o none.pkpass"), "--apple-pass-cert")
		s.fails(5, args("wallet google card:70020001"), "--google-wallet-issuer")
		with.fails(5, args("wallet google card:70020001"), "--url https://")
		with.ok(args("wallet apple card:70020001 --lang nb -o card.pkpass"))
		z, err := zip.OpenReader(filepath.Join(s.dir, "card.pkpass"))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		f, err := z.Open("pass.json")
		if err != nil {
			t.Fatal(err)
		}
		var pass struct {
			Barcodes []struct {
				Message string `json:"message"`
			} `json:"barcodes"`
		}
		if err := json.NewDecoder(f).Decode(&pass); err != nil || len(pass.Barcodes) != 1 || pass.Barcodes[0].Message != "70020001" {
			t.Errorf("%v %+v", err, pass)
		}
		with.fails(5, args("wallet apple card:70020001 -o card.pkpass"), "is there already")
		if out := with.ok(args("wallet google card:70020001 --url https://lojal.example.no/")); !strings.HasPrefix(out, "https://pay.google.com/gp/v/save/") {
			t.Errorf("%s", out)
		}
		with.run("doctor", "--all").says(t, "ok       passes: The certificate for Apple Wallet is valid")
	})
}

func TestWalletSettingsThatDoNotGoTogether(t *testing.T) {
	t.Parallel()
	s := &shell{t: t, dir: t.TempDir(), url: "sqlite:x.db"}
	o, other := wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(time.Hour)), wallettest.Apple(t, wallettest.ForPasses, time.Now().Add(time.Hour))
	cert, key, wwdr, another := s.write("cert.pem", string(o.Cert)), s.write("key.pem", string(o.Key)), s.write("wwdr.pem", string(o.WWDR)), s.write("other.pem", string(other.WWDR))
	account, _ := wallettest.Google(t, 2048)
	google := s.write("google.json", string(account))
	serve := func(more ...string) []string { return append([]string{"serve", "--addr", "127.0.0.1:0"}, more...) }
	s.fails(2, serve("--apple-pass-cert", cert), "go together")
	s.fails(2, serve("--apple-pass-cert", cert, "--apple-pass-key", key, "--apple-wwdr", another), "not the certificate of the issuer")
	s.fails(3, serve("--apple-pass-cert", "nothing.pem", "--apple-pass-key", key, "--apple-wwdr", wwdr), "nothing.pem")
	s.fails(2, serve("--google-wallet-issuer", "3388000000012345678"), "go together")
	s.fails(2, serve("--google-wallet-issuer", "3388000000012345678", "--google-wallet-key", google), "--url https://")
}
