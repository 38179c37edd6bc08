package catalog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

func BenchmarkLookup(b *testing.B) {
	store := catalog.NewMemory()
	for i := range 1000 {
		must(b, store.Save(b.Context(), &catalog.Tenant{
			ID: tenancy.ID(fmt.Sprint("t", i)), State: catalog.Active, Domains: []string{fmt.Sprintf("t%d.org", i)},
		}))
	}
	c, err := catalog.New(store)
	must(b, err)
	b.Run("tenant", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			must(b, c.Lookup(b.Context(), "t7"))
		}
	})
	b.Run("tenant, parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				must(b, c.Lookup(context.Background(), "t7"))
			}
		})
	})
	b.Run("unknown", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = c.Lookup(b.Context(), "nobody")
		}
	})
	b.Run("domain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := c.TenantOf(b.Context(), "t7.org")
			must(b, err)
		}
	})
}

// BenchmarkSignUp makes a tenant of ten tables in a schema, anew and from the pool. setup is not measured.
func BenchmarkSignUp(b *testing.B) {
	s := newSchemas(b, servers.Postgres(b))
	n := 0
	next := func() catalog.Tenant {
		n++
		return catalog.Tenant{ID: tenancy.ID(fmt.Sprint("t", n)), Domains: []string{fmt.Sprintf("t%d.org", n)}}
	}
	_, err := s.catalog.Create(b.Context(), next()) // the first one records the DDL
	must(b, err)
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			_, err := s.catalog.Create(b.Context(), next())
			must(b, err)
		}
	})
	for name, id := range map[string]bool{"claim with an id": true, "claim": false} {
		b.Run(name, func(b *testing.B) {
			var worst time.Duration
			for b.Loop() {
				b.StopTimer()
				_, err := s.catalog.Fill(b.Context(), 1)
				must(b, err)
				t := next()
				if !id {
					t.ID = ""
				}
				b.StartTimer()
				began := time.Now()
				_, err = s.catalog.Claim(b.Context(), t)
				must(b, err)
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}

// BenchmarkList reads 10,000 tenants from PostgreSQL.
func BenchmarkList(b *testing.B) {
	store := catalog.GORM(open(b, postgresDatabase(b), nil, nil))
	for i := range 100 {
		batch := make([]*catalog.Tenant, 100)
		for j := range batch {
			id := fmt.Sprintf("t%05d", 100*i+j)
			batch[j] = &catalog.Tenant{ID: tenancy.ID(id), State: catalog.Active, Domains: []string{id + ".org"}}
		}
		must(b, store.Save(b.Context(), batch...))
	}
	for b.Loop() {
		n := 0
		for _, err := range store.List(b.Context(), catalog.Filter{States: []catalog.State{catalog.Active}}) {
			must(b, err)
			n++
		}
		if n != 10_000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkPoll is what a process asks each second when nothing changed.
func BenchmarkPoll(b *testing.B) {
	store := catalog.GORM(open(b, postgresDatabase(b), nil, nil))
	t := &catalog.Tenant{ID: "acme", State: catalog.Active}
	must(b, store.Save(b.Context(), t))
	for b.Loop() {
		_, err := store.Changes(b.Context(), t.Revision)
		must(b, err)
	}
}

// BenchmarkSuspend measures how long after Suspend returned another process, which is busy, still serves the tenant.
func BenchmarkSuspend(b *testing.B) {
	store := catalog.GORM(open(b, postgresDatabase(b), nil, nil))
	must(b, store.Save(b.Context(), &catalog.Tenant{ID: "acme", State: catalog.Active}))
	mine, err := catalog.New(store)
	must(b, err)
	other, err := catalog.New(store)
	must(b, err)
	var worst, sum time.Duration
	for b.Loop() {
		_, err := mine.Resume(b.Context(), "acme")
		must(b, err)
		for other.Lookup(b.Context(), "acme") != nil {
		}
		_, err = mine.Suspend(b.Context(), "acme")
		must(b, err)
		began := time.Now()
		if mine.Lookup(b.Context(), "acme") == nil {
			b.Fatal("served by the process that suspended it")
		}
		for other.Lookup(b.Context(), "acme") == nil {
		}
		took := time.Since(began)
		worst, sum = max(worst, took), sum+took
	}
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
	b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "mean-ms")
}
