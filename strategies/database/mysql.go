package database

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	driver "github.com/go-sql-driver/mysql"
	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// MySQL keeps each tenant in a database of one MySQL or MariaDB server, with a user that has grants on it alone. It is a
// tenancy.Provisioner and gives the strategy its [Opener]. It is safe for concurrent use, also by several processes: those
// that make or remove the same tenant wait for each other.
type MySQL struct {
	admin   string // DSN
	secrets Secrets
	prefix  string

	step func(string) // tests stop here
}

var (
	_ maker               = (*MySQL)(nil)
	_ tenancy.Provisioner = (*MySQL)(nil)
)

// MySQLOption configures [MySQLDatabases].
type MySQLOption func(*MySQL)

// MySQLPrefix is what [Prefix] is for PostgreSQL.
func MySQLPrefix(prefix string) MySQLOption { return func(m *MySQL) { m.prefix = prefix } }

// MySQLDatabases keeps tenants in databases named tenant_<id> on the server of the admin DSN. Its user must be allowed to
// create databases and users and to grant what it has. Tenants' connections have the parameters of this DSN, but the
// tenant's own database, user and password. The user has the database's name where 32 bytes are enough for it.
func MySQLDatabases(admin string, secrets Secrets, opts ...MySQLOption) *MySQL {
	m := &MySQL{admin: admin, secrets: secrets, prefix: "tenant_", step: func(string) {}}
	for _, opt := range opts {
		opt(m)
	}
	return m
}

// Open is the [Opener]. A database that is not there is an error when it is connected to.
func (m *MySQL) Open(ctx context.Context, id tenancy.ID) (gorm.Dialector, error) {
	name, user, err := m.names(id)
	if err != nil {
		return nil, err
	}
	password, err := m.secrets.Password(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("database: the tenant's password: %w", err)
	}
	config, err := m.config(name)
	if err != nil {
		return nil, err
	}
	config.User, config.Passwd = user, password
	return mysql.Open(config.FormatDSN()), nil
}

func (m *MySQL) names(id tenancy.ID) (name, user string, err error) {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return "", "", err
	}
	if name, err = behind(m.prefix, string(id), 64); err != nil {
		return "", "", err
	}
	if len(name) <= 32 {
		return name, name, nil
	}
	sum := sha256.Sum256([]byte(name))
	return name, "t" + hex.EncodeToString(sum[:15]), nil
}

// config is the administrator's for a database.
func (m *MySQL) config(name string) (*driver.Config, error) {
	config, err := driver.ParseDSN(m.admin)
	if err != nil { // the error may hold the DSN
		return nil, errors.New("database: the admin DSN cannot be read")
	}
	config.DBName = name
	return config, nil
}

