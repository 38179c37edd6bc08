package shared_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestCentralSpoof: SQL that outsiders get into a central statement does not make it a tenant's.
func TestCentralSpoof(t *testing.T) {
	t.Parallel()
	d := filled(t)
	s := secured()
	for _, mode := range []string{"", "&default_query_exec_mode=simple_protocol"} {
		db := use(t, d.app()+mode, pluginOf(s))
		p := pool(t, db)
		d.unchanged(t, func() {
			for _, attack := range []string{
				"SELECT set_config('app.tenant_id', 'b', true) || (SELECT body FROM notes WHERE id = 1)",
				"SELECT query_to_xml('SELECT body FROM notes', true, true, '')::text", "SET LOCAL app.tenant_id = 'b'",
				"SET app.tenant_id = 'b'", "DO $$ BEGIN PERFORM 1; END $$",
			} {
				var got sql.NullString
				if err := p.QueryRowContext(central, attack).Scan(&got); !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("%s: %q %v", attack, got.String, err)
				}
			}
			var names []string
			for _, condition := range []string{
				"id = 1 OR set_config('app.tenant_id', 'b', true) = 'b'",
				"set_config('app.tenant_id', 'b', true) = query_to_xml('DELETE FROM notes', true, true, '')::text",
			} {
				err := db.WithContext(central).Model(&Plan{}).Where(condition).Pluck("name", &names).Error
				if !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("%s: %q %v", condition, names, err)
				}
			}
			err := db.WithContext(central).Model(&Plan{}).Where("id = 1").Pluck("name", &names).Error // the control
			if err != nil || len(names) != 1 {
				t.Errorf("%q %v", names, err)
			}
			for _, text := range []string{"SET LOCAL lock_timeout = '1s'", "CREATE TABLE IF NOT EXISTS later (id int)"} {
				if _, err := p.ExecContext(central, text); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
		})
	}
}
