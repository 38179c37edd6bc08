package shared_test

import (
	"errors"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestRoles shows which roles db.Use refuses.
func TestRoles(t *testing.T) {
	t.Parallel()
	super := role(t, "super", "SUPERUSER NOLOGIN")
	above := role(t, "above", "BYPASSRLS NOLOGIN")
	for _, tc := range []struct {
		name, attributes string
		named            string // by BypassRole
		want             string // in the error
	}{
		{name: "ordinary", attributes: ""},
		{name: "may create roles and databases", attributes: "CREATEROLE CREATEDB"},
		{name: "superuser", attributes: "SUPERUSER", want: "policies do not hold role"},
		{name: "BYPASSRLS", attributes: "BYPASSRLS", want: "policies do not hold role"},
		{name: "member of a superuser", attributes: "NOINHERIT IN ROLE " + super, want: "can take on role"},
		{name: "member of BYPASSRLS", attributes: "NOINHERIT IN ROLE " + above, want: "can take on role"},
		{name: "inherits from BYPASSRLS", attributes: "INHERIT IN ROLE " + above, want: "can take on role"},
		{name: "reads files", attributes: "IN ROLE pg_read_server_files", want: "can take on role"},
		{name: "named", attributes: "IN ROLE " + above, named: above},
		{name: "named and another", attributes: "IN ROLE " + above + ", " + super, named: above, want: super},
		{name: "superuser named", attributes: "IN ROLE " + super, named: super, want: super},
		{name: "named and not granted", attributes: "", named: above, want: "not granted"},
		{name: "named and unknown", attributes: "", named: "nosuchrole", want: "does not exist"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			login := role(t, "login", "LOGIN "+tc.attributes)
			d := filled(t)
			d.root("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + login)
			t.Cleanup(func() { d.root("DROP OWNED BY " + login) })
			s := secured()
			if tc.named != "" {
				s = secured(shared.BypassRole(tc.named))
			}
			err := plain(t, d.server.DSN(login, d.name)).Use(pluginOf(s))
			if tc.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.want != "" && (!errors.Is(err, tenancy.ErrUnconfined) || !contains(err, tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestBypassRoleSeesNothing shows that a bypass role without policies is refused: an empty report would look right.
func TestBypassRoleSeesNothing(t *testing.T) {
	t.Parallel()
	d, login, reporting := withBypass(t, "")
	d.root("CREATE POLICY everything ON polls TO " + reporting + " USING (true)")
	err := plain(t, d.server.DSN(login, d.name)).Use(pluginOf(secured(shared.BypassRole(reporting))))
	if !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "sees no rows of table") || contains(err, "table polls") {
		t.Errorf("got %v", err)
	}
}

// TestForgotten shows that a readable table with a tenant column which nobody declared is found: raw SQL would read it.
func TestForgotten(t *testing.T) {
	t.Parallel()
	d := filled(t)
	d.root("CREATE TABLE secrets (tenant_id text, secret text); ALTER TABLE secrets OWNER TO " + servers.App)
	err := plain(t, d.app()).Use(pluginOf(secured()))
	if !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "secrets has a tenant column") {
		t.Errorf("got %v", err)
	}
	type Secret struct {
		TenantID string
		Secret   string
	}
	if err := plain(t, d.app()).Use(pluginOf(secured(), tenancy.CentralModels(&Secret{}))); err != nil {
		t.Errorf("declared central: %v", err)
	}
	d.root("CREATE SCHEMA aside; CREATE TABLE aside.secrets (tenant_id text); GRANT USAGE ON SCHEMA aside TO PUBLIC; GRANT SELECT ON aside.secrets TO PUBLIC")
	err = plain(t, d.app()).Use(pluginOf(secured(), tenancy.CentralModels(&Secret{})))
	if !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "aside.secrets has a tenant column") {
		t.Errorf("in another schema: %v", err)
	}
	d.root("REVOKE SELECT ON aside.secrets FROM PUBLIC; ALTER TABLE secrets OWNER TO postgres")
	if err := plain(t, d.app()).Use(pluginOf(secured())); err != nil {
		t.Errorf("not readable: %v", err)
	}
}

// TestViews shows that a declared view needs an owner whom policies hold, or to ask as its invoker.
func TestViews(t *testing.T) {
	t.Parallel()
	type Board struct {
		TenantID string
		Title    string
	}
	d := filled(t)
	p := func() *tenancy.Plugin { return pluginOf(secured(), tenancy.OwnedModels(&Board{})) }
	d.root("CREATE VIEW boards AS SELECT tenant_id, title FROM polls; GRANT SELECT ON boards TO " + servers.App)
	if err := plain(t, d.app()).Use(p()); !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "view boards") {
		t.Errorf("a superuser's view: %v", err)
	}
	for _, mend := range []string{"ALTER VIEW boards SET (security_invoker = on)", "ALTER VIEW boards RESET (security_invoker); ALTER VIEW boards OWNER TO " + servers.App} {
		d.root(mend)
		if n, err := count(asA, pool(t, use(t, d.app(), p())), "SELECT * FROM boards"); err != nil || n != 3 {
			t.Errorf("%s: %d rows and %v, want 3", mend, n, err)
		}
	}
}

// TestSQLite shows that the option is PostgreSQL's, and that without it nothing is asked of a database.
func TestSQLite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		strategy *shared.Strategy
		want     error
	}{"with": {secured(), tenancy.ErrUnsupported}, "without": {shared.New(), nil}} {
		db, err := gorm.Open(sqlite.Open("file::memory:"), &gorm.Config{})
		if err != nil {
			t.Fatal(err)
		}
		before := db.ConnPool
		if err := db.Use(pluginOf(tc.strategy)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		if db.ConnPool != before {
			t.Errorf("%s: the connections were replaced", name)
		}
	}
}

// TestFirstStart shows the order of an application that has no tables yet, in both orders.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	for name, migrateFirst := range map[string]bool{"Migrate, then Use": true, "Use, then Migrate": false} {
		d := empty(t)
		s := secured()
		p := pluginOf(s)
		db := plain(t, d.app(), &gorm.Config{PrepareStmt: migrateFirst})
		steps := []func() error{func() error { return s.Migrate(nobody, db, p, &Plan{}) }, func() error { return db.Use(p) }}
		if !migrateFirst {
			steps[0], steps[1] = steps[1], steps[0]
		}
		for _, step := range steps {
			if err := step(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if err := db.WithContext(asA).Create(&Poll{Title: "first"}).Error; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for ctx, want := range map[string]int64{"a": 1, "b": 0} {
			var n int64
			err := db.WithContext(tenancy.WithTenant(nobody, tenancy.ID(ctx))).Raw("SELECT count(*) FROM polls").Scan(&n).Error
			if err != nil || n != want {
				t.Errorf("%s: %s sees %d polls and %v, want %d", name, ctx, n, err, want)
			}
		}
	}
}
