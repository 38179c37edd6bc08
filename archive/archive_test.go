package archive_test

import (
	"bytes"
	"testing"

	"github.com/gorm-tenancy/tenancy/archive"
)

// TestRoundTrip exports a tenant, erases it and imports it: it has the same rows, and b, whose ids overlap where they can,
// has what it had.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		b.fill()
		b.unchanged(func() {
			before := b.dump("a")
			text, m := export(t, b.db, "a", archive.SchemaVersion("7"))
			if bytes.Contains(text, []byte("of b")) || m.Tenant != "a" || m.SchemaVersion != "7" {
				t.Errorf("manifest %+v", m)
			}
			same(t, "sum", sum(t, b.db, "a"), m)
			counts, err := archive.Erase(as("a"), b.db)
			must(t, err)
			for _, c := range counts {
				if want := rowsOf(m, c.Table); c.Rows != want || want == 0 {
					t.Errorf("erased %d rows of %s, exported %d", c.Rows, c.Table, want)
				}
			}
			if left := b.dump("a"); left != "" {
				t.Errorf("a still has\n%s", left)
			}
			report, err := archive.Import(as("a"), b.db, bytes.NewReader(text))
			must(t, err)
			same(t, "report", report.Manifest, m)
			same(t, "import", sum(t, b.db, "a"), m)
			if after := b.dump("a"); after != before && b.db.Name() != "sqlite" { // SQLite keeps the zone as text
				t.Errorf("a had\n%s\nand has\n%s", before, after)
			}
		})
	})
}

func rowsOf(m archive.Manifest, table string) int64 {
	for _, t := range m.Tables {
		if t.Name == table {
			return t.Rows
		}
	}
	return -1
}
