package tenancy_test

import (
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// loose is a sub-query that names no tenant: the statement around it gives it one.
func loose(e *env) *gorm.DB { return e.db.Model(&User{}).Select("max(name)") }

// looseRoutes have sub-queries without a context in every place of a statement.
var looseRoutes = []route{
	{name: "Select of central", do: scan(func(e *env) *gorm.DB { return e.a.Model(&Plan{}).Select("(?)", loose(e)).Limit(1) }), want: "a2"},
	{name: "Select of nothing", do: scan(func(e *env) *gorm.DB { return e.a.Table("(?) AS q", loose(e)).Select("*") }), want: "a2"},
	{name: "Order", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&User{}).Select("name").Order(clause.OrderBy{Expression: clause.Expr{SQL: "name = (?) DESC", Vars: []any{loose(e)}}})
	}), want: "a2 a1"},
	{name: "Order of central", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("name").Order(clause.OrderBy{Expression: clause.Expr{SQL: "'a2' = (?), id DESC", Vars: []any{loose(e)}}})
	}), want: "gold free"},
	{name: "Having of central", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("name").Group("name").Having("'a2' = (?) OR 1 = 0", loose(e)).Order("name")
	}), want: "free gold"},
	{name: "Distinct", do: scan(func(e *env) *gorm.DB { return e.a.Model(&Plan{}).Distinct("(?)", loose(e)) }), want: "a2"},
	{name: "Joins of central", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("q.n").Joins("JOIN (?) AS q ON plans.id = 1", e.db.Model(&User{}).Select("max(name) AS n"))
	}), want: "a2"},
	{name: "Joins with values of central", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Plan{}).Select("plans.name").Joins("JOIN tags ON tags.id = plans.id AND 'a2' = (?)", loose(e)).Order("plans.id")
	}), want: "free gold", differs: noCentral},
	{name: "nested", do: ofUsersIn(func(e *env, db *gorm.DB) *gorm.DB {
		return db.Where("id IN (?)", e.db.Model(&Pet{}).Select("user_id").Where("user_id IN (?)", e.db.Model(&User{}).Select("id").Where("name IN (?)", loose(e))))
	}), want: "a2"},
	{name: "Update of central", do: func(e *env) error {
		return e.a.Model(&Plan{}).Where("id = 1").Update("name", loose(e)).Error
	}, afterQuery: "SELECT name FROM plans WHERE id = 1", after: "a2"},
	{name: "Update of central by map", do: func(e *env) error {
		return e.a.Model(&Plan{}).Where("id = 1").Updates(map[string]any{"name": gorm.Expr("upper((?))", loose(e))}).Error
	}, afterQuery: "SELECT name FROM plans WHERE id = 1", after: "A2"},
	{name: "Set clause of central", do: func(e *env) error {
		return e.a.Model(&Plan{}).Where("id = 1").Clauses(clause.Set{{Column: clause.Column{Name: "name"}, Value: gorm.Expr("(?)", loose(e))}}).Updates(map[string]any{}).Error
	}, afterQuery: "SELECT name FROM plans WHERE id = 1", after: "a2"},
	{name: "Create map", do: func(e *env) error {
		return e.a.Model(&Company{}).Create(map[string]any{"name": gorm.Expr("(?)", loose(e))}).Error
	}, afterQuery: "SELECT name, tenant_id FROM companies ORDER BY id DESC LIMIT 1", after: "a2 a"},
	{name: "Create map of central", do: func(e *env) error {
		return e.a.Table("plans").Create([]map[string]any{{"name": gorm.Expr("(?)", loose(e))}}).Error
	}, afterQuery: "SELECT name FROM plans ORDER BY id DESC LIMIT 1", after: "a2", differs: noCentral},
	{name: "upsert", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": gorm.Expr("(?)", loose(e))})}).Create(&Company{ID: 1}).Error
	}, afterQuery: "SELECT name FROM companies WHERE id = 1", after: "a2"},
	{name: "upsert of central", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": gorm.Expr("(?)", loose(e))})}).Create(&Plan{ID: 1}).Error
	}, afterQuery: "SELECT name FROM plans WHERE id = 1", after: "a2"},
	{name: "Raw", do: scan(func(e *env) *gorm.DB { return e.a.Raw("SELECT (?)", loose(e)) }), refused: tenancy.ErrUnconfined}, // the text is written before it has a tenant
	{name: "Delete of central", do: func(e *env) error {
		return e.a.Where("'a2' = (?) AND id = 2", loose(e)).Delete(&Plan{}).Error
	}, afterQuery: "SELECT id FROM plans", after: "1"},
	{name: "Raw beside owned text", do: scan(func(e *env) *gorm.DB {
		return e.a.Raw("SELECT name FROM users UNION SELECT (?)", loose(e))
	}), refused: tenancy.ErrUnconfined},
	{name: "text in an upsert of central", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": gorm.Expr("(SELECT max(name) FROM users)")}),
		}).Create(&Plan{ID: 1}).Error
	}, refused: tenancy.ErrUnconfined},
	{name: "text in an upsert's condition of central", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
			Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "EXISTS (SELECT 1 FROM users WHERE name = 'b1')"}}},
		}).Create(&Plan{ID: 1}).Error
	}, refused: tenancy.ErrUnconfined},
	{name: "text in an upsert's target of central", do: func(e *env) error {
		return e.a.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoNothing: true,
			TargetWhere: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "(SELECT count(*) FROM users) > 2"}}},
		}).Create(&Plan{ID: 1}).Error
	}, refused: tenancy.ErrUnconfined},
	{name: "no tenant around it", do: scan(func(e *env) *gorm.DB { return e.db.Model(&Plan{}).Select("(?)", loose(e)) }), refused: tenancy.ErrNoTenant, differs: outOfReach},
	{name: "Central around it", do: scan(func(e *env) *gorm.DB {
		return e.db.WithContext(tenancy.Central(asA)).Model(&Plan{}).Order(clause.OrderBy{Expression: clause.Expr{SQL: "(?)", Vars: []any{loose(e)}}})
	}), refused: tenancy.ErrNoTenant, differs: outOfReach},
}

