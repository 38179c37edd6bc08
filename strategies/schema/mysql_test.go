package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// The models on MariaDB: Rate is central and names its database.
type (
	Ballot struct {
		ID      uint
		Title   string `gorm:"size:100;index"`
		RateID  *uint
		Rate    *Rate
		Options []Option
		Members []Member `gorm:"many2many:ballot_members"`
	}
	Option struct {
		ID       uint
		BallotID uint
		Ballot   *Ballot
		Text     string
		Votes    int
	}
	Member struct {
		ID    uint
		Name  string `gorm:"size:100;uniqueIndex"`
		Email string
	}
	Rate struct {
		ID   uint
		Name string `gorm:"size:100;uniqueIndex;check:name <> ''"`
	}
	Stray struct{ ID uint } // central without a database
)

// central tells models the database of the central tables.
type central struct {
	naming.NamingStrategy
	database string
}

func (Rate) TableName(n naming.Namer) string { return n.(central).database + ".rates" }

var (
	mariaOwned  = []any{&Ballot{}, &Option{}, &Member{}}
	mariaTables = []string{"ballots", "options", "members", "ballot_members"}
)

// maria is a MariaDB with the tenants a and b.
type maria struct {
	testing.TB
	name     string // of the central database; with _ the prefix
	dsn      string
	strategy *schema.Strategy
	db       *gorm.DB
	raw      *sql.DB
}

func bareMaria(t testing.TB, config gorm.Config) *maria {
	t.Helper()
	server := servers.MariaDB(t)
	m := &maria{TB: t, name: server.Database(t)}
	raw, err := sql.Open("mysql", server.DSN("root", "")+"&multiStatements=true")
	must(t, err)
	m.raw = raw
	m.exec(fmt.Sprintf("GRANT ALL ON `%s\\_%%`.* TO app@'127.0.0.1'", m.name))
	t.Cleanup(func() {
		for _, name := range strings.Fields(m.query("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '" + m.name + "\\_%'")) {
			m.exec("SET foreign_key_checks = 0; DROP DATABASE `" + name + "`")
		}
		raw.Close()
	})
	m.dsn = server.DSN(servers.App, m.name)
	m.strategy = schema.New(schema.Prefix(m.name + "_"))
	m.db, err = m.open(m.dsn, config, m.strategy)
	must(t, err)
	for range 2 {
		must(t, m.db.WithContext(bypass()).AutoMigrate(&Rate{}))
	}
	m.exec("INSERT INTO " + m.name + ".rates VALUES (1, 'free'), (2, 'gold')")
	return m
}

func (m *maria) open(dsn string, config gorm.Config, strategy *schema.Strategy) (*gorm.DB, error) {
	m.Helper()
	config.Logger, config.NamingStrategy, config.TranslateError = logger.Discard, central{database: m.name}, true
	db, err := gorm.Open(mysql.Open(dsn), &config)
	must(m, err)
	m.Cleanup(func() { pool, _ := db.DB(); pool.Close() })
	if strategy == nil {
		return db, nil
	}
	return db, db.Use(tenancy.New(strategy, tenancy.OwnedModels(mariaOwned...), tenancy.CentralModels(&Rate{}),
		tenancy.Logger(slog.New(slog.DiscardHandler))))
}

func newMaria(t testing.TB, config gorm.Config) *maria {
	t.Helper()
	m := bareMaria(t, config)
	for _, id := range []tenancy.ID{"a", "b"} {
		must(t, m.strategy.Provision(context.Background(), id))
		m.seed(m.name+"_"+string(id), string(id))
	}
	return m
}

func (m *maria) seed(database, mark string) {
	m.Helper()
	m.exec(strings.NewReplacer("#", mark, "$", database).Replace("INSERT INTO $.ballots VALUES (1, '#-one', 1), (2, '#-two', NULL);" +
		"INSERT INTO $.options VALUES (1, 1, '#-yes', 3), (2, 1, '#-no', 4), (3, 2, '#-maybe', 5);" +
		"INSERT INTO $.members VALUES (1, '#-ann', '#@1'), (2, '#-bob', '#@2'); INSERT INTO $.ballot_members VALUES (1, 1), (1, 2)"))
}

