// Package database is the strategy with a database for each tenant: a SQLite file, or a database on a PostgreSQL or MySQL
// server with its own host and credentials. Thousands of tenants share one gorm.DB and one budget of connections:
//
//	places := database.SQLiteFiles("data", sqlite.Open)
//	db, err := gorm.Open(sqlite.Open("central.db"), &gorm.Config{})
//	err = db.Use(tenancy.New(database.New(places.Open, database.WithProvisioner(places)),
//		tenancy.OwnedModels(&Poll{}), tenancy.CentralModels(&Plan{})))
//
// A statement of a tenant runs in the tenant's database, whatever way it reaches the connection: GORM's methods, raw SQL,
// db.DB(), prepared statements. Models need no tenant column. Central models stand in the database GORM was opened with;
// a statement on them runs there, also inside a tenant, but not inside a tenant's transaction (tenancy.ErrTenantMismatch),
// and not joined to a tenant's table (tenancy.ErrUnconfined); Preload works.
//
// SQLite: the statement wall of connections refuses ATTACH and VACUUM INTO inside a tenant, with which SQL text would reach
// other files. PostgreSQL: a connection has one database. MySQL: SQL text can name other databases, so a connection whose
// user sees any other is refused, unless [SharedUser].
package database
