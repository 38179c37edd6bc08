package shared_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// statements is a GORM logger that keeps what was said.
type statements struct {
	logger.Interface
	sent, warned []string
}

func (s *statements) LogMode(logger.LogLevel) logger.Interface { return s }

func (s *statements) Trace(_ context.Context, _ time.Time, f func() (string, int64), _ error) {
	text, _ := f()
	s.sent = append(s.sent, text)
}

func (s *statements) Warn(_ context.Context, format string, args ...any) {
	s.warned = append(s.warned, fmt.Sprintf(format, args...))
}

// state is what the catalog says of policies; xmin shows whether a row of it was written again.
func (d database) state() (out string) {
	d.Helper()
	err := d.admin.QueryRow(`SELECT string_agg(concat_ws(' ', c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity, p.polname,
		pg_get_expr(p.polqual, c.oid), p.xmin), chr(10) ORDER BY c.relname, p.polname)
		FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')`).Scan(&out)
	if err != nil {
		d.Fatal(err)
	}
	return out
}

// TestMigrateTwice shows that the second time nothing is written, before and after db.Use.
func TestMigrateTwice(t *testing.T) {
	t.Parallel()
	d := filled(t)
	before := d.state()
	for _, table := range []string{"polls t t tenancy", "labels t t tenancy", "notes t t tenancy", "poll_labels t t tenancy", "plans f f"} {
		if !strings.Contains(before, table) {
			t.Errorf("no %q in\n%s", table, before)
		}
	}
	d.migrate()
	s := secured()
	p := pluginOf(s)
	if err := s.Migrate(nobody, use(t, d.app(), p), p, &Plan{}); err != nil {
		t.Errorf("after db.Use: %v", err)
	}
	if after := d.state(); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

// TestDrift shows that db.Use refuses every change that would let rows through, by the name of the table and of the call
// that mends it, and that the call does.
func TestDrift(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"disabled":        "ALTER TABLE polls DISABLE ROW LEVEL SECURITY",
		"not forced":      "ALTER TABLE polls NO FORCE ROW LEVEL SECURITY",
		"dropped":         "DROP POLICY tenancy ON polls",
		"open":            "ALTER POLICY tenancy ON polls USING (true)",
		"open to write":   "ALTER POLICY tenancy ON polls WITH CHECK (true)",
		"other setting":   "ALTER POLICY tenancy ON polls USING (tenant_id = (SELECT nullif(current_setting('app.tenant', true), '')))",
		"other column":    "ALTER POLICY tenancy ON polls USING (title = (SELECT nullif(current_setting('app.tenant_id', true), '')))",
		"empty is a name": "ALTER POLICY tenancy ON polls USING (tenant_id = (SELECT current_setting('app.tenant_id', true)))",
		"or":              "ALTER POLICY tenancy ON polls USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')) OR votes > 0)",
		"other operator":  "ALTER POLICY tenancy ON polls USING (tenant_id >= (SELECT nullif(current_setting('app.tenant_id', true), '')))",
		"each row":        "ALTER POLICY tenancy ON polls USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''))",
		"reads only": "DROP POLICY tenancy ON polls; CREATE POLICY tenancy ON polls FOR SELECT USING (tenant_id = " +
			"(SELECT nullif(current_setting('app.tenant_id', true), '')))",
		"restrictive": "DROP POLICY tenancy ON polls; CREATE POLICY tenancy ON polls AS RESTRICTIVE USING (tenant_id = " +
			"(SELECT nullif(current_setting('app.tenant_id', true), ''))) WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')))",
		"one role": "ALTER POLICY tenancy ON polls TO postgres",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := filled(t)
			d.root(change)
			err := plain(t, d.app()).Use(pluginOf(secured()))
			if !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "table polls") || !contains(err, "Migrate") || contains(err, "table notes") {
				t.Errorf("db.Use: %v", err)
			}
			d.migrate()
			if err := plain(t, d.app()).Use(pluginOf(secured())); err != nil {
				t.Errorf("after Migrate: %v", err)
			}
		})
	}
}

// TestForeignPolicies shows that policies of other names are left alone, that one which only narrows is reported to GORM's
// logger, and that one which widens is refused by Migrate and by db.Use.
func TestForeignPolicies(t *testing.T) {
	t.Parallel()
	auditor := role(t, "auditor", "NOLOGIN")
	inherited := role(t, "inherited", "NOLOGIN")
	login := role(t, "login", "LOGIN INHERIT IN ROLE "+inherited)
	for name, tc := range map[string]struct {
		policy          string
		migrate, useErr bool
	}{
		"restrictive":        {"AS RESTRICTIVE USING (votes < 100)", false, false},
		"somebody else's":    {"TO " + auditor + " USING (true)", false, false},
		"everybody":          {"USING (title = 'poll 11')", true, true},
		"everybody's insert": {"FOR INSERT WITH CHECK (true)", true, true},
		"inherited":          {"TO " + inherited + " USING (true)", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := filled(t)
			d.root("CREATE POLICY theirs ON polls " + tc.policy)
			d.root("GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + login)
			t.Cleanup(func() { d.root("DROP OWNED BY " + login + ", " + inherited + ", " + auditor) })
			said := &statements{Interface: logger.Discard}
			s := secured()
			err := s.Migrate(nobody, plain(t, d.app(), &gorm.Config{Logger: said}), pluginOf(s), &Plan{})
			if errors.Is(err, tenancy.ErrUnconfined) != tc.migrate || (err == nil) == tc.migrate {
				t.Errorf("Migrate: %v", err)
			}
			if err != nil && !contains(err, `"theirs" of table polls`) {
				t.Errorf("Migrate does not name the policy: %v", err)
			}
			if warned := strings.Join(said.warned, "\n"); !tc.migrate && !strings.Contains(warned, `"theirs"`) {
				t.Errorf("the logger was told %q", warned)
			}
			err = plain(t, d.server.DSN(login, d.name)).Use(pluginOf(secured()))
			if errors.Is(err, tenancy.ErrUnconfined) != tc.useErr || (err == nil) == tc.useErr {
				t.Errorf("db.Use: %v", err)
			}
			if !strings.Contains(d.state(), " theirs ") {
				t.Error("their policy is gone")
			}
		})
	}
}

