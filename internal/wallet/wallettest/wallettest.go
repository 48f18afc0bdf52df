// Package wallettest makes the papers that signing cards takes, for tests: Apple's and Google's are the operator's own.
package wallettest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// Papers are a certificate for passes with its key and chain, as PEM.
type Papers struct {
	Cert, Key, WWDR, Root []byte
}

func issue(t testing.TB, subject pkix.Name, parent *x509.Certificate, by crypto.Signer, ends time.Time) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, KeyUsage: x509.KeyUsageDigitalSignature}
	if parent == nil || strings.Contains(subject.CommonName, "WWDR") {
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Apple makes papers as Apple does, for a subject.
func Apple(t testing.TB, subject pkix.Name, ends time.Time) Papers {
	t.Helper()
	root, rootKey, rootPEM := issue(t, pkix.Name{CommonName: "Root"}, nil, nil, time.Now().Add(time.Hour))
	wwdr, wwdrKey, wwdrPEM := issue(t, pkix.Name{CommonName: "WWDR", OrganizationalUnit: []string{"G4"}}, root, rootKey, time.Now().Add(time.Hour))
	_, key, cert := issue(t, subject, wwdr, wwdrKey, ends)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Papers{cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), wwdrPEM, rootPEM}
}

// ForPasses is a subject as those of passes are.
var ForPasses = pkix.Name{
	CommonName: "Pass Type ID: pass.no.kaffebaren", OrganizationalUnit: []string{"TEAM123456"},
	ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "pass.no.kaffebaren"}},
}

// Google makes a key of a service account as Google hands it out, and gives what its signatures are checked with.
func Google(t testing.TB, bits int) ([]byte, *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "lojal@example.iam.gserviceaccount.com", "private_key_id": "k1", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	if err != nil {
		t.Fatal(err)
	}
	return out, &key.PublicKey
}