// connected runs f on a connection of the administrator.
func (m *MySQL) connected(ctx context.Context, f func(*sql.Conn) error) error {
	config, err := m.config("")
	if err != nil {
		return err
	}
	connector, err := driver.NewConnector(config)
	if err != nil {
		return errors.New("database: the admin DSN cannot be read")
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	c, err := db.Conn(ctx)
	if err != nil {
		return &hidden{"database: the MySQL server cannot be reached as administrator", err}
	}
	defer c.Close()
	return f(c)
}

// alone runs f on a connection of the administrator while no other process makes or removes the same tenant. The lock ends
// with the connection.
func (m *MySQL) alone(ctx context.Context, name string, f func(*sql.Conn) error) error {
	return m.connected(ctx, func(c *sql.Conn) error {
		sum := sha256.Sum256([]byte("tenancy:" + name))
		var got sql.NullInt64
		if err := c.QueryRowContext(ctx, "SELECT GET_LOCK(?, 3600)", hex.EncodeToString(sum[:16])).Scan(&got); err != nil {
			return err
		}
		if got.Int64 != 1 {
			return errors.New("database: the lock of the tenant was not free in time")
		}
		return f(c)
	})
}

// Provision is for the strategy, which knows the tables: use [Strategy.Provision]. It fails with tenancy.ErrUnsupported.
func (m *MySQL) Provision(context.Context, tenancy.ID) error { return errAlone }

// The steps of a tenant's marker.
const (
	stepTables = iota // tables are being made
	stepUser          // the user is being made
	stepReady
)

// provision makes the database, a marker in it, the tables and at last the user, without whom nobody is served. DDL is not
// transactional here: the marker says what a crash has left, and the next call goes on from there.
func (m *MySQL) provision(ctx context.Context, id tenancy.ID, t tables) error {
	name, user, err := m.names(id)
	if err != nil {
		return err
	}
	password, err := m.secrets.Password(ctx, id)
	if err != nil {
		return fmt.Errorf("database: the tenant's password: %w", err)
	}
	return m.alone(ctx, name, func(c *sql.Conn) error {
		step, err := m.begin(ctx, c, name)
		if err != nil {
			return err
		}
		m.step("begun")
		if step == stepTables {
			if err := m.makeTables(ctx, c, name, user, t); err != nil {
				return err
			}
		}
		m.step("tables")
		if err := m.makeUser(ctx, c, name, user, password); err != nil {
			return err
		}
		m.step("user")
		return m.mark(ctx, c, name, stepReady)
	})
}

// begin makes the database and its marker, or reads how far an earlier call came.
func (m *MySQL) begin(ctx context.Context, c *sql.Conn, name string) (step int, err error) {
	tables, marked := 0, 0
	err = c.QueryRowContext(ctx, "SELECT COUNT(*), COALESCE(SUM(TABLE_NAME = 'tenancy_place'), 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?",
		name).Scan(&tables, &marked)
	switch {
	case err != nil:
		return 0, err
	case marked > 0:
		return m.reached(ctx, c, name)
	case tables > 0:
		return 0, fmt.Errorf("%w: the database %q", ErrForeign, name)
	}
	for _, q := range []string{
		"CREATE DATABASE IF NOT EXISTS " + backquote(name),
		"CREATE TABLE " + marker(name) + " (id INT PRIMARY KEY, tenant VARCHAR(64) NOT NULL, step INT NOT NULL)",
	} {
		if _, err := c.ExecContext(ctx, q); err != nil {
			return 0, err
		}
	}
	return m.reached(ctx, c, name)
}

// reached reads the marker. An empty one is of a crash right after its table was made.
func (m *MySQL) reached(ctx context.Context, c *sql.Conn, name string) (step int, err error) {
	if _, err := c.ExecContext(ctx, "INSERT IGNORE INTO "+marker(name)+" VALUES (1, ?, ?)", name, stepTables); err != nil {
		return 0, err
	}
	tenant := ""
	if err := c.QueryRowContext(ctx, "SELECT tenant, step FROM "+marker(name)+" WHERE id = 1").Scan(&tenant, &step); err != nil {
		return 0, err
	}
	if tenant != name {
		return 0, fmt.Errorf("%w: the database %q", ErrForeign, name)
	}
	return step, nil
}

func (m *MySQL) makeTables(ctx context.Context, c *sql.Conn, name, user string, t tables) error {
	config, err := m.config(name)
	if err != nil {
		return err
	}
	if err := t.make(ctx, mysql.Open(config.FormatDSN())); err != nil {
		return fmt.Errorf("database: make the tenant's tables: %w", err)
	}
	m.step("migrated")
	known := 0
	if err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM mysql.user WHERE User = ?", user).Scan(&known); err != nil {
		return err
	}
	if known > 0 {
		return fmt.Errorf("%w: the user %q", ErrForeign, user)
	}
	return m.mark(ctx, c, name, stepUser)
}

func (m *MySQL) mark(ctx context.Context, c *sql.Conn, name string, step int) error {
	_, err := c.ExecContext(ctx, "UPDATE "+marker(name)+" SET step = ? WHERE id = 1", step)
	return err
}

// makeUser makes the user, or gives it its password again.
func (m *MySQL) makeUser(ctx context.Context, c *sql.Conn, name, user, password string) error {
	who := text(user) + "@'%'"
	for _, q := range []string{
		"CREATE USER IF NOT EXISTS " + who + " IDENTIFIED BY " + text(password),
		"ALTER USER " + who + " IDENTIFIED BY " + text(password),
		"GRANT ALL PRIVILEGES ON " + grantee(name) + ".* TO " + who,
	} {
		if _, err := c.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// Deprovision removes the tenant's database and user. Call it through the strategy. It fails with [ErrForeign] for a
// database that Provision did not make. A tenant that is not there is no error; a crash half way leaves a part that calling
// again removes. A last copy is mysqldump's work, before.
func (m *MySQL) Deprovision(ctx context.Context, id tenancy.ID) error {
	name, user, err := m.names(id)
	if err != nil {
		return err
	}
	return m.alone(ctx, name, func(c *sql.Conn) error {
		known := 0
		if err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?", name).Scan(&known); err != nil {
			return err
		}
		if known == 0 {
			return nil
		}
		step, err := m.begin(ctx, c, name)
		if err != nil {
			return err
		}
		if step >= stepUser { // before that, a user of the name is not ours
			if _, err := c.ExecContext(ctx, "DROP USER IF EXISTS "+text(user)+"@'%'"); err != nil {
				return err
			}
		}
		m.step("user dropped")
		_, err = c.ExecContext(ctx, "DROP DATABASE "+backquote(name))
		return err
	})
}

func marker(name string) string { return backquote(name) + ".tenancy_place" }

func backquote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// grantee names a database in GRANT, where an underscore is a pattern.
func grantee(name string) string {
	return backquote(strings.NewReplacer(`\`, `\\`, "_", `\_`, "%", `\%`).Replace(name))
}

// text writes a string that holds neither quotes nor backslashes, or doubles them.
func text(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", "''").Replace(s) + "'" }
