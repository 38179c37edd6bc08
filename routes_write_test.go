package tenancy_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

const (
	usersOfA = "SELECT name, tenant_id, age FROM users WHERE tenant_id = 'a' ORDER BY id"
	userLast = "SELECT name, tenant_id FROM users ORDER BY id DESC LIMIT 1"
)

func exec(do func(db *gorm.DB) *gorm.DB) func(e *env) error {
	return func(e *env) error { return do(e.a).Error }
}

var createRoutes = []route{
	{name: "struct", do: func(e *env) error {
		u := User{Name: "a3"}
		err := e.a.Create(&u).Error
		e.see(u.TenantID)
		return err
	}, want: "a", afterQuery: userLast, after: "a3 a"},
	{name: "own tenant given", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&User{Name: "a3", TenantID: "a"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "foreign tenant given", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&User{Name: "a3", TenantID: "b"}) }), refused: tenancy.ErrTenantMismatch},
	{name: "slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create([]User{{Name: "a3"}, {Name: "a4"}}) }), afterQuery: "SELECT name, tenant_id FROM users WHERE id > 4 ORDER BY id", after: "a3 a a4 a"},
	{name: "slice of pointers", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&[]*User{{Name: "a3"}, {Name: "a4"}}) }), afterQuery: userLast, after: "a4 a"},
	{name: "array", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&[2]User{{Name: "a3"}, {Name: "a4"}}) }), afterQuery: userLast, after: "a4 a"},
	{name: "foreign row in a slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create([]User{{Name: "a3"}, {Name: "a4", TenantID: "b"}}) }), refused: tenancy.ErrTenantMismatch},
	{name: "batches", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.CreateInBatches([]User{{Name: "a3"}, {Name: "a4"}, {Name: "a5"}}, 2)
	}), afterQuery: userLast, after: "a5 a"},
	{name: "map", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Create(map[string]any{"name": "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "map with field names", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(map[string]any{"Name": "a3", "TenantID": "a"})
	}), afterQuery: userLast, after: "a3 a"},
	{name: "map of foreign tenant", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(map[string]any{"name": "a3", "TenantID": "b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "map of foreign tenant quoted", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(map[string]any{"name": "a3", "`users`.`TENANT_ID`": "b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "map with expression tenant", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(map[string]any{"name": "a3", "tenant_id": gorm.Expr("'b'")})
	}), refused: tenancy.ErrUnconfined},
	{name: "map with smuggled values", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(map[string]any{"name": gorm.Expr("'x'), ('b', 'y'")})
	}), refused: tenancy.ErrUnconfined},
	{name: "map with text sub-select", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(map[string]any{"name": gorm.Expr("(SELECT name FROM users WHERE id = 3)")})
	}), refused: tenancy.ErrUnconfined},
	{name: "maps", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Create(&[]map[string]any{{"name": "a3"}, {"name": "a4", "age": 3}})
	}), afterQuery: userLast, after: "a4 a"},
	{name: "Table with map", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("users").Create(map[string]any{"name": "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "Table with DTO lacking the tenant", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("users").Create(&userName{"a3"}) }), refused: tenancy.ErrUnconfined},
	{name: "Select", do: exec(func(db *gorm.DB) *gorm.DB { return db.Select("Name").Create(&User{Name: "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "Omit", do: exec(func(db *gorm.DB) *gorm.DB { return db.Omit("TenantID", "Age").Create(&User{Name: "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "Omit column", do: exec(func(db *gorm.DB) *gorm.DB { return db.Omit("users.tenant_id").Create(&User{Name: "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "Unscoped", do: exec(func(db *gorm.DB) *gorm.DB { return db.Unscoped().Create(&User{Name: "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "SkipHooks", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{SkipHooks: true}).Create(&User{Name: "a3"})
	}), afterQuery: userLast, after: "a3 a"},
	{name: "nested", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{
			Name: "a3", Company: &Company{Name: "a-new"}, Account: &Account{Number: "a-n"},
			Pets: []Pet{{Name: "a-p", Toy: Toy{Name: "a-t"}}}, Languages: []Language{{Name: "a-fr"}}, Toys: []Toy{{Name: "a-x"}}, Tags: []Tag{{ID: 2, Name: "blue"}},
		})
	}), afterQuery: "SELECT count(*) FROM companies c, accounts x, pets p, languages l WHERE c.tenant_id||x.tenant_id||p.tenant_id||l.tenant_id = 'aaaa' AND c.name = 'a-new' AND x.number = 'a-n' AND p.name = 'a-p' AND l.name = 'a-fr'", after: "1", differs: apart},
	{name: "nested of foreign tenant", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{Name: "a3", Company: &Company{Name: "x", TenantID: "b"}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "own foreign key", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&Pet{Name: "a-p", UserID: ptr(uint(2))}) }), afterQuery: "SELECT user_id FROM pets WHERE name = 'a-p'", after: "2"},
	{name: "foreign key of b", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&Pet{Name: "a-p", UserID: ptr(uint(3))}) }), refused: tenancy.ErrTenantMismatch},
	{name: "foreign key of b in map", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Pet{}).Create(map[string]any{"name": "a-p", "user_id": 3})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "foreign key of b polymorphic", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&Toy{Name: "a-t", OwnerType: "users", OwnerID: 3}) }), refused: tenancy.ErrTenantMismatch},
	{name: "own key polymorphic", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&Toy{Name: "a-t", OwnerType: "users", OwnerID: 2}) }), afterQuery: "SELECT tenant_id FROM toys WHERE name = 'a-t'", after: "a"},
	{name: "row pointing into the batch", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create([]User{{ID: 11, Name: "a11"}, {ID: 12, Name: "a12", ManagerID: ptr(uint(11))}})
	}), afterQuery: "SELECT manager_id FROM users WHERE id = 12", after: "11"},
	{name: "primary key of b", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&User{ID: 3, Name: "stolen-b"}) }), refused: errAny},
	{name: "composite key of both", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&Doc{ID: 3, Title: "a-doc3", Lines: []Line{{ID: 3, Text: "a-l"}}})
	}), afterQuery: "SELECT doc_id, tenant_id FROM lines WHERE id = 3", after: "3 a"},
	{name: "link to b's language", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{Name: "a3", Languages: []Language{{ID: 3}}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "REPLACE", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(&User{ID: 3, Name: "stolen-b"})
	}), refused: tenancy.ErrUnconfined},
	{name: "INSERT into another table", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.Insert{Table: clause.Table{Name: "pets"}}).Create(&Company{Name: "a-x"})
	}), refused: tenancy.ErrUnconfined},
	{name: "no tenant", do: func(e *env) error { return e.db.Create(&User{Name: "x"}).Error }, refused: tenancy.ErrNoTenant},
	{name: "central", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&Plan{Name: "a-plan"}) }), afterQuery: "SELECT count(*) FROM plans", after: "3"},
	{name: "FirstOrCreate", do: func(e *env) error {
		var u User
		err := e.a.Where(User{Name: "a9"}).Attrs(User{Age: 9}).FirstOrCreate(&u).Error
		e.see(u.Name, u.TenantID, u.Age)
		return err
	}, want: "a9 a 9", afterQuery: userLast, after: "a9 a"},
	{name: "FirstOrCreate of b's", do: func(e *env) error {
		var u User
		err := e.a.Where(User{Name: "b1"}).FirstOrCreate(&u).Error
		e.see(u.TenantID)
		_ = e.past("a", "DELETE FROM users WHERE name = 'b1' AND tenant_id = 'a'")
		return err
	}, want: "a"},
	{name: "FirstOrCreate Assign", do: func(e *env) error {
		var u User
		return e.a.Where(User{Name: "a1"}).Where("age > 0").Assign(User{Age: 44}).FirstOrCreate(&u).Error
	}, afterQuery: usersOfA, after: "a1 a 44 a2 a 20"},
	{name: "FirstOrInit", do: func(e *env) error {
		var u User
		err := e.a.Where(User{Name: "a7"}).Where(map[string]any{"age": 3}).FirstOrInit(&u).Error
		e.see(u.Name, u.Age)
		return err
	}, want: "a7 3"},
}

