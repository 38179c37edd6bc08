package shared_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestRawText shows that text which names owned tables runs, although the statement wall cannot read it, because the
// database holds it.
func TestRawText(t *testing.T) {
	t.Parallel()
	d := filled(t)
	for name, config := range map[string]*gorm.Config{"plain": {}, "prepared": {PrepareStmt: true}} {
		db := use(t, d.app(), pluginOf(secured()), config)
		for _, tc := range []struct {
			name string
			want int64
			ask  func(db *gorm.DB) *gorm.DB
		}{
			{"raw", 3, func(db *gorm.DB) *gorm.DB { return db.Raw("SELECT count(*) FROM polls") }},
			{"raw that lies", 0, func(db *gorm.DB) *gorm.DB {
				return db.Raw("SELECT count(*) FROM polls WHERE tenant_id <> ?", tenancy.Current)
			}},
			{"raw join", 3, func(db *gorm.DB) *gorm.DB {
				return db.Model(&Note{}).Joins("JOIN polls ON polls.id = notes.id").Select("count(*)")
			}},
			{"raw join of everything", 9, func(db *gorm.DB) *gorm.DB {
				return db.Model(&Note{}).Joins("CROSS JOIN polls").Select("count(*)")
			}},
			{"sub-query as text", 1, func(db *gorm.DB) *gorm.DB {
				return db.Model(&Poll{}).Where("id IN (SELECT poll_id FROM poll_labels)").Select("count(*)")
			}},
			{"foreign sub-query as text", 0, func(db *gorm.DB) *gorm.DB {
				return db.Model(&Poll{}).Where("EXISTS (SELECT 1 FROM polls WHERE id = 11)").Select("count(*)")
			}},
			{"several tables", 9, func(db *gorm.DB) *gorm.DB { return db.Table("polls, notes").Select("count(*)") }},
			{"derived table", 3, func(db *gorm.DB) *gorm.DB { return db.Table("(SELECT * FROM notes) AS n").Select("count(*)") }},
			{"selected sub-query", 3, func(db *gorm.DB) *gorm.DB {
				return db.Model(&Label{}).Select("(SELECT count(*) FROM polls)")
			}},
			{"or", 3, func(db *gorm.DB) *gorm.DB {
				return db.Model(&Poll{}).Where("id = 1").Or("1 = 1").Select("count(*)")
			}},
		} {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				d.unchanged(t, func() {
					var n int64
					if err := tc.ask(db.WithContext(asA)).Scan(&n).Error; err != nil || n != tc.want {
						t.Errorf("%d and %v, want %d", n, err, tc.want)
					}
				})
			})
		}
	}
}

// TestRawWithoutOption shows that the same texts are refused where the database does not hold them.
func TestRawWithoutOption(t *testing.T) {
	t.Parallel()
	d := filled(t)
	db := use(t, d.app(), pluginOf(shared.New())).WithContext(asA)
	var n int64
	for name, ask := range map[string]*gorm.DB{
		"raw":      db.Raw("SELECT count(*) FROM polls"),
		"raw join": db.Model(&Note{}).Joins("CROSS JOIN polls").Select("count(*)"),
		"tables":   db.Table("polls, notes").Select("count(*)"),
	} {
		if err := ask.Scan(&n).Error; !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPredicateStays shows that the predicate is written although the database would do: it is what makes indexes usable
// whose operators PostgreSQL does not trust under policies, and a second wall.
func TestPredicateStays(t *testing.T) {
	t.Parallel()
	d := filled(t)
	db := use(t, d.app(), pluginOf(secured()))
	text := db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.WithContext(asA).Find(&[]Poll{}) })
	if want := `SELECT * FROM "polls" WHERE "polls"."tenant_id" = 'a'`; text != want {
		t.Errorf("%s, want %s", text, want)
	}
	d.root("DROP POLICY tenancy ON polls; ALTER TABLE polls DISABLE ROW LEVEL SECURITY")
	var polls []Poll
	if err := db.WithContext(asA).Where("1 = 1").Or("2 = 2").Find(&polls).Error; err != nil || len(polls) != 3 {
		t.Errorf("the predicate alone shows %d polls and %v", len(polls), err)
	}
}

// TestWrites shows ordinary writes under both walls, with transactions, savepoints and associations.
func TestWrites(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]*gorm.Config{"plain": {}, "prepared": {PrepareStmt: true}, "no default transaction": {SkipDefaultTransaction: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := filled(t)
			db := use(t, d.app(), pluginOf(secured()), config)
			d.unchanged(t, func() { write(t, db.WithContext(asA)) })
		})
	}
}

