package tenancy_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// What the plugin keeps between statements to be quick must never serve a statement it was not made for.

type doubleQuotes struct{ gorm.Dialector }

func (doubleQuotes) QuoteTo(w clause.Writer, name string) { _, _ = w.WriteString(`"` + name + `"`) }

type notComparable struct {
	doubleQuotes
	_ []string
}

// Databases opened with copies of one Config share GORM's schemas, and with them the plugin's models.
func TestKeptColumnOfAnotherDialector(t *testing.T) {
	t.Parallel()
	db, _ := openEmpty(t, onSQLite, tenancy.OwnedModels(&Pet{}))
	const backticks, doubles = "SELECT * FROM `pets` WHERE `pets`.`tenant_id` = ?", `SELECT * FROM "pets" WHERE "pets"."tenant_id" = ?`
	built := func(db *gorm.DB, want string) {
		t.Helper()
		db = db.Session(&gorm.Session{DryRun: true, Context: asA})
		if got := db.Find(&[]Pet{}).Statement.SQL.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	built(db, backticks)
	for _, d := range []gorm.Dialector{doubleQuotes{db.Dialector}, notComparable{doubleQuotes: doubleQuotes{db.Dialector}}} {
		config := *db.Config
		other, err := gorm.Open(d, &config)
		if err != nil {
			t.Fatal(err)
		}
		built(other, doubles)
		built(db, backticks)
	}
}

func TestKeptColumnNotComparableFirst(t *testing.T) {
	t.Parallel()
	db, _ := openEmpty(t, onSQLite, tenancy.OwnedModels(&Pet{}))
	config := *db.Config
	other, err := gorm.Open(notComparable{doubleQuotes: doubleQuotes{db.Dialector}}, &config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		tx := other.Session(&gorm.Session{DryRun: true, Context: asA}).Find(&[]Pet{})
		if got := tx.Statement.SQL.String(); got != `SELECT * FROM "pets" WHERE "pets"."tenant_id" = ?` {
			t.Error(got)
		}
	}
}

// UserLanguage is a join model without a tenant field.
type UserLanguage struct {
	UserID     uint `gorm:"primaryKey"`
	LanguageID uint `gorm:"primaryKey"`
}

// A join model seen before GORM knows what it links is refused; from then on it is held through the rows it links.
func TestKeptJudgementOfJoinModel(t *testing.T) {
	t.Parallel()
	db, e := openEmpty(t, onSQLite, tenancy.CentralModels(&Tag{}))
	admin := db.WithContext(bypass("create tables"))
	e.must("tables", admin.Exec("CREATE TABLE user_languages (user_id integer, language_id integer)").Error)
	e.must("tables", admin.Exec("CREATE TABLE users (id integer, tenant_id text)").Error)
	e.must("tables", admin.Exec("CREATE TABLE languages (id integer, tenant_id text)").Error)
	for _, sql := range []string{
		"INSERT INTO users VALUES (1, 'a'), (2, 'b')", "INSERT INTO languages VALUES (1, 'a'), (2, 'b')",
		"INSERT INTO user_languages VALUES (1, 1), (2, 2)",
	} {
		e.must(sql, admin.Exec(sql).Error)
	}
	a := db.WithContext(asA)
	var links []UserLanguage
	e.refuse("join model alone", a.Find(&links).Error, tenancy.ErrUndeclared)
	if err := db.SetupJoinTable(&User{}, "Languages", &UserLanguage{}); err != nil {
		t.Fatal(err)
	}
	e.must("owner", a.Select("id").Find(&[]User{}).Error)
	e.must("join model", a.Find(&links).Error)
	if len(links) != 1 || links[0].UserID != 1 {
		t.Errorf("as a: %v, want the link of user 1 alone", links)
	}
}

// Where nothing has to be declared and nothing owned is known yet, the very first statement on a model is held already.
func TestKeptIdlenessEnds(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(a *gorm.DB) error{
		"find":   func(a *gorm.DB) error { return a.Find(&[]Language{}).Error },
		"count":  func(a *gorm.DB) error { return a.Model(&Language{}).Count(new(int64)).Error },
		"row":    func(a *gorm.DB) error { return a.Model(&Language{}).Select("name").Row().Scan(new(string)) },
		"create": func(a *gorm.DB) error { return a.Create(&Language{ID: 3}).Error },
		"update": func(a *gorm.DB) error { return a.Model(&Language{ID: 2}).Update("name", "stolen").Error },
		"delete": func(a *gorm.DB) error { return a.Delete(&Language{}, 2).Error },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, e := openEmpty(t, onSQLite, tenancy.AllowUndeclared())
			for _, sql := range []string{
				"CREATE TABLE languages (id integer, tenant_id text, name text)", "INSERT INTO languages VALUES (1, 'a', 'a1'), (2, 'b', 'b1')",
			} {
				if _, err := e.raw.Exec(sql); err != nil {
					t.Fatal(err)
				}
			}
			e.refuse("without tenant", first(db), tenancy.ErrNoTenant)
			e.wants("SELECT tenant_id || id || name FROM languages ORDER BY id", "a1a1 b2b1")
			e.must("as a", first(db.WithContext(asA)))
			e.wants("SELECT tenant_id || id || name FROM languages WHERE tenant_id <> 'a'", "b2b1")
		})
	}
}
