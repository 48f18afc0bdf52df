package relay

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"lojal.dev/lojal/internal/errs"
)

// Targets says where messages may be sent. The zero value allows https to public addresses alone.
type Targets struct {
	prefixes []netip.Prefix
	hosts    []string
}

// ParseTargets reads what an operator allows besides public addresses: networks (10.1.0.0/16), addresses (127.0.0.1) and
// names of hosts (hooks.internal). To what is allowed so, plain http is sent too.
func ParseTargets(list []string) (Targets, error) {
	var t Targets
	for _, text := range list {
		text = strings.TrimSpace(text)
		if p, err := netip.ParsePrefix(text); err == nil {
			t.prefixes = append(t.prefixes, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
			a = a.Unmap().WithZone("")
			t.prefixes = append(t.prefixes, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		if text == "" || strings.ContainsAny(text, "/:*@ ") {
			return Targets{}, errs.Malformed("webhook_allow", fmt.Sprintf("%q is no network (10.1.0.0/16), address (127.0.0.1) or name of a host (hooks.internal).", text))
		}
		t.hosts = append(t.hosts, canonical(text))
	}
	return t, nil
}

func canonical(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// CheckURL says what can be known to be wrong with an address before it is dialled.
func (t Targets) CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || slices.Contains(t.hosts, canonical(u.Hostname())) {
		return nil //nolint:nilerr // the form of an address is looked at elsewhere
	}
	host := canonical(u.Hostname())
	refused := func(reason, message string) error {
		return errs.Invalid("invalid_webhook", "Messages may not be sent there.", errs.Field{Pointer: "/url", Reason: reason, Message: message})
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if err := t.allow(host, a, u.Scheme == "http"); err != nil {
			return refused("not_allowed", sentence(err))
		}
		return nil
	}
	switch {
	case u.Scheme == "http" && len(t.prefixes) == 0:
		return refused("not_https", sentence(errPlain))
	case (host == "localhost" || strings.HasSuffix(host, ".localhost")) && len(t.prefixes) == 0:
		return refused("not_allowed", sentence(errPrivate))
	}
	return nil // a name is looked up when it is dialled
}

func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

var (
	errPlain   = fmt.Errorf("only https is sent to, unless the operator of lojal allows the host (lojal serve --webhook-allow)")
	errPrivate = fmt.Errorf("the address is not public, and the operator of lojal has not allowed it (lojal serve --webhook-allow)")
)

// allow says whether an address that a host was resolved to may be dialled. It is asked for the very address that is connected to, so
// a name that resolves otherwise the second time gains nothing.
func (t Targets) allow(host string, a netip.Addr, plain bool) error {
	a = a.Unmap()
	if slices.Contains(t.hosts, canonical(host)) || slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(a.WithZone("")) }) {
		return nil
	}
	switch {
	case !public(a):
		return errPrivate
	case plain:
		return errPlain
	}
	return nil
}

// public says whether an address is one of the internet's that leads to itself. Of IPv6 only 2000::/3 is given out at all (RFC 4291); what
// is inside it and carries an IPv4 address leads elsewhere.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	if !a.Is4() && !given.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

var given = netip.MustParsePrefix("2000::/3")

// special are the networks of the IANA special-purpose registries that are not for everybody, and those that translate.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by carriers' NAT
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, where clouds keep their credentials
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
	"2001::/23",       // protocol assignments: Teredo, benchmarks, ORCHID
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4
	"2620:4f:8000::/48",
	"3fff::/20", // documentation
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}
