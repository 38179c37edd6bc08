package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

func ExampleNew() {
	ctx := context.Background()
	c, err := catalog.New(catalog.NewMemory(), catalog.BaseDomains("example.com"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Create(ctx, catalog.Tenant{ID: "acme", Domains: []string{"Polls.Acme.org"}}); err != nil {
		log.Fatal(err)
	}
	// acme.example.com and polls.acme.org are acme.
	if _, err := httpmw.New(httpmw.FromDomain(c, "example.com"), c); err != nil {
		log.Fatal(err)
	}
	id, err := c.TenantOf(ctx, "polls.acme.org")
	fmt.Println(id, err)
	fmt.Println(c.Lookup(ctx, "acme"), "/", c.Lookup(ctx, "nobody"))
	// Output:
	// acme <nil>
	// <nil> / tenancy: unknown tenant
}

func ExampleGORM() {
	db, err := gorm.Open(sqlite.Open("file::memory:?cache=shared"))
	if err != nil {
		log.Fatal(err)
	}
	plugin := tenancy.New(shared.New(), tenancy.CentralModels(catalog.Models()...))
	if err := db.Use(plugin); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	err = db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(catalog.Models()...)
	if err != nil {
		log.Fatal(err)
	}
	store := catalog.GORM(db)
	acme := catalog.Tenant{ID: "acme", State: catalog.Active, Metadata: map[string]any{"plan": "gold"}}
	if err := store.Save(ctx, &acme); err != nil {
		log.Fatal(err)
	}
	stale := acme
	fmt.Println(store.Save(ctx, &acme))
	fmt.Println(store.Save(ctx, &stale))
	// Output:
	// <nil>
	// catalog: the tenant was changed meanwhile
}

func ExampleCatalog_Suspend() {
	ctx := context.Background()
	c, _ := catalog.New(catalog.NewMemory())
	_, _ = c.Create(ctx, catalog.Tenant{ID: "acme"})
	_, err := c.Suspend(ctx, "acme")
	fmt.Println(err, "/", c.Lookup(ctx, "acme"))
	_, err = c.Resume(ctx, "acme")
	fmt.Println(err, "/", c.Lookup(ctx, "acme"))
	// Output:
	// <nil> / tenancy: tenant is suspended
	// <nil> / <nil>
}

func ExampleCatalog_Delete() {
	ctx := context.Background()
	c, _ := catalog.New(catalog.NewMemory(), catalog.Grace(7*24*time.Hour))
	_, _ = c.Create(ctx, catalog.Tenant{ID: "acme"})
	_, _ = c.Delete(ctx, "acme")
	_, err := c.Purge(ctx, "acme")
	fmt.Println(err)
	t, _ := c.Undelete(ctx, "acme")
	fmt.Println(t.State)
	// Output:
	// catalog: the tenant's state does not allow this: its grace period has not ended
	// active
}

func ExampleHook() {
	quota := catalog.Hook{
		Steps: []catalog.Step{catalog.StepCreate, catalog.StepClaim},
		Before: func(_ context.Context, e catalog.Event) error {
			if e.Tenant.Name == "" {
				return errors.New("a tenant needs a name")
			}
			return nil
		},
	}
	c, _ := catalog.New(catalog.NewMemory(), catalog.Hooks(quota))
	_, err := c.Create(context.Background(), catalog.Tenant{ID: "acme"})
	fmt.Println(err)
	// Output: catalog: refused by a hook: a tenant needs a name
}

func ExampleCatalog_Claim() {
	ctx := context.Background()
	c, _ := catalog.New(catalog.NewMemory(), catalog.Seed(func(ctx context.Context, _ catalog.Tenant) error {
		return nil // fill the tenant of ctx
	}))
	made, _ := c.Fill(ctx, 3) // from a timer
	t, err := c.Claim(ctx, catalog.Tenant{Name: "Acme", Domains: []string{"acme.org"}})
	fmt.Println(made, strings.HasPrefix(t.ID.String(), "ready-"), t.Name, t.State, err)
	// Output: 3 true Acme active <nil>
}

func ExampleEach() {
	ctx := context.Background()
	store := catalog.NewMemory()
	for _, id := range []tenancy.ID{"acme", "b", "c"} {
		_ = store.Save(ctx, &catalog.Tenant{ID: id, State: catalog.Active})
	}
	err := catalog.Each(ctx, store, catalog.EachOptions{Parallel: 2}, func(ctx context.Context, t catalog.Tenant) error {
		if id, _ := tenancy.FromContext(ctx); id == "b" {
			return errors.New("it failed")
		}
		return nil
	})
	fmt.Println(err)
	var partial *catalog.PartialError
	if errors.As(err, &partial) {
		fmt.Println(partial.Failed[0].ID, partial.Failed[0].Err)
	}
	// Output:
	// catalog: 2 tenants done, 1 failed
	// b it failed
}

func ExampleInject() {
	job := http.Header{} // or catalog.Map
	err := catalog.Inject(tenancy.WithTenant(context.Background(), "acme"), job)
	fmt.Println(job, err)
	// In the worker:
	ctx, err := catalog.Extract(context.Background(), job)
	id, _ := tenancy.FromContext(ctx)
	fmt.Println(id, err)
	_, err = catalog.Extract(context.Background(), http.Header{})
	fmt.Println(err != nil)
	// Output:
	// map[Tenancy-Tenant:[acme]] <nil>
	// acme <nil>
	// true
}

func ExampleParseDomain() {
	fmt.Println(catalog.ParseDomain("Bücher.Example."))
	fmt.Println(catalog.ParseDomain("example.com:8080"))
	// Output:
	// xn--bcher-kva.example <nil>
	//  catalog: invalid domain name
}
