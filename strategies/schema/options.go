package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Option configures the strategy. A mistake in one makes db.Use fail.
type Option func(*Strategy)

// Prefix is what the names of tenants' schemas, databases and roles begin with, in front of the tenant's id. It holds
// a-z, 0-9 and '_'. The default is "tenant_". Two applications on one MySQL server, or with [Roles] on one PostgreSQL
// server, need different prefixes. Do not change it while tenants exist.
func Prefix(prefix string) Option {
	return func(s *Strategy) { s.prefix = prefix }
}

// Shared names the schemas that hold central tables and extensions; they end every search_path. Central tables are created
// in the first. The default is "public". It is of no use on MySQL, where the database of the DSN is the central one.
func Shared(schemas ...string) Option {
	return func(s *Strategy) { s.shared = slices.Clone(schemas) }
}

// Roles gives each tenant on PostgreSQL a role without login, named as its schema, that rides along with the search_path,
// so that the database refuses even SELECT ... FROM other_tenant.polls. It may read and write rows in its schema, and has
// the privileges given here on central tables: SELECT (the default), INSERT, UPDATE, DELETE. It may not create or change
// tables: see [AsOwner]. The role of the DSN must be allowed to create roles (CREATEROLE) where [Strategy.Provision] is
// called.
//
// Provision makes the roles: call it for tenants that were provisioned without. Central tables created later, by another
// role than Provision used, are granted by hand to the group of all tenants, the prefix followed by "shared".
func Roles(privileges ...string) Option {
	return func(s *Strategy) {
		s.roles = true
		s.privileges = []string{"SELECT"}
		if len(privileges) > 0 {
			s.privileges = slices.Clone(privileges)
		}
	}
}

// Session keeps the settings on the connection and sends them only when the tenant changes, on PostgreSQL. See
// tenantconn.Wall; it is wrong behind a pooler in transaction mode. Default off. On MySQL it is always so.
func Session() Option { return func(s *Strategy) { s.session = true } }

// Pooled is for PgBouncer before 1.21 in transaction mode. See tenantconn.Wall: the DSN must choose
// default_query_exec_mode=exec or simple_protocol. Default off.
func Pooled() Option { return func(s *Strategy) { s.pooled = true } }

func (s *Strategy) validate() error {
	for _, c := range []byte(s.prefix) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return fmt.Errorf("schema: Prefix holds only a-z, 0-9 and '_'")
		}
	}
	if strings.HasPrefix(s.prefix, "pg_") {
		return fmt.Errorf("schema: PostgreSQL keeps names that begin with pg_ to itself")
	}
	if len(s.prefix) > maxName/2 {
		return fmt.Errorf("schema: Prefix has at most %d bytes", maxName/2)
	}
	if s.roles && s.prefix == "" {
		return fmt.Errorf("schema: Roles need a Prefix, so that a tenant's id never names another role")
	}
	for _, name := range s.shared {
		switch {
		case name == "", len(name) > maxName, strings.ContainsAny(name, "\x00\\$"):
			return fmt.Errorf("schema: Shared: a name is empty, too long, or holds NUL, a backslash or $")
		case strings.HasPrefix(name, "pg_"), name == "information_schema":
			return fmt.Errorf("schema: Shared: %q is the database's own", name)
		}
	}
	for _, p := range s.privileges {
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, p) {
			return fmt.Errorf("schema: Roles: a privilege is SELECT, INSERT, UPDATE or DELETE")
		}
	}
	return nil
}
