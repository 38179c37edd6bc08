package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// ConnectorOf returns what opens the connections a dialector would open: through pgx for postgres.Open, for others through
// the driver of the dialector's DriverName, or usual where it names none. It does not connect. It fails for a dialector that
// has connections already (postgres.Config.Conn) or no DSN; errors never hold the DSN. The connector is safe for concurrent
// use.
func ConnectorOf(d gorm.Dialector, usual driver.Driver) (driver.Connector, error) {
	if d == nil {
		return nil, errors.New("tenantconn: no dialector")
	}
	if p, ok := d.(*postgres.Dialector); ok && p.DriverName == "" && p.Conn == nil {
		return pgxConnector(p)
	}
	dsn, ok := dsnOf(d)
	if !ok {
		return nil, errOpened
	}
	name := reflect.Indirect(reflect.ValueOf(d)).FieldByName("DriverName")
	if name.IsValid() && name.Kind() == reflect.String && name.String() != "" {
		db, err := sql.Open(name.String(), dsn) // the only way to a registered driver; it does not connect
		if err != nil {
			return nil, errors.New("tenantconn: the dialector's DriverName is not registered, or the driver cannot read the DSN")
		}
		defer db.Close()
		usual = db.Driver()
	}
	return connectorOf(usual, dsn)
}

// pgxConnector does what GORM does when it opens a pool.
func pgxConnector(d *postgres.Dialector) (driver.Connector, error) {
	config, err := pgx.ParseConfig(d.DSN)
	if err != nil { // the error holds the DSN
		return nil, errors.New("tenantconn: pgx cannot read the DSN")
	}
	if d.PreferSimpleProtocol {
		config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	}
	options := d.OptionOpenDB[:len(d.OptionOpenDB):len(d.OptionOpenDB)]
	for name, zone := range config.RuntimeParams {
		if strings.EqualFold(name, "timezone") {
			options = append(options, stdlib.OptionAfterConnect(func(_ context.Context, c *pgx.Conn) error {
				return scanIn(c, zone)
			}))
		}
	}
	return stdlib.GetConnector(*config, options...), nil
}

// scanIn makes timestamps without a zone be read in one, as the dialector does.
func scanIn(c *pgx.Conn, zone string) error {
	location, err := time.LoadLocation(zone)
	if err != nil {
		return err
	}
	c.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamp", OID: pgtype.TimestampOID, Codec: &pgtype.TimestampCodec{ScanLocation: location},
	})
	return nil
}

// connectorOf does what sql.Open does.
func connectorOf(d driver.Driver, dsn string) (driver.Connector, error) {
	c, ok := d.(driver.DriverContext)
	if !ok {
		return dsnConnector{dsn, d}, nil
	}
	connector, err := c.OpenConnector(dsn)
	if err != nil {
		return nil, errors.New("tenantconn: the driver cannot read the DSN")
	}
	return connector, nil
}

// Replace makes pool the connections of db and closes the old ones, so that handles made from db before fail instead of
// going round pool. It is for db.Use, before db is used by others.
func Replace(db *gorm.DB, pool *sql.DB) error {
	old, err := db.DB()
	if err != nil {
		return err
	}
	if prepared, ok := db.ConnPool.(*gorm.PreparedStmtDB); ok {
		prepared.Close()
		prepared.ConnPool = pool
	} else {
		db.ConnPool, db.Statement.ConnPool = pool, pool
	}
	return old.Close()
}

// Standalone opens a *sql.DB of its own, not confined, as a dialector would: for making and removing databases. A dialector
// that names no driver uses its dialect's usual one. It does not connect; errors never hold the DSN.
func Standalone(d gorm.Dialector) (*sql.DB, error) {
	if p, ok := d.(*postgres.Dialector); ok && p.DriverName == "" && p.Conn == nil {
		c, err := pgxConnector(p)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(c), nil
	}
	db, err := gorm.Open(d, &gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	return db.DB()
}
