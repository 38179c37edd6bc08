// Package retrofit gives the tables of a running single-tenant application a tenant, without downtime and without a moment
// in which a row has the wrong tenant, or is invisible to its own.
//
//	plugin := tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}, &Choice{}))
//	r, err := retrofit.New(db, plugin, retrofit.Legacy("acme"))
//	report, err := r.Add(ctx)       // the column, and triggers that keep it right whoever writes
//	report, err = r.Backfill(ctx)   // rows that were there before
//	report, err = r.Constrain(ctx)  // NOT NULL, indexes led by the tenant, references inside
//	                                // now deploy the program that calls db.Use(plugin)
//	report, err = r.Finish(ctx)     // when no old program runs any more: triggers, default, old unique indexes go
//
// While it lasts the database stamps each row itself, by triggers, so that programs that know nothing of tenants, raw SQL and
// psql write rows with a tenant, too. With [Legacy] the same triggers refuse rows of any other tenant until [Retrofit.Finish]:
// an old program reads all rows, so there must be no other tenant's.
//
// Nothing is remembered outside the tables: each stage reads what is there (state.go), lists the statements that are missing
// (postgres.go, mysql.go, sqlite.go) and runs them (session.go). Hence a stage can be killed and called again, and
// [Retrofit.Plan] shows what would be run.
package retrofit
