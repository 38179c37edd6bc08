package httpmw

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Refusal is the answer to a request that was not admitted. Everything but Err may be shown to the client: it names no
// tenant, and two requests refused for one reason get the same text. It is not safe for concurrent use; each request
// has its own.
type Refusal struct {
	// Status is the HTTP status: 400, 403, 404 or 503.
	Status int
	// Title is the name of the status.
	Title string
	// Detail is a sentence for the user.
	Detail string
	// RetryAfter says when to come back; zero if nobody knows.
	RetryAfter time.Duration
	// Err is the cause. It may name the tenant and must not be shown to the client.
	Err error
}

// The details. Suspended tenants and strangers share one, and so do all addresses where nothing is served.
const (
	detailNothing     = "Nothing is served at this address."
	detailNotNamed    = "The request names no tenant."
	detailMalformed   = "The request names its tenant in a form that is not allowed."
	detailDisagree    = "The request names more than one tenant."
	detailForbidden   = "Access to this address is not allowed."
	detailMaintenance = "This address is in maintenance. Try again later."
	detailUnavailable = "The service cannot answer now. Try again later."
)

// refusalFor turns the reason into an answer. The order matters for an error that wraps several: what is broken on our
// side is never called the client's mistake, and all unknown names look the same.
func refusalFor(err error) *Refusal {
	switch {
	case errors.Is(err, ErrUnavailable):
		return newRefusal(http.StatusServiceUnavailable, detailUnavailable, err)
	case errors.Is(err, tenancy.ErrUnknownTenant), errors.Is(err, ErrCentral):
		return newRefusal(http.StatusNotFound, detailNothing, err)
	case errors.Is(err, ErrNotMember), errors.Is(err, tenancy.ErrTenantSuspended):
		return newRefusal(http.StatusForbidden, detailForbidden, err)
	case errors.Is(err, ErrMaintenance):
		return maintenance(err)
	case errors.Is(err, ErrNotNamed):
		return newRefusal(http.StatusNotFound, detailNotNamed, err)
	case errors.Is(err, tenancy.ErrTenantMismatch):
		return newRefusal(http.StatusBadRequest, detailDisagree, err)
	case errors.Is(err, tenancy.ErrInvalidID):
		return newRefusal(http.StatusBadRequest, detailMalformed, err)
	}
	return newRefusal(http.StatusServiceUnavailable, detailUnavailable, err)
}

func newRefusal(status int, detail string, err error) *Refusal {
	return &Refusal{Status: status, Title: http.StatusText(status), Detail: detail, Err: err}
}

func maintenance(err error) *Refusal {
	refusal := newRefusal(http.StatusServiceUnavailable, detailMaintenance, err)
	var window *MaintenanceError
	if errors.As(err, &window) {
		refusal.RetryAfter = max(window.RetryAfter, 0)
	}
	return refusal
}

// setHeaders sets what every answer needs, whoever writes the body.
func (refusal *Refusal) setHeaders(h http.Header) {
	// The same address may be served in a moment: the tenant is created, or its maintenance ends.
	h.Set("Cache-Control", "no-store")
	if refusal.RetryAfter > 0 {
		seconds := math.Ceil(refusal.RetryAfter.Seconds())
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
}

// WriteProblem writes a refusal as a problem document (RFC 9457, application/problem+json) without Err. A HEAD request
// gets no body. Safe for concurrent use with different writers.
func WriteProblem(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	body, err := json.Marshal(problem{
		Type: "about:blank", Title: refusal.Title, Status: refusal.Status, Detail: refusal.Detail,
	})
	if err != nil {
		// Strings and a number always marshal.
		panic(err)
	}
	h := w.Header()
	h.Del("Content-Length") // an outer handler may have set the length of another body
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(refusal.Status)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(append(body, '\n')) // the client is gone; there is nobody left to tell
}

// problem is the document. The type "about:blank" says that the status tells everything.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}
