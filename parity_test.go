package tenancy_test

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// The models of an application that knows no tenants.
type (
	Firm struct {
		ID   uint
		Name string `gorm:"uniqueIndex"`
	}
	Clerk struct {
		gorm.Model
		Name    string
		Age     int
		FirmID  *uint
		Firm    *Firm
		BossID  *uint
		Boss    *Clerk
		Desk    Desk
		Parcels []Parcel
		Skills  []Craft `gorm:"many2many:clerk_crafts"`
		Seals   []Seal  `gorm:"polymorphic:Holder"`
	}
	Desk struct {
		ID      uint
		ClerkID uint
		Room    string
	}
	Parcel struct {
		ID      uint
		ClerkID *uint
		Weight  float64
		Sent    time.Time
		Raw     []byte
	}
	Craft struct {
		ID   uint
		Name string
	}
	Seal struct {
		ID         uint
		HolderID   uint
		HolderType string
		Text       string
	}
	Slot struct {
		Year int    `gorm:"primaryKey;autoIncrement:false"`
		Code string `gorm:"primaryKey"`
		Note string
	}
)

var plainModels = []any{&Firm{}, &Clerk{}, &Desk{}, &Parcel{}, &Craft{}, &Seal{}, &Slot{}}

// transcript keeps the SQL, the bind values and the errors of every statement.
type transcript struct {
	logger.Interface
	said *[]string
}

var savepoints = regexp.MustCompile(`\bsp[0-9]+\b`)

func (l transcript) ParamsFilter(_ context.Context, text string, vars ...any) (string, []any) {
	line := savepoints.ReplaceAllString(text, "sp")
	for _, v := range vars {
		line += " | " + spelled(v)
	}
	*l.said = append(*l.said, line)
	return text, vars
}

// spelled is a bind value with its type; pointers are followed, because their addresses differ.
func spelled(v any) string {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if !rv.IsValid() || rv.Kind() == reflect.Pointer {
		return fmt.Sprintf("%T nil", v)
	}
	return fmt.Sprintf("%T %v", v, rv.Interface())
}

func (l transcript) LogMode(logger.LogLevel) logger.Interface { return l }

func (l transcript) Trace(_ context.Context, _ time.Time, fc func() (string, int64), err error) {
	_, rows := fc()
	*l.said = append(*l.said, fmt.Sprintf("  rows %d, error %v", rows, err))
}

// parityModes are databases on which the plugin has nothing to do with the plain models.
var parityModes = []struct {
	name    string
	options []tenancy.Option
	ctx     context.Context
	strict  bool // there is something to hold: raw SQL and text are judged
}{
	{"nothing owned", []tenancy.Option{tenancy.AllowUndeclared()}, context.Background(), false},
	{"nothing owned, as a tenant", []tenancy.Option{tenancy.AllowUndeclared()}, asA, false},
	{"central tables only", []tenancy.Option{
		tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(append(plainModels, centralModels...)...),
	}, asA, true},
	{"undeclared tables only", []tenancy.Option{
		tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.AllowUndeclared(),
	}, asA, true},
	{"central tables, no tenant", []tenancy.Option{
		tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(append(plainModels, centralModels...)...),
	}, context.Background(), true},
}

// spoken runs every operation in a transaction of its own and returns what each said. An empty list is one that this
// mode does not run.
func spoken(t *testing.T, dialector gorm.Dialector, config *gorm.Config, plugin gorm.Plugin, ctx context.Context) [][]string {
	t.Helper()
	var said []string
	config.Logger = transcript{logger.Discard, &said}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	config.NowFunc = func() time.Time { return at }
	db, err := gorm.Open(dialector, config)
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := db.DB()
	if pool != nil {
		pool.SetMaxOpenConns(1)
		t.Cleanup(func() { pool.Close() })
		if err := furnish(db); err != nil {
			t.Fatal(err)
		}
	}
	if plugin != nil {
		if err := db.Use(plugin); err != nil {
			t.Fatal(err)
		}
	}
	var out [][]string
	for _, op := range parityOps {
		said = nil
		tx := db.WithContext(ctx)
		if pool != nil {
			tx = tx.Begin()
		}
		if err := op.do(tx.Session(&gorm.Session{})); err != nil {
			said = append(said, "returned "+err.Error())
		}
		if pool != nil {
			tx.Rollback()
		}
		out = append(out, append([]string(nil), said...))
	}
	return out
}

// furnish fills the tables of the plain models.
func furnish(db *gorm.DB) error {
	if err := db.AutoMigrate(plainModels...); err != nil {
		return err
	}
	for _, rows := range []any{
		&[]Firm{{1, "one"}, {2, "two"}}, &[]Craft{{1, "go"}, {2, "c"}}, &[]Slot{{2025, "x", "n"}, {2026, "y", "n"}},
		&[]Clerk{
			{Model: gorm.Model{ID: 1}, Name: "ann", Age: 30, FirmID: ptr(uint(1)), Desk: Desk{ID: 1, Room: "r"}, Skills: []Craft{{1, "go"}}},
			{Model: gorm.Model{ID: 2}, Name: "bob", Age: 40, FirmID: ptr(uint(2)), BossID: ptr(uint(1)), Seals: []Seal{{ID: 1, Text: "s"}}},
		},
		&[]Parcel{{ID: 1, ClerkID: ptr(uint(1)), Weight: 1.5}, {ID: 2, ClerkID: ptr(uint(2)), Weight: 2.5}},
	} {
		if err := db.Create(rows).Error; err != nil {
			return err
		}
	}
	return nil
}

// TestParity: what does not belong to tenants is sent to the database as if the plugin were not there, to the byte of
// the SQL and the type of each value.
func TestParity(t *testing.T) {
	databases := map[string]func() (gorm.Dialector, *gorm.Config){
		"sqlite, executed": func() (gorm.Dialector, *gorm.Config) { return sqlite.Open(":memory:"), &gorm.Config{} },
	}
	for name := range dialects {
		databases[name] = func() (gorm.Dialector, *gorm.Config) {
			return dryDialector(name), &gorm.Config{DryRun: true, SkipDefaultTransaction: true, DisableAutomaticPing: true}
		}
	}
	for name, database := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dialector, config := database()
			plain := spoken(t, dialector, config, nil, context.Background())
			for _, mode := range parityModes {
				t.Run(mode.name, func(t *testing.T) {
					dialector, config := database()
					ours := spoken(t, dialector, config, tenancy.New(shared.New(), append(mode.options, tenancy.Logger(silent))...), mode.ctx)
					for i, op := range parityOps {
						if op.loose && mode.strict || op.raw && mode.strict && mode.ctx != asA {
							continue
						}
						if len(plain[i]) == 0 {
							t.Errorf("%s: said nothing", op.name)
						}
						if got, want := strings.Join(ours[i], "\n"), strings.Join(plain[i], "\n"); got != want {
							t.Errorf("%s:\n--- with the plugin\n%s\n--- without\n%s", op.name, got, want)
						}
					}
				})
			}
		})
	}
}
