package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are the machines between callers and this door whose word is taken for where a request came from.
//
// Each proxy adds the address that it saw to the right of a header; what stands further left was sent by the one before, and
// may be anything. So the header is read from the right, as long as the one who wrote is trusted. Just one header is
// read: a proxy passes on untouched what it does not know, and a caller could fill the other one.
type Proxies struct {
	Trusted []netip.Prefix
	// Forwarded reads the Forwarded header of RFC 7239 in place of X-Forwarded-For.
	Forwarded bool
}

// client is the address that a request came from, without port.
func (p *Proxies) client(r *http.Request) string {
	at, ok := address(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr
	}
	if p == nil || len(p.Trusted) == 0 {
		return at.String()
	}
	var hops []string
	if p.Forwarded {
		hops = forwardedFor(strings.Join(r.Header.Values("Forwarded"), ","))
	} else if list := r.Header.Values("X-Forwarded-For"); len(list) > 0 {
		hops = strings.Split(strings.Join(list, ","), ",")
	}
	for i := len(hops) - 1; i >= 0 && p.trusts(at); i-- {
		hop := strings.TrimSpace(hops[i])
		before, ok := address(hop)
		if !ok || strings.Contains(hop, "%") { // unknown, hidden, or nonsense, as a zone can be: what is left of it is no better
			break
		}
		at = before
	}
	return at.String()
}

func (p *Proxies) trusts(a netip.Addr) bool {
	for _, prefix := range p.Trusted {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// address reads an address with or without port, in brackets or not.
func address(text string) (netip.Addr, bool) {
	host := text
	if h, _, err := net.SplitHostPort(text); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}

// forwardedFor gives the for= of each element of a Forwarded header, "" where an element has none.
func forwardedFor(header string) []string {
	var out []string
	for _, element := range splitQuoted(header, ',') {
		found := ""
		for _, pair := range splitQuoted(element, ';') {
			name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
			if ok && strings.EqualFold(name, "for") {
				found = unquote(value)
			}
		}
		out = append(out, found)
	}
	return out
}

// splitQuoted splits where the separator stands outside of quotation marks.
func splitQuoted(s string, separator byte) []string {
	var out []string
	quoted, begin := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			out = append(out, s[begin:i])
			begin = i + 1
		}
	}
	return append(out, s[begin:])
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Household is the part of an address that one caller may have many of: the whole of an IPv4 address, and of an IPv6
// address the network that a subscriber gets.
func Household(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Is4() {
		return ip
	}
	prefix, err := a.Prefix(64)
	if err != nil {
		return ip
	}
	return prefix.String()
}
