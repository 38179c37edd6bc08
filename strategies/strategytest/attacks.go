package strategytest

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// target is whom a statement of tenant a is about: b in an attack, a in its positive control.
type target struct {
	id  string
	key uint // of rows that this tenant has
}

// attack is a statement that reaches for the rows of a tenant by name or key. About b it may end in an error or find nothing;
// about a it must work.
type attack struct {
	name  string
	run   func(db *gorm.DB, at target) (any, error)
	needs []Capability // about a
	alone bool         // as in use
	error bool         // about b it must end in one: to find nothing of b is to find something of a
}

var attacks = []attack{
	{name: "read by tenant", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Where("tenant_id = ?", at.id).Find(v) })
	}},
	{name: "read by tenant or", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Where("1 = 0").Or("tenant_id = ?", at.id).Find(v) })
	}},
	{name: "read by struct", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Where(&poll{TenantID: at.id}).Find(v) })
	}},
	{name: "read by key of all", run: func(db *gorm.DB, at target) (any, error) {
		v := poll{TenantID: at.id, ID: at.key}
		err := db.First(&v).Error
		return v, err
	}},
	{name: "read by id", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Find(v, at.key) })
	}},
	{name: "count", run: func(db *gorm.DB, at target) (any, error) {
		var n int64
		err := db.Model(&choice{}).Where("tenant_id = ?", at.id).Count(&n).Error
		if n > 0 && at.id == victim {
			return "b-counted", err
		}
		return n, err
	}},
	{name: "unscoped", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]memo) *gorm.DB { return db.Unscoped().Where("tenant_id = ?", at.id).Find(v) })
	}},
	{name: "preload", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Preload("Choices", "1 = 1 OR tenant_id = ?", at.id).Find(v) })
	}},
	{name: "association of a row", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]choice) *gorm.DB {
			tx := fresh(db)
			tx.AddError(tx.Model(&poll{TenantID: at.id, ID: at.key}).Association("Choices").Find(v))
			return tx
		})
	}},
	{name: "table", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]string) *gorm.DB { return db.Table("polls").Where("tenant_id = ?", at.id).Pluck("title", v) })
	}},
	{name: "sub-query", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB {
			ids := fresh(db).Model(&poll{}).Select("id").Where("tenant_id = ?", at.id)
			return db.Where("id IN (?) AND tenant_id = ?", ids, at.id).Find(v)
		})
	}},
	{name: "generics", run: func(db *gorm.DB, at target) (any, error) {
		return gorm.G[poll](db).Where("1 = 0").Or("tenant_id = ?", at.id).Find(db.Statement.Context)
	}},
	{name: "create", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Create(&voter{TenantID: at.id, ID: 60, Name: "planted"}))
	}},
	{name: "create map", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Model(&voter{}).Create(map[string]any{"tenant_id": at.id, "id": 60, "name": "planted"}))
	}},
	{name: "create nested", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Create(&poll{ID: 60, Code: "c60", Choices: []choice{{TenantID: at.id, ID: 61, Text: "planted"}}}))
	}},
	{name: "upsert", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&voter{TenantID: at.id, ID: at.key, Name: "taken"}))
	}},
	{name: "save", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Save(&voter{TenantID: at.id, ID: at.key, Name: "taken"}))
	}},
	{name: "save unscoped", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Unscoped().Save(&memo{TenantID: at.id, ID: at.key, Text: "taken"}))
	}},
	{name: "update by key of all", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Model(&poll{TenantID: at.id, ID: at.key}).Update("title", "taken"))
	}},
	{name: "update by id", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Model(&poll{}).Where("id = ?", at.key).Update("title", "taken"))
	}},
	{name: "update by tenant", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Model(&poll{}).Where("1 = 0").Or("tenant_id = ?", at.id).Update("title", "taken"))
	}},
	{name: "give away", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Model(&choice{}).Where("text = 'a-maybe'").Updates(map[string]any{"tenant_id": at.id, "id": 61}))
	}},
	{name: "give away by struct", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Model(&choice{}).Where("text = 'a-maybe'").Updates(choice{TenantID: at.id, ID: 61, Text: "given"}))
	}},
	{name: "delete by key of all", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Delete(&choice{TenantID: at.id, ID: at.key}))
	}},
	{name: "delete by id", run: func(db *gorm.DB, at target) (any, error) { return changed(db.Delete(&choice{}, at.key)) }},
	{name: "delete by tenant", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Where("1 = 0").Or("tenant_id = ?", at.id).Delete(&memo{}))
	}},
	{name: "delete links", run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Table("poll_voters").Where("tenant_id = ?", at.id).Delete(nil))
	}},
	{name: "append to a row", run: func(db *gorm.DB, at target) (any, error) {
		voters := fresh(db).Model(&poll{TenantID: at.id, ID: at.key}).Association("Voters")
		return nil, voters.Append(&voter{TenantID: at.id, ID: 60, Name: "planted"})
	}},
	{name: "clear a row's links", run: func(db *gorm.DB, at target) (any, error) {
		return nil, fresh(db).Model(&poll{TenantID: at.id, ID: at.key}).Association("Voters").Clear()
	}},
	{name: "SQL text", needs: texts, run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Raw("SELECT title FROM polls WHERE tenant_id = ?", at.id).Scan(v)
		})
	}},
	{name: "SQL text that updates", needs: texts, run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Exec("UPDATE polls SET title = 'taken' WHERE tenant_id = ? AND id = ?", at.id, at.key))
	}},
	{name: "SQL text that deletes", needs: texts, run: func(db *gorm.DB, at target) (any, error) {
		return changed(db.Exec("DELETE FROM memos WHERE tenant_id = ?", at.id))
	}},
	{name: "SQL text in a condition", needs: texts, run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Model(&choice{}).Where("id = 1").Select("(SELECT max(title) FROM polls WHERE tenant_id = ?)", at.id).Find(v)
		})
	}},
	{name: "database/sql", needs: connections, alone: true, run: func(db *gorm.DB, at target) (any, error) {
		pool, err := db.DB()
		if err != nil {
			return nil, err
		}
		n := 0
		q := fmt.Sprintf("SELECT count(*) FROM polls WHERE tenant_id = '%s' AND id = %d", at.id, at.key)
		err = pool.QueryRowContext(db.Statement.Context, q).Scan(&n)
		if n > 0 && at.id == victim {
			return "b-counted", err
		}
		return n, err
	}},
	// Another tenant in the same session.
	{name: "another context in a transaction", needs: connections, error: true, run: func(db *gorm.DB, at target) (any, error) {
		var v []poll
		return v, fresh(db).Transaction(func(tx *gorm.DB) error {
			return tx.WithContext(tenancy.WithTenant(tx.Statement.Context, tenancy.ID(at.id))).Find(&v).Error
		})
	}},
	{name: "another context in a transaction that writes", needs: connections, error: true, run: func(db *gorm.DB, at target) (any, error) {
		return nil, fresh(db).Transaction(func(tx *gorm.DB) error {
			tx = tx.WithContext(tenancy.WithTenant(tx.Statement.Context, tenancy.ID(at.id)))
			return tx.Model(&poll{}).Where("1 = 1").Update("title", "taken").Error
		})
	}},
	{name: "another scope", run: func(db *gorm.DB, at target) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Scopes(tenancy.ForTenant(tenancy.ID(at.id))).Find(v) })
	}},
}
