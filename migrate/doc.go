// Package migrate brings all tenants to the newest schema and remembers, in a ledger that survives crashes, which step each
// of them has.
//
//	runner, err := migrate.New(db, migrate.List("acme", "globex"), []migrate.Source{
//		migrate.Files(files), // 00001_polls.sql …, goose's
//		migrate.Step{Version: 2, Name: "titles", Run: func(ctx context.Context, tx *gorm.DB) error { … }},
//		migrate.Models(), // AutoMigrate, last, whenever a model has changed
//	}, migrate.Canary("acme"), migrate.OnEvent(draw))
//	report, err := runner.Up(ctx)
//
// Each step runs in the context of its tenant, hence within the walls that hold the tenant's requests, and in a transaction
// of its own where the database has transactional DDL. In that transaction goes a row in the tenant's own place, so that a
// step whose runner died between the tenant and the ledger is not made twice.
//
// The path of a run: up.go asks the ledger (ledger.go) who is behind, by one query; tenant.go holds a tenant (locks.go,
// leases.go) and makes what chain.go says it lacks; apply.go makes one step through goose, whose store is place.go.
//
// It uses goose (its Provider, on the confined *sql.DB) to read SQL files and to run a step and its version in one
// transaction, go-retry, which goose uses, for back-off, and errgroup for bounded parallelism, since each is what most of
// its readers know and none of them is about isolation.
package migrate
