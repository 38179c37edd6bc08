package operator

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gorm-tenancy/tenancy"
)

// Plan is what a visitor may choose where tenants are served by different strategies.
type Plan struct {
	// Strategy is the name under which the catalog keeps it.
	Strategy string
	// Title and Text say what it is.
	Title, Text string
}

// wish is what the form of a launch says.
type wish struct {
	Tenant, Name, Plan, Username, Email, Password string
}

// Visitors' addresses are names of hosts, which not every id is.
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// reservedHosts are not for visitors, who could pretend to be somebody else there. Others are reserved for all tenants.
var reservedHosts = []string{
	"admin", "api", "app", "assets", "auth", "billing", "blog", "cdn", "docs", "email", "ftp", "help", "imap", "login", "mail",
	"ns1", "ns2", "operator", "operators", "pop", "root", "security", "signin", "signup", "smtp", "static", "status", "support",
}

// validate tidies the wish up, and returns what to tell the visitor.
func (w *wish) validate(plans []Plan) (problem string) {
	w.Tenant, w.Name = fold(w.Tenant), strings.TrimSpace(w.Name)
	if w.Name == "" {
		w.Name = w.Tenant
	}
	switch {
	case w.Tenant == "":
		return "Choose an address."
	case len(w.Tenant) < 3 || len(w.Tenant) > tenancy.MaxIDLength:
		return "An address has 3 to 63 characters."
	case !label.MatchString(w.Tenant) || strings.HasPrefix(w.Tenant, "xn--"):
		return "An address has letters, digits and hyphens, and begins and ends with a letter or digit."
	case tenancy.Reserved(w.Tenant) || slices.Contains(reservedHosts, w.Tenant) || strings.HasPrefix(w.Tenant, "ready-"):
		return "This address is reserved."
	case utf8.RuneCountInString(w.Name) > 100 || !utf8.ValidString(w.Name) || strings.ContainsRune(w.Name, 0):
		return "A name has at most 100 characters."
	}
	if _, err := tenancy.ParseID(w.Tenant); err != nil {
		return "This address is reserved."
	}
	if len(plans) > 0 && !slices.ContainsFunc(plans, func(p Plan) bool { return p.Strategy == w.Plan }) {
		return "Choose a plan."
	}
	if len(plans) == 0 {
		w.Plan = ""
	}
	return ""
}

// free reports whether no tenant has the id, nor had it: what state one is in is nobody's business.
func (s *Site) free(ctx context.Context, id string) (bool, error) {
	_, err := s.Catalog.Store().Get(ctx, tenancy.ID(id))
	if errors.Is(err, tenancy.ErrUnknownTenant) {
		return true, nil
	}
	return false, err
}
