package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Postgres keeps each tenant in a database of one PostgreSQL server (13 or later), with a role that can connect to no other
// tenant's. It is a tenancy.Provisioner and gives the strategy its [Opener]. It is safe for concurrent use, also by several
// processes: those that make or remove the same tenant wait for each other.
type Postgres struct {
	admin   string // DSN
	secrets Secrets
	prefix  string
	dumps   string

	step func(string) // tests stop here
}

var (
	_ maker               = (*Postgres)(nil)
	_ tenancy.Provisioner = (*Postgres)(nil)
)

// PostgresOption configures [PostgresDatabases].
type PostgresOption func(*Postgres)

// Prefix is what the names of tenants' databases and roles begin with, in front of the id. It holds a-z, 0-9 and '_'. The
// default is "tenant_". Two applications on one server need different prefixes. Do not change it while tenants exist.
func Prefix(prefix string) PostgresOption { return func(p *Postgres) { p.prefix = prefix } }

// KeepDumps keeps a last pg_dump of each removed tenant in a directory, as <name>-<time>.dump in pg_dump's custom format.
// The program must be found in PATH. By default there is none.
func KeepDumps(dir string) PostgresOption { return func(p *Postgres) { p.dumps = dir } }

// PostgresDatabases keeps tenants in databases named tenant_<id> on the server of the admin DSN. Its role must be allowed to
// create databases and roles. Tenants' connections have the parameters of this DSN, but the tenant's own database, role and
// password. With the first tenant a role without login is made, named as the prefix followed by "group", that owns the
// tables of all tenants' databases and of which the tenants' roles are members: what a role can reach is decided by the
// database it may connect to. PostgreSQL lets everybody connect to other databases, such as postgres and the central one:
// REVOKE CONNECT ON DATABASE ... FROM PUBLIC there.
func PostgresDatabases(admin string, secrets Secrets, opts ...PostgresOption) *Postgres {
	p := &Postgres{admin: admin, secrets: secrets, prefix: "tenant_", step: func(string) {}}
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// Open is the [Opener]. A database that is not there is an error when it is connected to.
func (p *Postgres) Open(ctx context.Context, id tenancy.ID) (gorm.Dialector, error) {
	name, err := p.name(id)
	if err != nil {
		return nil, err
	}
	password, err := p.secrets.Password(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("database: the tenant's password: %w", err)
	}
	dsn, err := withDSN(p.admin, map[string]string{"user": name, "password": password, "dbname": name})
	if err != nil {
		return nil, err
	}
	return postgres.Open(dsn), nil
}

// maxName is the longest name PostgreSQL does not cut off (NAMEDATALEN - 1).
const maxName = 63

// name returns the name of a tenant's database and role: nothing cut, folded or replaced, so that two ids never give one.
func (p *Postgres) name(id tenancy.ID) (string, error) {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return "", err
	}
	return behind(p.prefix, string(id), maxName)
}

// behind puts an id behind a prefix.
func behind(prefix, id string, most int) (string, error) {
	for _, c := range []byte(prefix) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return "", errors.New("database: a prefix holds only a-z, 0-9 and '_'")
		}
	}
	if prefix == "" || strings.HasPrefix(prefix, "pg_") {
		return "", errors.New("database: a prefix is not empty and does not begin with pg_")
	}
	if len(prefix)+len(id) > most {
		return "", fmt.Errorf("%w: behind the prefix %q at most %d bytes fit the name of a database", tenancy.ErrInvalidID,
			prefix, most-len(prefix))
	}
	return prefix + id, nil
}

