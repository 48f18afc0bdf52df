package relay

import (
	"net/netip"
	"strings"
	"testing"

	"lojal.dev/lojal/internal/errs"
)

func targets(t *testing.T, allowed ...string) Targets {
	t.Helper()
	out, err := ParseTargets(allowed)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOnlyPublicAddressesAreSentTo(t *testing.T) {
	t.Parallel()
	refused := []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.8.8.8", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1",
		"2002:7f00:1::", "2002:a9fe:a9fe::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1", "2620:4f:8000::1",
	}
	for _, text := range refused {
		if public(netip.MustParseAddr(text).Unmap()) {
			t.Errorf("%s is taken for public", text)
		}
		if err := targets(t).allow("shop.example.com", netip.MustParseAddr(text), false); err == nil {
			t.Errorf("%s is sent to", text)
		}
	}
	for _, text := range []string{"1.1.1.1", "8.8.8.8", "93.184.215.14", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "198.17.0.1", "223.255.255.255", "::ffff:8.8.8.8",
		"2606:4700::1111", "2a00:1450:400f::1", "2600::"} {
		if err := targets(t).allow("shop.example.com", netip.MustParseAddr(text), false); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := targets(t).allow("shop.example.com", netip.MustParseAddr(text), true); err == nil {
			t.Errorf("%s is sent to without encryption", text)
		}
	}
}

func TestAnOperatorAllowsNetworksAddressesAndHosts(t *testing.T) {
	t.Parallel()
	allowed := targets(t, "10.1.0.0/16", "127.0.0.1", " [::1] ", "Hooks.Internal.", "fd00::/8")
	for _, c := range []struct {
		host, addr string
		ok         bool
	}{
		{"x", "10.1.2.3", true},
		{"x", "::ffff:10.1.2.3", true},
		{"x", "10.2.0.1", false},
		{"x", "127.0.0.1", true},
		{"x", "127.0.0.2", false},
		{"x", "::1", true},
		{"x", "fd12::1", true},
		{"hooks.internal", "192.168.7.7", true},
		{"HOOKS.internal", "192.168.7.7", true},
		{"other.internal", "192.168.7.7", false},
		{"hooks.internal.example.com", "192.168.7.7", false},
	} {
		for _, plain := range []bool{false, true} {
			if err := allowed.allow(c.host, netip.MustParseAddr(c.addr), plain); (err == nil) != c.ok {
				t.Errorf("%s at %s, plain %v: %v", c.host, c.addr, plain, err)
			}
		}
	}
	for _, text := range []string{"", "http://x", "10.1.0.0/33", "a b", "x:80", "*.example.com", "user@host"} {
		if _, err := ParseTargets([]string{text}); !errs.Is(err, errs.CodeMalformed, "webhook_allow") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatCanBeKnownOfAnAddressIsToldBeforeItIsDialled(t *testing.T) {
	t.Parallel()
	none, some := targets(t), targets(t, "127.0.0.0/8", "hooks.internal")
	for _, c := range []struct {
		url        string
		none, some string
	}{
		{"https://shop.example.com/x", "", ""},
		{"http://shop.example.com/x", "not_https", ""}, // it may resolve to what is allowed
		{"https://127.0.0.1:8080/", "not_allowed", ""},
		{"http://127.0.0.1:8080/", "not_allowed", ""},
		{"http://[::ffff:127.0.0.1]/", "not_allowed", ""},
		{"https://localhost/", "not_allowed", ""},
		{"https://my.localhost./", "not_allowed", ""},
		{"https://10.0.0.1/", "not_allowed", "not_allowed"},
		{"http://8.8.8.8/", "not_allowed", "not_allowed"},
		{"https://8.8.8.8/", "", ""},
		{"http://hooks.internal/", "not_https", ""},
	} {
		for i, pair := range []struct {
			targets Targets
			want    string
		}{{none, c.none}, {some, c.some}} {
			err := pair.targets.CheckURL(c.url)
			got := ""
			if err != nil {
				got = errs.As(err).Fields[0].Reason
				if f := errs.As(err).Fields[0]; f.Pointer != "/url" || !strings.HasSuffix(f.Message, ".") {
					t.Errorf("%+v", f)
				}
			}
			if got != pair.want {
				t.Errorf("%s, %d: %v", c.url, i, err)
			}
		}
	}
}