func (m *maria) exec(q string) {
	m.Helper()
	if _, err := m.raw.Exec(q); err != nil {
		m.Fatalf("%s: %v", q, err)
	}
}

// query returns all cells as text.
func (m *maria) query(q string) string {
	m.Helper()
	rows, err := m.raw.Query(q)
	if err != nil {
		m.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var out []string
	for rows.Next() {
		cells, refs := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			refs[i] = &cells[i]
		}
		must(m, rows.Scan(refs...))
		for _, c := range cells {
			out = append(out, c.String)
		}
	}
	must(m, rows.Err())
	return strings.Join(out, " ")
}

// dump is what a database holds, and what tables it has.
func (m *maria) dump(database string) string {
	m.Helper()
	var b strings.Builder
	for _, table := range mariaTables {
		fmt.Fprintf(&b, "%s: %s\n", table, m.query("SELECT * FROM `"+database+"`."+table+" ORDER BY 1, 2"))
	}
	return b.String() + m.tables(database)
}

func (m *maria) tables(database string) string {
	m.Helper()
	return m.query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '" + database + "' AND TABLE_NAME <> 'tenancy_tenant' ORDER BY 1")
}

func (m *maria) untouched(f func()) {
	m.Helper()
	before := m.dump(m.name+"_b") + m.tables(m.name)
	f()
	if after := m.dump(m.name+"_b") + m.tables(m.name); after != before {
		m.Errorf("outside the tenant something changed:\n--- before\n%s\n--- after\n%s", before, after)
	}
}