// withDSN changes settings of a DSN in either of its forms.
func withDSN(dsn string, settings map[string]string) (string, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		for _, key := range []string{"user", "password", "dbname", "options"} {
			if value, ok := settings[key]; ok {
				dsn += " " + key + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
			}
		}
		return dsn, nil
	}
	u, err := url.Parse(dsn)
	if err != nil { // the error holds the DSN
		return "", errors.New("database: the admin DSN cannot be read")
	}
	query := u.Query()
	for key, value := range settings {
		switch key {
		case "dbname":
			u.Path = "/" + value
			query.Del("dbname")
			query.Del("database")
		case "user", "password":
			query.Del(key)
		default:
			query.Set(key, value)
		}
	}
	if user, ok := settings["user"]; ok {
		u.User = url.UserPassword(user, settings["password"])
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// connect opens a connection of the administrator, to the DSN's database or another.
func (p *Postgres) connect(ctx context.Context) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(p.admin)
	if err != nil {
		return nil, errors.New("database: the admin DSN cannot be read")
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // several statements in one message are one transaction
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, &hidden{"database: the PostgreSQL server cannot be reached as administrator", err}
	}
	return c, nil
}

// hidden keeps the text of an error that names hosts and users out of sight.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }
func (h *hidden) Unwrap() error { return h.err }

// alone runs f on a connection of the administrator while no other process makes or removes the same thing.
func (p *Postgres) alone(ctx context.Context, what string, f func(*pgx.Conn) error) error {
	c, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = c.Close(end) // which gives the lock back
	}()
	if _, err := c.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", "tenancy:"+what); err != nil {
		return err
	}
	return f(c)
}

// Provision is for the strategy, which knows the tables: use [Strategy.Provision]. It fails with tenancy.ErrUnsupported.
func (p *Postgres) Provision(context.Context, tenancy.ID) error { return errAlone }

// provision copies a template to a database of another name that accepts no connections, and in one transaction lets the
// tenant's role in and gives it the tenant's name. A crash leaves a database nobody can connect to, which the next call
// removes.
func (p *Postgres) provision(ctx context.Context, id tenancy.ID, t tables) error {
	name, err := p.name(id)
	if err != nil {
		return err
	}
	password, err := p.secrets.Password(ctx, id)
	if err != nil {
		return fmt.Errorf("database: the tenant's password: %w", err)
	}
	template, err := p.template(ctx, t)
	if err != nil {
		return err
	}
	return p.alone(ctx, name, func(c *pgx.Conn) error {
		made, err := p.made(ctx, c, name)
		if err != nil {
			return err
		}
		if err := p.makeRole(ctx, c, name, password, made); err != nil || made {
			return err
		}
		p.step("role")
		fresh := p.fresh(name)
		if err := execText(ctx, c, "DROP DATABASE IF EXISTS "+quote(fresh)); err != nil {
			return err
		}
		if err := execText(ctx, c, "CREATE DATABASE "+quote(fresh)+" ALLOW_CONNECTIONS false TEMPLATE "+quote(template)+fileCopy(c)); err != nil {
			return err
		}
		p.step("created")
		if err := execText(ctx, c, publish(fresh, name)); err != nil {
			return err
		}
		p.step("published")
		return nil
	})
}

// publish lets the tenant's role, and no other, connect, and names the database.
func publish(fresh, name string) string {
	return strings.NewReplacer("<fresh>", quote(fresh), "<name>", quote(name), "<mark>", literal(mark(name))).Replace(`
REVOKE ALL ON DATABASE <fresh> FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE <fresh> TO <name>;
COMMENT ON DATABASE <fresh> IS <mark>;
ALTER DATABASE <fresh> ALLOW_CONNECTIONS true;
ALTER DATABASE <fresh> RENAME TO <name>`)
}

// fileCopy chooses what is faster for a small template; servers before 15 know nothing else.
func fileCopy(c *pgx.Conn) string {
	var major int
	if _, err := fmt.Sscanf(c.PgConn().ParameterStatus("server_version"), "%d", &major); err == nil && major >= 15 {
		return " STRATEGY file_copy"
	}
	return ""
}

func execText(ctx context.Context, c *pgx.Conn, statements string) error {
	_, err := c.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

// mark is the comment on what was made for a tenant.
func mark(name string) string { return "tenancy: " + name }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal writes a string without backslashes.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
