package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// TestNobody asks without a tenant.
func TestNobody(t *testing.T) {
	t.Parallel()
	b := backends["shared SQLite"](t).fill()
	text, _ := export(t, b.db, "a")
	b.unchanged(func() {
		before := b.dump("a")
		for _, ctx := range []context.Context{t.Context(), tenancy.Central(t.Context()), tenancy.Bypass(t.Context(), "test"), as("public")} {
			_, errExport := archive.Export(ctx, b.db, &bytes.Buffer{})
			_, errSum := archive.Sum(ctx, b.db)
			_, errImport := archive.Import(ctx, b.db, bytes.NewReader(text), archive.Replace())
			_, errErase := archive.Erase(ctx, b.db)
			for _, err := range []error{errExport, errSum, errImport, errErase} {
				if !errors.Is(err, tenancy.ErrNoTenant) {
					t.Errorf("got %v", err)
				}
			}
		}
		hook := archive.PurgeHook(b.db)
		if err := hook.After(t.Context(), catalog.Event{}); !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("purged nobody: %v", err)
		}
		if after := b.dump("a"); after != before {
			t.Errorf("a has %s", after)
		}
	})
	plain, err := gorm.Open(sqlite.Open(sqliteFile(t.TempDir(), "y.db")), &gorm.Config{})
	must(t, err)
	if _, err := archive.Erase(as("a"), plain); err == nil {
		t.Error("without the plugin")
	}
}

// TestConsistent writes while an export reads: the archive has the rows of one moment.
func TestConsistent(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"shared SQLite", "shared PostgreSQL", "shared MariaDB", "row-level security", "schema PostgreSQL", "database SQLite",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := backends[name](t).fill()
			before := sum(t, b.db, "a")
			written := false
			_, m := export(t, b.db, "a", archive.Progress(func(table string, done, _ int64) {
				if done > 0 && !written { // the first table is read
					written = true
					must(t, b.db.WithContext(as("a")).Create(&Poll{Title: "new", Amount: "1", Choices: []Choice{{Text: "new"}}}).Error)
				}
			}))
			same(t, "while writing", m, before)
			if after := sum(t, b.db, "a"); after.SHA256 == before.SHA256 || !written {
				t.Error("nothing was written")
			}
		})
	}
}

// TestTwoImports runs two imports into one tenant: one of them meets the rows of the other.
func TestTwoImports(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		fill(t, b.db, "a", 1)
		text, m := export(t, b.db, "a")
		tenant := b.tenants()[len(b.tenants())-1]
		if tenant == "a" {
			_, err := archive.Erase(as("a"), b.db)
			must(t, err)
		}
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = archive.Import(as(tenant), b.db, bytes.NewReader(text), archive.Renumber())
			})
		}
		wg.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if !errors.Is(err, archive.ErrNotEmpty) {
				t.Error(err)
			}
		}
		if got := sum(t, b.db, tenant); done != 1 || rowsOf(got, "comments") != rowsOf(m, "comments") {
			t.Errorf("%d imports, %d comments", done, rowsOf(got, "comments"))
		}
	})
}

// TestCancel ends an export and an import in the middle.
func TestCancel(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		b.fill()
		text, m := export(t, b.db, "a")
		cancelled := func() (context.Context, archive.Option) {
			ctx, cancel := context.WithCancel(as("a"))
			return ctx, archive.Progress(func(table string, done, _ int64) {
				if table == "comments" && done == 0 {
					cancel()
				}
			})
		}
		ctx, stop := cancelled()
		var out bytes.Buffer
		if _, err := archive.Export(ctx, b.db, &out, stop); !errors.Is(err, context.Canceled) {
			t.Errorf("export: %v", err)
		}
		if _, err := archive.Import(as("a"), b.db, &out, archive.Replace()); !errors.Is(err, archive.ErrMalformed) {
			t.Errorf("half an archive: %v", err)
		}
		ctx, stop = cancelled()
		if _, err := archive.Import(ctx, b.db, bytes.NewReader(text), archive.Replace(), stop); !errors.Is(err, context.Canceled) {
			t.Errorf("import: %v", err)
		}
		same(t, "after both", sum(t, b.db, "a"), m)
	})
}

// TestProgress counts.
func TestProgress(t *testing.T) {
	t.Parallel()
	b := backends["shared SQLite"](t).fill()
	must(t, b.db.WithContext(as("a")).Session(&gorm.Session{SkipHooks: true}).CreateInBatches(many(1200), 400).Error)
	var out []string
	note := archive.Progress(func(table string, done, total int64) {
		if table == "labels" {
			out = append(out, fmt.Sprintf("%d/%d", done, total))
		}
	})
	text, _ := export(t, b.db, "a", note)
	_, err := archive.Import(as("a"), b.db, bytes.NewReader(text), archive.Replace(), note)
	must(t, err)
	if got := strings.Join(out, " "); got != "0/1202 500/1202 1000/1202 1202/1202 0/1202 500/1202 1000/1202 1202/1202" {
		t.Error(got)
	}
}

func many(n int) []Label {
	labels := make([]Label, n)
	for i := range labels {
		labels[i].Name = fmt.Sprint("label ", i)
	}
	return labels
}

