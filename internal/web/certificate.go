package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"lojal.dev/lojal/internal/errs"
)

// Certificate is one that is read again when its file changes, since certificates are renewed every few weeks and no server
// should stop for it.
type Certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	now     *tls.Certificate
	stamp   time.Time // of the files that now was read from
	checked time.Time
}

// lookAgain is how seldom the files are looked at.
const lookAgain = 10 * time.Second

// LoadCertificate reads a chain and its key, in PEM.
func LoadCertificate(cert, key string, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key, log: log}
	stamp, err := c.changed()
	if err == nil {
		err = c.read(stamp)
	}
	if err != nil {
		return nil, errs.Invalid("certificate", fmt.Sprintf("The certificate %s with the key %s cannot be used.", cert, key)).Because(err)
	}
	return c, nil
}

// changed is the later of the times at which the two files were written.
func (c *Certificate) changed() (time.Time, error) {
	var latest time.Time
	for _, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return time.Time{}, err
		}
		if info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	return latest, nil
}

func (c *Certificate) read(stamp time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.now, c.stamp = &pair, stamp
	return nil
}

// Get is for tls.Config.GetCertificate. A new pair that cannot be read leaves the old one in use.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < lookAgain {
		return c.now, nil
	}
	c.checked = time.Now()
	stamp, err := c.changed()
	if err == nil && !stamp.Equal(c.stamp) {
		err = c.read(stamp)
	}
	if err != nil {
		c.log.Warn("the certificate cannot be read again; the old one stays in use", "error", err)
	}
	return c.now, nil
}
