package schema_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// operation is a statement of an application that knows nothing of tenants. What it returns is compared with plain GORM's.
// Here is what strategies/strategytest has not: central tables in links and texts, keys that the database counts, foreign
// keys, DDL.
type operation struct {
	name string
	run  func(db *gorm.DB) (any, error)
}

func found[T any](tx func(dest *T) *gorm.DB) (any, error) {
	var v T
	err := tx(&v).Error
	return v, err
}

var reads = []operation{
	{"tenant column", func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB { return db.Model(&Note{}).Order("id").Pluck("tenant_id", v) })
	}},
	{"preload", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Poll) *gorm.DB {
			return db.Preload("Choices", "votes > 3").Preload("Voters").Preload("Tags").Preload("Plan").Order("id").Find(v)
		})
	}},
	{"join central", func(db *gorm.DB) (any, error) {
		return found(func(v *[]Poll) *gorm.DB { return db.InnerJoins("Plan").Find(v) })
	}},
	{"join text", func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			tx := db.Model(&Choice{}).Joins("JOIN polls p ON p.id = choices.poll_id LEFT JOIN plans ON plans.id = p.plan_id")
			return tx.Order("1").Pluck("p.title || text || coalesce(plans.name, '')", v)
		})
	}},
	{"undeclared table", func(db *gorm.DB) (any, error) {
		return found(func(v *[]map[string]any) *gorm.DB { return db.Table("poll_voters").Order("voter_id").Find(v) })
	}},
	{"raw", func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Raw("WITH c AS (SELECT * FROM choices WHERE votes > ?) SELECT text FROM c ORDER BY 1; -- end", 3).Scan(v)
		})
	}},
	{"raw union", func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Raw("SELECT title FROM polls UNION SELECT name FROM plans ORDER BY 1").Scan(v)
		})
	}},
	{"association", func(db *gorm.DB) (any, error) {
		var voters []Voter
		poll := Poll{ID: 1}
		err := db.Model(&poll).Order("voters.id").Association("Voters").Find(&voters)
		return []any{voters, db.Model(&poll).Association("Tags").Count()}, err
	}},
	{"migrator", func(db *gorm.DB) (any, error) {
		m := db.Migrator()
		columns, err := m.ColumnTypes(&Poll{})
		if err != nil {
			return nil, err
		}
		names := []any{m.HasTable(&Poll{}), m.HasTable("polls"), m.HasTable("elsewhere"), m.HasColumn(&Poll{}, "Title"), m.HasIndex(&Note{}, "Text")}
		for _, c := range columns {
			names = append(names, c.Name())
		}
		tables, err := m.GetTables()
		return append(names, len(tables)), err
	}},
}

var writes = []operation{
	{"create", func(db *gorm.DB) (any, error) {
		poll := Poll{
			Title: "a-new", PlanID: ptr(uint(2)), Choices: []Choice{{Text: "a-c1"}, {Text: "a-c2"}},
			Voters: []Voter{{Name: "a-cy"}}, Tags: []Tag{{ID: 2}},
		}
		err := db.Create(&poll).Error
		return poll, err
	}},
	{"create in batches", func(db *gorm.DB) (any, error) {
		v := []Voter{{Name: "a-v1"}, {Name: "a-v2"}, {Name: "a-v3"}}
		err := db.CreateInBatches(&v, 2).Error
		return v, err
	}},
	{"create map", func(db *gorm.DB) (any, error) {
		return nil, db.Model(&Choice{}).Create(map[string]any{"PollID": 1, "Text": "a-map"}).Error
	}},
	{"create with a tenant column", func(db *gorm.DB) (any, error) {
		return nil, db.Create(&Note{TenantID: "a", PollID: ptr(uint(1)), Text: "a-note3"}).Error
	}},
	{"create central", func(db *gorm.DB) (any, error) { return nil, db.Create(&Tag{Name: "green"}).Error }},
	{"broken reference", func(db *gorm.DB) (any, error) { return nil, db.Create(&Choice{PollID: 999}).Error }},
	{"update from", func(db *gorm.DB) (any, error) {
		return nil, db.Exec("UPDATE choices SET votes = votes + 10 FROM polls WHERE polls.id = poll_id AND polls.open").Error
	}},
	{"append", func(db *gorm.DB) (any, error) {
		return nil, db.Model(&Poll{ID: 2}).Association("Voters").Append(&Voter{ID: 1, Name: "a-ann"}, &Voter{Name: "a-eve"})
	}},
	{"replace", func(db *gorm.DB) (any, error) {
		return nil, db.Model(&Poll{ID: 1}).Association("Tags").Replace(&Tag{ID: 2, Name: "blue"})
	}},
	{"unlink", func(db *gorm.DB) (any, error) {
		return nil, db.Model(&Poll{ID: 1}).Association("Voters").Delete(&Voter{ID: 2})
	}},
	{"delete with associations", func(db *gorm.DB) (any, error) {
		return nil, db.Select("Voters", "Choices", "Tags").Delete(&Poll{ID: 2}).Error
	}},
	{"manual transaction", func(db *gorm.DB) (any, error) {
		tx := db.Begin(&sql.TxOptions{Isolation: sql.LevelSerializable})
		return nil, errors.Join(tx.Create(&Voter{Name: "a-manual"}).Error, tx.Commit().Error)
	}},
	{"raw with a tail", func(db *gorm.DB) (any, error) {
		return nil, db.Exec("INSERT INTO voters (name) VALUES ('a-s1'); INSERT INTO voters (name) VALUES ('a-s2') -- both").Error
	}},
	{"ddl", func(db *gorm.DB) (any, error) {
		return nil, errors.Join(db.Exec("CREATE TABLE extra (id int)").Error, db.Exec("CREATE INDEX CONCURRENTLY ON extra (id)").Error,
			db.Exec("INSERT INTO extra VALUES (1)").Error, db.Exec("DROP TABLE extra").Error)
	}},
	{"AutoMigrate", func(db *gorm.DB) (any, error) {
		type Poll struct {
			ID    uint
			Title string
			Added string `gorm:"index;default:x"`
		}
		return nil, db.AutoMigrate(&Poll{}, &Choice{})
	}},
}

