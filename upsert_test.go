package tenancy_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// Seat has a key that all tenants share besides the primary one: as tenant a, its user may hit b's row without knowing an id.
type Seat struct {
	ID       uint
	TenantID string
	Code     string `gorm:"uniqueIndex;size:20"`
	Name     string
	Rank     *int
}

// openSeats has the codes a1, a2 of tenant a and b1, b2 of b, and a row of nobody.
func openSeats(t *testing.T, on backend, config *gorm.Config) *env {
	t.Helper()
	e := on.connect(t, on.empty(t), config, func(db *gorm.DB) error {
		return db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Seat{}), tenancy.Logger(silent)))
	})
	e.must("create tables", e.db.WithContext(bypass("create tables")).AutoMigrate(&Seat{}))
	if _, err := e.raw.Exec(`INSERT INTO seats (id, tenant_id, code, name) VALUES (1,'a','a1','a'), (2,'a','a2','a'), (3,'b','b1','b'), (4,'b','b2','b');
		INSERT INTO seats (id, code, name) VALUES (5,'none','b-nobody')`); err != nil {
		t.Fatal(err)
	}
	e.must("go on counting", countOn(e.raw, on.dialect, "seats"))
	return e
}

const (
	seatsOfA = "SELECT code, name FROM seats WHERE tenant_id = 'a' ORDER BY id"
	seatsOfB = "SELECT id, tenant_id, code, name, rank FROM seats WHERE coalesce(tenant_id, '') <> 'a' ORDER BY id"
)

// byCode and byAny are what an upsert on the shared key looks like: MySQL knows no other than any key.
var (
	byCode = clause.OnConflict{Columns: []clause.Column{{Name: "code"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}
	byAny  = clause.OnConflict{UpdateAll: true}
)

// TestUpsertSharedKey upserts as a on codes that b, or nobody, has.
func TestUpsertSharedKey(t *testing.T) { onEach(t, testUpsertSharedKey) }

// TestUpsertSharedKeyLax does it on MariaDB when that makes warnings of what it can.
func TestUpsertSharedKeyLax(t *testing.T) {
	lax := onMariaDB
	lax.empty = func(t *testing.T) string { return onMariaDB.empty(t) + "&sql_mode=%27%27" }
	lax.raw = func(dsn string) (*sql.DB, error) {
		return onMariaDB.raw(strings.Replace(dsn, "&sql_mode=%27%27", "", 1))
	}
	testUpsertSharedKey(t, lax)
}

func testUpsertSharedKey(t *testing.T, on backend) {
	type attack struct {
		name string
		do   func(a *gorm.DB) error
		// loose is the dialects whose database says it in its own words, or where nothing happens and nobody is told.
		loose string
	}
	ignore := clause.Insert{Modifier: map[string]string{"sqlite": "OR IGNORE", "mysql": "IGNORE"}[on.dialect]} // PostgreSQL has none
	attacks := []attack{
		{"any columns", func(a *gorm.DB) error { return a.Clauses(byAny).Create(&Seat{Code: "b1", Name: "stolen"}).Error }, "key"},
		{"ignore modifier", func(a *gorm.DB) error {
			return a.Clauses(ignore).Create(&Seat{ID: 3, Code: "x", Name: "stolen"}).Error
		}, "key"},
		{"ignore modifier, row of nobody", func(a *gorm.DB) error {
			return a.Clauses(ignore).Create(&Seat{ID: 5, Code: "x", Name: "stolen"}).Error
		}, "key"},
		{"ignore modifier and columns", func(a *gorm.DB) error {
			return a.Clauses(ignore, byCode).Create(&Seat{Code: "b1", Name: "stolen"}).Error
		}, ""},
		{"nothing", func(a *gorm.DB) error {
			return a.Clauses(clause.OnConflict{DoNothing: true}).Create(&Seat{Code: "b1", Name: "stolen"}).Error
		}, "silent"},
	}
	for _, code := range []string{"b1", "none"} {
		for name, do := range map[string]func(a *gorm.DB) error{
			"columns":   func(a *gorm.DB) error { return a.Clauses(byCode).Create(&Seat{Code: code, Name: "stolen"}).Error },
			"same name": func(a *gorm.DB) error { return a.Clauses(byCode).Create(&Seat{Code: code, Name: "b"}).Error },
			"own id": func(a *gorm.DB) error {
				return a.Clauses(byCode).Create(&Seat{ID: 9, Code: code, Name: "stolen"}).Error
			},
			"map": func(a *gorm.DB) error {
				return a.Model(&Seat{}).Clauses(byCode).Create(map[string]any{"code": code, "name": "stolen"}).Error
			},
			"last of three": func(a *gorm.DB) error {
				return a.Clauses(byCode).Create([]Seat{{Code: "a1", Name: "a-x"}, {Code: "a9", Name: "a-x"}, {Code: code, Name: "stolen"}}).Error
			},
			"expression": func(a *gorm.DB) error {
				c := byCode
				c.DoUpdates = clause.Assignments(map[string]any{"name": gorm.Expr("'stolen'"), "rank": 1})
				return a.Clauses(c).Create(&Seat{Code: code}).Error
			},
			"returning": func(a *gorm.DB) error {
				s := Seat{Code: code, Name: "stolen"}
				err := a.Clauses(byCode, clause.Returning{}).Create(&s).Error
				if s.ID != 0 || s.Name != "stolen" || s.TenantID != "a" {
					t.Errorf("%s: the row of %s was read: %+v", on.name, code, s)
				}
				return err
			},
			"returning from nothing": func(a *gorm.DB) error {
				s := Seat{Code: code, Name: "stolen"}
				err := a.Clauses(clause.OnConflict{DoNothing: true}, clause.Returning{}).Create(&s).Error
				if s.ID != 0 || s.Name != "stolen" || s.TenantID != "a" {
					t.Errorf("%s: the row of %s was read: %+v", on.name, code, s)
				}
				if on.dialect != "mysql" && err == nil {
					return tenancy.ErrTenantMismatch // nobody is told there that nothing was inserted
				}
				return err
			},
			"batches": func(a *gorm.DB) error {
				return a.Clauses(byCode).CreateInBatches([]Seat{{Code: "a9", Name: "a-x"}, {Code: code, Name: "stolen"}}, 1).Error
			},
		} {
			attacks = append(attacks, attack{name + " " + code, do, ""})
		}
	}
	for _, at := range attacks {
		t.Run(at.name, func(t *testing.T) {
			e := openSeats(t, on, &gorm.Config{})
			before, own := e.query(seatsOfB), e.query(seatsOfA)
			err := at.do(e.a)
			switch {
			case at.loose == "silent" && on.dialect != "mysql":
				e.must(at.name, err)
			case at.loose == "key" && on.dialect != "mysql":
				e.refuse(at.name, anyError(err), errAny)
			default:
				e.refuse(at.name, err, tenancy.ErrTenantMismatch)
			}
			e.wants(seatsOfB, before)
			e.wants(seatsOfA, own) // the statement, or its transaction, is undone as a whole
		})
	}
}

func anyError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errAny, err)
}

