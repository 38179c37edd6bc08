package tenancy_test

import (
	"database/sql"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// parityOp is an ordinary use of GORM by an application without tenants.
type parityOp struct {
	name string
	do   func(db *gorm.DB) error
	// raw needs a tenant where there is something to hold.
	raw bool
	// loose cannot be judged, and so is refused where there is something to hold.
	loose bool
}

func clerks(build func(db *gorm.DB) *gorm.DB) func(db *gorm.DB) error {
	return func(db *gorm.DB) error { return build(db).Find(&[]Clerk{}).Error }
}

func tx(do func(db *gorm.DB) *gorm.DB) func(db *gorm.DB) error {
	return func(db *gorm.DB) error { return do(db).Error }
}

func clerk(id uint) *Clerk { return &Clerk{Model: gorm.Model{ID: id}} }

var parityOps = []parityOp{
	{name: "Find", do: clerks(func(db *gorm.DB) *gorm.DB { return db })},
	{name: "First by key", do: tx(func(db *gorm.DB) *gorm.DB { return db.First(&Clerk{}, 1) })},
	{name: "First by key in dest", do: tx(func(db *gorm.DB) *gorm.DB { return db.First(clerk(2)) })},
	{name: "Take Last", do: tx(func(db *gorm.DB) *gorm.DB { db.Take(&Clerk{}); return db.Last(&Firm{}) })},
	{name: "composite key", do: tx(func(db *gorm.DB) *gorm.DB { return db.First(&Slot{Year: 2025, Code: "x"}) })},
	{name: "Where", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Where("name = ? AND age > ?", "ann", 3) })},
	{name: "Where or", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Where("name = ? OR age > ?", "ann", 3) })},
	{name: "Where Or", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Where("age > 3").Or("name = ?", "b").Where("id < 9") })},
	{name: "lone Or", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Or("age > 3") })},
	{name: "Or of firms", do: tx(func(db *gorm.DB) *gorm.DB { return db.Or("id > 3").Or("name = 'x' or 1=1").Find(&[]Firm{}) })},
	{name: "multi-line", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Where("age > 3\nOR name = 'b'").Where("id > 0") })},
	{name: "struct map keys", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where(&Clerk{Name: "ann"}).Where(map[string]any{"age": []int{1, 2}}).Where([]int{1, 2}).Not(map[string]any{"name": "x"})
	})},
	{name: "groups", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where(db.Where("age > 3").Or("age < 1")).Or(db.Or("id = 1").Where(clause.Eq{Column: "name", Value: "x"}))
	})},
	{name: "clause expressions", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.Or(clause.Eq{Column: "name", Value: "a"}, clause.Gte{Column: "age", Value: 2}), clause.Not(clause.Like{Column: "name", Value: "%x"}))
	})},
	{name: "named", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where("name = @n OR age = @a", sql.Named("n", "ann"), map[string]any{"a": 3}).Where("age > @A", struct{ A int }{1})
	})},
	{name: "IN", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where("(name, age) IN ?", [][]any{{"ann", 30}}).Where("id IN (?)", []uint{1, 2}).Where("id NOT IN ?", []uint{})
	})},
	{name: "expression values", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where("age = ?", gorm.Expr("1 + ?", 2)).Where(map[string]any{"name": gorm.Expr("upper(?)", "x")})
	})},
	{name: "sub-query", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (?) OR age > ?", db.Model(&Parcel{}).Select("clerk_id").Where("weight > 1"), 3).Where("1 = 1")
	})},
	{name: "sub-query in Not", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Not("id IN (?) OR age > 3", db.Model(&Parcel{}).Select("clerk_id")).Not(clause.Eq{Column: "age", Value: gorm.Expr("(?)", db.Model(&Clerk{}).Select("max(age)"))})
	})},
	{name: "sub-query in map", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (@s)", map[string]any{"s": db.Model(&Parcel{}).Select("clerk_id")})
	})},
	{name: "sub-query in From", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Table("(?) AS c, (?) AS f", db.Model(&Clerk{}).Select("name"), db.Model(&Firm{}).Select("id")).Find(&[]map[string]any{})
	})},
	{name: "sub-query in Select", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Clerk{}).Select("name, (?) AS n", db.Model(&Firm{}).Select("count(*)")).Order("id").Find(&[]map[string]any{})
	})},
	{name: "sub-query in Having", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Clerk{}).Select("name").Group("name").Having("sum(age) > (?)", db.Model(&Clerk{}).Select("avg(age)")).Find(&[]map[string]any{})
	})},
	{name: "generic sub-query", do: clerks(func(db *gorm.DB) *gorm.DB {
		if db.DryRun { // there GORM switches the logger off
			return db
		}
		return db.Where("id IN (?)", gorm.G[Parcel](db).Select("clerk_id").Where("weight > ?", 1))
	})},
	{name: "text sub-query", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Where("id IN (SELECT clerk_id FROM parcels p WHERE p.weight > ?)", 1)
	})},
	{name: "Scopes Select Omit Distinct", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Where("age > 1") }).Distinct("name", "age").Omit("ID")
	})},
	{name: "Group Order Limit", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Clerk{}).Select("name, sum(age) AS total").Group("name").Having("sum(age) > ?", 1).Order("total desc, name").Limit(3).Offset(1).Scan(&[]map[string]any{})
	})},
	{name: "Order text", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Order("CASE WHEN name = 'x' THEN 0 ELSE 1 END").Order(clause.OrderByColumn{Column: clause.Column{Name: "age"}, Desc: true})
	})},
	{name: "Locking", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Clauses(clause.Locking{Strength: "UPDATE", Options: "NOWAIT"}) })},
	{name: "Unscoped", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Unscoped().Where("age > 1 or age < 0") })},
	{name: "Count Pluck", do: tx(func(db *gorm.DB) *gorm.DB {
		var n int64
		db.Model(&Clerk{}).Where("age > 1").Or("age < 0").Count(&n)
		db.Model(&Clerk{}).Distinct("name").Count(&n)
		return db.Model(&Clerk{}).Pluck("name", &[]string{})
	})},
	{name: "smaller struct", do: tx(func(db *gorm.DB) *gorm.DB { return db.Model(&Clerk{}).Find(&[]userName{}) })},
	{name: "Table", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Table("clerks").Where("age > 1").Find(&[]map[string]any{})
		db.Table("clerks AS c").Joins("JOIN firms f ON f.id = c.firm_id AND f.name <> ?", "x").Select("c.name").Find(&[]userName{})
		return db.Table("clerks c, firms f").Where("c.firm_id = f.id").Select("f.name").Find(&[]map[string]any{})
	})},
	{name: "Row Rows", do: func(db *gorm.DB) error {
		row := db.Model(&Clerk{}).Select("name").Where("age > 1").Row()
		if row != nil {
			_ = row.Scan(new(string))
		}
		rows, err := db.Model(&Clerk{}).Where("id > ?", 0).Rows()
		if rows != nil {
			return errors.Join(err, rows.Close())
		}
		return err
	}},
	{name: "FindInBatches", do: func(db *gorm.DB) error {
		if db.DryRun {
			return db.Find(&[]Firm{}).Error
		}
		return db.FindInBatches(&[]Firm{}, 1, func(tx *gorm.DB, _ int) error { return tx.Where("id > 0").Find(&[]Firm{}).Error }).Error
	}},
	{name: "Joins", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Joins("Firm").InnerJoins("Boss", db.Where(&Clerk{Age: 3})).Joins("Boss.Firm").Where("Firm.name = 'x' or 1 = 1").Order("clerks.id")
	})},
	{name: "Joins with sub-query", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Joins("JOIN (?) AS q ON q.clerk_id = clerks.id", db.Model(&Parcel{}).Select("clerk_id", "sum(weight) AS w").Group("clerk_id")).Where("q.w > ?", 1)
	})},
	{name: "clause.From", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.From{Joins: []clause.Join{{Type: clause.LeftJoin, Table: clause.Table{Name: "firms"}, ON: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "firms.id = clerks.firm_id OR 1 = 0"}}}}}})
	})},
	{name: "Preload", do: clerks(func(db *gorm.DB) *gorm.DB {
		return db.Preload("Firm").Preload("Parcels", "weight > ? or weight < 0", 1).Preload("Boss.Firm", func(tx *gorm.DB) *gorm.DB { return tx.Order("firms.name").Or("1 = 1") })
	})},
	{name: "Preload Associations", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Preload(clause.Associations).First(&Clerk{}, 1)
	})},
	{name: "Create", do: tx(func(db *gorm.DB) *gorm.DB { return db.Create(&Clerk{Name: "n", FirmID: ptr(uint(1))}) })},
	{name: "Create nested", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Create(&Clerk{Name: "n", Firm: &Firm{Name: "f"}, Desk: Desk{Room: "r"}, Parcels: []Parcel{{Weight: 1}}, Skills: []Craft{{Name: "x"}}, Seals: []Seal{{Text: "s"}}})
	})},
	{name: "Create slice", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.CreateInBatches(&[]Firm{{Name: "a"}, {Name: "b"}, {Name: "c"}}, 2)
	})},
	{name: "Create map", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Model(&Firm{}).Create(map[string]any{"Name": gorm.Expr("upper(?)", "x")})
		return db.Table("firms").Create([]map[string]any{{"name": "y"}, {"name": "z"}})
	})},
	{name: "Create Select Omit", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Select("Name").Create(&Clerk{Name: "n", Age: 3})
		return db.Omit("Age", "Firm").Create(&Clerk{Name: "n", Age: 3, Firm: &Firm{Name: "f"}})
	})},
	{name: "Create sub-query", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Firm{}).Create(map[string]any{"name": db.Model(&Clerk{}).Select("max(name)")})
	})},
	{name: "OnConflict", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Firm{ID: 1, Name: "x"})
		db.Clauses(clause.OnConflict{DoNothing: true}).Create(&Firm{ID: 1, Name: "x"})
		return db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": gorm.Expr("upper(firms.name)")}),
			Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "firms.name <> 'q' OR 1 = 1"}, clause.Or(clause.Eq{Column: "id", Value: 3})}},
		}).Create(&Firm{ID: 1, Name: "x"})
	})},
	{name: "REPLACE", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(&Firm{ID: 1, Name: "x"})
	})},
	{name: "Save", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Save(&Firm{ID: 1, Name: "x"})
		db.Save(&Firm{ID: 9, Name: "y"})
		return db.Save(&[]Firm{{ID: 2, Name: "z"}, {Name: "w"}})
	})},
	{name: "FirstOrCreate", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Where(Firm{Name: "one"}).FirstOrInit(&Firm{})
		db.Where(Clerk{Name: "ann"}).Assign(Clerk{Age: 7}).FirstOrCreate(&Clerk{})
		return db.Where(Firm{Name: "new"}).Attrs(Firm{ID: 77}).FirstOrCreate(&Firm{})
	})},
	{name: "Update", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Model(clerk(1)).Update("age", gorm.Expr("age + ?", 1))
		db.Model(&Clerk{}).Where("age > 1 or age < 0").Updates(Clerk{Name: "u"})
		db.Model(clerk(1)).Select("*").Omit("Firm").Updates(Clerk{Name: "u"})
		return db.Model(&Clerk{}).Where("id = 1").UpdateColumns(map[string]any{"name": "x", "firm_id": 99})
	})},
	{name: "Update by sub-query", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Clerk{}).Where("id = 1").Update("name", db.Model(&Firm{}).Select("max(name)"))
	})},
	{name: "Update all", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Firm{}).Update("id", gorm.Expr("id"))
		return db.Model(&Firm{}).Update("name", "x")
	})},
	{name: "Set clause", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Firm{}).Where("id = 1").Clauses(clause.Set{{Column: clause.Column{Name: "name"}, Value: gorm.Expr("name || ?", "x")}}, clause.Returning{}).Updates(map[string]any{})
	})},
	{name: "Delete", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Delete(clerk(1))
		db.Where("age > 3").Or("age < 0").Delete(&Clerk{})
		db.Unscoped().Delete(&Clerk{}, []int{1, 2})
		db.Select("Parcels").Delete(clerk(2)) // of several GORM chooses the order
		db.Select("Skills").Delete(clerk(2))
		db.Delete(&Slot{Year: 2025, Code: "x"})
		return db.Delete(&Firm{})
	})},
	{name: "associations", do: func(db *gorm.DB) error {
		if db.DryRun {
			return db.Model(clerk(1)).Association("Parcels").Clear()
		}
		who := func() *Clerk { return clerk(1) }
		return errors.Join(
			db.Model(who()).Association("Skills").Append(&Craft{ID: 2, Name: "c"}), db.Model(who()).Association("Skills").Replace(&Craft{Name: "new"}),
			db.Model(who()).Association("Skills").Find(&[]Craft{}, "name <> ?", "x"), db.Model(who()).Association("Skills").Delete(&Craft{ID: 2}),
			db.Model(who()).Association("Firm").Replace(&Firm{ID: 2, Name: "two"}), db.Model(who()).Association("Parcels").Clear(),
			db.Model(who()).Association("Seals").Append(&Seal{Text: "s"}), db.Model(who()).Association("Skills").Clear(),
		)
	}},
	{name: "one chain, two models", do: func(db *gorm.DB) error {
		var n int64
		q := db.Where("id > ?", 0)
		q.Model(&Firm{}).Count(&n)
		return q.Find(&[]Craft{}).Error
	}, raw: true}, // a dry run leaves the text of the first in the second
	{name: "reused chain", do: func(db *gorm.DB) error {
		q := db.Where("age > ? or age < 0", 0).Session(&gorm.Session{})
		return errors.Join(q.Find(&[]Clerk{}).Error, q.Or("name = 'x'").Find(&[]Clerk{}).Error, q.Model(&Clerk{}).Update("age", 3).Error)
	}},
	{name: "transactions", do: func(db *gorm.DB) error {
		if db.DryRun {
			return db.Find(&[]Firm{}).Error
		}
		return db.Transaction(func(tx *gorm.DB) error {
			_ = tx.Transaction(func(tx *gorm.DB) error { tx.Create(&Firm{Name: "n"}); return errAny })
			return tx.Find(&[]Firm{}).Error
		})
	}},
	{name: "generics", do: func(db *gorm.DB) error {
		ctx := db.Statement.Context
		if db.DryRun {
			return db.Find(&[]Firm{}).Error
		}
		_, err1 := gorm.G[Clerk](db).Where("age > ?", 1).Or("name = 'x'").Joins(clause.LeftJoin.Association("Firm"), func(q gorm.JoinBuilder, j, c clause.Table) error {
			q.Where("?.name <> ?", j, "zz")
			return nil
		}).Preload("Parcels", func(q gorm.PreloadBuilder) error { q.LimitPerRecord(1); return nil }).Find(ctx)
		err2 := gorm.G[Firm](db).Create(ctx, &Firm{Name: "g"})
		_, err3 := gorm.G[Clerk](db).Where("id = ?", 1).Set(clause.Assignment{Column: clause.Column{Name: "age"}, Value: 5}).Update(ctx)
		_, err4 := gorm.G[Clerk](db).Where("id = ?", 1).Set(clause.Association{Association: "Parcels", Type: clause.OpUpdate, Set: []clause.Assignment{{Column: clause.Column{Name: "weight"}, Value: 5}}}).Update(ctx)
		_, err5 := gorm.G[Firm](db).Where("id = ?", 1).Delete(ctx)
		return errors.Join(err1, err2, err3, err4, err5)
	}},
	{name: "Migrator", do: func(db *gorm.DB) error {
		if db.DryRun {
			return db.Find(&[]Firm{}).Error
		}
		_ = db.Migrator().HasTable(&Firm{})
		_, err := db.Migrator().ColumnTypes(&Firm{})
		return err
	}, loose: true},
	{name: "Raw", do: tx(func(db *gorm.DB) *gorm.DB {
		db.Exec("UPDATE clerks SET age = age + ? WHERE id IN (SELECT clerk_id FROM parcels)", 1)
		return db.Raw("WITH x AS (SELECT * FROM clerks) SELECT name FROM x WHERE age > @a", sql.Named("a", 1)).Scan(&[]string{})
	}), raw: true},
	{name: "index hint", do: tx(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(setClause{"FROM", clause.Clause{Name: "FROM", AfterExpression: clause.Expr{SQL: "INDEXED BY x"}}}).Find(&[]Firm{})
	})},
	{name: "DDL", do: tx(func(db *gorm.DB) *gorm.DB { return db.Exec("CREATE TABLE notes (id int)") }), loose: true},
	{name: "AutoMigrate", do: func(db *gorm.DB) error {
		if db.DryRun {
			return db.Find(&[]Firm{}).Error
		}
		return db.AutoMigrate(&Firm{}, &Slot{})
	}, loose: true},
	{name: "unbalanced", do: clerks(func(db *gorm.DB) *gorm.DB { return db.Where("(1 = 1").Where("age > 1) -- end") }), loose: true},
	{name: "comments", do: tx(func(db *gorm.DB) *gorm.DB { return db.Where("1 = 1 /* a /* b */").Order("id -- last").Find(&[]Firm{}) }), loose: true},
}
