package tenancy_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
)

// The models of the fixture. Tenants a and b own rows in every owned table; docs and lines have the same ids in both.
type (
	Company struct {
		ID       uint
		TenantID string
		Name     string
	}
	User struct {
		ID        uint
		TenantID  string
		Name      string
		Age       int
		CompanyID *uint
		Company   *Company
		ManagerID *uint
		Manager   *User
		Account   *Account
		Pets      []Pet
		Notes     []Note
		Languages []Language `gorm:"many2many:user_languages"`
		Toys      []Toy      `gorm:"polymorphic:Owner"`
		Tags      []Tag      `gorm:"many2many:user_tags"`
	}
	Account struct {
		ID       uint
		TenantID string
		UserID   *uint
		Number   string
	}
	Pet struct {
		ID       uint
		TenantID string
		UserID   *uint
		Name     string
		Toy      Toy `gorm:"polymorphic:Owner"`
	}
	Toy struct {
		ID        uint
		TenantID  string
		Name      string
		OwnerID   uint
		OwnerType string
	}
	Note struct {
		gorm.Model // in front of the tenant: its DeletedAt builds the SQL of a delete by itself
		TenantID   string
		UserID     *uint
		Text       string
	}
	Language struct {
		ID       uint
		TenantID string
		Name     string
	}
	Tag struct { // central, linked to users
		ID   uint
		Name string
	}
	Doc struct {
		TenantID string `gorm:"primaryKey"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Title    string
		Lines    []Line `gorm:"foreignKey:TenantID,DocID;references:TenantID,ID"`
	}
	Line struct {
		TenantID string `gorm:"primaryKey"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		DocID    uint
		Text     string
	}
	Plan struct { // central
		ID   uint
		Name string
	}
)

var (
	ownedModels   = []any{&Company{}, &User{}, &Account{}, &Pet{}, &Toy{}, &Note{}, &Language{}, &Doc{}, &Line{}}
	centralModels = []any{&Plan{}, &Tag{}}
	ownedTables   = []string{"companies", "users", "accounts", "pets", "toys", "notes", "languages", "docs", "lines"}
)

var asA = tenancy.WithTenant(context.Background(), "a")

func bypass(why string) context.Context { return tenancy.Bypass(context.Background(), why) }

func ptr[T any](v T) *T { return &v }

// seed makes the tables and writes the same shape of rows for both tenants; every text of b starts with "b".
func seed(db *gorm.DB) error {
	if err := db.AutoMigrate(append(append([]any{}, ownedModels...), centralModels...)...); err != nil {
		return err
	}
	return seedRows(db)
}

