package api

import (
	"bytes"
	"testing"
)

func TestAPosterToJoinBy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a := h.do("GET", "/v1/program/poster?lang=nb", "").want(200)
		if !bytes.HasPrefix(a.raw, []byte("%PDF-")) || !bytes.Contains(a.raw, []byte("/Lang (nb)")) {
			t.Errorf("%.80s", a.raw)
		}
		h.do("GET", "/v1/program/poster?lang=fi", "").denied(400, "invalid_parameter")
		h.srv.URL = ""
		h.do("GET", "/v1/program/poster", "").denied(409, "no_address")
	})
}