var mariaOperations = []operation{
	{"find", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Ballot) *gorm.DB { return db.Order("id").Find(v) })
	}},
	{"preload", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Ballot) *gorm.DB {
			return db.Preload("Options").Preload("Members").Preload("Rate").Order("id").Find(v)
		})
	}},
	{"join", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Option) *gorm.DB { return db.Joins("Ballot").Order("options.id").Find(v) })
	}},
	{"join central", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Ballot) *gorm.DB { return db.Joins("Rate").Order("ballots.id").Find(v) })
	}},
	{"central", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Rate) *gorm.DB { return db.Where("name = ?", "gold").Find(v) })
	}},
	{"sub-query", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Option) *gorm.DB {
			return db.Where("ballot_id IN (?)", db.Model(&Ballot{}).Select("id").Where("rate_id = 1")).Order("id").Find(v)
		})
	}},
	{"raw", func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Raw("SELECT text FROM options JOIN ballots b ON b.id = ballot_id WHERE votes > ? ORDER BY 1", 3).Scan(v)
		})
	}},
	{"Table", func(db *gorm.DB) (any, error) {
		return found(func(v *[]map[string]any) *gorm.DB { return db.Table("ballot_members").Order("member_id").Find(v) })
	}},
	{"prepared session", func(db *gorm.DB) (any, error) {
		db = db.Session(&gorm.Session{PrepareStmt: true})
		return found(func(v *[]Ballot) *gorm.DB { return db.Where("id > ?", 0).Order("id").Find(v) })
	}},
	{"generics", func(db *gorm.DB) (any, error) {
		return gorm.G[Ballot](db).Where("id = ?", 1).Find(db.Statement.Context)
	}},
	{"database/sql", func(db *gorm.DB) (any, error) {
		pool, _ := db.DB()
		var title string
		err := pool.QueryRowContext(db.Statement.Context, "SELECT title FROM ballots WHERE id = ?", 1).Scan(&title)
		return title, err
	}},
	{"rows", func(db *gorm.DB) (any, error) {
		rows, err := db.Model(&Option{}).Order("id").Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var texts []string
		for rows.Next() {
			var o Option
			if err := errors.Join(db.ScanRows(rows, &o), db.Take(&Ballot{}, o.BallotID).Error); err != nil {
				return nil, err
			}
			texts = append(texts, o.Text)
		}
		return texts, rows.Err()
	}},
	{"migrator", func(db *gorm.DB) (any, error) {
		m := db.Migrator()
		columns, err := m.ColumnTypes(&Ballot{})
		tables, _ := m.GetTables()
		return []any{
			m.HasTable(&Ballot{}), m.HasTable("elsewhere"), m.HasColumn(&Ballot{}, "title"), m.HasIndex(&Ballot{}, "Title"),
			len(columns), len(tables) > 3,
		}, err
	}},
	{"create", func(db *gorm.DB) (any, error) {
		v := Ballot{Title: "a-new", RateID: ptr(uint(2)), Options: []Option{{Text: "a-x"}}, Members: []Member{{Name: "a-cy"}}}
		err := db.Create(&v).Error
		return v, err
	}},
	{"upsert", func(db *gorm.DB) (any, error) {
		return nil, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Member{ID: 1, Name: "a-ann", Email: "new"}).Error
	}},
	{"duplicate", func(db *gorm.DB) (any, error) { return nil, db.Create(&Member{Name: "a-bob"}).Error }},
	{"save", func(db *gorm.DB) (any, error) {
		return nil, db.Save(&Option{ID: 1, BallotID: 1, Text: "a-saved"}).Error
	}},
	{"update", func(db *gorm.DB) (any, error) {
		tx := db.Model(&Option{}).Where("ballot_id = 1").Update("votes", gorm.Expr("votes + 1"))
		return tx.RowsAffected, tx.Error
	}},
	{"association", func(db *gorm.DB) (any, error) {
		return nil, errors.Join(db.Model(&Ballot{ID: 2}).Association("Members").Append(&Member{Name: "a-dan"}),
			db.Model(&Ballot{ID: 1}).Association("Members").Delete(&Member{ID: 2}))
	}},
	{"transaction", func(db *gorm.DB) (any, error) {
		return nil, db.Transaction(func(tx *gorm.DB) error {
			err := errors.Join(tx.Create(&Member{Name: "a-tx"}).Error, tx.Take(&Rate{}, 1).Error, tx.SavePoint("s").Error,
				tx.Create(&Member{Name: "a-un"}).Error, tx.RollbackTo("s").Error)
			return errors.Join(err, tx.Model(&Option{}).Where("id = 2").Update("text", "a-tx").Error)
		})
	}},
	{"rollback", func(db *gorm.DB) (any, error) {
		return nil, db.Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Where("1 = 1").Delete(&Option{}).Error, errors.New("no"))
		})
	}},
	{"delete", func(db *gorm.DB) (any, error) {
		return nil, db.Select("Members", "Options").Delete(&Ballot{ID: 2}).Error
	}},
	{"empty", func(db *gorm.DB) (any, error) { return nil, db.Exec("DELETE FROM options").Error }},
}

// TestMaria runs the operations as tenant a next to plain GORM.
func TestMaria(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gorm.Config{"": {}, "prepared": {PrepareStmt: true}, "no default tx": {SkipDefaultTransaction: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMaria(t, config)
			plainName := m.name + "_plain"
			m.exec("CREATE DATABASE " + plainName)
			plain, err := m.open(servers.MariaDB(t).DSN(servers.App, plainName), config, nil)
			must(t, err)
			// AutoMigrate would look for the central table in this database, too, and make it again.
			for _, table := range []string{"ballots", "options", "members", "ballot_members"} {
				m.exec("CREATE TABLE " + plainName + "." + table + " LIKE " + m.name + "_a." + table)
			}
			m.seed(plainName, "a")
			for _, op := range mariaOperations {
				m.untouched(func() {
					_ = m.db.WithContext(as("b")).Take(&Ballot{}, 1).Error // the connection was somebody else's
					got, gotErr := op.run(m.db.WithContext(as("a")))
					want, wantErr := op.run(plain.WithContext(context.Background()))
					if text(got) != text(want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || strings.Contains(text(got), "b-") {
						t.Errorf("%s:\n got %s, %v\nwant %s, %v", op.name, text(got), gotErr, text(want), wantErr)
					}
				})
				if got, want := m.dump(m.name+"_a"), m.dump(plainName); got != want {
					t.Fatalf("%s left other rows:\n--- got\n%s--- want\n%s", op.name, got, want)
				}
			}
			m.exec("ALTER TABLE " + m.name + "_a.options DROP COLUMN votes")
			m.untouched(func() {
				for range 2 {
					must(t, m.db.WithContext(as("a")).AutoMigrate(mariaOwned...))
				}
			})
			must(t, m.db.WithContext(as("a")).Create(&Option{BallotID: 1, Votes: 3}).Error)
		})
	}
}

