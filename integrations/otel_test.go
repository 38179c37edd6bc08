package integrations_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/otel/trace/noop"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/opentelemetry/tracing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type (
	Poll struct {
		TenantID string `gorm:"primaryKey"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Question string
		Choices  []Choice `gorm:"foreignKey:TenantID,PollID"`
	}
	Choice struct {
		ID       uint
		TenantID string
		PollID   uint
		Text     string
	}
)

// open is a database in which the tenants a and b have the polls 1 and 2. Plugins wrap the context of a statement, so
// they are tried in front of the tenancy plugin and behind it.
func open(t *testing.T, config *gorm.Config, use func(db *gorm.DB, tenant gorm.Plugin) error) (db *gorm.DB, ofB func() string) {
	t.Helper()
	config.Logger = logger.Discard
	name := filepath.Join(t.TempDir(), "t.db")
	db, err := gorm.Open(sqlite.Open(name), config)
	if err != nil {
		t.Fatal(err)
	}
	past, err := gorm.Open(sqlite.Open(name), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*gorm.DB{db, past} {
		pool, err := one.DB()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
	}
	err = past.AutoMigrate(&Poll{}, &Choice{})
	for _, id := range []string{"a", "b"} {
		err = errors.Join(err, past.Create(&[]Poll{
			{TenantID: id, ID: 1, Question: id + "1", Choices: []Choice{{Text: id + "-yes"}, {Text: id + "-no"}}}, {TenantID: id, ID: 2, Question: id + "2"},
		}).Error)
	}
	plugin := tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}, &Choice{}), tenancy.Logger(slog.New(slog.DiscardHandler)))
	if err := errors.Join(err, use(db, plugin)); err != nil {
		t.Fatal(err)
	}
	return db, func() string {
		var polls []Poll
		var choices []Choice
		if err := errors.Join(past.Find(&polls, "tenant_id <> 'a'").Error, past.Find(&choices, "tenant_id <> 'a'").Error); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(polls, choices)
	}
}

// attack is one round of attacks and legitimate uses as tenant a.
func attack(t *testing.T, db *gorm.DB, ofB func() string) {
	t.Helper()
	before := ofB()
	a := db.WithContext(tenancy.WithTenant(context.Background(), "a"))
	_, rowsErr := db.Model(&Poll{}).Rows()
	for what, refused := range map[string]struct{ err, want error }{
		"read without tenant":   {db.Find(&[]Poll{}).Error, tenancy.ErrNoTenant},
		"row without tenant":    {db.Model(&Poll{}).Select("question").Row().Scan(new(string)), tenancy.ErrNoTenant},
		"rows without tenant":   {rowsErr, tenancy.ErrNoTenant},
		"create without tenant": {db.Create(&Poll{ID: 9}).Error, tenancy.ErrNoTenant},
		"update without tenant": {db.Model(&Poll{}).Where("1 = 1").Update("question", "x").Error, tenancy.ErrNoTenant},
		"delete without tenant": {db.Where("1 = 1").Delete(&Choice{}).Error, tenancy.ErrNoTenant},
		"raw without tenant":    {db.Exec("DELETE FROM polls").Error, tenancy.ErrNoTenant},
		"raw":                   {a.Raw("SELECT question FROM polls").Scan(new([]string)).Error, tenancy.ErrUnconfined},
		"exec":                  {a.Exec("DELETE FROM polls").Error, tenancy.ErrUnconfined},
		"b's choice":            {a.First(&Choice{}, 3).Error, gorm.ErrRecordNotFound},
		"create for b":          {a.Create(&Poll{TenantID: "b", ID: 9}).Error, tenancy.ErrTenantMismatch},
		"take b's choice":       {a.Save(&Choice{ID: 3, Text: "stolen"}).Error, tenancy.ErrTenantMismatch},
		"upsert b's choice":     {a.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Choice{ID: 3}).Error, tenancy.ErrTenantMismatch},
		"move to b":             {a.Model(&Choice{ID: 1}).Update("tenant_id", "b").Error, tenancy.ErrTenantMismatch},
	} {
		if !errors.Is(refused.err, refused.want) {
			t.Errorf("%s: error %v, want %v", what, refused.err, refused.want)
		}
	}
	var polls []Poll
	var questions []string
	err := errors.Join(
		a.Model(&Poll{}).Where("1 = 0\nOR 1 = 1").Update("question", "a-new").Error,
		a.Where("1 = 0").Or("text LIKE '%no'").Delete(&Choice{}).Error,
		a.Transaction(func(tx *gorm.DB) error { return tx.Create(&Poll{ID: 3, Question: "a3"}).Error }),
		a.Preload("Choices").Where("1 = 0").Or("1 = 1").Order("id").Find(&polls).Error,
		a.Raw("SELECT question FROM polls WHERE tenant_id = ? ORDER BY id", tenancy.Current).Scan(&questions).Error,
	)
	if err != nil {
		t.Errorf("a legitimate use failed: %v", err)
	}
	if got, want := fmt.Sprint(polls, questions), "[{a 1 a-new [{1 a 1 a-yes}]} {a 2 a-new []} {a 3 a3 []}] [a-new a-new a3]"; got != want {
		t.Errorf("saw  %s\nwant %s", got, want)
	}
	if after := ofB(); after != before {
		t.Errorf("b's rows were\n%s\nand are\n%s", before, after)
	}
}

func TestOpenTelemetry(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		for _, prepare := range []bool{true, false} {
			t.Run(fmt.Sprintf("before %v prepared %v", before, prepare), func(t *testing.T) {
				t.Parallel()
				db, ofB := open(t, &gorm.Config{PrepareStmt: prepare}, func(db *gorm.DB, tenant gorm.Plugin) error {
					traces := tracing.NewPlugin(tracing.WithoutMetrics(), tracing.WithTracerProvider(noop.NewTracerProvider()))
					if before {
						return errors.Join(db.Use(traces), db.Use(tenant))
					}
					return errors.Join(db.Use(tenant), db.Use(traces))
				})
				attack(t, db, ofB)
			})
		}
	}
}