// TestMerge adds rows to rows.
func TestMerge(t *testing.T) {
	t.Parallel()
	b := backends["shared MariaDB"](t).fill()
	text, m := export(t, b.db, "a")
	_, err := archive.Import(as("a"), b.db, bytes.NewReader(text), archive.Merge())
	if !errors.Is(err, archive.ErrKeyTaken) {
		t.Errorf("the same keys: %v", err)
	}
	forged := unpack(t, text)
	forged.files["tables/notes.jsonl"] = ""
	b.unchanged(func() {
		_, err = archive.Import(as("a"), b.db, bytes.NewReader(forged.pack(t)), archive.Merge(), archive.Renumber())
		must(t, err)
	})
	if got := sum(t, b.db, "a"); rowsOf(got, "polls") != 2*rowsOf(m, "polls") || rowsOf(got, "notes") != rowsOf(m, "notes") {
		t.Errorf("%+v", got.Tables)
	}
}

// TestColumns has columns that only one side knows.
func TestColumns(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"shared SQLite", "shared PostgreSQL", "shared MariaDB"} {
		b := backends[name](t).fill()
		raw, _ := b.raw("a")
		text, m := export(t, b.db, "a")
		_, err := raw.Exec("ALTER TABLE labels ADD secret varchar(10)")
		must(t, err)
		_, err = raw.Exec("ALTER TABLE labels ADD twice int GENERATED ALWAYS AS (length(name)) STORED")
		if b.db.Name() == "sqlite" {
			_, err = raw.Exec("ALTER TABLE labels ADD twice int GENERATED ALWAYS AS (length(name)) VIRTUAL")
		}
		must(t, err)
		if _, err := archive.Sum(as("a"), b.db); !errors.Is(err, archive.ErrSchema) || !strings.Contains(err.Error(), `"secret"`) {
			t.Errorf("%s: export of an unknown column: %v", name, err)
		}
		without, err := archive.Sum(as("a"), b.db, archive.SkipUnknownColumns())
		must(t, err)
		same(t, name, without, m)
		// What a newer table has beside is no obstacle, what an archive has is.
		_, err = archive.Import(as("a"), b.db, bytes.NewReader(text), archive.Replace())
		must(t, err)
		forged := unpack(t, text)
		labels := forged.table("labels")
		labels.Columns = append(labels.Columns, archive.Column{Name: "zz", Kind: archive.Text})
		forged.row("labels", `[1,"x","lost"]`)
		forged.only("labels")
		if _, err = archive.Import(as("a"), b.db, bytes.NewReader(forged.pack(t)), archive.Replace()); !errors.Is(err, archive.ErrSchema) {
			t.Errorf("%s: import of an unknown column: %v", name, err)
		}
		_, err = archive.Import(as("a"), b.db, bytes.NewReader(forged.pack(t)), archive.Replace(), archive.SkipUnknownColumns())
		must(t, err)
	}
}

// TestSequence has keys far above the sequence of a role that may not set it.
func TestSequence(t *testing.T) {
	t.Parallel()
	b := backends["schema with roles"](t)
	fill(t, b.db, "a", 1)
	text, _ := export(t, b.db, "a")
	for _, tc := range []struct {
		key  string
		ctx  context.Context
		want error
	}{
		{"150000", as("b"), nil},
		{"3000000000", as("b"), tenancy.ErrUnsupported},
		{"3000000000", schema.AsOwner(as("b")), nil},
	} {
		forged := unpack(t, text)
		forged.only()
		forged.row("labels", "["+tc.key+`,"x"]`)
		_, err := archive.Import(tc.ctx, b.db, bytes.NewReader(forged.pack(t)), archive.Replace())
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.key, err, tc.want)
		}
		if err == nil {
			next := Label{Name: "next"}
			must(t, b.db.WithContext(as("b")).Session(&gorm.Session{SkipHooks: true}).Create(&next).Error)
			if fmt.Sprint(next.ID-1) != tc.key {
				t.Errorf("after %s comes %d", tc.key, next.ID)
			}
		}
	}
}

// TestUndeclared has a table with a tenant column that no model declares.
func TestUndeclared(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		b.fill()
		if !b.shared {
			return
		}
		text, _ := export(t, b.db, "a")
		raw, _ := b.raw("a")
		_, err := raw.Exec("CREATE TABLE forgotten (id int, tenant_id varchar(63))")
		must(t, err)
		_, errExport := archive.Sum(as("a"), b.db)
		_, errImport := archive.Import(as("a"), b.db, bytes.NewReader(text), archive.Replace())
		_, errErase := archive.Erase(as("a"), b.db)
		for _, err := range []error{errExport, errImport, errErase} {
			if !errors.Is(err, archive.ErrSchema) || !strings.Contains(err.Error(), `"forgotten"`) {
				t.Errorf("got %v", err)
			}
		}
		skip := archive.SkipUndeclaredTables()
		_, err = archive.Import(as("a"), b.db, bytes.NewReader(text), archive.Replace(), skip)
		must(t, err)
		_, err = archive.Copy(t.Context(), b.db, "a", "a2", skip)
		if !b.alone {
			must(t, err)
		}
		_, err = archive.Erase(as("a"), b.db, skip)
		must(t, err)
		if b.dump("a") != "" {
			t.Error("not erased")
		}
	})
}
