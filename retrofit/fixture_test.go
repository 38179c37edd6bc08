package retrofit_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/retrofit"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// The application as it was.
type (
	// Company is what there is of tenants.
	Company struct {
		ID   uint
		Slug string `gorm:"size:63;uniqueIndex"`
	}
	// OldPoll knows its company.
	OldPoll struct {
		ID        uint
		CompanyID uint
		Slug      string `gorm:"size:100;uniqueIndex:idx_polls_slug"`
		Votes     int
	}
	// OldChoice does not: its poll does.
	OldChoice struct {
		ID     uint
		PollID uint
		Poll   OldPoll
		Text   string `gorm:"size:100"`
	}
)

// TableName is GORM's.
func (OldPoll) TableName() string { return "polls" }

// TableName is GORM's.
func (OldChoice) TableName() string { return "choices" }

// The application as it will be.
type (
	// Poll has a tenant.
	Poll struct {
		ID        uint
		TenantID  string `gorm:"not null;size:63;uniqueIndex:idx_polls_slug,priority:1"`
		CompanyID uint
		Slug      string `gorm:"size:100;uniqueIndex:idx_polls_slug,priority:2"`
		Votes     int
		Choices   []Choice
	}
	// Choice has one, too.
	Choice struct {
		ID       uint
		TenantID string `gorm:"not null;size:63"`
		PollID   uint
		Text     string `gorm:"size:100"`
	}
)

var (
	asAcme    = tenancy.WithTenant(context.Background(), "acme")
	asGlobex  = tenancy.WithTenant(context.Background(), "globex")
	byCompany = retrofit.From(&Poll{}, "SELECT companies.slug FROM companies WHERE companies.id = polls.company_id")
)

func newPlugin() *tenancy.Plugin {
	return tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}, &Choice{}), tenancy.CentralModels(&Company{}))
}

// env is a database with the old application's tables.
type env struct {
	testing.TB
	kind string
	dsn  string
	db   *gorm.DB // plain
}

// backends runs f on each kind of database.
func backends(t *testing.T, f func(*testing.T, *env)) {
	t.Helper()
	on(t, f, "sqlite", "postgres", "mysql")
}

// onServers leaves out SQLite, where there is one writer and no lock of a table or a row.
func onServers(t *testing.T, f func(*testing.T, *env)) {
	t.Helper()
	on(t, f, "postgres", "mysql")
}

func on(t *testing.T, f func(*testing.T, *env), kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f(t, newEnv(t, kind))
		})
	}
}

func newEnv(tb testing.TB, kind string) *env {
	tb.Helper()
	e := &env{TB: tb, kind: kind}
	switch kind {
	case "postgres":
		s := servers.Postgres(tb)
		e.dsn = s.DSN(servers.App, s.Database(tb))
	case "mysql":
		s := servers.MariaDB(tb)
		e.dsn = s.DSN(servers.App, s.Database(tb))
	case "sqlite":
		e.dsn = "file:" + filepath.Join(tb.TempDir(), "app.db") + "?_busy_timeout=20000&_journal_mode=WAL&_txlock=immediate&_foreign_keys=1"
	}
	e.db = e.connect(e.dsn)
	must(tb, e.db.AutoMigrate(&Company{}, &OldPoll{}, &OldChoice{}))
	must(tb, e.db.Create(&[]Company{{1, "acme"}, {2, "globex"}}).Error)
	return e
}

// open is another program's connection, as docs/retrofit.md wants it: without prepared statements on MariaDB.
func (e *env) open() *gorm.DB {
	e.Helper()
	if e.kind == "mysql" {
		return e.connect(e.dsn + "&interpolateParams=true")
	}
	return e.connect(e.dsn)
}

// connect names columns: see TestCachedPlans.
func (e *env) connect(dsn string) *gorm.DB {
	e.Helper()
	db, err := gorm.Open(dialector(e.kind, dsn), &gorm.Config{Logger: logger.Discard, QueryFields: true})
	must(e, err)
	pool, err := db.DB()
	must(e, err)
	pool.SetMaxOpenConns(4)
	e.Cleanup(func() { pool.Close() })
	return db
}

