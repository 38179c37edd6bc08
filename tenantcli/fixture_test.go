package tenantcli_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	gormschema "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// Poll has the same ids in all tenants. Plan is central.
type (
	Poll struct {
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		TenantID string `gorm:"primaryKey;size:63"`
		Title    string `gorm:"size:100"`
		Votes    int
	}
	Plan struct {
		ID   uint
		Name string
	}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is an application with a database. The tenants acme and globex have the polls 1 and 2.
type world struct {
	testing.TB
	kind     string
	dir      string
	prefix   string // of the schemas or databases of tenants
	home     string // the database of central tables, where they need it in their names
	db       *gorm.DB
	raw      *sql.DB // past the walls
	strategy tenancy.Strategy
	store    catalog.Store
	catalog  *catalog.Catalog
	runner   *migrate.Runner
	central  *migrate.Runner
	sources  []migrate.Source
	env      func(*tenantcli.Environment)
	openErr  error
	opened   int

	mu  sync.Mutex // guards log
	log []string   // what the application's commands did, and for whom
}

// kinds opens the application over a strategy.
var kinds = map[string]func(*world) gorm.Dialector{
	"shared": func(w *world) gorm.Dialector {
		w.strategy = shared.New()
		return sqlite.Open(w.file("app.db"))
	},
	"database": func(w *world) gorm.Dialector {
		files := database.SQLiteFiles(w.dir, sqlite.Open)
		w.strategy = database.New(files.Open, database.WithProvisioner(files))
		return sqlite.Open(w.file("app.db"))
	},
	"schema": func(w *world) gorm.Dialector {
		server := servers.Postgres(w)
		name := server.Database(w)
		w.strategy, w.prefix = schema.New(), "tenant_"
		w.openRaw("pgx", server.DSN(servers.Superuser, name))
		return postgres.Open(server.DSN(servers.App, name))
	},
	"rls": func(w *world) gorm.Dialector {
		server := servers.Postgres(w)
		name := server.Database(w)
		w.strategy = shared.New(shared.RowLevelSecurity())
		w.openRaw("pgx", server.DSN(servers.Superuser, name))
		return postgres.Open(server.DSN(servers.App, name))
	},
	"mariadb": func(w *world) gorm.Dialector {
		server := servers.MariaDB(w)
		name := server.Database(w)
		w.openRaw("mysql", server.DSN("root", ""))
		w.prefix, w.home = name+"_", name
		_, err := w.raw.Exec(fmt.Sprintf("GRANT ALL ON `%s\\_%%`.* TO app@'127.0.0.1'", name))
		must(w, err)
		w.Cleanup(func() {
			for _, id := range []string{"acme", "globex", "initech", "sleeping"} {
				_, err := w.raw.Exec("DROP DATABASE IF EXISTS " + w.prefix + id)
				must(w, err)
			}
		})
		w.strategy = schema.New(schema.Prefix(w.prefix))
		return mysql.Open(server.DSN(servers.App, name))
	},
}

func (w *world) openRaw(driver, dsn string) {
	w.Helper()
	var err error
	w.raw, err = sql.Open(driver, dsn)
	must(w, err)
	w.Cleanup(func() { w.raw.Close() })
}

func (w *world) file(name string) string {
	return filepath.Join(w.dir, name) + "?_busy_timeout=5000&_journal_mode=WAL&_txlock=immediate"
}

// place is where a tenant's tables are, as SQL names it.
func (w *world) place(id tenancy.ID) string { return w.prefix + string(id) }

// step is one that would be seen if it were made twice.
func step(version int64) migrate.Step {
	return migrate.Step{Version: version, Name: "mark", Run: func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&Poll{}).Where("id > 0").Update("title", gorm.Expr("title || '!'")).Error
	}}
}

// names puts the database in front of central tables, where that is given.
type names struct {
	gormschema.NamingStrategy
	home string
}

func (n names) TableName(table string) string {
	name := n.NamingStrategy.TableName(table)
	if n.home != "" && (strings.HasPrefix(name, "tenancy_") || name == "plans") {
		return n.home + "." + name
	}
	return name
}

