package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestPoster(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *shell) {
		s.publish()
		s.fails(5, args("poster -o poster.pdf"), "--url")
		s.ok(args("poster --url https://lojal.example.no --lang sv -o poster.pdf"))
		if pdf, err := os.ReadFile(filepath.Join(s.dir, "poster.pdf")); err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
			t.Errorf("%v %.20s", err, pdf)
		}
	})
}