func dialector(kind, dsn string) gorm.Dialector {
	switch kind {
	case "postgres":
		return postgres.Open(dsn)
	case "mysql":
		return mysql.Open(dsn)
	}
	return sqlite.Open(dsn)
}

// seed gives both companies polls with a choice each, of the ids 1 to 2n, odd ones acme's.
func (e *env) seed(n int) {
	e.Helper()
	polls, choices := make([]OldPoll, 2*n), make([]OldChoice, 2*n)
	for i := range polls {
		polls[i] = OldPoll{ID: uint(i + 1), CompanyID: uint(i%2 + 1), Slug: fmt.Sprint("seed-", i+1)}
		choices[i] = OldChoice{ID: uint(i + 1), PollID: uint(i + 1), Text: fmt.Sprint("choice ", i+1)}
	}
	must(e, e.db.Omit("Poll").CreateInBatches(&polls, 500).Error)
	must(e, e.db.Omit("Poll").CreateInBatches(&choices, 500).Error)
	if e.kind == "postgres" {
		e.exec("SELECT setval('polls_id_seq', (SELECT max(id) FROM polls)), setval('choices_id_seq', (SELECT max(id) FROM choices))")
	}
}

func (e *env) exec(query string, args ...any) {
	e.Helper()
	must(e, e.db.Exec(query, args...).Error)
}

func (e *env) retrofit(opts ...retrofit.Option) *retrofit.Retrofit {
	e.Helper()
	r, err := retrofit.New(e.db, newPlugin(), opts...)
	must(e, err)
	return r
}

// count is a number that the database tells.
func (e *env) count(query string, args ...any) (n int) {
	e.Helper()
	must(e, e.db.Raw(query, args...).Scan(&n).Error)
	return n
}

// all runs all stages.
func (e *env) all(r *retrofit.Retrofit) {
	e.Helper()
	for _, stage := range retrofit.Stages() {
		e.stage(r, stage)
	}
}

func (e *env) stage(r *retrofit.Retrofit, stage retrofit.Stage) retrofit.Report {
	e.Helper()
	report, err := r.Do(e.Context(), stage)
	if err != nil {
		e.Fatalf("%s: %v", stage, err)
	}
	return report
}

// dump is every row of a tenant, read past all walls.
func (e *env) dump(tenant string) string {
	e.Helper()
	var polls []Poll
	var choices []Choice
	must(e, e.db.Where("tenant_id = ?", tenant).Order("id").Find(&polls).Error)
	must(e, e.db.Where("tenant_id = ?", tenant).Order("id").Find(&choices).Error)
	return fmt.Sprint(polls, choices)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

// structure is what the database says of the tables, to see whether something was changed.
func (e *env) structure() string {
	e.Helper()
	var out []string
	query := map[string]string{
		"sqlite": "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name",
		"postgres": "SELECT concat_ws(' ', table_name, column_name, is_nullable, column_default) FROM information_schema.columns WHERE table_schema = 'public' " +
			"UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal " +
			"UNION ALL SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace UNION ALL SELECT proname::text FROM pg_proc WHERE proname LIKE 'tenancy%' ORDER BY 1",
		"mysql": "SELECT CONCAT_WS(' ', table_name, column_name, is_nullable, column_default) FROM information_schema.columns WHERE table_schema = DATABASE() " +
			"UNION ALL SELECT CONCAT_WS(' ', index_name, column_name) FROM information_schema.statistics WHERE table_schema = DATABASE() " +
			"UNION ALL SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY 1",
	}[e.kind]
	must(e, e.db.Raw(query).Scan(&out).Error)
	return strings.Join(out, "\n")
}

// untriggered runs a statement without the triggers of a table, which Add makes again.
func (e *env) untriggered(table, query string) {
	e.Helper()
	var names []string
	list := map[string]string{
		"sqlite":   "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?",
		"postgres": "SELECT tgname::text FROM pg_trigger WHERE tgrelid = to_regclass(?) AND NOT tgisinternal",
		"mysql":    "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND event_object_table = ?",
	}[e.kind]
	must(e, e.db.Raw(list, table).Scan(&names).Error)
	for _, name := range names {
		drop := "DROP TRIGGER " + name
		if e.kind == "postgres" {
			drop += " ON " + table
		}
		e.exec(drop)
	}
	e.exec(query)
}