var upsertRoutes = []route{
	{name: "Save own", do: func(e *env) error {
		var u User
		if err := e.a.First(&u, 1).Error; err != nil {
			return err
		}
		u.Age = 11
		return e.a.Save(&u).Error
	}, afterQuery: usersOfA, after: "a1 a 11 a2 a 20"},
	{name: "Save new", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&User{Name: "a3"}) }), afterQuery: userLast, after: "a3 a"},
	{name: "Save new with id", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&User{ID: 9, Name: "a9"}) }), afterQuery: userLast, after: "a9 a"},
	{name: "Save without tenant field", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&User{ID: 1, Name: "a1", Age: 12}) }), afterQuery: usersOfA, after: "a1 a 12 a2 a 20"},
	{name: "Save b's id", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&User{ID: 3, Name: "stolen-b"}) }), refused: tenancy.ErrTenantMismatch},
	{name: "Save b's row", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save(&User{ID: 3, TenantID: "b", Name: "stolen-b"}) }), refused: tenancy.ErrTenantMismatch},
	{name: "Save slice", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save([]User{{ID: 1, Name: "a1", Age: 5}, {Name: "a3"}}) }), afterQuery: "SELECT name, age FROM users WHERE tenant_id = 'a' ORDER BY id", after: "a1 5 a2 20 a3 0"},
	{name: "Save slice with b's id", do: exec(func(db *gorm.DB) *gorm.DB { return db.Save([]User{{ID: 1, Name: "a1"}, {ID: 3, Name: "stolen-b"}}) }), refused: tenancy.ErrTenantMismatch},
	{name: "OnConflict UpdateAll own", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&User{ID: 1, Name: "a1x", Age: 1})
	}), afterQuery: usersOfA, after: "a1x a 1 a2 a 20"},
	{name: "OnConflict UpdateAll b's", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&User{ID: 3, Name: "stolen-b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "OnConflict DoUpdates own", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name", "tenant_id"})}).Create(&User{ID: 2, Name: "a2x"})
	}), afterQuery: usersOfA, after: "a1 a 10 a2x a 20"},
	{name: "OnConflict DoUpdates b's", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&User{ID: 3, Name: "stolen-b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "OnConflict own condition", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
			Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "users.age > 0\nOR 1=1"}}},
		}).Create(&User{ID: 2, Name: "a2x"})
	}), afterQuery: usersOfA, after: "a1 a 10 a2x a 20"},
	{name: "OnConflict b's with own condition", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"}),
			Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "1=1\nOR 1=1"}}},
		}).Create(&User{ID: 3, Name: "stolen-b"})
	}), refused: tenancy.ErrTenantMismatch, differs: map[string]difference{
		"rls": {why: "the policies hide b's row, and yet it was met", refused: tenancy.ErrTenantMismatch},
	}},
	{name: "OnConflict DoNothing on b's key", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}).Create(&[]User{{ID: 12, Name: "a12"}, {ID: 3, Name: "stolen-b"}})
	}), refused: tenancy.ErrTenantMismatch, differs: map[string]difference{
		"rls": {why: "the policies hide b's row, and yet it was met", refused: tenancy.ErrTenantMismatch},
	}},
	{name: "OnConflict DoNothing on own keys", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}).Create(&[]User{{ID: 1}, {ID: 12, Name: "a12"}})
	}), afterQuery: "SELECT name FROM users WHERE id IN (1, 12) ORDER BY id", after: "a1 a12"},
	{name: "OnConflict tenant assigned", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"tenant_id": "b"})}).Create(&User{ID: 1, Name: "x"})
	}), refused: tenancy.ErrTenantMismatch, differs: map[string]difference{
		"schema": {why: "the column tells whose rows they are when they move to shared tables", refused: tenancy.ErrTenantMismatch},
	}},
	{name: "OnConflict smuggled assignment", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"name": gorm.Expr("'x', tenant_id = 'b'")})}).Create(&User{ID: 1, Name: "x"})
	}), refused: tenancy.ErrUnconfined},
	{name: "OnConflict DoNothing own", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&User{ID: 1, Name: "x"})
	}), afterQuery: usersOfA, after: "a1 a 10 a2 a 20"},
	{name: "OnConflict DoNothing b's", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&User{ID: 3, Name: "stolen-b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "OnConflict composite key", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Doc{ID: 1, Title: "a-new"})
	}), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", after: "a-new a-doc2"},
	{name: "has many takes b's pet", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{Name: "a3", Pets: []Pet{{ID: 3, Name: "stolen-b"}}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "has many takes own pet", do: exec(func(db *gorm.DB) *gorm.DB { return db.Create(&User{Name: "a3", Pets: []Pet{{ID: 1}}}) }), afterQuery: "SELECT u.name FROM pets p JOIN users u ON u.id = p.user_id WHERE p.id = 1", after: "a3"},
	{name: "has one takes b's account", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{Name: "a3", Account: &Account{ID: 3, Number: "x"}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "FullSaveAssociations own", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{FullSaveAssociations: true}).Updates(&User{ID: 1, Name: "a1", Company: &Company{ID: 1, Name: "a-co2"}, Pets: []Pet{{ID: 1, Name: "a-p2"}}})
	}), afterQuery: "SELECT c.name, p.name FROM companies c, pets p WHERE c.id = 1 AND p.id = 1", after: "a-co2 a-p2"},
	{name: "FullSaveAssociations b's", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{FullSaveAssociations: true}).Updates(&User{ID: 1, Pets: []Pet{{ID: 3, Name: "stolen-b"}}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "belongs to b's company", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{Name: "a3", Company: &Company{ID: 3, Name: "x"}})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "belongs to own company", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Create(&User{Name: "a3", Company: &Company{ID: 1}})
	}), afterQuery: "SELECT company_id FROM users WHERE name = 'a3'", after: "1"},
}

