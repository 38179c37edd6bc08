package hosting

import (
	"context"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/hybrid"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// strategy makes the one that the options name. place knows where each tenant is.
func (t *target) strategy(place hybrid.Lookup) (tenancy.Strategy, error) {
	switch t.Strategy {
	case Schema:
		var options []schema.Option
		if t.Roles {
			options = append(options, schema.Roles())
		}
		return schema.New(options...), nil
	case Database:
		return t.databases()
	case Hybrid:
		own, err := t.databases()
		if err != nil {
			return nil, err
		}
		return hybrid.New(place, hybrid.Members{Shared: shared.New(), Database: own}), nil
	case Pinned:
		return pinned.New(t.tenant), nil
	}
	if t.RowLevelSecurity {
		return shared.New(shared.RowLevelSecurity()), nil
	}
	return shared.New(), nil
}

// maker opens, makes and removes the databases of tenants.
type maker interface {
	tenancy.Provisioner
	Open(ctx context.Context, id tenancy.ID) (gorm.Dialector, error)
}

// databases is a database for each tenant, on the server of the DSN or in the directory of SQLite's files.
func (t *target) databases() (*database.Strategy, error) {
	var places maker
	if t.kind == sqliteKind {
		places = database.SQLiteFiles(t.Data, sqlite.Open)
	} else {
		secrets, err := database.Derived([]byte(t.Secret))
		if err != nil {
			return nil, err
		}
		places = database.PostgresDatabases(t.DSN, secrets)
		if t.kind == mysqlKind {
			places = database.MySQLDatabases(t.DSN, secrets)
		}
	}
	return database.New(places.Open, database.WithProvisioner(places)), nil
}
