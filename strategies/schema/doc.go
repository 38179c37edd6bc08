// Package schema is the strategy with tables of its own for each tenant: a schema on PostgreSQL, a database on one MySQL or
// MariaDB server. The connection is told the tenant in front of every statement, so models need no tenant column, and raw
// SQL, database/sql and other libraries on db.DB() are confined like GORM itself.
//
//	db, err := gorm.Open(postgres.Open(dsn))
//	strategy := schema.New()
//	err = db.Use(tenancy.New(strategy, tenancy.OwnedModels(&Poll{}, &Choice{}), tenancy.CentralModels(&Plan{})))
//	err = strategy.Provision(ctx, "acme") // CREATE SCHEMA "tenant_acme" and its tables
//
// On PostgreSQL a tenant's search_path is its own schema, pg_catalog, the shared schemas (central tables and extensions)
// and pg_temp, in this order. PostgreSQL skips a schema that does not exist; with pg_catalog in the second place what an
// unknown tenant would create is refused instead of landing in a shared schema, and with pg_temp in the last a temporary
// table never stands in front of a tenant's own. MySQL has no search path: central models name their database in
// TableName, which db.Use checks.
//
// search_path decides what an unqualified name means. A statement that names another schema reaches it, unless each tenant
// has a role of its own (see [Roles]).
package schema
