package httpmw

import (
	"fmt"
	"net/http"

	"github.com/gorm-tenancy/tenancy"
)

// FromClaim reads the tenant from something already verified: a claim of a signed token, a signed cookie, a session on
// the server. claim returns the text, or ok false when the request carries none; text that is no tenant ID is
// [tenancy.ErrInvalidID]. An error of claim is [ErrUnavailable], so return ok false for a user who is not logged in and
// leave the 401 to the authentication in front. Responses carry Vary: Authorization, Cookie.
//
// Trust: as much as the verification deserves. claim must return only what was checked in this request (signature,
// expiry, issuer, audience), normally what an authentication middleware in front has put into the request's context;
// it must never decode a token itself without verifying it. A verified claim does not need [WithMembership] as long as
// tokens are short-lived. Combine it with the host by [Chain], so that a token of one tenant is worth nothing on
// another one's domain.
//
// A nil claim makes [New] fail. As safe for concurrent use as claim.
func FromClaim(claim func(r *http.Request) (text string, ok bool, err error)) Resolver {
	if claim == nil {
		return brokenf("FromClaim: the function is nil")
	}
	return verifiedClaim(claim)
}

type verifiedClaim func(*http.Request) (string, bool, error)

func (claim verifiedClaim) Resolve(r *http.Request) (tenancy.ID, error) {
	text, ok, err := claim(r)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if !ok {
		return "", ErrNotNamed
	}
	return tenancy.ParseID(text)
}

func (claim verifiedClaim) Vary() []string { return []string{"Authorization", "Cookie"} }
