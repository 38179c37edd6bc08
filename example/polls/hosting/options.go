package hosting

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// The strategies.
const (
	Shared   = "shared"   // one set of tables for all tenants
	Schema   = "schema"   // a schema for each tenant
	Database = "database" // a database for each tenant
	Hybrid   = "hybrid"   // shared tables for some, databases of their own for others
	Pinned   = "pinned"   // one tenant in this process, and a database of its own
)

// Options say where tenants are. The zero value of each but DSN and Data is right for most.
type Options struct {
	// Strategy is one of the constants. The default is Shared.
	Strategy string
	// DSN is a URL of PostgreSQL, the DSN of MySQL or the path of a SQLite file. The default is polls.db in Data.
	DSN string
	// Data is the directory of SQLite files. The default is that of DSN.
	Data string
	// Tenant is whom a pinned process serves.
	Tenant string
	// Domains are the pinned tenant's own, beside its subdomains.
	Domains []string
	// RowLevelSecurity lets PostgreSQL itself hold tenants that share tables.
	RowLevelSecurity bool
	// Roles gives each tenant's schema a role of PostgreSQL.
	Roles bool
	// Secret is what the passwords of tenants' databases on a server are made from: at least 32 random bytes.
	Secret string
	// BaseDomains are the hosts whose subdomains are tenants. The default is localhost and polls.local.
	BaseDomains []string
	// TrustedProxies are the addresses and networks whose X-Forwarded-For is believed. The default is none.
	TrustedProxies []string
	// Logger is told of failures that visitors are not. The default is slog.Default().
	Logger *slog.Logger
}

// ErrOptions is wrapped by errors about options that do not go together.
var ErrOptions = errors.New("wrong settings")

// target is what the options come to.
type target struct {
	Options
	kind   string // postgres, mysql or sqlite
	tenant tenancy.ID
}

// settle fills in defaults and refuses what does not go together.
func settle(o Options) (target, error) {
	if o.Strategy == "" {
		o.Strategy = Shared
	}
	if len(o.BaseDomains) == 0 {
		o.BaseDomains = []string{"localhost", "polls.local"}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.DSN == "" && o.Data == "" {
		return target{}, wrong("name a database or a directory for SQLite files")
	}
	if o.DSN == "" {
		o.DSN = filepath.Join(o.Data, "polls.db")
	}
	t := target{Options: o}
	var err error
	if t.kind, t.DSN, err = readDSN(o.DSN); err != nil {
		return t, err
	}
	if t.Data == "" && t.kind == sqliteKind {
		t.Data = filepath.Dir(t.DSN)
	}
	if err := t.together(); err != nil {
		return t, err
	}
	if t.Strategy != Pinned {
		return t, nil
	}
	if t.tenant, err = tenancy.ParseID(o.Tenant); err != nil {
		return t, fmt.Errorf("%w: the pinned tenant: %w", ErrOptions, err)
	}
	return t, nil
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
}

// together refuses options that contradict each other.
func (t *target) together() error {
	owns := t.Strategy == Database || t.Strategy == Hybrid // makes databases
	switch {
	case !slices.Contains([]string{Shared, Schema, Database, Hybrid, Pinned}, t.Strategy):
		return wrong("there is no strategy %q; there are shared, schema, database, hybrid and pinned", t.Strategy)
	case t.Strategy == Schema && t.kind == sqliteKind:
		return wrong("schema needs PostgreSQL: SQLite has no schemas; database keeps a file for each tenant")
	case t.Strategy == Schema && t.kind == mysqlKind:
		return wrong("schema needs PostgreSQL here; database keeps a database for each tenant")
	case t.Strategy == Pinned && t.Tenant == "":
		return wrong("pinned needs the tenant that the process serves")
	case t.Strategy != Pinned && t.Tenant != "":
		return wrong("only pinned serves one tenant; the others find it by the host")
	case t.Strategy != Pinned && len(t.Domains) > 0:
		return wrong("only pinned is told domains; the others keep them with their tenants")
	case t.RowLevelSecurity && (t.Strategy != Shared || t.kind != postgresKind):
		return wrong("row-level security is for shared on PostgreSQL")
	case t.Roles && t.Strategy != Schema:
		return wrong("roles are for schema")
	case owns && t.kind != sqliteKind && len(t.Secret) < 32:
		return wrong("%s on a server needs a secret of at least 32 bytes for the passwords of tenants' databases", t.Strategy)
	case t.kind != sqliteKind && t.Data != "":
		return wrong("a directory is for SQLite files, and the database is on a server")
	}
	return nil
}

const (
	postgresKind = "postgres"
	mysqlKind    = "mysql"
	sqliteKind   = "sqlite"
)

// readDSN says what kind of database a DSN is for. Errors do not repeat it.
func readDSN(dsn string) (kind, clean string, err error) {
	scheme, rest, found := strings.Cut(dsn, "://")
	switch {
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return postgresKind, dsn, nil
	case found && scheme == "mysql":
		return mysqlKind, rest, nil
	case found && scheme == "sqlite":
		return sqliteKind, rest, nil
	case found:
		return "", "", wrong("the database's URL begins with postgres://, mysql:// or sqlite://")
	case strings.Contains(dsn, "@tcp(") || strings.Contains(dsn, "@unix("):
		return mysqlKind, dsn, nil
	case strings.HasPrefix(dsn, "host=") || strings.Contains(dsn, " host=") || strings.Contains(dsn, "dbname="):
		return postgresKind, dsn, nil
	case strings.ContainsAny(dsn, "?#"):
		return "", "", wrong("the path of a SQLite file has no parameters")
	}
	return sqliteKind, dsn, nil
}