// TestUpsertOwnKey is what the guards must not break: upserts on the tenant's own codes.
func TestUpsertOwnKey(t *testing.T) { onEach(t, testUpsertOwnKey) }

func testUpsertOwnKey(t *testing.T, on backend) {
	for name, tc := range map[string]struct {
		do   func(a *gorm.DB) error
		want string
	}{
		"struct":       {func(a *gorm.DB) error { return a.Clauses(byCode).Create(&Seat{Code: "a1", Name: "x"}).Error }, "a1 x a2 a"},
		"unchanged":    {func(a *gorm.DB) error { return a.Clauses(byCode).Create(&Seat{Code: "a1", Name: "a"}).Error }, "a1 a a2 a"},
		"with its id":  {func(a *gorm.DB) error { return a.Clauses(byAny).Create(&Seat{ID: 2, Code: "a2", Name: "x"}).Error }, "a1 a a2 x"},
		"code changes": {func(a *gorm.DB) error { return a.Clauses(byAny).Create(&Seat{ID: 2, Code: "a7", Name: "x"}).Error }, "a1 a a7 x"},
		"nothing": {func(a *gorm.DB) error {
			return a.Clauses(clause.OnConflict{DoNothing: true}).Create(&Seat{Code: "a1", Name: "x"}).Error
		}, "a1 a a2 a"},
		"new and old": {func(a *gorm.DB) error {
			return a.Clauses(byCode).Create([]Seat{{Code: "a9", Name: "x"}, {Code: "a1", Name: "x"}, {Code: "a8", Name: "x"}, {Code: "a2", Name: "a"}}).Error
		}, "a1 x a2 a a9 x a8 x"},
		// MySQL gives the id of one row, from which GORM counts on: the others of the slice get ids that may be b's.
		"old in front of b's ids": {func(a *gorm.DB) error {
			return a.Clauses(byCode).Create([]Seat{{Code: "a2", Name: "x"}, {Code: "a1", Name: "x"}, {Code: "a2", Name: "y"}}[:2]).Error
		}, "a1 x a2 x"},
		"null stays comparable": {func(a *gorm.DB) error {
			c := byCode
			c.DoUpdates = clause.Assignments(map[string]any{"rank": nil, "name": "x"})
			return a.Clauses(c).Create(&Seat{Code: "a1"}).Error
		}, "a1 x a2 a"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, config := range []*gorm.Config{{}, {PrepareStmt: true}, {SkipDefaultTransaction: true}} {
				e := openSeats(t, on, config)
				before := e.query(seatsOfB)
				e.must(name, tc.do(e.a))
				e.wants(seatsOfA, tc.want)
				e.wants(seatsOfB, before)
			}
		})
	}
}
