package archive_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
)

// TestAcross takes one archive around: each backend imports what the one before it exported, and in the end nothing
// differs. Whose rows they are is not in the archive: some imports are b's.
func TestAcross(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"shared SQLite", "shared PostgreSQL"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			text, first := export(t, backends[source](t).fill().db, "a")
			for i, name := range slices.Sorted(maps.Keys(backends)) {
				b := backends[name](t)
				tenant := b.tenants()[i%len(b.tenants())]
				if source != "shared SQLite" && b.db.Name() == "sqlite" {
					narrower(t, b, text)
					continue
				}
				_, err := archive.Import(as(tenant), b.db, bytes.NewReader(text))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				var m archive.Manifest
				text, m = export(t, b.db, tenant)
				same(t, name, m, first)
				for _, other := range b.tenants() {
					if rows := b.dump(other); (rows != "") != (other == tenant) {
						t.Errorf("%s: %s has\n%s", name, other, rows)
					}
				}
				if next := newRow(t, b, tenant); next <= 7 {
					t.Errorf("%s: the next poll has the id %d", name, next)
				}
			}
		})
	}
}

// narrower imports decimals of 30 digits into SQLite, which has 15.
func narrower(t *testing.T, b *backend, text []byte) {
	t.Helper()
	_, err := archive.Import(as("a"), b.db, bytes.NewReader(text))
	if !errors.Is(err, archive.ErrChanged) || b.dump("a") != "" {
		t.Errorf("digits were lost in silence: %v", err)
	}
	_, err = archive.Import(as("a"), b.db, bytes.NewReader(text), archive.AllowLoss())
	must(t, err)
	if b.dump("a") == "" {
		t.Error("nothing was imported")
	}
}

// newRow inserts as applications do, with the next key of the database.
func newRow(t *testing.T, b *backend, tenant tenancy.ID) uint {
	t.Helper()
	p := Poll{Title: "new", Amount: "1"}
	must(t, b.db.WithContext(as(tenant)).Create(&p).Error)
	return p.ID
}
