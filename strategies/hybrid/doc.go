// Package hybrid is the strategy of strategies: each tenant is served by one of several, which its record names. Small
// tenants share tables, a large one has a schema or a database of its own, in one process, over one *gorm.DB and one code.
//
//	strategy := hybrid.New(tenants.Place, hybrid.Members{
//		"shared":   shared.New(),
//		"database": database.New(files.Open, database.WithProvisioner(files)),
//	})
//	err = db.Use(tenancy.New(strategy, tenancy.OwnedModels(&Poll{}), tenancy.CentralModels(&Plan{})))
//
// tenants is a catalog.Catalog: its Place says which member serves a tenant. Nothing is guessed: a tenant without a record,
// and one whose record names no member, is refused at both walls. There is no default.
//
// The path of a statement: the plugin asks [Strategy.Route] whether the tenant shares tables and adds the predicate if so;
// the connection asks choose (choose.go), which answers from the same look-up, so that the statement is sent on a connection
// of the tenant's member, confined by that member's own wall. No connection is ever used for two members.
//
// move.go moves a tenant from one member to another while nobody writes its rows.
package hybrid
