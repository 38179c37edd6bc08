package strategytest

import (
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

var errUndo = errors.New("undo")

var writes = []use{
	{name: "create", run: func(db *gorm.DB) (any, error) {
		p := poll{ID: 50, Code: "c50", Title: "a-new", Choices: []choice{{ID: 51, Text: "a-x"}, {ID: 52, Text: "a-y"}}}
		err := db.Create(&p).Error
		return p, err
	}},
	{name: "create with links", run: func(db *gorm.DB) (any, error) {
		p := poll{ID: 50, Code: "c50", Title: "a-new", Voters: []voter{{ID: 53, Name: "a-eve"}}}
		err := db.Create(&p).Error
		return p, err
	}},
	{name: "create a key that others have", run: func(db *gorm.DB) (any, error) {
		return nil, db.Create(&poll{ID: 9, Code: "c9", Title: "a-nine"}).Error
	}},
	{name: "create slice", run: func(db *gorm.DB) (any, error) {
		v := []voter{{ID: 50, Name: "a-v1"}, {ID: 51, Name: "a-v2"}, {ID: 52, Name: "a-v3"}}
		err := db.CreateInBatches(&v, 2).Error
		return v, err
	}},
	{name: "create map", run: func(db *gorm.DB) (any, error) {
		return changed(db.Model(&choice{}).Create(map[string]any{"ID": 50, "PollID": 1, "Text": "a-map"}))
	}},
	{name: "create some columns", run: func(db *gorm.DB) (any, error) {
		return changed(db.Select("ID", "Name").Create(&voter{ID: 50, Name: "a-v", Email: "left out"}))
	}},
	{name: "create central", needs: central, tenantless: true, run: func(db *gorm.DB) (any, error) {
		return changed(db.Create(&plan{ID: 3, Name: "new"}))
	}},
	{name: "duplicate", run: func(db *gorm.DB) (any, error) { return nil, db.Create(&poll{ID: 50, Code: "c1"}).Error }},
	{name: "duplicate key", run: func(db *gorm.DB) (any, error) { return nil, db.Create(&voter{ID: 1}).Error }},
	{name: "a duplicate of others only", run: func(db *gorm.DB) (any, error) {
		return changed(db.Create(&poll{ID: 50, Code: "c9", Title: "a-free"}))
	}},
	{name: "upsert", run: func(db *gorm.DB) (any, error) {
		v := []voter{{ID: 1, Name: "a-ann", Email: "a@new"}, {ID: 9, Name: "a-nine"}}
		return nil, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&v).Error
	}},
	{name: "upsert some columns", run: func(db *gorm.DB) (any, error) {
		v := voter{ID: 1, Name: "a-kept", Email: "a@new"}
		emails := clause.OnConflict{DoUpdates: clause.AssignmentColumns([]string{"email"}), Columns: keyColumns()}
		return nil, db.Clauses(emails).Create(&v).Error
	}},
	{name: "do nothing", run: func(db *gorm.DB) (any, error) {
		return changed(db.Clauses(clause.OnConflict{DoNothing: true}).Create(&voter{ID: 1, Name: "a-none"}))
	}},
	{name: "save", run: func(db *gorm.DB) (any, error) {
		return nil, db.Save(&choice{ID: 1, PollID: 1, Text: "a-saved", Votes: 9}).Error
	}},
	{name: "save new", run: func(db *gorm.DB) (any, error) {
		return nil, db.Save(&choice{ID: 9, PollID: 1, Text: "a-nine"}).Error
	}},
	{name: "first or create", run: func(db *gorm.DB) (any, error) {
		var one, two voter
		err := fresh(db).Where(voter{ID: 50, Name: "a-dan"}).Attrs(voter{Email: "x"}).FirstOrCreate(&one).Error
		return []voter{one, two}, errors.Join(err, fresh(db).Where(voter{Name: "a-dan"}).FirstOrCreate(&two).Error)
	}},
	{name: "update", run: func(db *gorm.DB) (any, error) {
		return changed(db.Model(&choice{}).Where("poll_id = ? OR 1 = 1", 1).Update("votes", gorm.Expr("votes + ?", 1)))
	}},
	{name: "update by key", run: func(db *gorm.DB) (any, error) { return changed(db.Model(&poll{ID: 1}).Update("title", "a-key")) }},
	{name: "update by struct", run: func(db *gorm.DB) (any, error) {
		return changed(db.Where("votes > 0").Or("1 = 1").Updates(&voter{Email: "a@all"}))
	}},
	{name: "update by map", run: func(db *gorm.DB) (any, error) {
		return changed(db.Table("choices").Where("id > ?", 1).Updates(map[string]any{"text": "a-map", "votes": 0}))
	}},
	{name: "update columns", run: func(db *gorm.DB) (any, error) {
		return changed(db.Model(&choice{}).Where("id = 2").UpdateColumns(map[string]any{"votes": 7}))
	}},
	{name: "update by sub-query", run: func(db *gorm.DB) (any, error) {
		return changed(db.Model(&poll{}).Where("id = 2").Update("title", fresh(db).Model(&choice{}).Select("max(text)")))
	}},
	{name: "update returning", run: func(db *gorm.DB) (any, error) {
		var v []choice
		err := db.Model(&v).Clauses(clause.Returning{}).Where("id = 2").Updates(map[string]any{"text": "a-ret"}).Error
		return v, err
	}},
	{name: "update without conditions", run: func(db *gorm.DB) (any, error) { return changed(db.Model(&choice{}).Update("votes", 0)) }},
	{name: "update everything", run: func(db *gorm.DB) (any, error) {
		return changed(db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&choice{}).Update("votes", 0))
	}},
	{name: "update central", needs: central, tenantless: true, run: func(db *gorm.DB) (any, error) {
		return changed(db.Model(&plan{}).Where("id = 2").Update("name", "silver"))
	}},
	{name: "append", run: onAssociation("Voters", func(a *gorm.Association) error { return a.Append(&voter{ID: 50, Name: "a-eve"}) })},
	{name: "append a loaded one", run: func(db *gorm.DB) (any, error) {
		p, err := loaded(db)
		if err != nil {
			return nil, err
		}
		var two poll
		if err := fresh(db).First(&two, 2).Error; err != nil {
			return nil, err
		}
		var v voter
		if err := fresh(db).First(&v, 1).Error; err != nil {
			return nil, err
		}
		return p.Title, fresh(db).Model(&two).Association("Voters").Append(&v)
	}},
	{name: "append to has many", run: onAssociation("Choices", func(a *gorm.Association) error {
		return a.Append(&choice{ID: 50, Text: "a-more"})
	})},
	{name: "clear", run: onAssociation("Voters", func(a *gorm.Association) error { return a.Clear() })},
	{name: "delete", run: func(db *gorm.DB) (any, error) { return changed(db.Where("votes > 3 OR 1 = 1").Delete(&choice{})) }},
	{name: "delete by key", run: func(db *gorm.DB) (any, error) { return changed(db.Delete(&choice{}, 3)) }},
	{name: "delete by keys", run: func(db *gorm.DB) (any, error) { return changed(db.Delete(&choice{}, []int{1, 2, 9})) }},
	{name: "delete loaded", run: func(db *gorm.DB) (any, error) {
		var c choice
		if err := fresh(db).Take(&c, 2).Error; err != nil {
			return nil, err
		}
		return changed(fresh(db).Delete(&c))
	}},
	{name: "delete without conditions", run: func(db *gorm.DB) (any, error) { return changed(db.Delete(&choice{})) }},
	{name: "delete everything", run: func(db *gorm.DB) (any, error) {
		return changed(db.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&memo{}))
	}},
	{name: "soft delete", run: func(db *gorm.DB) (any, error) { return changed(db.Delete(&memo{}, 1)) }},
	{name: "delete for good", run: func(db *gorm.DB) (any, error) { return changed(db.Unscoped().Where("id > 0").Delete(&memo{})) }},
	{name: "delete with associations", run: func(db *gorm.DB) (any, error) {
		p, err := loaded(db)
		if err != nil {
			return nil, err
		}
		return changed(fresh(db).Select("Voters", "Choices").Delete(p))
	}},
	{name: "join table", run: func(db *gorm.DB) (any, error) {
		return changed(db.Table("poll_voters").Where("voter_id > 0 OR 1 = 1").Delete(nil))
	}},
	{name: "commit", run: func(db *gorm.DB) (any, error) {
		return nil, db.Transaction(func(tx *gorm.DB) error {
			if err := fresh(tx).Create(&voter{ID: 50, Name: "a-tx"}).Error; err != nil {
				return err
			}
			err := fresh(tx).Transaction(func(tx *gorm.DB) error {
				return errors.Join(fresh(tx).Create(&voter{ID: 51, Name: "a-undone"}).Error, errUndo)
			})
			if !errors.Is(err, errUndo) {
				return err
			}
			return fresh(tx).Model(&voter{}).Where("id = 50").Update("email", "a@50").Error
		})
	}},
	{name: "roll back", run: func(db *gorm.DB) (any, error) {
		err := db.Transaction(func(tx *gorm.DB) error {
			return errors.Join(fresh(tx).Where("1 = 1").Delete(&choice{}).Error, errUndo)
		})
		return errors.Is(err, errUndo), nil
	}},
	{name: "savepoints", run: func(db *gorm.DB) (any, error) {
		return nil, db.Transaction(func(tx *gorm.DB) error {
			tx = fresh(tx)
			return errors.Join(tx.Create(&voter{ID: 50, Name: "a-kept"}).Error, tx.SavePoint("s").Error,
				tx.Create(&voter{ID: 51, Name: "a-undone"}).Error, tx.RollbackTo("s").Error)
		})
	}},
	{name: "begin and commit", alone: true, run: func(db *gorm.DB) (any, error) {
		tx := fresh(db).Begin()
		return nil, errors.Join(tx.Create(&voter{ID: 50, Name: "a-begun"}).Error, tx.Commit().Error)
	}},
	{name: "generics create", run: func(db *gorm.DB) (any, error) {
		return nil, gorm.G[voter](db).Create(db.Statement.Context, &voter{ID: 50, Name: "a-gen"})
	}},
	{name: "generics create in batches", run: func(db *gorm.DB) (any, error) {
		return nil, gorm.G[voter](db).CreateInBatches(db.Statement.Context, &[]voter{{ID: 50, Name: "a-g1"}, {ID: 51, Name: "a-g2"}}, 1)
	}},
	{name: "generics update", run: func(db *gorm.DB) (any, error) {
		return gorm.G[choice](db).Where("votes > ? OR 1 = 1", 1).Update(db.Statement.Context, "text", "a-gen")
	}},
	{name: "generics set", run: func(db *gorm.DB) (any, error) {
		five := clause.Assignment{Column: clause.Column{Name: "votes"}, Value: 5}
		return gorm.G[choice](db).Where("1 = 1").Set(five).Update(db.Statement.Context)
	}},
	{name: "generics delete", run: func(db *gorm.DB) (any, error) {
		return gorm.G[choice](db).Where("id IN ?", []int{1, 9}).Delete(db.Statement.Context)
	}},
	{name: "SQL text that writes", needs: texts, run: func(db *gorm.DB) (any, error) {
		return changed(db.Exec("UPDATE polls SET votes = ? WHERE id > ?", 99, 0))
	}},
	{name: "SQL text that deletes", needs: texts, run: func(db *gorm.DB) (any, error) { return changed(db.Exec("DELETE FROM choices")) }},
	{name: "generics SQL text that writes", needs: texts, run: func(db *gorm.DB) (any, error) {
		return nil, gorm.G[poll](db).Exec(db.Statement.Context, "DELETE FROM choices WHERE id = 1")
	}},
	{name: "database/sql that writes", needs: connections, alone: true, run: func(db *gorm.DB) (any, error) {
		pool, err := db.DB()
		if err != nil {
			return nil, err
		}
		ctx := db.Statement.Context
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return nil, err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "UPDATE voters SET email = 'a@all'"); err != nil {
			return nil, err
		}
		return nil, tx.Commit()
	}},
}

func keyColumns() []clause.Column { return []clause.Column{{Name: "tenant_id"}, {Name: "id"}} }

// onAssociation changes an association of the first poll.
func onAssociation(name string, do func(a *gorm.Association) error) func(db *gorm.DB) (any, error) {
	return func(db *gorm.DB) (any, error) {
		p, err := loaded(db)
		if err != nil {
			return nil, err
		}
		return nil, do(fresh(db).Model(p).Association(name))
	}
}
