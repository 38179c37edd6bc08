package httpmw

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// broken stands for a part whose configuration is wrong. Constructors return it instead of an error, so that they can
// be nested; [New] finds it and reports the error at start-up. Used without New it serves nobody.
type broken struct{ err error }

var (
	_ Resolver  = broken{}
	_ Directory = broken{}
	_ Domains   = broken{}
)

func brokenf(format string, args ...any) broken {
	return broken{fmt.Errorf("httpmw: "+format, args...)}
}

func (b broken) Resolve(*http.Request) (tenancy.ID, error)                     { return "", b.err }
func (b broken) Lookup(context.Context, tenancy.ID) error                      { return b.err }
func (b broken) TenantOf(_ context.Context, _ string) (id tenancy.ID, _ error) { return "", b.err }

// mistakeIn returns what is wrong with the configuration of a part, or nil.
func mistakeIn(part any) error {
	if part == nil {
		return errMissing
	}
	if b, ok := part.(broken); ok {
		return b.err
	}
	return nil
}

var errMissing = errors.New("it is nil")

// isToken reports whether s can be the name of a header or a cookie (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	const special = "!#$%&'*+-.^_`|~"
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte(special, c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