func write(t *testing.T, db *gorm.DB) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	poll := Poll{Title: "new", Labels: []Label{{Name: "blue"}, {Name: "green"}}}
	must(db.Create(&poll).Error)
	must(db.Model(&poll).Association("Labels").Append(&Label{Name: "black"}))
	if n := db.Model(&poll).Association("Labels").Count(); n != 3 {
		t.Errorf("%d labels, want 3", n)
	}
	must(db.Model(&poll).Association("Labels").Replace(&Label{Name: "white"}))
	var read Poll
	must(db.Preload("Labels").First(&read, poll.ID).Error)
	if len(read.Labels) != 1 || read.TenantID != "a" {
		t.Errorf("read %+v", read)
	}
	must(db.Transaction(func(tx *gorm.DB) error {
		must(tx.Model(&read).Update("votes", 7).Error)
		err := tx.Transaction(func(tx *gorm.DB) error {
			must(tx.Delete(&Note{ID: 1}).Error)
			return gorm.ErrInvalidData
		})
		if !errors.Is(err, gorm.ErrInvalidData) {
			t.Error(err)
		}
		if err := tx.WithContext(asB).First(&Note{}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("another tenant in the transaction: %v", err)
		}
		return nil
	}))
	var notes int64
	must(db.Model(&Note{}).Count(&notes).Error)
	if notes != 3 {
		t.Errorf("%d notes after the savepoint, want 3", notes)
	}
	upsert := clause.OnConflict{Columns: []clause.Column{{Name: "tenant_id"}, {Name: "id"}}, UpdateAll: true}
	must(db.Clauses(upsert).Create(&Note{ID: 1, Body: "again"}).Error)
	if err := db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Poll{ID: 11, Title: "taken"}).Error; err == nil {
		t.Error("an upsert that meets b's row is no error")
	}
	if err := db.Create(&Poll{TenantID: "b", Title: "planted"}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
		t.Errorf("a row for b: %v", err)
	}
	if err := db.Model(&Poll{ID: 1}).Association("Labels").Append(&Label{ID: 11}); err == nil {
		t.Error("a link to b's label is no error")
	}
	if res := db.Delete(&Poll{}, 11); res.Error != nil || res.RowsAffected != 0 {
		t.Errorf("delete b's poll: %d rows and %v", res.RowsAffected, res.Error)
	}
}

// withBypass is a database whose session role may take on a role above policies, or one with policies of its own.
func withBypass(t *testing.T, attributes string) (d database, login, reporting string) {
	t.Helper()
	reporting = role(t, "reporting", "NOLOGIN "+attributes)
	login = role(t, "login", "LOGIN NOINHERIT IN ROLE "+reporting)
	d = filled(t)
	d.root("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + login + ", " + reporting +
		"; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + login + ", " + reporting)
	t.Cleanup(func() { d.root("DROP OWNED BY " + login + ", " + reporting) })
	return d, login, reporting
}

// TestBypass shows that Bypass sees all rows through its role, and that narrowing it is held by the database where that is
// possible.
func TestBypass(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"BYPASSRLS": false, "policies of its own": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attributes := "BYPASSRLS"
			if own {
				attributes = ""
			}
			d, login, reporting := withBypass(t, attributes)
			if own {
				for _, table := range []string{"polls", "labels", "notes", "poll_labels"} {
					d.root("CREATE POLICY everything ON " + table + " TO " + reporting + " USING (true)")
				}
			}
			db := use(t, d.server.DSN(login, d.name), pluginOf(secured(shared.BypassRole(reporting))))
			for _, tc := range []struct {
				name string
				ctx  context.Context
				want int64
				how  func(db *gorm.DB) *gorm.DB
			}{
				{"model", bypass, 6, func(db *gorm.DB) *gorm.DB { return db.Model(&Note{}).Select("count(*)") }},
				{"raw", bypass, 6, func(db *gorm.DB) *gorm.DB { return db.Raw("SELECT count(*) FROM notes") }},
				{"raw links", bypass, 2, func(db *gorm.DB) *gorm.DB { return db.Raw("SELECT count(*) FROM poll_labels") }},
				{"ForTenant", bypass, 3, func(db *gorm.DB) *gorm.DB {
					return db.Model(&Note{}).Scopes(tenancy.ForTenant("b")).Select("count(*)")
				}},
				{"ForTenants", bypass, 3, func(db *gorm.DB) *gorm.DB {
					return db.Model(&Note{}).Scopes(tenancy.ForTenants("b", "c")).Select("count(*)")
				}},
				{"ForTenants, both", bypass, 6, func(db *gorm.DB) *gorm.DB {
					return db.Model(&Note{}).Scopes(tenancy.ForTenants("a", "b")).Select("count(*)")
				}},
				{"a tenant", asA, 3, func(db *gorm.DB) *gorm.DB { return db.Raw("SELECT count(*) FROM notes") }},
				{"a tenant's role", asA, 1, func(db *gorm.DB) *gorm.DB {
					return db.Raw("SELECT count(*) WHERE current_user = session_user")
				}},
				{"bypass role", bypass, 1, func(db *gorm.DB) *gorm.DB { return db.Raw("SELECT count(*) WHERE current_user <> session_user") }},
				{"central", central, 1, func(db *gorm.DB) *gorm.DB { return db.Model(&Plan{}).Select("count(*)") }},
			} {
				var n int64
				if err := tc.how(db.WithContext(tc.ctx)).Scan(&n).Error; err != nil || n != tc.want {
					t.Errorf("%s: %d and %v, want %d", tc.name, n, err, tc.want)
				}
			}
			d.unchanged(t, func() {
				narrow := db.WithContext(bypass).Scopes(tenancy.ForTenant("a"))
				if res := narrow.Where("1 = 1").Delete(&Note{}); res.Error != nil || res.RowsAffected != 3 {
					t.Errorf("delete narrowed to a: %d rows and %v", res.RowsAffected, res.Error)
				}
				if err := db.WithContext(asA).Exec("SET ROLE " + reporting).Error; !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("a tenant takes the role on: %v", err)
				}
				if _, err := pool(t, db).ExecContext(asA, "SET LOCAL ROLE "+reporting); !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("a tenant takes the role on through database/sql: %v", err)
				}
			})
			if err := db.WithContext(bypass).Create(&Note{TenantID: "b", ID: 9, Body: "from support"}).Error; err != nil {
				t.Errorf("write under Bypass: %v", err)
			}
		})
	}
}