// TestMariaRefused: no tenant, unknown tenants, Bypass, and text that would leave.
func TestMariaRefused(t *testing.T) {
	t.Parallel()
	m := newMaria(t, gorm.Config{})
	m.untouched(func() {
		nobody, ghost, all, a := m.db.WithContext(context.Background()), m.db.WithContext(as("ghost")), m.db.WithContext(bypass()), m.db.WithContext(as("a"))
		for name, err := range map[string]error{
			"nobody finds":   nobody.Find(&[]Ballot{}).Error,
			"nobody creates": nobody.Create(&Ballot{}).Error,
			"nobody raw":     nobody.Exec("DELETE FROM ballots").Error,
			"ghost finds":    ghost.Find(&[]Ballot{}).Error,
			"ghost makes":    ghost.Exec("CREATE TABLE loot (id int)").Error,
			"ghost migrates": ghost.AutoMigrate(&Ballot{}),
			"all find":       all.Find(&[]Ballot{}).Error,
			"all migrate":    all.AutoMigrate(&Ballot{}),
			"all make":       all.Exec("CREATE TABLE ballots (id int)").Error,
			"use":            a.Exec("USE " + m.name + "_b").Error,
			"use in comment": a.Exec("/*!50000 USE " + m.name + "_b */").Error,
			"make central":   a.Exec("CREATE TABLE rates (id int)").Error,
			"migrate":        a.AutoMigrate(&Rate{}),
		} {
			if err == nil {
				t.Errorf("%s: worked", name)
			}
		}
		must(t, a.Transaction(func(tx *gorm.DB) error {
			if err := tx.WithContext(as("b")).Take(&Ballot{}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
				t.Error(err)
			}
			return nil
		}))
		must(t, nobody.Take(&Rate{}, 1).Error)
	})
	var title string
	must(t, m.db.WithContext(bypass()).Scopes(tenancy.ForTenant("b")).Model(&Ballot{}).Where("id = 1").Pluck("title", &title).Error)
	if title != "b-one" {
		t.Error(title)
	}
}

// TestMariaVerify: db.Use fails where tables stand in the wrong place.
func TestMariaVerify(t *testing.T) {
	t.Parallel()
	m := bareMaria(t, gorm.Config{})
	m.exec("CREATE TABLE " + m.name + ".options (id int)")
	if _, err := m.open(m.dsn, gorm.Config{}, schema.New()); !errors.Is(err, tenancy.ErrUnconfined) || !strings.Contains(err.Error(), "options") {
		t.Error(err)
	}
	m.exec("DROP TABLE " + m.name + ".options")
	for _, bad := range []*schema.Strategy{schema.New(schema.Pooled()), schema.New(schema.Roles())} {
		if _, err := m.open(m.dsn, gorm.Config{}, bad); !errors.Is(err, tenancy.ErrUnsupported) {
			t.Error(err)
		}
	}
	if _, err := m.open(servers.MariaDB(t).DSN(servers.App, ""), gorm.Config{}, schema.New()); err == nil {
		t.Error("no central database")
	}
	db, err := m.open(m.dsn, gorm.Config{}, nil)
	must(t, err)
	err = db.Use(tenancy.New(schema.New(), tenancy.CentralModels(&Stray{})))
	if !errors.Is(err, tenancy.ErrUnsupported) || !strings.Contains(err.Error(), m.name+".strays") {
		t.Error(err)
	}
}