// TestPolicySQL shows that the text does what Migrate does, twice.
func TestPolicySQL(t *testing.T) {
	t.Parallel()
	d := empty(t)
	db := plain(t, d.app()+"&default_query_exec_mode=simple_protocol")
	if err := db.AutoMigrate(&Poll{}, &Label{}, &Note{}, &Plan{}); err != nil {
		t.Fatal(err)
	}
	err := plain(t, d.app()).Use(pluginOf(secured()))
	for _, table := range []string{"polls", "labels", "notes", "poll_labels"} {
		if !contains(err, "table "+table+" has no row-level security") {
			t.Errorf("db.Use does not name %s: %v", table, err)
		}
	}
	s := secured()
	text, err := s.PolicySQL(db, pluginOf(s))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := pool(t, db).Exec(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	before := d.state()
	use(t, d.app(), pluginOf(secured()))
	d.migrate()
	if after := d.state(); after != before {
		t.Errorf("Migrate made\n%s\nof\n%s", after, before)
	}
}

// TestPartitions shows that a partition is protected, too: raw SQL can name it.
func TestPartitions(t *testing.T) {
	t.Parallel()
	d := empty(t)
	d.root("CREATE TABLE notes (tenant_id text, id bigint, body text, PRIMARY KEY (tenant_id, id)) PARTITION BY LIST (tenant_id);" +
		"CREATE TABLE notes_ab PARTITION OF notes FOR VALUES IN ('a', 'b') PARTITION BY HASH (id);" +
		"CREATE TABLE notes_ab_0 PARTITION OF notes_ab FOR VALUES WITH (MODULUS 1, REMAINDER 0);" +
		"ALTER TABLE notes OWNER TO " + servers.App + "; ALTER TABLE notes_ab OWNER TO " + servers.App + "; ALTER TABLE notes_ab_0 OWNER TO " + servers.App)
	d.migrate()
	d.root(seed)
	direct := pool(t, use(t, d.app(), pluginOf(secured())))
	for _, table := range []string{"notes", "notes_ab", "notes_ab_0"} {
		if n, err := count(asA, direct, "SELECT * FROM "+table); n != 3 || err != nil {
			t.Errorf("%s: %d rows and %v, want 3", table, n, err)
		}
	}
	d.root("CREATE TABLE notes_c PARTITION OF notes FOR VALUES IN ('c')")
	if err := plain(t, d.app()).Use(pluginOf(secured())); !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "table notes_c ") {
		t.Errorf("a new partition: %v", err)
	}
}

// TestMigrateWaits shows that Migrate gives up on a lock, and that nothing was done.
func TestMigrateWaits(t *testing.T) {
	t.Parallel()
	d := filled(t)
	d.root("DROP POLICY tenancy ON labels; DROP POLICY tenancy ON polls")
	before := d.state()
	tx, err := d.admin.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("LOCK TABLE polls IN ROW SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	s := secured()
	if err := s.Migrate(nobody, plain(t, d.app()), pluginOf(s)); code(err) != "55P03" {
		t.Errorf("got %v, want a lock timeout", err)
	}
	if after := d.state(); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

// TestMigrateTogether shows that several processes may start at once on an empty database.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	d := empty(t)
	errs := make(chan error)
	const processes = 4
	for range processes {
		db := plain(t, d.app())
		go func() {
			s := secured()
			errs <- s.Migrate(nobody, db, pluginOf(s), &Plan{})
		}()
	}
	for range processes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	use(t, d.app(), pluginOf(secured()))
}

// TestMigrateSeesNothing shows that the owner of the tables, as whom Migrate runs, sees no rows.
func TestMigrateSeesNothing(t *testing.T) {
	t.Parallel()
	d := filled(t)
	if n, err := count(nobody, pool(t, plain(t, d.app())), "SELECT * FROM polls"); n != 0 || err != nil {
		t.Errorf("%d rows and %v", n, err)
	}
}

// TestMigrateRefuses shows the mistakes Migrate does not forgive.
func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	d := empty(t)
	without := shared.New()
	if err := without.Migrate(nobody, plain(t, d.app()), pluginOf(without)); err == nil {
		t.Error("without the option: no error")
	}
	s := secured()
	undeclared := tenancy.New(s, tenancy.OwnedModels(&Plan{}))
	if err := s.Migrate(nobody, plain(t, d.app()), undeclared); !errors.Is(err, tenancy.ErrUndeclared) {
		t.Errorf("an owned model without tenant field: %v", err)
	}
	d.root("CREATE MATERIALIZED VIEW notes AS SELECT 'a' AS tenant_id, 1 AS id, '' AS body")
	d.root("ALTER MATERIALIZED VIEW notes OWNER TO " + servers.App)
	if err := plain(t, d.app()).Use(pluginOf(s)); !errors.Is(err, tenancy.ErrUnconfined) || !contains(err, "notes is no table") {
		t.Errorf("a materialized view: %v", err)
	}
}