// TestBypassWithoutRole shows that Bypass is refused with the name of the option, and that narrowing to one tenant needs
// no role.
func TestBypassWithoutRole(t *testing.T) {
	t.Parallel()
	d := filled(t)
	db := use(t, d.app(), pluginOf(secured()))
	for name, ask := range map[string]func(db *gorm.DB) error{
		"find":       func(db *gorm.DB) error { return db.Find(&[]Poll{}).Error },
		"raw":        func(db *gorm.DB) error { return db.Exec("DELETE FROM polls").Error },
		"create":     func(db *gorm.DB) error { return db.Create(&Poll{TenantID: "b", Title: "x"}).Error },
		"ForTenants": func(db *gorm.DB) error { return db.Scopes(tenancy.ForTenants("a", "b")).Find(&[]Poll{}).Error },
		"migrator":   func(db *gorm.DB) error { return db.AutoMigrate(&Poll{}) },
	} {
		d.unchanged(t, func() {
			err := ask(db.WithContext(bypass))
			if !errors.Is(err, tenancy.ErrUnsupported) || !contains(err, "shared.BypassRole") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	var notes []Note
	if err := db.WithContext(bypass).Scopes(tenancy.ForTenant("b")).Find(&notes).Error; err != nil || len(notes) != 3 {
		t.Errorf("ForTenant: %d notes and %v", len(notes), err)
	}
}

// TestConcurrent shows that connections never mix tenants up.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	d := filled(t)
	db := use(t, d.app(), pluginOf(secured()))
	pool(t, db).SetMaxOpenConns(3)
	errs := make(chan error)
	const workers = 8
	for i := range workers {
		id := tenancy.ID("ab"[i%2 : i%2+1])
		go func() {
			for range 50 {
				var others int64
				err := db.WithContext(tenancy.WithTenant(nobody, id)).Raw("SELECT count(*) FROM notes WHERE tenant_id <> ?", string(id)).Scan(&others).Error
				if err != nil || others != 0 {
					errs <- fmt.Errorf("%d rows of others and %w", others, err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range workers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestCommands: what changes no table runs as raw SQL in a tenant's transaction, inside the tenant.
func TestCommands(t *testing.T) {
	t.Parallel()
	d := filled(t)
	for _, mode := range []string{"", "&default_query_exec_mode=simple_protocol"} {
		a := use(t, d.app()+mode, pluginOf(secured())).WithContext(asA)
		d.unchanged(t, func() {
			err := a.Transaction(func(tx *gorm.DB) error {
				for _, text := range []string{
					"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET LOCAL lock_timeout = '1s'", "SET CONSTRAINTS ALL DEFERRED",
					"NOTIFY x", "TABLE notes", "DECLARE c CURSOR FOR SELECT tenant_id FROM notes",
					"MERGE INTO notes n USING (VALUES (1)) v (i) ON n.id = v.i WHEN MATCHED THEN UPDATE SET body = 'merged'",
				} {
					if err := tx.Exec(text).Error; err != nil {
						t.Errorf("%s: %v", text, err)
					}
				}
				var tenants []string
				if err := tx.Raw("FETCH ALL FROM c").Scan(&tenants).Error; err != nil || strings.Join(tenants, "") != "aaa" {
					t.Errorf("%q %v", tenants, err)
				}
				return tx.Exec("CLOSE c").Error
			})
			if err != nil {
				t.Error(err)
			}
			for _, text := range []string{
				"SET app.tenant_id = 'b'", "SET LOCAL session_authorization = DEFAULT", "RESET ALL", "TRUNCATE notes", "DROP TABLE notes",
				"ALTER TABLE notes DISABLE ROW LEVEL SECURITY", "COMMIT", "LOCK TABLE notes",
			} {
				if err := a.Exec(text).Error; !errors.Is(err, tenancy.ErrUnconfined) {
					t.Errorf("%s: %v", text, err)
				}
			}
		})
	}
}
