package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// Rename gives a tenant's database and role the names of another id, and the role its password. Call it through the strategy.
// Nobody may connect while the sessions of all processes are ended; names, comments, password and the permission to connect
// then change in one transaction. A crash leaves the database under its old name, closed, or under the new one, complete: the
// next call, or one that renames it back, goes on from there. It fails with the errors of [Strategy.Rename].
func (p *Postgres) Rename(ctx context.Context, from, to tenancy.ID) error {
	old, err := p.name(from)
	if err != nil {
		return err
	}
	name, err := p.name(to)
	if err != nil {
		return err
	}
	password, err := p.secrets.Password(ctx, to)
	if err != nil {
		return fmt.Errorf("database: the tenant's password: %w", err)
	}
	names := []string{old, name}
	slices.Sort(names) // two that rename back and forth must not wait for each other
	return p.alone(ctx, names[0], func(c *pgx.Conn) error {
		return p.alone(ctx, names[1], func(*pgx.Conn) error {
			done, err := p.renamed(ctx, c, old, name)
			switch {
			case err != nil:
				return err
			case done: // perhaps by a call that was taken back half way
				return errors.Join(p.makeRole(ctx, c, name, password, true), execText(ctx, c, "ALTER DATABASE "+quote(name)+" ALLOW_CONNECTIONS true"))
			}
			return p.rename(ctx, c, old, name, password)
		})
	})
}

// renamed reports whether the work is done, or refuses it.
func (p *Postgres) renamed(ctx context.Context, c *pgx.Conn, old, name string) (done bool, err error) {
	target, err := p.made(ctx, c, name)
	if err != nil {
		return false, err
	}
	source, err := p.made(ctx, c, old)
	return tenantconn.Renamed(source, target, err, ErrForeign, fmt.Sprintf("the database %q", name))
}

func (p *Postgres) rename(ctx context.Context, c *pgx.Conn, old, name, password string) error {
	secret, err := verifier(password)
	if err != nil {
		return err
	}
	exists, err := p.hasRole(ctx, c, old)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("%w: the database %q has no role", ErrForeign, old)
	}
	if err := p.dropRole(ctx, c, name); err != nil { // of a tenant that was removed by half
		return err
	}
	if err := execText(ctx, c, "ALTER DATABASE "+quote(old)+" ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	p.step("closed")
	err = p.empty(ctx, c, old)
	if err == nil {
		err = execText(ctx, c, renaming(old, name, secret))
	}
	if err != nil {
		end := context.WithoutCancel(ctx)
		return errors.Join(err, execText(end, c, "ALTER DATABASE "+quote(old)+" ALLOW_CONNECTIONS true"))
	}
	p.step("renamed")
	return nil
}

// renaming is one message, hence one transaction.
func renaming(old, name, secret string) string {
	return strings.NewReplacer("<old>", quote(old), "<name>", quote(name), "<mark>", literal(mark(name)), "<secret>", literal(secret)).Replace(`
ALTER DATABASE <old> RENAME TO <name>;
COMMENT ON DATABASE <name> IS <mark>;
ALTER ROLE <old> RENAME TO <name>;
COMMENT ON ROLE <name> IS <mark>;
ALTER ROLE <name> PASSWORD <secret>;
ALTER DATABASE <name> ALLOW_CONNECTIONS true`)
}

// empty ends the sessions of a database that accepts no new ones. PostgreSQL waits some seconds for their ends by itself.
func (p *Postgres) empty(ctx context.Context, c *pgx.Conn, name string) error {
	_, err := c.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
	return err
}
