package database

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"

	"github.com/gorm-tenancy/tenancy"
)

// made reports whether the tenant's database is there; one of another's making is ErrForeign.
func (p *Postgres) made(ctx context.Context, c *pgx.Conn, name string) (bool, error) {
	var comment string
	err := c.QueryRow(ctx, "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1", name).Scan(&comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil && comment != mark(name) {
		err = fmt.Errorf("%w: the database %q", ErrForeign, name)
	}
	return err == nil, err
}

// hasRole reports whether the tenant's role is there; one of another's making is ErrForeign.
func (*Postgres) hasRole(ctx context.Context, c *pgx.Conn, name string) (bool, error) {
	var comment string
	err := c.QueryRow(ctx, "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1", name).Scan(&comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil && comment != mark(name) {
		err = fmt.Errorf("%w: the role %q", ErrForeign, name)
	}
	return err == nil, err
}

// makeRole makes the tenant's role, or gives it its password again.
func (p *Postgres) makeRole(ctx context.Context, c *pgx.Conn, name, password string, known bool) error {
	secret, err := verifier(password)
	if err != nil {
		return err
	}
	exists, err := p.hasRole(ctx, c, name)
	switch {
	case err != nil:
		return err
	case !exists:
		return execText(ctx, c,
			"CREATE ROLE "+quote(name)+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD "+literal(secret)+" IN ROLE "+quote(p.group())+
				"; COMMENT ON ROLE "+quote(name)+" IS "+literal(mark(name)))
	}
	if err := execText(ctx, c, "ALTER ROLE "+quote(name)+" PASSWORD "+literal(secret)); err != nil || !known {
		return err
	}
	return execText(ctx, c, "GRANT CONNECT, TEMPORARY ON DATABASE "+quote(name)+" TO "+quote(name))
}

// group is the role that owns the tables.
func (p *Postgres) group() string { return p.prefix + "group" }

// fresh is the name of a database that is being made for another name.
func (p *Postgres) fresh(name string) string {
	sum := sha256.Sum256([]byte(name))
	return p.prefix + "new_" + hex.EncodeToString(sum[:10])
}

// template returns the name of the database that new ones are copied from. Nobody can connect to it, because PostgreSQL
// does not copy a database in use. One for each version of the tables stays on the server.
func (p *Postgres) template(ctx context.Context, t tables) (string, error) {
	name, err := behind(p.prefix, "template_"+t.version, maxName)
	if err != nil {
		return "", err
	}
	c, err := p.connect(ctx)
	if err != nil {
		return "", err
	}
	made, err := p.made(ctx, c, name)
	if err = errors.Join(err, c.Close(ctx)); err != nil || made {
		return name, err
	}
	err = p.alone(ctx, name, func(c *pgx.Conn) error {
		made, err := p.made(ctx, c, name)
		if err != nil || made {
			return err
		}
		return p.makeTemplate(ctx, c, name, t)
	})
	if err != nil {
		return "", fmt.Errorf("database: make the template of new tenants: %w", err)
	}
	return name, nil
}

func (p *Postgres) makeTemplate(ctx context.Context, c *pgx.Conn, name string, t tables) error {
	group := quote(p.group())
	fresh := p.fresh(name)
	err := execText(ctx, c, "DO $$ BEGIN CREATE ROLE "+group+" NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; "+
		"GRANT "+group+" TO CURRENT_USER")
	if err != nil {
		return err
	}
	if err := execText(ctx, c, "DROP DATABASE IF EXISTS "+quote(fresh)); err != nil {
		return err
	}
	if err := execText(ctx, c, "CREATE DATABASE "+quote(fresh)); err != nil {
		return err
	}
	p.step("template begun")
	if err := p.fillTemplate(ctx, fresh, t); err != nil {
		return err
	}
	p.step("template migrated")
	return execText(ctx, c, "COMMENT ON DATABASE "+quote(fresh)+" IS "+literal(mark(name))+
		"; ALTER DATABASE "+quote(fresh)+" ALLOW_CONNECTIONS false IS_TEMPLATE true; ALTER DATABASE "+quote(fresh)+" RENAME TO "+quote(name))
}

func (p *Postgres) fillTemplate(ctx context.Context, fresh string, t tables) error {
	dsn, err := withDSN(p.admin, map[string]string{"dbname": fresh})
	if err != nil {
		return err
	}
	there := &Postgres{admin: dsn}
	c, err := there.connect(ctx)
	if err != nil {
		return err
	}
	err = execText(ctx, c, "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO "+quote(p.group()))
	if err = errors.Join(err, c.Close(ctx)); err != nil {
		return err
	}
	if dsn, err = withDSN(dsn, map[string]string{"options": "-c role=" + p.group()}); err != nil {
		return err
	}
	return t.make(ctx, postgres.Open(dsn))
}

// Deprovision removes the tenant's database and role, after a last dump if [KeepDumps] says so, and ends connections that
// other processes have to it. Call it through the strategy. It fails with [ErrForeign] for a database or role that Provision
// did not make. A tenant that is not there is no error; a crash half way leaves a part that calling again removes.
func (p *Postgres) Deprovision(ctx context.Context, id tenancy.ID) error {
	name, err := p.name(id)
	if err != nil {
		return err
	}
	return p.alone(ctx, name, func(c *pgx.Conn) error {
		made, err := p.made(ctx, c, name)
		if err != nil {
			return err
		}
		if made {
			if err := p.dropDatabase(ctx, c, name); err != nil {
				return err
			}
		}
		p.step("dropped")
		if err := execText(ctx, c, "DROP DATABASE IF EXISTS "+quote(p.fresh(name))); err != nil {
			return err
		}
		return p.dropRole(ctx, c, name)
	})
}

func (p *Postgres) dropDatabase(ctx context.Context, c *pgx.Conn, name string) error {
	if p.dumps != "" {
		if err := p.dump(ctx, name); err != nil {
			return fmt.Errorf("database: keep a dump: %w", err)
		}
	}
	p.step("kept")
	return execText(ctx, c, "DROP DATABASE "+quote(name)+" WITH (FORCE)")
}

func (p *Postgres) dropRole(ctx context.Context, c *pgx.Conn, name string) error {
	exists, err := p.hasRole(ctx, c, name)
	if err != nil || !exists {
		return err
	}
	return execText(ctx, c, "DROP ROLE "+quote(name))
}

// dump writes a dump that has its name only when it is complete.
func (p *Postgres) dump(ctx context.Context, name string) error {
	config, err := pgx.ParseConfig(p.admin)
	if err != nil {
		return errors.New("the admin DSN cannot be read")
	}
	if err := os.MkdirAll(p.dumps, 0o750); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(p.dumps, newPattern)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "dump")
	cmd := exec.CommandContext(ctx, "pg_dump", "--format=custom", "--no-password", "--file="+file)
	cmd.Env = append(os.Environ(), "PGHOST="+config.Host, fmt.Sprintf("PGPORT=%d", config.Port), "PGUSER="+config.User,
		"PGPASSWORD="+config.Password, "PGDATABASE="+name) // not arguments, which every user of the machine can read
	if config.TLSConfig == nil {
		cmd.Env = append(cmd.Env, "PGSSLMODE=disable")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_dump: %w: %.500s", err, out)
	}
	kept := name + "-" + time.Now().UTC().Format("20060102T150405.000000000Z") + ".dump"
	if err := os.Rename(file, filepath.Join(p.dumps, kept)); err != nil {
		return err
	}
	return syncDir(p.dumps)
}
