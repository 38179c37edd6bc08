package tenancy_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

var updateGolden = flag.Bool("update", false, "rewrite testdata/golden")

// nowhere is a database that cannot be reached.
type nowhere struct{}

var errNowhere = errors.New("a dry run went to the database")

func (nowhere) PrepareContext(context.Context, string) (*sql.Stmt, error) { return nil, errNowhere }
func (nowhere) ExecContext(context.Context, string, ...any) (sql.Result, error) {
	return nil, errNowhere
}

func (nowhere) QueryContext(context.Context, string, ...any) (*sql.Rows, error) {
	return nil, errNowhere
}
func (nowhere) QueryRowContext(context.Context, string, ...any) *sql.Row { return nil }

var dialects = map[string]func() gorm.Dialector{
	"sqlite":   func() gorm.Dialector { return sqlite.Dialector{Conn: nowhere{}} },
	"postgres": func() gorm.Dialector { return postgres.New(postgres.Config{Conn: nowhere{}}) },
	"mysql": func() gorm.Dialector {
		return mysql.New(mysql.Config{Conn: nowhere{}, SkipInitializeWithVersion: true})
	},
}

// recorder collects the statements of a dry run as the logger sees them.
type recorder struct {
	logger.Interface
	out *bytes.Buffer
}

func (r recorder) Trace(_ context.Context, _ time.Time, fc func() (string, int64), err error) {
	text, _ := fc()
	if err != nil {
		fmt.Fprintf(r.out, "-- error: %v\n", err)
		return
	}
	fmt.Fprintln(r.out, text)
}

func dry(t *testing.T, dialect string, out *bytes.Buffer) *gorm.DB {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	db, err := gorm.Open(dryDialector(dialect), &gorm.Config{
		DryRun: true, SkipDefaultTransaction: true, DisableAutomaticPing: true,
		Logger: recorder{logger.Discard, out}, NowFunc: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(silent))); err != nil {
		t.Fatal(err)
	}
	return db
}

func dryDialector(dialect string) gorm.Dialector {
	d := dialects[dialect]()
	if dialect == "sqlite" { // its Initialize asks for the version
		return sqliteDry{d.(sqlite.Dialector)}
	}
	return d
}

type sqliteDry struct{ sqlite.Dialector }

func (d sqliteDry) Initialize(db *gorm.DB) error {
	memory, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	pool, _ := memory.DB()
	defer pool.Close()
	d.Dialector.Conn = pool
	if err := d.Dialector.Initialize(db); err != nil {
		return err
	}
	db.ConnPool = nowhere{}
	return nil
}