func seedRows(db *gorm.DB) error {
	if err := seedCentral(db); err != nil {
		return err
	}
	for i, id := range []string{"a", "b"} {
		if err := errors.Join(seedTenant(db, id, uint(i*2)), seedComposite(db, id)); err != nil {
			return err
		}
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return countOn(pool, db.Name(), append([]string{"plans", "tags"}, ownedTables...)...)
}

func seedCentral(db *gorm.DB) error {
	return errors.Join(db.Create([]Plan{{1, "free"}, {2, "gold"}}).Error, db.Create([]Tag{{1, "red"}, {2, "blue"}}).Error)
}

// seedTenant writes rows of a tenant whose ids are n+1 and n+2.
func seedTenant(db *gorm.DB, id string, n uint) error {
	rows := []any{
		&Company{ID: n + 1, TenantID: id, Name: id + "-co"},
		&[]Language{{ID: n + 1, TenantID: id, Name: id + "-en"}, {ID: n + 2, TenantID: id, Name: id + "-de"}},
		&[]User{
			{ID: n + 1, TenantID: id, Name: id + "1", Age: 10, CompanyID: ptr(n + 1)},
			{ID: n + 2, TenantID: id, Name: id + "2", Age: 20, CompanyID: ptr(n + 1), ManagerID: ptr(n + 1)},
		},
		&[]Account{{ID: n + 1, TenantID: id, UserID: ptr(n + 1), Number: id + "-acc"}},
		&[]Pet{{ID: n + 1, TenantID: id, UserID: ptr(n + 1), Name: id + "-pet1"}, {ID: n + 2, TenantID: id, UserID: ptr(n + 2), Name: id + "-pet2"}},
		&[]Toy{{ID: n + 1, TenantID: id, Name: id + "-ball", OwnerID: n + 1, OwnerType: "users"}, {ID: n + 2, TenantID: id, Name: id + "-bone", OwnerID: n + 1, OwnerType: "pets"}},
		&[]Note{{Model: gorm.Model{ID: n + 1}, TenantID: id, UserID: ptr(n + 1), Text: id + "-note1"}, {Model: gorm.Model{ID: n + 2}, TenantID: id, UserID: ptr(n + 2), Text: id + "-note2"}},
	}
	for _, r := range rows {
		if err := db.Create(r).Error; err != nil {
			return err
		}
	}
	for _, link := range [][2]uint{{n + 1, n + 1}, {n + 1, n + 2}, {n + 2, n + 1}} {
		if err := db.Exec("INSERT INTO user_languages (user_id, language_id) VALUES (?, ?)", link[0], link[1]).Error; err != nil {
			return err
		}
	}
	return db.Exec("INSERT INTO user_tags (user_id, tag_id) VALUES (?, 1)", n+1).Error
}

// seedComposite writes the rows that have the same ids in every tenant.
func seedComposite(db *gorm.DB, id string) error {
	return errors.Join(
		db.Create(&[]Doc{{TenantID: id, ID: 1, Title: id + "-doc1"}, {TenantID: id, ID: 2, Title: id + "-doc2"}}).Error,
		db.Create(&[]Line{{TenantID: id, ID: 1, DocID: 1, Text: id + "-line1"}, {TenantID: id, ID: 2, DocID: 1, Text: id + "-line2"}}).Error)
}

// countOn makes PostgreSQL's sequences go on behind the ids that were given, as those of the others do.
func countOn(pool *sql.DB, dialect string, tables ...string) error {
	if dialect != "postgres" {
		return nil
	}
	for _, table := range tables {
		q := `SELECT setval(s, max(id)) FROM (SELECT pg_get_serial_sequence('` + table + `', 'id') AS s) x, "` + table + `" WHERE s IS NOT NULL GROUP BY s`
		if _, err := pool.Exec(q); err != nil {
			return err
		}
	}
	return nil
}

// env is one test's own database: db has the plugin, raw has not.
type env struct {
	*testing.T
	backend
	db    *gorm.DB // no tenant
	a     *gorm.DB // as tenant a
	raw   *sql.DB
	dsn   string
	seen  []string
	start string // what belongs to b, before
}

func newEnv(t *testing.T, opts ...tenancy.Option) *env { return newEnvWith(t, &gorm.Config{}, opts...) }

func newEnvWith(t *testing.T, config *gorm.Config, opts ...tenancy.Option) *env {
	t.Helper()
	return newEnvOn(t, onSQLite, config, opts...)
}

func newEnvOn(t *testing.T, b backend, config *gorm.Config, opts ...tenancy.Option) *env {
	t.Helper()
	opts = append([]tenancy.Option{tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(silent)}, opts...)
	dsn := b.seeded(t)
	if b.names != nil {
		config.NamingStrategy = b.names(dsn)
	}
	e := b.connect(t, dsn, config, func(db *gorm.DB) error { return db.Use(tenancy.New(b.strategyOf(dsn), opts...)) })
	e.start = e.dumpB()
	return e
}

// connect opens a database with GORM, which use gives its plugins, and past it.
func (b backend) connect(t *testing.T, dsn string, config *gorm.Config, use func(db *gorm.DB) error) *env {
	t.Helper()
	config.Logger = logger.Discard
	db, err := gorm.Open(b.open(dsn), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil { // which a strategy may have replaced
			pool.Close()
		}
	})
	if err := use(db); err != nil {
		t.Fatal(err)
	}
	raw, err := b.raw(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return &env{T: t, backend: b, dsn: dsn, db: db, a: db.WithContext(asA), raw: raw}
}

// past runs SQL past the plugin, where tables are siloed in those of a tenant.
func (e *env) past(tenant, q string) error {
	if e.silos != nil {
		q = e.silos.in(e.dsn, e.silo(tenant), q)
	}
	_, err := e.raw.Exec(q)
	return err
}

// reserved quotes the names of tables that are words of MySQL's own.
var reserved = strings.NewReplacer(" lines", ` "lines"`)

// query runs SQL past the plugin and returns the rows as text.
func (e *env) query(q string, args ...any) string {
	e.Helper()
	if e.silos != nil {
		q = e.whole(q)
	}
	if e.dialect == "mysql" {
		q = reserved.Replace(q)
	}
	return e.rows(q, args...)
}

func (e *env) rows(q string, args ...any) string {
	e.Helper()
	rows, err := e.raw.Query(q, args...)
	if err != nil {
		e.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var out []string
	for rows.Next() {
		cells, refs := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			refs[i] = &cells[i]
		}
		if err := rows.Scan(refs...); err != nil {
			e.Fatal(err)
		}
		for i := range cells {
			switch v := cells[i].(type) {
			case []byte:
				cells[i] = string(v)
			case bool: // PostgreSQL's; the others have numbers
				cells[i] = map[bool]int{false: 0, true: 1}[v]
			}
		}
		out = append(out, strings.Trim(fmt.Sprint(cells), "[]"))
	}
	return strings.Join(out, " ")
}

// dumpB is everything that belongs to tenant b, and to nobody.
func (e *env) dumpB() string {
	e.Helper()
	if e.silos != nil {
		return e.dumpOutside()
	}
	var b strings.Builder
	for _, table := range ownedTables {
		fmt.Fprintf(&b, "%s: %s\n", table, e.query("SELECT * FROM "+table+" WHERE coalesce(tenant_id,'') <> 'a' ORDER BY id"))
	}
	fmt.Fprintf(&b, "links: %s\n", e.query("SELECT * FROM user_languages WHERE user_id IN (3,4) OR language_id IN (3,4) ORDER BY 1,2"))
	fmt.Fprintf(&b, "tags: %s\n", e.query("SELECT * FROM user_tags WHERE user_id IN (3,4) ORDER BY 1,2"))
	if e.apart != nil {
		b.WriteString(e.apart(e))
	}
	return b.String()
}

// crossLinks are references from one tenant's row to another's; there must be none.
var crossLinks = []string{
	"SELECT 'user-company', u.id FROM users u JOIN companies c ON c.id = u.company_id WHERE c.tenant_id <> u.tenant_id",
	"SELECT 'user-manager', u.id FROM users u JOIN users m ON m.id = u.manager_id WHERE m.tenant_id <> u.tenant_id",
	"SELECT 'account', x.id FROM accounts x JOIN users u ON u.id = x.user_id WHERE x.tenant_id <> u.tenant_id",
	"SELECT 'pet', x.id FROM pets x JOIN users u ON u.id = x.user_id WHERE x.tenant_id <> u.tenant_id",
	"SELECT 'note', x.id FROM notes x JOIN users u ON u.id = x.user_id WHERE x.tenant_id <> u.tenant_id",
	"SELECT 'toy', x.id FROM toys x JOIN users u ON u.id = x.owner_id AND x.owner_type = 'users' WHERE x.tenant_id <> u.tenant_id",
	"SELECT 'toy', x.id FROM toys x JOIN pets u ON u.id = x.owner_id AND x.owner_type = 'pets' WHERE x.tenant_id <> u.tenant_id",
	"SELECT 'link', x.user_id FROM user_languages x JOIN users u ON u.id = x.user_id JOIN languages l ON l.id = x.language_id WHERE l.tenant_id <> u.tenant_id",
}

// isolated fails the test if anything of b was read or changed, or a references b.
func (e *env) isolated() {
	e.Helper()
	if now := e.dumpB(); now != e.start {
		e.Errorf("rows of tenant b changed:\n--- before\n%s--- after\n%s", e.start, now)
	}
	links := crossLinks
	if e.silos != nil {
		links = []string{fmt.Sprintf(e.silos.crossing, e.silo("a"))}
	}
	for _, q := range links {
		if found := e.query(q); found != "" {
			e.Errorf("a reference crosses tenants: %s", found)
		}
	}
	for _, s := range e.seen {
		if strings.HasPrefix(s, "b") || strings.Contains(s, " b") || strings.Contains(s, "stolen-b") {
			e.Errorf("tenant a read a row of b: %q", s)
		}
	}
}

// see records what the statement gave to tenant a.
func (e *env) see(v ...any) {
	for _, one := range v {
		e.seen = append(e.seen, fmt.Sprint(one))
	}
}

func (e *env) seeNames(users []User) {
	for _, u := range users {
		e.see(u.Name)
	}
}

func (e *env) seeSorted(v []string) {
	sort.Strings(v)
	e.see(strings.Join(v, " "))
}
