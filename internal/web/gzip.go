package web

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Only large answers are compressed: lists, the feed, documents. A till's small ones would take longer to compress than to send.
const compressFrom = 8 << 10

var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is right
	}
	return z
}}

// Zip compresses a body for one who takes gzip.
func Zip(body []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(body) / 4)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // a buffer takes all
	_ = z.Close()
	return b.Bytes()
}

// TakesGzip says whether the caller takes a body that is compressed with gzip (RFC 9110, section 12.5.3).
func TakesGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		weight := strings.TrimSpace(params)
		if q, ok := strings.CutPrefix(strings.ToLower(weight), "q="); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return err == nil && n > 0
		}
		return true
	}
	return false
}

// Zipped is what a tag becomes when its answer is compressed: a strong tag names the bytes.
func Zipped(tag string) string {
	if plain, ok := strings.CutSuffix(tag, `"`); ok {
		return plain + `-gzip"`
	}
	return tag
}

// unzipped undoes Zipped.
func unzipped(tag string) string {
	if plain, ok := strings.CutSuffix(tag, `-gzip"`); ok {
		return plain + `"`
	}
	return tag
}

// Pack compresses the body of an answer where that is worth it, and says so in its headers.
func Pack(h http.Header, r *http.Request, body []byte) []byte {
	if len(body) < compressFrom {
		return body
	}
	h.Add("Vary", "Accept-Encoding")
	if r.Method != http.MethodGet || !TakesGzip(r) {
		return body
	}
	h.Set("Content-Encoding", "gzip")
	if tag := h.Get("ETag"); tag != "" {
		h.Set("ETag", Zipped(tag))
	}
	return Zip(body)
}
