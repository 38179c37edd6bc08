package schema_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// The models of the tests. Tenants a and b have the same ids in all tables.
type (
	Poll struct {
		ID      uint
		Title   string
		Open    bool
		PlanID  *uint
		Plan    *Plan // central
		Choices []Choice
		Voters  []Voter `gorm:"many2many:poll_voters"`
		Tags    []Tag   `gorm:"many2many:poll_tags"` // central
	}
	Choice struct {
		ID     uint
		PollID uint
		Poll   *Poll
		Text   string
		Votes  int
	}
	Voter struct {
		ID    uint
		Name  string `gorm:"uniqueIndex;size:100"`
		Email string `gorm:"comment:where to write"`
	}
	Note struct { // has a tenant column all the same
		gorm.Model
		TenantID string
		PollID   *uint
		Text     string `gorm:"index"`
	}
	Plan struct {
		ID   uint
		Name string
	}
	Tag struct {
		ID    uint
		Name  string
		Polls []Poll `gorm:"many2many:poll_tags"`
	}
)

var (
	ownedModels   = []any{&Poll{}, &Choice{}, &Voter{}, &Note{}}
	centralModels = []any{&Plan{}, &Tag{}}
	ownedTables   = []string{"polls", "choices", "voters", "notes", "poll_voters", "poll_tags"}
	centralTables = []string{"plans", "tags"}
)

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

func bypass() context.Context { return tenancy.Bypass(context.Background(), "test") }