func ptr[T any](v T) *T { return &v }

// modes are the ways to talk to PostgreSQL in which every operation must be the same.
var modes = map[string]setup{
	"cache statement":   {},
	"cache describe":    {params: "&default_query_exec_mode=cache_describe"},
	"describe":          {params: "&default_query_exec_mode=describe_exec"},
	"exec":              {params: "&default_query_exec_mode=exec"},
	"simple":            {params: "&default_query_exec_mode=simple_protocol"},
	"prepared":          {config: gorm.Config{PrepareStmt: true}},
	"no default tx":     {config: gorm.Config{SkipDefaultTransaction: true}},
	"session":           {options: []schema.Option{schema.Session()}},
	"session, prepared": {config: gorm.Config{PrepareStmt: true, SkipDefaultTransaction: true}, options: []schema.Option{schema.Session()}},
}

// TestOperations runs every operation as tenant a next to plain GORM on a database of its own: results and rows must be the
// same, and nothing of b may change.
func TestOperations(t *testing.T) {
	t.Parallel()
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, newEnv(t, mode), mode, without())
		})
	}
}

func compare(t *testing.T, e *env, mode setup, operations []operation) {
	t.Helper()
	plain := newEnv(t, setup{})
	config := mode.config
	config.Logger, config.TranslateError = logger.Discard, true
	p, err := gorm.Open(postgres.Open(plain.dsn+"&search_path=tenant_a,public"+mode.params), &config)
	must(t, err)
	t.Cleanup(func() { pool, _ := p.DB(); pool.Close() })
	before := e.dump(e.prefix+"b", ownedTables...)
	for _, op := range operations {
		got, gotErr := op.run(e.db.WithContext(as("a")))
		want, wantErr := op.run(p.WithContext(context.Background()))
		if text(got) != text(want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Errorf("%s:\n got %s, %v\nwant %s, %v", op.name, text(got), gotErr, text(want), wantErr)
		}
		if strings.Contains(text(got), "b-") || strings.Contains(text(got), "b@") {
			t.Errorf("%s read a row of b: %s", op.name, text(got))
		}
		for mine, its := range map[string]string{e.prefix + "a": "tenant_a", "public": "public"} {
			tables := ownedTables
			if its == "public" {
				tables = centralTables
			}
			if got, want := e.dump(mine, tables...), plain.dump(its, tables...); got != want {
				t.Fatalf("%s left other rows in %s:\n--- got\n%s--- want\n%s", op.name, mine, got, want)
			}
			if got, want := e.tables(mine), plain.tables(its); got != want {
				t.Fatalf("%s left other tables in %s: %s, want %s", op.name, mine, got, want)
			}
		}
		if now := e.dump(e.prefix+"b", ownedTables...); now != before {
			t.Fatalf("%s changed b:\n--- before\n%s--- after\n%s", op.name, before, now)
		}
	}
}

// without leaves operations out.
func without(names ...string) (left []operation) {
	for _, op := range append(reads, writes...) {
		if !slices.Contains(names, op.name) {
			left = append(left, op)
		}
	}
	return left
}

// text renders a result without its times, which differ.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