// newWorld has tenants that are at head of the steps.
func newWorld(t testing.TB, kind string, sources ...migrate.Source) *world {
	t.Helper()
	w := &world{TB: t, kind: kind, dir: t.TempDir(), sources: append(sources, step(1))}
	d := kinds[kind](w)
	var err error
	w.db, err = gorm.Open(d, &gorm.Config{Logger: logger.Discard, NamingStrategy: names{home: w.home}})
	must(t, err)
	models := append(catalog.Models(), &Plan{})
	plugin := tenancy.New(w.strategy, tenancy.OwnedModels(&Poll{}), tenancy.CentralModels(models...),
		tenancy.Logger(slog.New(slog.DiscardHandler)))
	if kind == "rls" {
		must(t, w.strategy.(*shared.Strategy).Migrate(t.Context(), w.db, plugin, models...))
	}
	must(t, w.db.Use(plugin))
	if w.raw == nil {
		w.openRaw("sqlite3", w.file("app.db"))
	}
	t.Cleanup(func() {
		pool, _ := w.db.DB()
		pool.Close()
	})
	switch kind {
	case "rls":
	case "shared":
		must(t, w.db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(append(models, &Poll{})...))
	default:
		must(t, w.db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(models...))
	}
	w.store = catalog.GORM(w.db)
	w.central, err = migrate.NewCentral(w.db, []migrate.Source{migrate.Step{Version: 1, Name: "plans", Run: func(_ context.Context, tx *gorm.DB) error {
		return tx.Create(&Plan{Name: "free"}).Error
	}}})
	must(t, err)
	w.build()
	for _, id := range []tenancy.ID{"acme", "globex"} {
		must(t, w.create(id))
		ctx := tenancy.WithTenant(t.Context(), id)
		must(t, w.db.WithContext(ctx).Create([]Poll{{ID: 1, Title: string(id) + " one"}, {ID: 2, Title: string(id) + " two"}}).Error)
	}
	return w
}

// build makes what an application makes at start-up.
func (w *world) build() {
	w.Helper()
	var err error
	w.runner, err = migrate.New(w.db, catalog.IDs(w.store), w.sources)
	must(w, err)
	options := []catalog.Option{catalog.Hooks(catalog.Baselining(w.runner)), catalog.RepairAfter(0)}
	if kind := w.kind; kind != "shared" && kind != "rls" {
		options = append(options, catalog.Strategy(w.strategy))
	}
	w.catalog, err = catalog.New(w.store, options...)
	must(w, err)
}

func (w *world) create(id tenancy.ID) error {
	_, err := w.catalog.Create(context.Background(), catalog.Tenant{ID: id})
	return err
}

func (w *world) open(context.Context) (*tenantcli.Environment, error) {
	w.opened++
	if w.openErr != nil {
		return nil, w.openErr
	}
	env := &tenantcli.Environment{DB: w.db, Catalog: w.catalog, Migrations: w.runner, CentralMigrations: w.central}
	if w.env != nil {
		w.env(env)
	}
	return env, nil
}

func (w *world) did(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, what)
}

