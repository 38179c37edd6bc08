package shared_test

import (
	"database/sql"
	"strings"
	"testing"
)

// TestControls shows that the leak test finds what it is made to find: with one thing less, its cases fail.
func TestControls(t *testing.T) {
	t.Parallel()
	attacks := []string{
		"select all", "select foreign key", "select foreign tenant", "select same ids", "sub-select", "CTE", "update all", "update foreign",
		"take a row", "delete all", "delete foreign", "delete using", "copy out", "upsert same id", "merge",
	}
	for name, tc := range map[string]struct {
		without string // what is taken away
		open    func(d database) *sql.DB
		caught  []string // by these cases
	}{
		"without row-level security": {
			"ALTER TABLE polls DISABLE ROW LEVEL SECURITY; ALTER TABLE notes DISABLE ROW LEVEL SECURITY",
			database.walled, attacks[:len(attacks)-2],
		},
		"with an open policy": {
			"CREATE POLICY open ON polls USING (true); CREATE POLICY open ON notes USING (true)",
			database.walled, append([]string{"insert for another", "move a row", "upsert foreign", "upsert takes foreign", "upsert as another"}, attacks[:12]...),
		},
		"without WITH CHECK": {
			"ALTER POLICY tenancy ON polls WITH CHECK (true)",
			database.walled,
			[]string{"insert for another", "insert for nobody"},
		},
		"without FORCE": {
			"ALTER TABLE polls NO FORCE ROW LEVEL SECURITY; ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
			database.walled, attacks[:12],
		},
		"links that nobody holds": {
			"ALTER POLICY tenancy ON poll_labels USING (true) WITH CHECK (true)",
			database.walled,
			[]string{"links", "insert link to foreign label", "insert link to foreign poll", "delete links"},
		},
		"without the setting": { // nothing leaks, but nothing works
			"SELECT 1",
			func(d database) *sql.DB { return pool(d, plain(d, d.app())) },
			[]string{"select all", "insert", "update all", "delete all", "copy out"},
		},
		"as the superuser": {
			"SELECT 1",
			func(d database) *sql.DB { return d.admin }, attacks[:12],
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := filled(t)
			direct := tc.open(d)
			d.root(tc.without)
			found := "\n" + strings.Join(d.violations(direct), "\n")
			for _, name := range tc.caught {
				if !strings.Contains(found, "\n"+name+": ") {
					t.Errorf("%q does not notice; found are%s", name, found)
				}
			}
		})
	}
}

// walled is the pool that the leak test uses.
func (d database) walled() *sql.DB {
	d.Helper()
	return pool(d, use(d, d.app(), pluginOf(secured())))
}
