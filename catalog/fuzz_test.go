package catalog_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/httpmw"
)

// FuzzDomain registers a domain and asks for the host as a browser would: whoever is admitted under one spelling is
// admitted under the canonical one, and no second tenant can register either.
func FuzzDomain(f *testing.F) {
	for _, s := range []string{
		"acme.org", "ACME.org.", "acme.org:80", "bücher.example", "xn--bcher-kva.example", "ＡＣＭＥ.org", "K.org", "a..b", "[::1]", "1.2.3.4",
		"xn--thor-.org", "faß.de", "acme.org..", "localhost", "a_b.org", "%61cme.org",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, err := catalog.ParseDomain(text)
		if err != nil {
			if name != "" || !errors.Is(err, catalog.ErrInvalidDomain) {
				t.Fatalf("%q: %q, %v", text, name, err)
			}
			return
		}
		if again, err := catalog.ParseDomain(name); again != name || err != nil {
			t.Fatalf("%q is %q is %q (%v)", text, name, again, err)
		}
		ctx, store := context.Background(), catalog.NewMemory()
		must(t, store.Save(ctx, &catalog.Tenant{ID: "acme", State: catalog.Active, Domains: []string{text}}))
		for _, same := range []string{text, name, strings.ToUpper(name), name + "."} {
			err := store.Save(ctx, &catalog.Tenant{ID: "thief", State: catalog.Active, Domains: []string{same}})
			if !errors.Is(err, catalog.ErrDomainTaken) {
				t.Fatalf("%q is taken twice, as %q (%v)", text, same, err)
			}
		}
		c, err := catalog.New(store)
		must(t, err)
		for _, host := range []string{text, name + ":8080", strings.ToUpper(name) + "."} {
			id, err := httpmw.FromDomain(c).Resolve((&http.Request{Host: host}).WithContext(ctx))
			if id != "acme" || err != nil {
				t.Fatalf("host %q: %q, %v", host, id, err)
			}
		}
	})
}

// FuzzCarrier: a payload gives the tenant it names, letter for letter, or a context that may reach nothing.
func FuzzCarrier(f *testing.F) {
	for _, s := range []string{"acme", "", "ACME", "a b", "public", "acme\x00", "..", "ready-1", strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ctx, err := catalog.Extract(tenancy.Bypass(context.Background(), "worker"), catalog.Map{catalog.CarrierKey: text})
		id, ok := tenancy.FromContext(ctx)
		if _, _, reach := tenancy.ReachOf(ctx); ok != (err == nil) || ok != (reach == nil) || ok && string(id) != text {
			t.Fatalf("%q: acts for %q (%v), reaches (%v), error %v", text, id, ok, reach, err)
		}
		if err != nil {
			return
		}
		again := catalog.Map{}
		if err := catalog.Inject(ctx, again); err != nil || again[catalog.CarrierKey] != text {
			t.Fatalf("%q comes back as %v, %v", text, again, err)
		}
	})
}
