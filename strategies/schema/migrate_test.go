package schema_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// TestMigrate: AutoMigrate inside a tenant reaches that tenant's tables only, and leaves central ones that GORM adds by
// itself where they are; the other way round outside of tenants.
func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, prepared := range []bool{false, true} {
		t.Run(fmt.Sprintf("prepared %t", prepared), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, setup{config: gorm.Config{PrepareStmt: prepared}})
			e.exec("ALTER TABLE tenant_a.polls DROP COLUMN title; ALTER TABLE tenant_a.notes DROP COLUMN text; DROP TABLE tenant_a.poll_tags")
			a := e.db.WithContext(as("a"))
			e.untouched(func() {
				for range 2 {
					must(t, a.AutoMigrate(ownedModels...)) // Poll belongs to a Plan and has Tags
				}
				must(t, a.Transaction(func(tx *gorm.DB) error { return tx.AutoMigrate(&Poll{}) }))
			})
			if got := e.tables("tenant_a"); got != "choices notes poll_tags poll_voters polls voters" {
				t.Error(got)
			}
			if got := e.query("SELECT count(*) FROM pg_indexes WHERE schemaname = 'tenant_a' AND indexname = 'idx_notes_text'"); got != "1" {
				t.Error("the index was not made again")
			}
			must(t, a.Create(&Poll{Title: "a-again", Tags: []Tag{{ID: 1}}}).Error)
			e.untouched(func() {
				must(t, e.db.WithContext(bypass()).AutoMigrate(centralModels...)) // Tag has Polls
				for name, err := range map[string]error{
					"central inside": a.AutoMigrate(&Plan{}),
					"make inside":    a.Migrator().CreateTable(&Plan{}),
					"drop inside":    a.Migrator().DropTable(&Plan{}),
					"owned outside":  e.db.WithContext(bypass()).AutoMigrate(&Choice{}),
				} {
					if !errors.Is(err, tenancy.ErrUnconfined) {
						t.Errorf("%s: %v", name, err)
					}
				}
				if err := e.db.WithContext(context.Background()).AutoMigrate(&Plan{}, &Choice{}); err == nil {
					t.Error("owned tables were migrated for nobody")
				}
			})
		})
	}
}

// TestFleet: tenants whose tables have other columns do not break each other's prepared statements and plans.
func TestFleet(t *testing.T) {
	t.Parallel()
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, mode)
			pool, _ := e.db.DB()
			pool.SetMaxOpenConns(1) // all on the connection that has the plans
			e.exec("ALTER TABLE tenant_b.polls ADD COLUMN extra text")
			e.exec("ALTER TABLE tenant_b.choices ADD COLUMN a int, DROP COLUMN votes, ADD COLUMN votes bigint DEFAULT 7")
			for i := range 12 {
				for _, id := range []tenancy.ID{"a", "b"} {
					for name, db := range map[string]*gorm.DB{"": e.db, "prepared": e.db.Session(&gorm.Session{PrepareStmt: true})} {
						db = db.WithContext(as(id))
						if err := fleet(db, string(id), i%2 == 0); err != nil {
							t.Fatalf("%s, round %d, %s: %v", id, i, name, err)
						}
					}
				}
			}
			for _, id := range []tenancy.ID{"a", "b"} {
				must(t, e.db.WithContext(as(id)).AutoMigrate(ownedModels...))
			}
			if got := e.query("SELECT count(*) FROM tenant_b.voters WHERE name LIKE 'a%'"); got != "0" {
				t.Error("a wrote to b")
			}
		})
	}
}

// fleet reads and writes as one tenant, in a transaction or not.
func fleet(db *gorm.DB, mark string, transaction bool) error {
	if transaction {
		return db.Transaction(func(tx *gorm.DB) error { return fleet(tx, mark, false) })
	}
	var polls []Poll
	var choices []Choice
	err := errors.Join(db.Preload("Voters").Order("id").Find(&polls, "id < ?", 3).Error, db.Joins("Poll").Order("choices.id").Find(&choices).Error)
	if err != nil {
		return err
	}
	if len(polls) != 2 || len(choices) != 3 || polls[0].Title != mark+"-poll1" || !strings.HasPrefix(choices[2].Poll.Title, mark) {
		return fmt.Errorf("read %+v %+v", polls, choices)
	}
	if columns, err := db.Migrator().ColumnTypes(&Poll{}); err != nil || len(columns) != 4+strings.Count(mark, "b") {
		return fmt.Errorf("%d columns: %w", len(columns), err)
	}
	v := Voter{Name: mark + "-fleet"}
	return errors.Join(db.Create(&v).Error, db.Model(&v).Update("email", "x").Error, db.Delete(&v).Error)
}
