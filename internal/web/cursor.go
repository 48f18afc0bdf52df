package web

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"

	"lojal.dev/lojal/internal/errs"
)

// Limits of a page.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Cursor makes an opaque cursor of a position in the list with this name. It is checked, not signed: all it can say is where
// to go on in a list that the caller may read anyway.
func Cursor(list string, position any) string {
	body, err := json.Marshal(position)
	if err != nil {
		panic("web: a cursor's position is plain data: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(body, sum(list, body)))
}

// ReadCursor reads a cursor that Cursor made for the same list. An empty one leaves the position alone.
func ReadCursor(list, cursor string, position any) error {
	if cursor == "" {
		return nil
	}
	bad := errs.Malformed("invalid_cursor", "The cursor is not one that this list gave. Begin without a cursor.",
		errs.Field{Pointer: "cursor", Reason: "invalid_cursor", Message: "This is not a cursor of this list."})
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(raw) < 4 {
		return bad
	}
	body := raw[:len(raw)-4]
	if binary.BigEndian.Uint32(raw[len(body):]) != sum(list, body) {
		return bad
	}
	if json.Unmarshal(body, position, json.RejectUnknownMembers(true)) != nil {
		return bad
	}
	return nil
}

func sum(list string, body []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE([]byte(list)), crc32.IEEETable, body)
}

// PageLimit reads the number of rows asked for: def when it is 0, else 1 to max.
func PageLimit(n *int, def, most int) (int, error) {
	if n == nil {
		return def, nil
	}
	if *n < 1 || *n > most {
		text := "The limit goes from 1 to " + strconv.Itoa(most) + "."
		return 0, errs.Invalid("invalid_limit", text, errs.Field{Pointer: "limit", Reason: "out_of_range", Message: text})
	}
	return *n, nil
}

// NextLink gives the RFC 8288 link to the next page: the request's own address with another cursor.
func NextLink(r *http.Request, cursor string) string {
	q := r.URL.Query()
	q.Set("cursor", cursor)
	u := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: q.Encode()}
	return "<" + u.String() + `>; rel="next"`
}
