// Package hostname brings the spellings of a host or domain name to one form: in requests, and where tenants register
// domains. Two spellings that mean one host to a browser must be one name, and no other two.
package hostname

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"

	"github.com/gorm-tenancy/tenancy"
)

const (
	maxHostLength  = 253 // RFC 1035, without the trailing dot
	maxLabelLength = 63
	punycodePrefix = "xn--"
)

// ErrMalformed is a tenancy.ErrInvalidID: the text is no host name.
var ErrMalformed = fmt.Errorf("%w: the host is not a host name", tenancy.ErrInvalidID)

// Host is the Host of a request in the one form that all its spellings share: lower-case ASCII (A-labels), no port,
// no trailing dot.
type Host struct {
	Name string
	IP   bool // Name is an IP address, an IPv6 one without brackets
}

// Parse reads a Host header. Folding case, port, one trailing dot and the IDNA form is what browsers and DNS do;
// everything else that is no host name (user info, escapes, spaces, commas) is refused with ErrMalformed, never repaired.
func Parse(hostport string) (Host, error) {
	name, err := stripPort(hostport)
	if err != nil {
		return Host{}, err
	}
	if strings.HasPrefix(name, "[") {
		return parseIPv6(name)
	}
	name, err = Domain(name)
	if err != nil {
		return Host{}, err
	}
	_, notIP := netip.ParseAddr(name)
	return Host{Name: name, IP: notIP == nil}, nil
}

func stripPort(hostport string) (string, error) {
	from := 0
	if strings.HasPrefix(hostport, "[") {
		from = strings.IndexByte(hostport, ']') + 1
	}
	colon := strings.IndexByte(hostport[from:], ':')
	if colon < 0 {
		return hostport, nil
	}
	name, port := hostport[:from+colon], hostport[from+colon+1:]
	if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return "", ErrMalformed
	}
	return name, nil
}

func parseIPv6(bracketed string) (Host, error) {
	name, ok := strings.CutSuffix(bracketed[1:], "]")
	if !ok {
		return Host{}, ErrMalformed
	}
	addr, err := netip.ParseAddr(name)
	// A zone means something on the client's machine only.
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return Host{}, ErrMalformed
	}
	return Host{Name: addr.String(), IP: true}, nil
}

// Domain returns the canonical form of a domain name without a port, or ErrMalformed.
func Domain(name string) (string, error) {
	// A character takes at most four bytes; no longer text can be a name that is short enough.
	if len(name) > 4*maxHostLength {
		return "", ErrMalformed
	}
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for i, label := range labels {
		ascii, err := parseLabel(label)
		if err != nil {
			return "", err
		}
		labels[i] = ascii
	}
	name = strings.Join(labels, ".")
	if len(name) > maxHostLength {
		return "", ErrMalformed
	}
	return name, nil
}

// parseLabel returns the canonical form of one label. A label that is not ASCII, or says that it is punycode, must be
// a genuine international name. IDNA would also fold look-alikes of an ASCII name to it (full-width letters,
// xn--thor-); they are refused, because each would be another web origin for the same tenant.
func parseLabel(label string) (string, error) {
	lower := strings.Map(lowerASCII, label)
	if isLabel(lower) && !strings.HasPrefix(lower, punycodePrefix) {
		return lower, nil
	}
	ascii, err := idna.Lookup.ToASCII(lower)
	genuine := strings.HasPrefix(ascii, punycodePrefix) && isLabel(ascii)
	if isLabel(lower) {
		genuine = ascii == lower
	}
	if err != nil || !genuine {
		return "", ErrMalformed
	}
	return ascii, nil
}

// lowerASCII folds nothing but A-Z. Unicode's own folding would make a k of the Kelvin sign.
func lowerASCII(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// isLabel reports whether s is a label in canonical form. The underscore is no part of host names, but of tenant IDs,
// and browsers send it.
func isLabel(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= maxLabelLength
}