func ofUsersIn(build func(e *env, db *gorm.DB) *gorm.DB) func(e *env) error {
	return scan(func(e *env) *gorm.DB { return build(e, e.a.Model(&User{}).Select("name")).Order("id") })
}

var linkRoutes = []route{
	{name: "create by Table", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Create(map[string]any{"user_id": 2, "language_id": 2})
	}), afterQuery: links, after: "1 1 1 2 2 1 2 2"},
	{name: "create to b's language", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Create(map[string]any{"user_id": 2, "language_id": 3})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "create from b's user", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Create(&[]map[string]any{{"user_id": 2, "language_id": 2}, {"user_id": 3, "language_id": 2}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "create by expression", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Create(map[string]any{"user_id": gorm.Expr("1 + 2"), "language_id": 2})
	}), refused: tenancy.ErrUnconfined},
	{name: "move to b's language", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Where(everybody).Updates(map[string]any{"language_id": 3})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "move to own language", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Where("user_id IN (2, 3) AND language_id IN (1, 3)").Updates(map[string]any{"language_id": 2})
	}), afterQuery: links, after: "1 1 1 2 2 2"},
	{name: "delete all", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("user_languages").Where(everybody).Delete(nil) }), afterQuery: links, after: ""},
	{name: "joined", do: scan(func(e *env) *gorm.DB {
		return e.a.Table("user_languages AS ul").Clauses(clause.From{Joins: []clause.Join{{Table: clause.Table{Name: "languages", Alias: "l"}, ON: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "l.id = ul.language_id OR 1 = 1"}}}}}}).
			Select("DISTINCT l.name").Order("l.name")
	}), want: "a-de a-en"},
	{name: "joined as text", do: scan(func(e *env) *gorm.DB {
		return e.a.Model(&Language{}).Select("languages.name").Joins("JOIN user_languages ul ON ul.language_id = languages.id")
	}), refused: tenancy.ErrUnconfined},
	{name: "central links of b", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("user_tags").Create(map[string]any{"user_id": 3, "tag_id": 2})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "central links", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("user_tags").Where(everybody).Delete(nil) }), afterQuery: "SELECT user_id FROM user_tags", after: "3"},
	{name: "Select nested delete", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Select("Languages", "Tags", "Toys").Delete(&[]User{{ID: 1}, {ID: 3}})
	}), afterQuery: links, after: "2 1"},
	{name: "batch Append", do: func(e *env) error {
		return e.a.Model(&[]User{{ID: 1}, {ID: 2}}).Association("Pets").Append(&Pet{Name: "a-x"}, &Pet{Name: "a-y"})
	}, afterQuery: "SELECT user_id, tenant_id FROM pets WHERE id > 4 ORDER BY user_id", after: "1 a 2 a"},
	{name: "batch Append to b's", do: func(e *env) error {
		return e.a.Model(&[]User{{ID: 1}, {ID: 3}}).Association("Pets").Append(&Pet{Name: "a-x"}, &Pet{Name: "a-y"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "batch Replace many to many", do: func(e *env) error {
		return e.a.Model(&[]User{{ID: 1}, {ID: 2}}).Association("Languages").Replace(&Language{ID: 2, Name: "a-de"}, &Language{ID: 1, Name: "a-en"})
	}, afterQuery: links, after: "1 1 1 2 2 1"}, // GORM keeps what any of the batch keeps
	{name: "Unscoped Replace", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Pets").Unscoped().Replace(&Pet{Name: "a-x"})
	}, afterQuery: "SELECT name FROM pets WHERE tenant_id = 'a' ORDER BY id", after: "a-pet2 a-x"},
	{name: "Unscoped Delete of b's", do: func(e *env) error {
		return errors.Join(e.a.Model(user(1)).Association("Pets").Unscoped().Delete(&Pet{ID: 3}), e.a.Model(user(3)).Association("Pets").Unscoped().Clear())
	}},
	{name: "has one", do: func(e *env) error {
		return e.a.Model(user(2)).Association("Account").Replace(&Account{Number: "a-new"})
	}, afterQuery: "SELECT tenant_id FROM accounts WHERE user_id = 2", after: "a"},
	{name: "has one of b", do: func(e *env) error {
		return e.a.Model(user(2)).Association("Account").Replace(&Account{ID: 3, Number: "stolen"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "self reference", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Manager").Replace(user(2))
	}, afterQuery: "SELECT manager_id FROM users WHERE id = 1", after: "2"},
	{name: "self reference to b", do: func(e *env) error {
		return e.a.Model(user(1)).Association("Manager").Replace(user(3))
	}, refused: tenancy.ErrTenantMismatch},
	{name: "Find with conditions", do: func(e *env) error {
		var pets []Pet
		err := e.a.Model(user(1)).Association("Pets").Find(&pets, "1 = 0 OR 1 = 1")
		e.see(len(pets))
		return err
	}, want: "1"},
	{name: "Count with conditions", do: func(e *env) error {
		e.see(e.a.Model(user(1)).Where("1 = 1").Association("Languages").Count(), e.a.Model(user(3)).Where(everybody).Association("Languages").Count())
		return nil
	}, want: "2 0"},
	{name: "polymorphic", do: func(e *env) error {
		if err := e.a.Model(user(2)).Association("Toys").Append(&Toy{Name: "a-x"}); err != nil {
			return err
		}
		return e.a.Model(user(1)).Association("Toys").Clear()
	}, afterQuery: "SELECT name, owner_id FROM toys WHERE tenant_id = 'a' AND owner_id > 1", after: "a-x 2"},
	{name: "polymorphic takes b's toy", do: func(e *env) error {
		return e.a.Model(user(2)).Association("Toys").Append(&Toy{ID: 3, Name: "stolen"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "polymorphic update to b's owner", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Toy{ID: 1}).Updates(Toy{OwnerID: 3, OwnerType: "users"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "polymorphic update to own pet", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Toy{ID: 1}).Updates(Toy{OwnerID: 2, OwnerType: "pets"})
	}), afterQuery: "SELECT owner_id, owner_type FROM toys WHERE id = 1", after: "2 pets"},
}

var compositeRoutes = []route{
	{name: "Save half a key", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&Doc{ID: 1, Title: "a-x"}) }), refused: errAny}, // GORM's Save inserts then
	{name: "Save with own tenant", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&Doc{TenantID: "a", ID: 1, Title: "a-x"}) }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", after: "a-x a-doc2"},
	{name: "Save b's", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&Doc{TenantID: "b", ID: 1, Title: "stolen-b"}) }), refused: tenancy.ErrTenantMismatch},
	{name: "Save slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&[]Doc{{ID: 1, Title: "a-x"}, {ID: 3, Title: "a-y"}}) }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", after: "a-x a-doc2 a-y"},
	{name: "Updates struct", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Doc{}).Where("id = 1").Updates(Doc{Title: "a-x"}) }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", after: "a-x a-doc2"},
	{name: "Updates key", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Line{}).Where("id = 1").Update("doc_id", 2) }), afterQuery: "SELECT doc_id FROM lines WHERE tenant_id = 'a' ORDER BY id", after: "2 1"},
	{name: "Delete slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&[]Doc{{ID: 1}, {TenantID: "b", ID: 2}}) }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a'", after: "a-doc2"},
	{name: "Delete b's struct", do: affected(0, func(db *gorm.DB) *gorm.DB { return db.Delete(&Doc{TenantID: "b", ID: 1}) })},
	{name: "Take by struct", do: func(e *env) error {
		var d Doc
		err := e.a.Take(&d, Doc{ID: 2}).Error
		e.see(d.Title)
		return err
	}, want: "a-doc2"},
	{name: "FirstOrCreate", do: func(e *env) error {
		var d Doc
		err := e.a.Where(Doc{ID: 7}).Attrs(Doc{Title: "a-x"}).FirstOrCreate(&d).Error
		e.see(d.TenantID, d.Title)
		return err
	}, want: "a a-x"},
	{name: "tuples", do: func(e *env) error {
		var docs []Doc
		err := e.a.Where("(tenant_id, id) IN ?", [][]any{{"a", 1}, {"b", 1}}).Find(&docs).Error
		e.see(len(docs), docs[0].Title)
		return err
	}, want: "1 a-doc1"},
	{name: "association", do: func(e *env) error {
		doc := &Doc{TenantID: "a", ID: 2}
		if err := e.a.Model(doc).Association("Lines").Append(&Line{ID: 9, Text: "a-x"}); err != nil {
			return err
		}
		var lines []Line
		err := e.a.Model(&Doc{TenantID: "a", ID: 1}).Association("Lines").Find(&lines, "1 = 0 OR 1 = 1")
		e.see(len(lines), e.a.Model(doc).Association("Lines").Count(), e.a.Model(&Doc{TenantID: "b", ID: 1}).Association("Lines").Count())
		return err
	}, want: "2 1 0"},
	{name: "association of b", do: func(e *env) error {
		return e.a.Model(&Doc{TenantID: "b", ID: 1}).Association("Lines").Append(&Line{ID: 9, Text: "stolen"})
	}, refused: tenancy.ErrTenantMismatch},
	{name: "association with b's line", do: func(e *env) error { // GORM writes the whole foreign key, so it becomes a line of a
		return e.a.Model(&Doc{TenantID: "a", ID: 2}).Association("Lines").Append(&Line{TenantID: "b", ID: 1, Text: "stolen"})
	}, afterQuery: "SELECT doc_id, text FROM lines WHERE tenant_id = 'a' ORDER BY id", after: "2 a-line1 1 a-line2"},
	{name: "Select associations", do: exec(func(db *gorm.DB) *gorm.DB { return db.Select("Lines").Delete(&Doc{TenantID: "a", ID: 1}) }), afterQuery: "SELECT count(*) FROM lines", after: "2"},
	{name: "nothing but a key to update", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Select("TenantID", "ID").Clauses(clause.OnConflict{UpdateAll: true}).Create(&Doc{ID: 1})
	}), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", after: "a-doc1 a-doc2"},
}
