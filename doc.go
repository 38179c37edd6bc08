// Package tenancy makes a GORM application multi-tenant: each customer (tenant) sees its own rows and nobody else's,
// though they share one code base and, with the shared strategy, one set of tables.
//
//	db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}), tenancy.CentralModels(&Plan{})))
//
// The tenant travels in the context. Middleware (packages httpmw and ginmw) puts it there with [WithTenant]; every
// statement of db.WithContext(ctx) is then held inside that tenant: queries get its predicate, inserts its stamp, and
// what cannot be held is refused with an error that names the way out. Without a tenant nothing is read or written:
// the error is [ErrNoTenant]. [Central] and [Bypass] are the two ways to say that none is meant.
//
// The path of a statement: a callback (callbacks.go) finds its table and model (target.go, models.go), puts the
// predicate in front of the caller's conditions (wall.go, predicate.go) and judges the SQL text among them
// (fragments.go, values.go, lexer.go, tables.go); raw SQL is judged as a whole (raw.go); inserts are stamped and upserts guarded
// (stamp.go, create.go, duplicate.go), updates keep their tenant (update.go), foreign keys are looked up (reference.go), and
// sub-queries get the tenant of the statement around them (subqueries.go).
//
// A [Strategy] says where a tenant's rows are (strategies/shared, schema, database, hybrid, pinned). Those that confine connections do
// so with package tenantconn; then the statement wall says for whom a statement on central tables runs (place.go) and keeps
// migrations of owned and central tables apart (migrator.go).
package tenancy
