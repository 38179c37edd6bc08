// Package catalog knows an application's tenants: it looks them up for middleware, takes them through their life, and runs
// work for each of them outside requests.
//
//	store := catalog.GORM(db)
//	c, err := catalog.New(store, catalog.Strategy(strategy), catalog.BaseDomains("example.com"))
//	mw, err := httpmw.New(httpmw.FromDomain(c, "example.com"), c)
//
//	_, err = c.Create(ctx, catalog.Tenant{ID: "acme", Name: "Acme", Domains: []string{"polls.acme.org"}})
//	_, err = c.Suspend(ctx, "acme")
//	err = catalog.Each(ctx, store, catalog.EachOptions{}, func(ctx context.Context, t catalog.Tenant) error { … })
//
// # States
//
//	 create, clone                      suspend, maintain
//	───────▶ creating ──────────▶ active ◀───────────────▶ suspended, maintenance
//	 fill      │  ▲ claim         ▲ │ │      resume                 │
//	           ▼  │               │ │ └─▶ renaming ─▶ another id    │
//	          ready     undelete  │ │ delete                        │ delete
//	                              │ ▼                               ▼
//	                             deleting, until the grace ends ──▶ purging ──▶ purged
//
// Only active tenants are served. Each step saves its intent, does its work, runs the hooks, and saves its end, by
// compare and swap. Work is idempotent: what an error or a crash left under way, [Catalog.Repair] finishes.
//
// # Cache
//
// Look-ups come from an LRU cache, hashicorp/golang-lru, which the module needs anyway, with golang.org/x/sync/singleflight
// in front of the store; unknown names have a cache of their own. Once a second ([Poll]) a look-up asks the store what
// changed, so that a suspended tenant is refused at once in the process that suspended it, and in all others one second and
// one query later. When the store does not answer, what it last said is served for a minute ([TTL]).
//
// Writing a store of your own? See [Store] and package storetest.
package catalog