func options() []tenancy.Option {
	return []tenancy.Option{
		tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(slog.New(slog.DiscardHandler)),
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// env is a database with the tenants a and b and rows of both.
type env struct {
	testing.TB
	name     string
	prefix   string
	dsn      string
	strategy *schema.Strategy
	db       *gorm.DB
	raw      *sql.DB // past the wall, as the superuser
}

// setup is what a test varies.
type setup struct {
	params  string // added to the DSN
	config  gorm.Config
	options []schema.Option
	through func(dsn string) string // a pooler or proxy
	creator bool                    // the application may create roles
}

func open(t testing.TB, dsn string, config gorm.Config, strategy *schema.Strategy) (*gorm.DB, error) {
	t.Helper()
	config.Logger = logger.Discard
	config.TranslateError = true
	db, err := gorm.Open(postgres.Open(dsn), &config)
	must(t, err)
	t.Cleanup(func() {
		pool, _ := db.DB()
		pool.Close()
	})
	return db, db.Use(tenancy.New(strategy, options()...))
}

// bare is an env whose database has central tables and no tenants.
func bare(t testing.TB, with setup) *env {
	t.Helper()
	server := servers.Postgres(t)
	e := &env{TB: t, name: server.Database(t), prefix: "tenant_"}
	var err error
	e.raw, err = sql.Open("pgx", server.DSN(servers.Superuser, e.name))
	must(t, err)
	t.Cleanup(func() { e.raw.Close() })
	user := servers.App
	if with.creator {
		// A role of the database's own: others must not run out of its memberships.
		user = "creator_" + e.name
		e.prefix = e.name + "_" // roles belong to the server
		with.options = append(with.options, schema.Prefix(e.prefix))
		e.exec("CREATE ROLE " + user + " LOGIN CREATEROLE; ALTER DATABASE " + e.name + " OWNER TO " + user)
		t.Cleanup(func() { e.dropRoles() })
	}
	e.dsn = server.DSN(user, e.name)
	if with.through != nil {
		e.dsn = with.through(e.dsn)
	}
	e.dsn += with.params
	e.strategy = schema.New(with.options...)
	e.db, err = open(t, e.dsn, with.config, e.strategy)
	must(t, err)
	must(t, e.db.WithContext(bypass()).AutoMigrate(centralModels...))
	e.exec("INSERT INTO plans VALUES (1, 'free'), (2, 'gold'); INSERT INTO tags VALUES (1, 'red'), (2, 'blue')")
	e.exec("SELECT setval('plans_id_seq', 2), setval('tags_id_seq', 2)")
	return e
}

func newEnv(t testing.TB, with setup) *env {
	t.Helper()
	e := bare(t, with)
	for _, id := range []tenancy.ID{"a", "b"} {
		must(t, e.strategy.Provision(context.Background(), id))
		e.seed(e.prefix+string(id), string(id))
	}
	return e
}

// seed writes the same rows in a schema, but for texts, which begin with a mark.
func (e *env) seed(schema, mark string) {
	e.Helper()
	e.exec("SET search_path = " + schema + ";" + strings.ReplaceAll(`
INSERT INTO polls VALUES (1, '#-poll1', true, 1), (2, '#-poll2', false, NULL);
INSERT INTO choices VALUES (1, 1, '#-yes', 3), (2, 1, '#-no', 4), (3, 2, '#-maybe', 5);
INSERT INTO voters VALUES (1, '#-ann', '#@1'), (2, '#-bob', '#@2');
INSERT INTO notes VALUES (1, now(), now(), NULL, '#', 1, '#-note1'), (2, now(), now(), NULL, '#', 1, '#-note2');
INSERT INTO poll_voters VALUES (1, 1), (1, 2); INSERT INTO poll_tags VALUES (1, 1);
SELECT setval('polls_id_seq', 2), setval('choices_id_seq', 3), setval('voters_id_seq', 2), setval('notes_id_seq', 2);
RESET search_path`, "#", mark))
}

// dropRoles removes the roles that hang on the database before it is dropped.
func (e *env) dropRoles() {
	e.exec("DROP SCHEMA public CASCADE")
	rows, err := e.raw.Query("SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') LIKE 'tenancy:' || current_database() || ':%'")
	must(e, err)
	defer rows.Close()
	var roles []string
	for rows.Next() {
		var role string
		must(e, rows.Scan(&role))
		roles = append(roles, role)
	}
	must(e, rows.Err())
	for _, role := range append(roles, "creator_"+e.name) {
		e.exec(`DROP OWNED BY "` + role + `" CASCADE`)
	}
	e.exec("ALTER DATABASE " + e.name + " OWNER TO postgres")
	for _, role := range append(roles, "creator_"+e.name) {
		e.exec(`DROP ROLE "` + role + `"`)
	}
}

func (e *env) exec(q string) {
	e.Helper()
	if _, err := e.raw.Exec(q); err != nil {
		e.Fatalf("%s: %v", q, err)
	}
}

// dump is what a schema holds, past the wall.
func (e *env) dump(schema string, tables ...string) string {
	e.Helper()
	var b strings.Builder
	for _, table := range tables {
		fmt.Fprintf(&b, "%s: %s\n", table, e.query(fmt.Sprintf("SELECT coalesce(string_agg(x::text, ' ' ORDER BY x::text), '') FROM "+
			"(SELECT to_jsonb(t) - 'created_at' - 'updated_at' || jsonb_build_object('deleted_at', to_jsonb(t)->>'deleted_at' IS NOT NULL) "+
			"AS x FROM %s.%s t) q", schema, table)))
	}
	return b.String()
}

func (e *env) query(q string) (s string) {
	e.Helper()
	if err := e.raw.QueryRow(q).Scan(&s); err != nil {
		e.Fatalf("%s: %v", q, err)
	}
	return s
}

// tables lists what stands in a schema.
func (e *env) tables(schema string) string {
	e.Helper()
	return e.query("SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_class " +
		"WHERE relkind IN ('r', 'v', 'p') AND relnamespace = to_regnamespace('" + schema + "')")
}

// untouched runs f and fails if anything of tenant b, or a shared schema, is another than before.
func (e *env) untouched(f func()) {
	e.Helper()
	before := e.dump(e.prefix+"b", ownedTables...) + e.tables(e.prefix+"b") + e.tables("public")
	f()
	if after := e.dump(e.prefix+"b", ownedTables...) + e.tables(e.prefix+"b") + e.tables("public"); after != before {
		e.Errorf("outside the tenant something changed:\n--- before\n%s\n--- after\n%s", before, after)
	}
}