var updateRoutes = []route{
	{name: "Update own", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Where("id = ?", 1).Update("age", 1) }), afterQuery: usersOfA, after: "a1 a 1 a2 a 20"},
	{name: "Update model", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Update("age", 1) }), afterQuery: usersOfA, after: "a1 a 1 a2 a 20"},
	{name: "Update b's id", do: affected(0, func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 3}).Update("age", 1) })},
	{name: "Update b's where", do: affected(0, func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Where("name = 'b1'").Update("age", 1) })},
	{name: "Update or", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Where("name = 'zz'").Or("1=1").Update("age", 1) }), afterQuery: usersOfA, after: "a1 a 1 a2 a 1"},
	{name: "Update multi-line or", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Where("name = 'zz'\nOR 1=1").Update("age", 1) }), afterQuery: usersOfA, after: "a1 a 1 a2 a 1"},
	{name: "Update comment", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Where("1=1 --").Update("age", 1) }), afterQuery: usersOfA, after: "a1 a 1 a2 a 1"},
	{name: "mass update", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{}).Update("age", 1) }), refused: gorm.ErrMissingWhereClause},
	{name: "mass update allowed", do: affected(2, func(db *gorm.DB) *gorm.DB {
		return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&User{}).Update("age", 1)
	}), afterQuery: usersOfA, after: "a1 a 1 a2 a 1"},
	{name: "Updates struct", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Updates(User{Age: 3, Name: "a1x"}) }), afterQuery: usersOfA, after: "a1x a 3 a2 a 20"},
	{name: "Updates map", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Updates(map[string]any{"Age": 3}) }), afterQuery: usersOfA, after: "a1 a 3 a2 a 20"},
	{name: "Updates Select", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Select("*").Omit("ID", "CompanyID").Updates(User{Name: "a1"})
	}), afterQuery: usersOfA, after: "a1 a 0 a2 a 20"},
	{name: "UpdateColumn", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).UpdateColumn("age", gorm.Expr("age + ?", 1)) }), afterQuery: usersOfA, after: "a1 a 11 a2 a 20"},
	{name: "UpdateColumns", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).UpdateColumns(User{Age: 7}) }), afterQuery: usersOfA, after: "a1 a 7 a2 a 20"},
	{name: "tenant column", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Update("tenant_id", "b") }), refused: tenancy.ErrTenantMismatch},
	{name: "tenant field in map", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Updates(map[string]any{"TenantID": "b", "age": 1})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "tenant quoted", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Updates(map[string]any{"`users`.`tenant_id`": "b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "tenant in struct", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Updates(User{TenantID: "b"}) }), refused: tenancy.ErrTenantMismatch},
	{name: "tenant by expression", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Update("tenant_id", gorm.Expr("'b'")) }), refused: tenancy.ErrTenantMismatch},
	{name: "tenant unchanged", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Updates(map[string]any{"tenant_id": "a", "age": 2})
	}), afterQuery: usersOfA, after: "a1 a 2 a2 a 20"},
	{name: "tenant to NULL", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Updates(map[string]any{"tenant_id": nil, "age": 2})
	}), afterQuery: usersOfA, after: "a1 a 2 a2 a 20"},
	{name: "tenant by Set clause", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Clauses(clause.Set{{Column: clause.Column{Name: "tenant_id"}, Value: "b"}}).Updates(map[string]any{})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "Set clause", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{}).Where("id = 1").Clauses(clause.Set{{Column: clause.Column{Name: "age"}, Value: 5}}).Updates(map[string]any{})
	}), afterQuery: usersOfA, after: "a1 a 5 a2 a 20"},
	{name: "smuggled assignment", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Update("name", gorm.Expr("'x', tenant_id = 'b'"))
	}), refused: tenancy.ErrUnconfined},
	{name: "smuggled column name", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Updates(map[string]any{"name = 'x', tenant_id": "b"})
	}), refused: tenancy.ErrUnconfined},
	{name: "text sub-select", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&User{ID: 1}).Update("name", gorm.Expr("(SELECT name FROM users WHERE id = 3)"))
	}), refused: tenancy.ErrUnconfined},
	{name: "foreign key of b", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&User{ID: 1}).Update("company_id", 3) }), refused: tenancy.ErrTenantMismatch},
	{name: "foreign key of b in struct", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Pet{ID: 1}).Updates(Pet{UserID: ptr(uint(4))}) }), refused: tenancy.ErrTenantMismatch},
	{name: "own foreign key", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Pet{ID: 1}).Update("user_id", 2) }), afterQuery: "SELECT user_id FROM pets WHERE id = 1", after: "2"},
	{name: "foreign key to NULL", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Pet{ID: 1}).Update("user_id", nil) }), afterQuery: "SELECT user_id IS NULL FROM pets WHERE id = 1", after: "1"},
	{name: "RETURNING", do: func(e *env) error {
		var users []User
		err := e.a.Model(&users).Clauses(clause.Returning{}).Where("age > 0").Or("1=1").Update("age", 8).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2", differs: map[string]difference{"mysql": {why: "MariaDB has no UPDATE RETURNING", refused: errAny}}},
	{name: "slice model", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model([]User{{ID: 1}, {ID: 3}}).Update("age", 8) }), afterQuery: usersOfA, after: "a1 a 8 a2 a 20"},
	{name: "Table map", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("users").Where("id IN ?", []int{1, 3}).Updates(map[string]any{"age": 8})
	}), afterQuery: usersOfA, after: "a1 a 8 a2 a 20"},
	{name: "Table map tenant", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Table("users").Where("id = 1").Updates(map[string]any{"tenant_id": "b"})
	}), refused: tenancy.ErrTenantMismatch},
	{name: "soft delete model", do: affected(1, func(db *gorm.DB) *gorm.DB {
		return db.Model(&Note{}).Where("id IN ?", []int{1, 3}).Update("text", "a-x")
	}), afterQuery: "SELECT text FROM notes WHERE id = 1", after: "a-x"},
	{name: "soft delete mass update", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Note{}).Update("text", "a-x") }), refused: gorm.ErrMissingWhereClause},
	{name: "composite key", do: exec(func(db *gorm.DB) *gorm.DB { return db.Model(&Doc{ID: 1}).Update("title", "a-x") }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a' ORDER BY id", after: "a-x a-doc2"},
	{name: "no tenant", do: func(e *env) error { return e.db.Model(&User{ID: 1}).Update("age", 1).Error }, refused: tenancy.ErrNoTenant},
	{name: "UPDATE of another table", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Model(&Company{ID: 1}).Clauses(clause.Update{Table: clause.Table{Name: "pets"}}).Update("name", "x")
	}), refused: tenancy.ErrUnconfined},
}

