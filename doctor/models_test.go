package doctor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/doctor"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/pinned"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

func openMySQL(dsn string) gorm.Dialector { return mysql.Open(dsn) }

// unchecked is the option under test.
var unchecked = []tenancy.Option{tenancy.WithoutReferenceChecks()}

// TestReferences: with WithoutReferenceChecks, foreign keys of the database have to include the tenant.
func TestReferences(t *testing.T) {
	t.Parallel()
	const addKeys = "CREATE UNIQUE INDEX refs ON polls (tenant_id, id); " +
		"ALTER TABLE choices ADD CONSTRAINT of_poll FOREIGN KEY (tenant_id, poll_id) REFERENCES polls (tenant_id, id)"
	const table = "CREATE TABLE choices (id integer PRIMARY KEY, tenant_id text, poll_id integer, text text"
	for name, tc := range map[string]struct {
		ward         func(t testing.TB) *clinic
		mends, again string
	}{
		"PostgreSQL": {func(t testing.TB) *clinic { return onPostgres(t, shared.New(), unchecked...) }, addKeys, "ALTER TABLE choices DROP CONSTRAINT of_poll"},
		"MariaDB":    {func(t testing.TB) *clinic { return onMariaDB(t, shared.New(), unchecked...) }, addKeys, "ALTER TABLE choices DROP CONSTRAINT of_poll"},
		"SQLite": {
			func(t testing.TB) *clinic { return onSQLite(t, unchecked...) },
			"DROP TABLE choices; CREATE UNIQUE INDEX refs ON polls (tenant_id, id); " + table + ", FOREIGN KEY (tenant_id, poll_id) REFERENCES polls (tenant_id, id))",
			"DROP TABLE choices; " + table + ", FOREIGN KEY (poll_id) REFERENCES polls (id))",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := tc.ward(t).settle()
			c.exec(strings.Split(tc.mends, "; ")...)
			sick{code: "reference-unchecked", table: "choices", breaks: tc.again, mends: strings.Replace(tc.mends, "CREATE UNIQUE INDEX refs ON polls (tenant_id, id); ", "", 1)}.check(c)
		})
	}
}

// TestChecked: where the plugin looks, no foreign key is asked for.
func TestChecked(t *testing.T) {
	t.Parallel()
	if r := onSQLite(t).settle().run(); len(find(r, "reference-unchecked")) != 0 || status(r, "references").Status != doctor.Done {
		t.Error(r)
	}
}

// TestEnforced: SQLite ignores foreign keys unless the connection asks for them.
func TestEnforced(t *testing.T) {
	t.Parallel()
	c := onSQLite(t, unchecked...).settle()
	healthy := c.db
	sick{
		code: "foreign-keys-off",
		breakIt: func(c *clinic) {
			c.db = c.open(strings.Replace(c.dsn, "_foreign_keys=1", "_foreign_keys=0", 1), shared.New())
		},
		mendIt: func(c *clinic) {
			c.db = healthy
			c.exec("CREATE UNIQUE INDEX refs ON polls (tenant_id, id)", "DROP TABLE choices",
				"CREATE TABLE choices (id integer PRIMARY KEY, tenant_id text, poll_id integer, text text, "+
					"FOREIGN KEY (tenant_id, poll_id) REFERENCES polls (tenant_id, id))", "CREATE INDEX led ON choices (tenant_id)")
		},
	}.check(c)
}