// root is the application's command tree.
func (w *world) root() *cobra.Command {
	root := &cobra.Command{Use: "app"}
	var by int
	vote := &cobra.Command{Use: "vote ID", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		done := w.db.WithContext(cmd.Context()).Model(&Poll{}).Where("id = ?", args[0]).Update("votes", gorm.Expr("votes + ?", by))
		fmt.Fprintf(cmd.OutOrStdout(), "%d polls\n", done.RowsAffected)
		return done.Error
	}}
	vote.Flags().IntVar(&by, "by", 1, "votes")
	count := &cobra.Command{Use: "count", RunE: func(cmd *cobra.Command, _ []string) error {
		var polls []Poll
		err := w.db.WithContext(cmd.Context()).Order("id").Find(&polls).Error
		for _, p := range polls {
			cmd.Printf("%d %s\n", p.ID, p.Title)
		}
		return err
	}}
	background := &cobra.Command{Use: "background", RunE: func(*cobra.Command, []string) error {
		return w.db.WithContext(context.Background()).Find(&[]Poll{}).Error
	}}
	echo := &cobra.Command{Use: "echo", RunE: func(cmd *cobra.Command, args []string) error {
		in, err := io.ReadAll(cmd.InOrStdin())
		id, _ := tenancy.FromContext(cmd.Context())
		w.did(string(id))
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s%s", id, in, strings.Join(args, "\n"))
		fmt.Fprintf(cmd.ErrOrStderr(), "noise\n")
		return err
	}}
	fail := &cobra.Command{Use: "fail TENANT", RunE: func(cmd *cobra.Command, args []string) error {
		id, _ := tenancy.FromContext(cmd.Context())
		w.did(string(id))
		if len(args) == 0 || args[0] == string(id) {
			return errors.New("it failed")
		}
		return nil
	}}
	root.AddCommand(vote, count, background, echo, fail)
	root.AddCommand(tenantcli.Commands(tenantcli.App{Open: w.open, Root: w.root})...)
	return root
}

// result is what a command printed, and its exit code.
type result struct {
	out, err string
	code     int
}

func (w *world) run(args ...string) result { return w.pipe("", args...) }

func (w *world) pipe(stdin string, args ...string) result {
	w.Helper()
	return execute(w.Context(), w.root(), stdin, args...)
}

func execute(ctx context.Context, root *cobra.Command, stdin string, args ...string) result {
	var out, errs bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	code := tenantcli.Execute(ctx, root)
	return result{scrub(out.String()), scrub(errs.String()), code}
}

var changing = []struct{ pattern, with string }{
	{`\d{4}-\d\d-\d\dT[\d:.]+Z`, "TIME"},
	{`"(seconds|perSecond|secondsLeft)":[\d.e-]+`, `"$1":N`},
	{`after \d+m?s`, "after N"},
	{`, [\d.]+ per second, \d+s left`, ", N per second, N left"},
	{`in \d+(\.\d+)?m?s`, "in N"},
	{`\b\d+m?s\b`, "N"},
}

// scrub takes times out of a text.
func scrub(s string) string {
	for _, c := range changing {
		s = regexp.MustCompile(c.pattern).ReplaceAllString(s, c.with)
	}
	return s
}

// polls are a tenant's rows, past the walls; "-" if its place is not there.
func (w *world) polls(id tenancy.ID) string {
	w.Helper()
	raw, query := w.raw, "SELECT id, title, votes FROM polls WHERE tenant_id = '"+string(id)+"' ORDER BY id"
	switch w.kind {
	case "mariadb":
		query = fmt.Sprintf("SELECT id, title, votes FROM `%s`.polls ORDER BY id", w.place(id))
	case "schema":
		query = fmt.Sprintf(`SELECT id, title, votes FROM "tenant_%s".polls ORDER BY id`, id)
	case "database":
		name := filepath.Join(w.dir, "tenant_"+string(id)+".db")
		if _, err := os.Stat(name); err != nil {
			return "-"
		}
		var err error
		raw, err = sql.Open("sqlite3", name)
		must(w, err)
		defer raw.Close()
	}
	rows, err := raw.Query(query)
	if err != nil {
		return "-"
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var n, votes int
		var title string
		must(w, rows.Scan(&n, &title, &votes))
		all = append(all, fmt.Sprintf("%d %s %d", n, title, votes))
	}
	must(w, rows.Err())
	return strings.Join(all, ", ")
}

func (w *world) state(id tenancy.ID) string {
	t, err := w.store.Get(context.Background(), id)
	if err != nil {
		return "none"
	}
	return string(t.State)
}

// untouched fails unless a tenant has the rows that it began with.
func (w *world) untouched(ids ...tenancy.ID) {
	w.Helper()
	for _, id := range ids {
		if got, want := w.polls(id), fmt.Sprintf("1 %[1]s one 0, 2 %[1]s two 0", id); got != want {
			w.Errorf("%s has %q, want %q", id, got, want)
		}
	}
}
