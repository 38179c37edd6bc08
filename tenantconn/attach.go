package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Attach replaces db's connections by confined ones to the same database. PostgreSQL is opened again from the dialector's
// DSN and options through pgx; a postgres.Config with another DriverName, and MySQL, through their own driver with a
// tracked statement. The maximum of open connections is carried over, other settings of the pool are not: make them after
// db.Use. The old pool is closed, so that handles made from db before fail instead of going round the wall.
//
// A db that is confined already is left alone. It fails with tenancy.ErrUnsupported for other databases, and where the
// connections cannot be opened again: over a postgres.Config.Conn, or when dbresolver was registered first.
func Attach(db *gorm.DB, wall Wall) error {
	if err := wall.validate(); err != nil {
		return err
	}
	old, err := replaceable(db)
	if err != nil || Confined(old) {
		return err
	}
	connect, err := confining(db, old, wall)
	if err != nil {
		return err
	}
	pool := sql.OpenDB(&connector{route: wall.ungated, driver: old.Driver(), connect: connect})
	if n := old.Stats().MaxOpenConnections; n > 0 {
		pool.SetMaxOpenConns(n)
	}
	return Replace(db, pool)
}

// replaceable returns the connections of db, unless it is too late to replace them.
func replaceable(db *gorm.DB) (*sql.DB, error) {
	if _, ok := db.Plugins["gorm:db_resolver"]; ok {
		return nil, errors.New("tenantconn: register dbresolver after tenancy, so that its connections are confined, too")
	}
	old, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("tenantconn: GORM has no *sql.DB to confine: %w", err)
	}
	return old, nil
}

// Confined reports whether a *sql.DB is confined by this package. Safe for concurrent use.
func Confined(db *sql.DB) bool {
	_, ok := db.Driver().(confinedDriver)
	return ok
}

// confining returns what opens connections to db's own database that a wall confines.
func confining(db *gorm.DB, old *sql.DB, wall Wall) (connecting, error) {
	switch db.Name() {
	case "postgres":
		d, ok := db.Dialector.(*postgres.Dialector)
		if !ok || d.Conn != nil {
			return nil, errOpened
		}
		if d.DriverName != "" {
			return openAgain(old, d.DSN, wall, setSession(wall.Settings))
		}
		config, err := pgx.ParseConfig(d.DSN)
		if err != nil { // the error holds the DSN
			return nil, errors.New("tenantconn: pgx cannot read the DSN")
		}
		if d.PreferSimpleProtocol {
			config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		}
		return riding(config, wall, d.OptionOpenDB)
	case "mysql":
		dsn, ok := dsnOf(db.Dialector)
		if !ok {
			return nil, errOpened
		}
		return openAgain(old, dsn, wall, UseDatabase)
	}
	return nil, fmt.Errorf("%w: connections of %s cannot be confined; use strategies/database", tenancy.ErrUnsupported, db.Name())
}

var errOpened = errors.New("tenantconn: the connections were opened by the application and cannot be confined; " +
	"open GORM with a DSN, as in postgres.Open(dsn)")

// dsnOf reads the DSN of a dialector whose package is not imported here. ok is false when it has a pool of its own.
func dsnOf(d gorm.Dialector) (dsn string, ok bool) {
	v := reflect.Indirect(reflect.ValueOf(d))
	if v.Kind() != reflect.Struct {
		return "", false
	}
	if conn := v.FieldByName("Conn"); conn.IsValid() && !conn.IsZero() {
		return "", false
	}
	field := v.FieldByName("DSN")
	return field.String(), field.IsValid() && field.Kind() == reflect.String && field.String() != ""
}

// openAgain opens connections with the driver of a pool.
func openAgain(old *sql.DB, dsn string, wall Wall, statement func([]string) string) (connecting, error) {
	base, err := connectorOf(old.Driver(), dsn)
	if err != nil {
		return nil, err
	}
	return tracking(base, statement), trackable(&wall)
}

// dsnConnector is what database/sql makes for drivers without one.
type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c dsnConnector) Driver() driver.Driver                        { return c.driver }

// setSession makes PostgreSQL's settings for the session, for drivers other than pgx.
func setSession(names []string) func([]string) string {
	return func(values []string) string {
		var b strings.Builder
		for i, v := range values {
			lead := ", "
			if i == 0 {
				lead = "SELECT "
			}
			b.WriteString(lead + "set_config(" + literal(names[i]) + ", " + literal(v) + ", false)")
		}
		return b.String()
	}
}