// The models of TestKeys.
type (
	byTenant struct {
		TenantID string `gorm:"primaryKey;size:63"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
	}
	bySlug struct {
		Slug     string `gorm:"primaryKey;size:63"`
		TenantID string `gorm:"size:63;index"`
	}
	byUUID struct {
		ID       string `gorm:"primaryKey;type:uuid"`
		TenantID string `gorm:"size:63;index"`
	}
	numbered struct { // within a poll, whose tenant is checked
		ID       uint
		TenantID string `gorm:"size:63;index"`
		PollID   uint   `gorm:"uniqueIndex:number"`
		Poll     *Poll
		Number   int `gorm:"uniqueIndex:number"`
	}
)

// TestKeys: which keys say something about other tenants.
func TestKeys(t *testing.T) {
	t.Parallel()
	models := []any{&byTenant{}, &bySlug{}, &byUUID{}, &numbered{}}
	c := onPostgres(t, shared.New(), tenancy.OwnedModels(models...)).settle()
	must(t, c.db.WithContext(tenancy.Bypass(context.Background(), "create tables")).AutoMigrate(models...))
	r := c.run()
	got := map[string]string{}
	for _, f := range r.Findings {
		got[f.Table] += f.Code
	}
	want := map[string]string{"polls": "key-sequential", "choices": "key-sequential", "numbereds": "key-sequential", "by_slugs": "key-global"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v\n%s", got, want, r)
	}
}

// TestExpressions: an index of expressions is judged by its columns.
func TestExpressions(t *testing.T) {
	t.Parallel()
	sick{
		code: "unique-global", table: "polls", breaks: "CREATE UNIQUE INDEX folded ON polls (lower(title))",
		mends: "DROP INDEX folded; CREATE UNIQUE INDEX folded ON polls (lower(title), tenant_id)",
	}.check(onPostgres(t, shared.New()).settle())
}

// TestBehind: tenants that lack migrations, and those whose migrations cannot go on.
func TestBehind(t *testing.T) {
	t.Parallel()
	c := onSQLite(t).settle().migrations()
	head := c.runner
	if r := c.run(); status(r, "migrations").Status != doctor.Done || len(find(r, "behind")) != 0 {
		t.Fatal(r)
	}
	var err error
	c.runner, err = migrate.New(c.db, migrate.List("a", "b"), []migrate.Source{step(1), step(2)})
	must(t, err)
	_, err = c.runner.Up(context.Background(), "a")
	must(t, err)
	r := c.run()
	if found := find(r, "behind"); len(found) != 1 || found[0].Tenant != "b" {
		t.Error(r)
	}
	c.runner = head // an older program: a is ahead of it, which is nobody's mistake
	if r := c.run(); len(find(r, "behind"))+len(find(r, "migration-blocked")) != 0 {
		t.Error(r)
	}
	changed := step(1)
	changed.Checksum = "another"
	c.runner, err = migrate.New(c.db, migrate.List("a", "b"), []migrate.Source{changed})
	must(t, err)
	if found := find(c.run(), "migration-blocked"); len(found) != 2 || found[0].Severity != doctor.Error {
		t.Error(found)
	}
	if r, err := doctor.Run(context.Background(), c.db); err != nil || status(r, "migrations").Status != doctor.Skipped || status(r, "catalog").Status != doctor.Skipped {
		t.Errorf("%v: %s", err, r)
	}
}

// TestMany: a report has an end.
func TestMany(t *testing.T) {
	t.Parallel()
	c := onSQLite(t).settle()
	for i := range 250 {
		c.exec(fmt.Sprintf("INSERT INTO polls (tenant_id, title) VALUES ('ghost%d', 'x')", i))
	}
	found := find(c.run(), "row-orphaned")
	if n := len(found); n != 101 || !strings.Contains(found[100].Message, "150 more") {
		t.Errorf("%d findings, the last %v", n, found[n-1])
	}
	if r := c.run(doctor.WithoutRows()); len(find(r, "row-orphaned")) != 0 || status(r, "rows").Status != doctor.Skipped {
		t.Error(r)
	}
}

// TestPinned: one tenant's process examines the database as the others do.
func TestPinned(t *testing.T) {
	t.Parallel()
	c := onPostgres(t, schema.New()).settle()
	c.db = c.open(c.dsn, pinned.New("a", pinned.Over(schema.New())))
	sick{code: "central-shadowed", tenant: "a", breaks: "CREATE TABLE tenant_a.plans (id int)", mends: "DROP TABLE tenant_a.plans"}.check(c)
	alone := onSQLite(t)
	alone.db = alone.open(alone.dsn, pinned.New("a"))
	if r, err := doctor.Run(context.Background(), alone.db); err != nil || r.Err() != nil || r.Count(doctor.Warning) != 0 {
		t.Errorf("%v: %s", err, r)
	}
}
