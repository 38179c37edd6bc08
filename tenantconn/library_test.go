package tenantconn_test

import (
	"testing"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// TestGoose runs a library that knows nothing of tenants over the confined pool: each tenant gets the migrations, and the
// table in which goose keeps its versions, in its own schema.
func TestGoose(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"00001_tags.sql": {Data: []byte("-- +goose Up\nCREATE TABLE tags (id int PRIMARY KEY, name text);\nINSERT INTO tags VALUES (1, 'x');\n" +
			"-- +goose Down\nDROP TABLE tags;\n")},
		"00002_index.sql": {Data: []byte("-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY notes_body ON notes (body);\n" +
			"-- +goose Down\nDROP INDEX CONCURRENTLY notes_body;\n")},
	}
	through(t, func(t *testing.T, f fixture) {
		if f.mode.pooled {
			return // CREATE INDEX CONCURRENTLY is refused there, see TestOutsideTransactions
		}
		db := f.open()
		provider := func() *goose.Provider { // one for each tenant: it remembers that it made its table
			p, err := goose.NewProvider(goose.DialectPostgres, db, files)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		p := provider()
		if _, err := p.Up(asA); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Up(asA); err != nil {
			t.Errorf("again: %v", err)
		}
		if n, err := p.GetDBVersion(asA); err != nil || n != 2 {
			t.Errorf("a has version %d: %v", n, err)
		}
		var elsewhere int
		err := f.plain(f.server.DSN("app", f.name)).QueryRow("SELECT count(*) FROM pg_tables " +
			"WHERE tablename IN ('tags', 'goose_db_version') AND schemaname <> 't_a'").Scan(&elsewhere)
		if err != nil || elsewhere != 0 {
			t.Errorf("%d tables outside a: %v", elsewhere, err)
		}
		if _, err := provider().Up(asB); err != nil {
			t.Error(err)
		}
		if _, err := p.DownTo(asA, 0); err != nil {
			t.Error(err)
		}
	})
}