// TestMariaProvision: making and removing a tenant survives a crash before anything the application says, and never
// takes what is not the tenant's.
func TestMariaProvision(t *testing.T) {
	t.Parallel()
	m := bareMaria(t, gorm.Config{})
	proxy := newSevering(t, servers.MariaDB(t).Addr())
	strategy := schema.New(schema.Prefix(m.name + "_"))
	db, err := m.open(strings.Replace(m.dsn, servers.MariaDB(t).Addr(), proxy.Addr().String(), 1), gorm.Config{}, strategy)
	must(t, err)
	pool, _ := db.DB()
	pool.SetMaxOpenConns(1) // it needs no second one
	ctx := context.Background()
	all := "ballots ballot_members members options"
	for n := int64(0); ; n += 3 { // each crash costs a reconnection
		id := tenancy.ID(fmt.Sprint("t", n))
		proxy.left.Store(n)
		err := strategy.Provision(ctx, id)
		proxy.left.Store(-1)
		must(t, strategy.Provision(ctx, id))
		if got := m.tables(m.name + "_" + string(id)); got != all {
			t.Fatalf("after a crash at %d: %s", n, got)
		}
		if got := m.query("SELECT state FROM " + m.name + "_" + string(id) + ".tenancy_tenant"); got != "ready" {
			t.Fatal(got)
		}
		if err == nil {
			break
		}
	}
	for n := int64(0); ; n++ {
		id := tenancy.ID(fmt.Sprint("u", n))
		must(t, strategy.Provision(ctx, id))
		m.exec("CREATE VIEW " + m.name + "_" + string(id) + ".v AS SELECT 1")
		proxy.left.Store(n)
		err := strategy.Deprovision(ctx, id)
		proxy.left.Store(-1)
		must(t, strategy.Deprovision(ctx, id))
		if got := m.query("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + m.name + "_" + string(id) + "'"); got != "0" {
			t.Fatalf("after a crash at %d it is there", n)
		}
		if err == nil {
			break
		}
	}
}

// TestMariaForeign: a database that was there before is neither used nor dropped.
func TestMariaForeign(t *testing.T) {
	t.Parallel()
	m := newMaria(t, gorm.Config{})
	ctx := context.Background()
	x := m.name + "_x"
	m.exec("CREATE DATABASE " + x + "; CREATE TABLE " + x + ".ballots (id int); INSERT INTO " + x + ".ballots VALUES (7)")
	for _, run := range []func(context.Context, tenancy.ID) error{m.strategy.Provision, m.strategy.Deprovision} {
		if err := run(ctx, "x"); !errors.Is(err, schema.ErrForeign) {
			t.Error(err)
		}
	}
	m.exec("CREATE TABLE " + x + ".tenancy_tenant (id VARCHAR(63) PRIMARY KEY, state VARCHAR(10)) SELECT 'other' id, 'ready' state")
	for _, run := range []func(context.Context, tenancy.ID) error{m.strategy.Provision, m.strategy.Deprovision} {
		if err := run(ctx, "x"); !errors.Is(err, schema.ErrForeign) {
			t.Error(err)
		}
	}
	if got := m.query("SELECT id FROM " + x + ".ballots"); got != "7" {
		t.Error(got)
	}
	// A foreign key from outside stops Deprovision.
	m.exec("CREATE TABLE " + x + ".fk (id BIGINT UNSIGNED, FOREIGN KEY (id) REFERENCES " + m.name + "_b.ballots (id))")
	m.untouched(func() {
		if err := m.strategy.Deprovision(ctx, "b"); !errors.Is(err, schema.ErrForeign) {
			t.Error(err)
		}
	})
	m.exec("DROP TABLE " + x + ".fk")
	before := m.dump(m.name + "_a")
	must(t, m.strategy.Deprovision(ctx, "b"))
	if m.dump(m.name+"_a") != before || m.query("SELECT COUNT(*) FROM "+m.name+".rates") != "2" {
		t.Error("others changed")
	}
	var together sync.WaitGroup
	for range 4 {
		together.Go(func() {
			if err := m.strategy.Provision(ctx, "same"); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if got := m.query("SELECT DEFAULT_COLLATION_NAME = (SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + m.name +
		"') FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '" + m.name + "_same'"); got != "1" {
		t.Error("another collation than the central database")
	}
}