var goldens = []struct {
	name string
	do   func(db, a *gorm.DB) error
}{
	{"First", func(_, a *gorm.DB) error { return a.First(&User{}, 7).Error }},
	{"Find", func(_, a *gorm.DB) error { return a.Find(&[]User{}).Error }},
	{"Where", func(_, a *gorm.DB) error { return a.Where("age > ?", 5).Where(&User{Name: "x"}).Find(&[]User{}).Error }},
	{"Where Or", func(_, a *gorm.DB) error {
		return a.Where("name = ?", "x").Or("name = ?", "y").Find(&[]User{}).Error
	}},
	{"Where text with or", func(_, a *gorm.DB) error { return a.Where("name = 'x'\nOR name = 'y'").Find(&[]User{}).Error }},
	{"Not", func(_, a *gorm.DB) error { return a.Not("name = ?", "x").Find(&[]User{}).Error }},
	{"soft delete", func(_, a *gorm.DB) error { return a.Where("text = ?", "x").Or("text = ?", "y").Find(&[]Note{}).Error }},
	{"Count", func(_, a *gorm.DB) error { var n int64; return a.Model(&User{}).Where("age > 5").Count(&n).Error }},
	{"Group Having", func(_, a *gorm.DB) error {
		return a.Model(&User{}).Select("name, count(*) AS n").Group("name").Having("count(*) > ?", 1).Find(&[]map[string]any{}).Error
	}},
	{"Locking", func(_, a *gorm.DB) error { return a.Clauses(clause.Locking{Strength: "UPDATE"}).Find(&[]User{}).Error }},
	{"Joins", func(_, a *gorm.DB) error { return a.Joins("Company").Find(&[]User{}).Error }},
	{"InnerJoins with conditions", func(db, a *gorm.DB) error {
		return a.InnerJoins("Company", db.Where(&Company{Name: "x"})).Find(&[]User{}).Error
	}},
	{"nested Joins", func(_, a *gorm.DB) error { return a.Joins("Manager.Company").Find(&[]User{}).Error }},
	{"raw join of central", func(_, a *gorm.DB) error {
		return a.Joins("JOIN plans ON plans.id = users.id").Find(&[]User{}).Error
	}},
	{"sub-query", func(db, a *gorm.DB) error {
		return a.Where("id IN (?)", db.Model(&Pet{}).Select("user_id").Where("name = ?", "x")).Find(&[]User{}).Error
	}},
	{"derived table", func(db, a *gorm.DB) error {
		return a.Table("(?) AS u", db.Model(&User{}).Select("name")).Where("name = ?", "x").Find(&[]map[string]any{}).Error
	}},
	{"Table alias", func(_, a *gorm.DB) error {
		return a.Table("users AS u").Where("u.age > ?", 5).Find(&[]map[string]any{}).Error
	}},
	{"link table", func(_, a *gorm.DB) error { return a.Table("user_languages").Find(&[]map[string]any{}).Error }},
	{"central", func(_, a *gorm.DB) error { return a.Where("name = ?", "x").Find(&[]Plan{}).Error }},
	{"Create", func(_, a *gorm.DB) error { return a.Create(&Company{Name: "x"}).Error }},
	{"Create slice", func(_, a *gorm.DB) error { return a.Create(&[]Company{{Name: "x"}, {Name: "y"}}).Error }},
	{"Create map", func(_, a *gorm.DB) error { return a.Model(&Company{}).Create(map[string]any{"name": "x"}).Error }},
	{"Create nested", func(_, a *gorm.DB) error {
		return a.Create(&User{ID: 9, Name: "x", Pets: []Pet{{ID: 8, Name: "p"}}, Languages: []Language{{ID: 7}}}).Error
	}},
	{"Save", func(_, a *gorm.DB) error { return a.Save(&Company{ID: 1, Name: "x"}).Error }},
	{"Save slice", func(_, a *gorm.DB) error { return a.Save(&[]Company{{ID: 1, Name: "x"}}).Error }},
	{"OnConflict UpdateAll", func(_, a *gorm.DB) error {
		return a.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Company{ID: 1, Name: "x"}).Error
	}},
	{"OnConflict DoUpdates", func(_, a *gorm.DB) error {
		return a.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": "y"})}).
			Create(&Company{ID: 1, Name: "x"}).Error
	}},
	{"OnConflict Where", func(_, a *gorm.DB) error {
		return a.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
			Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "companies.name = 'a' OR companies.name = 'b'"}}},
		}).Create(&Company{ID: 1, Name: "x"}).Error
	}},
	{"OnConflict DoNothing", func(_, a *gorm.DB) error {
		return a.Clauses(clause.OnConflict{DoNothing: true}).Create(&Company{ID: 1, Name: "x"}).Error
	}},
	{"OnConflict of a composite key", func(_, a *gorm.DB) error {
		return a.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Doc{ID: 1, Title: "x"}).Error
	}},
	{"Update", func(_, a *gorm.DB) error { return a.Model(&User{ID: 1}).Update("name", "x").Error }},
	{"Updates", func(_, a *gorm.DB) error {
		return a.Model(&User{}).Where("age > 5 OR age < 2").Updates(User{Name: "x", TenantID: "a"}).Error
	}},
	{"Update expression", func(_, a *gorm.DB) error {
		return a.Model(&User{ID: 1}).Update("age", gorm.Expr("age + ?", 1)).Error
	}},
	{"Update all", func(_, a *gorm.DB) error { return a.Model(&User{}).Update("name", "x").Error }},
	{"Delete", func(_, a *gorm.DB) error { return a.Delete(&User{ID: 1}).Error }},
	{"Delete all", func(_, a *gorm.DB) error { return a.Delete(&User{}).Error }},
	{"Delete of a composite key", func(_, a *gorm.DB) error { return a.Delete(&Doc{ID: 1}).Error }},
	{"soft Delete", func(_, a *gorm.DB) error { return a.Where("text = 'x' or text = 'y'").Delete(&Note{}).Error }},
	{"Unscoped Delete", func(_, a *gorm.DB) error { return a.Unscoped().Delete(&Note{Model: gorm.Model{ID: 1}}).Error }},
	{"Association Append", func(_, a *gorm.DB) error {
		return a.Model(&User{ID: 1}).Association("Languages").Append(&Language{ID: 2})
	}},
	{"Association Delete", func(_, a *gorm.DB) error {
		return a.Model(&User{ID: 1}).Association("Languages").Delete(&Language{ID: 2})
	}},
	{"Association Clear", func(_, a *gorm.DB) error { return a.Model(&User{ID: 1}).Association("Pets").Clear() }},
	{"Association Find", func(_, a *gorm.DB) error {
		return a.Model(&User{ID: 1}).Association("Languages").Find(&[]Language{})
	}},
	{"Raw with Current", func(_, a *gorm.DB) error {
		return a.Exec("UPDATE users SET age = 1 WHERE tenant_id = ?", tenancy.Current).Error
	}},
	{"ForTenants", func(db, _ *gorm.DB) error {
		return db.WithContext(bypass("golden")).Scopes(tenancy.ForTenants("a", "b")).Joins("Company").Find(&[]User{}).Error
	}},
	{"Bypass", func(db, _ *gorm.DB) error { return db.WithContext(bypass("golden")).Find(&[]User{}).Error }},
	{"no tenant", func(db, _ *gorm.DB) error { return db.Find(&[]User{}).Error }},
	{"no tenant create", func(db, _ *gorm.DB) error { return db.Create(&Company{}).Error }},
}

var spaces = regexp.MustCompile(`[ \t]+\n`)

// TestGolden compares the SQL of common statements with the files of testdata/golden.
func TestGolden(t *testing.T) {
	for dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			var out, log bytes.Buffer
			db := dry(t, dialect, &log)
			for _, g := range goldens {
				log.Reset()
				err := g.do(db, db.WithContext(asA))
				fmt.Fprintf(&out, "-- name: %s\n%s", g.name, log.Bytes())
				if err != nil && log.Len() == 0 {
					fmt.Fprintf(&out, "-- error: %v\n", err)
				}
				out.WriteByte('\n')
			}
			got := spaces.ReplaceAll(out.Bytes(), []byte("\n"))
			name := filepath.Join("testdata", "golden", dialect+".sql")
			if *updateGolden {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; run go test -run TestGolden -update and read the diff\n%s", name, got)
			}
		})
	}
}