func affected(n int64, do func(db *gorm.DB) *gorm.DB) func(e *env) error {
	return func(e *env) error {
		tx := do(e.a)
		if tx.Error == nil && tx.RowsAffected != n {
			e.Errorf("%d rows affected, want %d", tx.RowsAffected, n)
		}
		return tx.Error
	}
}

var deleteRoutes = []route{
	{name: "own", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&User{}, 1) }), afterQuery: usersOfA, after: "a2 a 20"},
	{name: "own struct", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&User{ID: 1}) }), afterQuery: usersOfA, after: "a2 a 20"},
	{name: "b's id", do: affected(0, func(db *gorm.DB) *gorm.DB { return db.Delete(&User{}, 3) })},
	{name: "b's struct", do: affected(0, func(db *gorm.DB) *gorm.DB { return db.Delete(&User{ID: 3, TenantID: "b"}) })},
	{name: "ids", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&User{}, []int{1, 3}) })},
	{name: "slice", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&[]User{{ID: 1}, {ID: 3}}) })},
	{name: "or", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Where("name = 'zz'").Or("1=1").Delete(&User{}) }), afterQuery: usersOfA, after: ""},
	{name: "multi-line or", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Where("1=0\nOR 1=1").Delete(&User{}) }), afterQuery: usersOfA, after: ""},
	{name: "comment", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Where("1=1 -- all").Delete(&User{}) }), afterQuery: usersOfA, after: ""},
	{name: "mass delete", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&User{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "mass delete allowed", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&User{}) })},
	{name: "soft", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&Note{}, []int{1, 3}) }), afterQuery: "SELECT count(*) FROM notes WHERE deleted_at IS NOT NULL", after: "1"},
	{name: "soft b's", do: affected(0, func(db *gorm.DB) *gorm.DB { return db.Delete(&Note{Model: gorm.Model{ID: 3}}) })},
	{name: "soft or", do: affected(2, func(db *gorm.DB) *gorm.DB { return db.Where("text = 'zz'").Or("1=1").Delete(&Note{}) })},
	{name: "soft mass", do: exec(func(db *gorm.DB) *gorm.DB { return db.Delete(&Note{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "soft unscoped", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Unscoped().Delete(&Note{}, []int{1, 3}) }), afterQuery: "SELECT count(*) FROM notes", after: "3"},
	{name: "soft unscoped mass", do: exec(func(db *gorm.DB) *gorm.DB { return db.Unscoped().Delete(&Note{}) }), refused: gorm.ErrMissingWhereClause},
	{name: "RETURNING", do: func(e *env) error {
		var users []User
		err := e.a.Clauses(clause.Returning{}).Where("1=1\nor 1=1").Delete(&users).Error
		e.seeNames(users)
		return err
	}, want: "a1 a2"},
	{name: "Select associations", do: exec(func(db *gorm.DB) *gorm.DB { return db.Select("Pets", "Account", "Languages").Delete(&User{ID: 1}) }), afterQuery: "SELECT (SELECT count(*) FROM pets), (SELECT count(*) FROM accounts), (SELECT count(*) FROM user_languages)", after: "3 1 4"},
	{name: "Select associations of b's", do: exec(func(db *gorm.DB) *gorm.DB {
		return db.Select("Pets", "Account", "Languages", "Notes").Delete(&User{ID: 3})
	})},
	{name: "Table", do: exec(func(db *gorm.DB) *gorm.DB { return db.Table("users").Where("id IN ?", []int{2, 3}).Delete(nil) }), afterQuery: usersOfA, after: "a1 a 10"},
	{name: "join table", do: affected(1, func(db *gorm.DB) *gorm.DB {
		return db.Table("user_languages").Where("language_id IN ?", []int{2, 4}).Delete(nil)
	})},
	{name: "composite key", do: affected(1, func(db *gorm.DB) *gorm.DB { return db.Delete(&Doc{ID: 1}) }), afterQuery: "SELECT title FROM docs WHERE tenant_id = 'a'", after: "a-doc2"},
	{name: "no tenant", do: func(e *env) error { return e.db.Delete(&User{}, 1).Error }, refused: tenancy.ErrNoTenant},
}

var textRoutes = []route{
	{name: "Current in Where", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("tenant_id = ?", tenancy.Current) }), want: "a1 a2"},
	{name: "Current named", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("tenant_id = @tenant", map[string]any{"tenant": tenancy.Current})
	}), want: "a1 a2"},
	{name: "named arguments", do: where(func(db *gorm.DB) *gorm.DB {
		return db.Where("name = @n OR\nname = @m", map[string]any{"n": "a1", "m": "b1"})
	}), want: "a1"},
}
