package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type (
	Loose struct { // neither owned nor central
		ID   uint
		Name string
	}
	Person struct {
		ID       uint
		TenantID string
		Name     string
		Skills   []Skill  `gorm:"many2many:person_skills"`
		Badges   []Badge  `gorm:"many2many:person_badges"`
		Friends  []Person `gorm:"many2many:person_friends"`
	}
	Skill struct {
		ID       uint
		TenantID string
		Name     string
	}
	Badge struct { // central
		ID     uint
		Name   string
		People []Person `gorm:"many2many:person_badges"`
	}
	PersonSkill struct {
		PersonID uint `gorm:"primaryKey;autoIncrement:false"`
		SkillID  uint `gorm:"primaryKey;autoIncrement:false"`
		Level    int
	}
	OwnedPersonSkill struct {
		PersonID uint `gorm:"primaryKey;autoIncrement:false"`
		SkillID  uint `gorm:"primaryKey;autoIncrement:false"`
		TenantID string
		Level    int
	}
	// UserCard reads the owned table users and has no field for the tenant.
	UserCard struct {
		ID   uint
		Name string
	}
)

func (OwnedPersonSkill) TableName() string { return "person_skills" }
func (UserCard) TableName() string         { return "users" }

func TestDeclareUndeclared(t *testing.T) { onEach(t, testDeclareUndeclared) }

func testDeclareUndeclared(t *testing.T, on backend) {
	e := newEnvOn(t, on, &gorm.Config{})
	if _, err := e.raw.Exec("CREATE TABLE looses (id " + serial(on) + ", name text); INSERT INTO looses VALUES (1,'b-loose')"); err != nil {
		t.Fatal(err)
	}
	var names []string
	_, rowsErr := e.a.Model(&Loose{}).Rows()
	for what, err := range map[string]error{
		"find":     e.a.Find(&[]Loose{}).Error,
		"pluck":    e.a.Model(&Loose{}).Pluck("name", &names).Error,
		"create":   e.a.Create(&Loose{Name: "x"}).Error,
		"update":   e.a.Model(&Loose{ID: 1}).Update("name", "x").Error,
		"delete":   e.a.Delete(&Loose{ID: 1}).Error,
		"table":    e.a.Table("looses").Find(&[]map[string]any{}).Error,
		"raw":      e.a.Raw("SELECT name FROM looses").Scan(&names).Error,
		"row":      e.a.Model(&Loose{}).Select("name").Row().Err(),
		"rows":     rowsErr,
		"none":     e.db.Find(&[]Loose{}).Error,
		"central":  e.db.WithContext(tenancy.Central(context.Background())).Find(&[]Loose{}).Error,
		"subquery": e.a.Where("id IN (?)", e.a.Model(&Loose{}).Select("id")).Find(&[]User{}).Error,
	} {
		e.refuse(what, err, tenancy.ErrUndeclared)
		if !strings.Contains(fmt.Sprint(err), "CentralModels") {
			e.Errorf("%s: the message does not name CentralModels: %v", what, err)
		}
	}
	if len(names) > 0 {
		t.Errorf("read %q", names)
	}
	e.wants("SELECT id, name FROM looses", "1 b-loose")
	e.must("bypass", e.db.WithContext(bypass("count")).Model(&Loose{}).Pluck("name", &names).Error)
	if strings.Join(names, " ") != "b-loose" {
		t.Errorf("under Bypass read %q", names)
	}
	e.isolated()
}

// serial is the type of a key that counts by itself.
func serial(on backend) string {
	return map[string]string{"sqlite": "integer primary key", "postgres": "serial primary key", "mysql": "integer primary key auto_increment"}[on.dialect]
}

func TestDeclareAllowUndeclared(t *testing.T) { onEach(t, testDeclareAllowUndeclared) }

func testDeclareAllowUndeclared(t *testing.T, on backend) {
	e := newEnvOn(t, on, &gorm.Config{}, tenancy.AllowUndeclared())
	if _, err := e.raw.Exec("CREATE TABLE looses (id " + serial(on) + ", name text)"); err != nil {
		t.Fatal(err)
	}
	e.must("create", e.a.Create(&Loose{Name: "one"}).Error)
	e.must("create without tenant", e.db.Create(&Loose{Name: "two"}).Error)
	var found []Loose
	e.must("find", e.a.Find(&found).Error)
	if len(found) != 2 {
		t.Errorf("%d rows, want 2", len(found))
	}
	var names []string
	e.must("raw", e.a.Raw("SELECT name FROM looses ORDER BY id").Scan(&names).Error)
	e.must("table", e.a.Table("looses").Where("id = 1").Updates(map[string]any{"name": "1"}).Error)
	e.wants("SELECT name FROM looses ORDER BY id", "1 two")
	// Owned tables stay what they are.
	e.refuse("join of text", e.a.Model(&Loose{}).Joins("JOIN users ON 1=1").Find(&[]map[string]any{}).Error, tenancy.ErrUnconfined)
	attackAll(e)
}

func TestDeclareMistakes(t *testing.T) {
	if err := useError(t, tenancy.OwnedModels(&Loose{})); !errors.Is(err, tenancy.ErrUndeclared) || !strings.Contains(err.Error(), "TenantID") {
		t.Errorf("owned model without a tenant field: %v", err)
	}
	if err := useError(t, tenancy.OwnedModels(&Skill{}), tenancy.AllowUndeclared()); err != nil {
		t.Errorf("owned model: %v", err)
	}
	// AllowUndeclared does not make a declared owned model central.
	if err := useError(t, tenancy.OwnedModels(&Loose{}), tenancy.AllowUndeclared()); err == nil {
		t.Error("owned model without a tenant field under AllowUndeclared: no error")
	}
	for _, opts := range [][]tenancy.Option{
		{tenancy.OwnedModels(&Skill{}), tenancy.CentralModels(&Skill{})},
		{tenancy.CentralModels(&Skill{}), tenancy.OwnedModels(&Skill{})},
		{tenancy.CentralModels(Skill{}), tenancy.OwnedModels(&[]Skill{})},
	} {
		if err := useError(t, opts...); err == nil || !strings.Contains(err.Error(), "Skill") {
			t.Errorf("both owned and central: %v", err)
		}
	}
	if err := useError(t, tenancy.CentralModels(&Skill{})); err != nil {
		t.Errorf("central model with a tenant field: %v", err)
	}
	for _, bad := range []any{nil, 1, "users", map[string]any{}, &struct{}{}} {
		if err := useError(t, tenancy.OwnedModels(bad)); err == nil {
			t.Errorf("OwnedModels(%T): no error", bad)
		}
	}
	db, err := gorm.Open(sqlite.Open("file::memory:"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Use(tenancy.New(nil)); err == nil || !strings.Contains(err.Error(), "strategy") {
		t.Errorf("New(nil): %v", err)
	}
	if err := db.Use(tenancy.New(shared.New())); err != nil {
		t.Errorf("New(shared.New()): %v", err)
	}
}

func TestDeclareSecondStruct(t *testing.T) { onEach(t, testDeclareSecondStruct) }

func testDeclareSecondStruct(t *testing.T, on backend) {
	e := newEnvOn(t, on, &gorm.Config{})
	var cards []UserCard
	e.must("find", e.a.Where("1=1").Or("1=1").Order("id").Find(&cards).Error)
	for _, c := range cards {
		e.see(c.Name)
	}
	if got := strings.Join(e.seen, " "); got != "a1 a2" {
		t.Errorf("saw %q", got)
	}
	e.refuse("b's", e.a.First(&UserCard{}, 3).Error, gorm.ErrRecordNotFound)
	e.refuse("no tenant", e.db.Find(&cards).Error, tenancy.ErrNoTenant)
	e.refuse("create", e.a.Create(&UserCard{Name: "x"}).Error, tenancy.ErrUnconfined)
	e.refuse("batch", e.a.Create(&[]UserCard{{Name: "x"}}).Error, tenancy.ErrUnconfined)
	e.refuse("save b's", e.a.Save(&UserCard{ID: 3, Name: "stolen-b"}).Error, tenancy.ErrUnconfined)
	e.must("save own", e.a.Save(&UserCard{ID: 1, Name: "a1x"}).Error)
	e.must("update", e.a.Model(&UserCard{ID: 1}).Update("name", "a1y").Error)
	e.must("update b's", e.a.Model(&UserCard{ID: 3}).Update("name", "stolen-b").Error)
	e.must("delete b's", e.a.Delete(&UserCard{}, []int{2, 3}).Error)
	e.isolated()
	e.wants(usersOfA, "a1y a 10")
}

// openPeople has people and skills 1, 2 of a and 3, 4 of b, b's links, and one badge.
func openPeople(t *testing.T, on backend, before, after func(db *gorm.DB) error, join any, opts ...tenancy.Option) (a *gorm.DB, e *env, isolated func()) {
	t.Helper()
	e = on.connect(t, on.empty(t), &gorm.Config{}, func(db *gorm.DB) error {
		return errors.Join(
			before(db),
			db.Use(tenancy.New(shared.New(), append(opts, tenancy.CentralModels(&Badge{}), tenancy.Logger(silent))...)),
			after(db),
		)
	})
	db := e.db
	models := []any{&Person{}, &Skill{}, &Badge{}}
	if join != nil {
		models = append(models, join)
	}
	if err := db.WithContext(bypass("create tables")).AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
	tenantColumn, tenantValue := "", ""
	if _, ok := join.(*OwnedPersonSkill); ok {
		tenantColumn, tenantValue = ", tenant_id", ", 'b'"
	}
	if _, err := e.raw.Exec(`INSERT INTO badges VALUES (1,'gold'), (2,'tin');
		INSERT INTO people (id, tenant_id, name) VALUES (1,'a','a1'), (2,'a','a2'), (3,'b','b1'), (4,'b','b2');
		INSERT INTO skills (id, tenant_id, name) VALUES (1,'a','a-go'), (2,'a','a-c'), (3,'b','b-go'), (4,'b','b-c');
		INSERT INTO person_skills (person_id, skill_id` + tenantColumn + `) VALUES (3,3` + tenantValue + `), (4,4` + tenantValue + `);
		INSERT INTO person_badges (person_id, badge_id) VALUES (3,1), (4,2);
		INSERT INTO person_friends (person_id, friend_id) VALUES (3,4);`); err != nil {
		t.Fatal(err)
	}
	e.must("go on counting", countOn(e.raw, on.dialect, "badges", "people", "skills"))
	dump := func() string {
		var b strings.Builder
		for _, q := range []string{
			"SELECT * FROM people WHERE id IN (3,4) OR tenant_id <> 'a' ORDER BY id", "SELECT * FROM skills WHERE id IN (3,4) OR tenant_id <> 'a' ORDER BY id",
			"SELECT * FROM person_skills WHERE person_id IN (3,4) OR skill_id IN (3,4) ORDER BY 1,2",
			"SELECT * FROM person_badges WHERE person_id IN (3,4) ORDER BY 1,2", "SELECT * FROM badges ORDER BY id",
			"SELECT * FROM person_friends WHERE person_id IN (3,4) OR friend_id IN (3,4) ORDER BY 1,2",
		} {
			b.WriteString(e.query(q) + "\n")
		}
		return b.String()
	}
	start := dump()
	return db.WithContext(asA), e, func() {
		t.Helper()
		if now := dump(); now != start {
			t.Errorf("rows of b changed:\n%s--- after\n%s", start, now)
		}
	}
}

func nothing(*gorm.DB) error { return nil }

func setup(join any) func(*gorm.DB) error {
	return func(db *gorm.DB) error { return db.SetupJoinTable(&Person{}, "Skills", join) }
}

func TestDeclareManyToMany(t *testing.T) { onEach(t, testDeclareManyToMany) }

func testDeclareManyToMany(t *testing.T, on backend) {
	declared := []tenancy.Option{tenancy.OwnedModels(&Person{}, &Skill{})}
	for _, c := range []struct {
		name          string
		before, after func(*gorm.DB) error
		join          any
		opts          []tenancy.Option
	}{
		{"automatic", nothing, nothing, nil, declared},
		{"automatic, learned lazily", nothing, nothing, nil, nil},
		{"custom before", setup(&PersonSkill{}), nothing, &PersonSkill{}, declared},
		{"custom after", nothing, setup(&PersonSkill{}), &PersonSkill{}, declared},
		{"custom before, lazily", setup(&PersonSkill{}), nothing, &PersonSkill{}, nil},
		{"custom after, lazily", nothing, setup(&PersonSkill{}), &PersonSkill{}, nil},
		{"owned before", setup(&OwnedPersonSkill{}), nothing, &OwnedPersonSkill{}, declared},
		{"owned after", nothing, setup(&OwnedPersonSkill{}), &OwnedPersonSkill{}, declared},
		{"owned before, declared", setup(&OwnedPersonSkill{}), nothing, &OwnedPersonSkill{}, append(declared, tenancy.OwnedModels(&OwnedPersonSkill{}))},
		{"owned after, declared", nothing, setup(&OwnedPersonSkill{}), &OwnedPersonSkill{}, append(declared, tenancy.OwnedModels(&OwnedPersonSkill{}))},
		{"owned after, lazily", nothing, setup(&OwnedPersonSkill{}), &OwnedPersonSkill{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, e, isolated := openPeople(t, on, c.before, c.after, c.join, c.opts...)
			me, foreign := func() *Person { return &Person{ID: 1} }, func() *Person { return &Person{ID: 3} } // GORM keeps what was refused in the struct
			// Attacks.
			e.refuse("append b's skill", a.Model(me()).Association("Skills").Append(&Skill{ID: 3}), tenancy.ErrTenantMismatch)
			if _, ok := c.join.(*OwnedPersonSkill); !ok { // else see TestFindingOwnedJoinModel
				e.refuse("append to b's person", a.Model(foreign()).Association("Skills").Append(&Skill{ID: 1}), tenancy.ErrTenantMismatch)
				e.refuse("create with b's, link only", a.Omit("Skills.*").Create(&Person{Name: "a3", Skills: []Skill{{ID: 3}}}).Error, tenancy.ErrTenantMismatch)
			}
			e.refuse("replace by b's", a.Model(me()).Association("Skills").Replace(&Skill{ID: 4}), tenancy.ErrTenantMismatch)
			e.refuse("create with b's", a.Create(&Person{Name: "a3", Skills: []Skill{{ID: 3}}}).Error, tenancy.ErrTenantMismatch)
			e.refuse("befriend b's", a.Model(me()).Association("Friends").Append(&Person{ID: 3}), tenancy.ErrTenantMismatch)
			e.refuse("be befriended by b's", a.Model(foreign()).Association("Friends").Append(&Person{ID: 1}), tenancy.ErrTenantMismatch)
			e.refuse("badge for b's", a.Model(foreign()).Association("Badges").Append(&Badge{ID: 2}), tenancy.ErrTenantMismatch)
			e.refuse("badge from its side", a.Model(&Badge{ID: 2}).Association("People").Append(&Person{ID: 3}), tenancy.ErrTenantMismatch)
			_ = a.Model(foreign()).Association("Skills").Clear()
			_ = a.Model(foreign()).Association("Skills").Delete(&Skill{ID: 3})
			_ = a.Model(foreign()).Association("Friends").Clear()
			_ = a.Model(foreign()).Association("Badges").Clear()
			_ = a.Model(&Badge{ID: 1}).Association("People").Clear()
			_ = a.Select("Skills", "Friends", "Badges").Delete(foreign()).Error
			isolated()
			var skills []Skill
			_ = a.Model(foreign()).Association("Skills").Find(&skills)
			var people []Person
			_ = a.Model(&Badge{ID: 1}).Association("People").Find(&people)
			if len(skills)+len(people) > 0 {
				t.Errorf("read b's %v %v", skills, people)
			}
			if n := a.Model(foreign()).Association("Skills").Count() + a.Model(foreign()).Association("Badges").Count() + a.Model(&Badge{ID: 1}).Association("People").Count(); n != 0 {
				t.Errorf("counted %d links of b", n)
			}
			e.refuse("no tenant", e.db.Model(me()).Association("Skills").Append(&Skill{ID: 1}), tenancy.ErrNoTenant)
			// Legitimate uses.
			e.must("append", a.Model(me()).Association("Skills").Append(&Skill{ID: 1}, &Skill{ID: 2}))
			e.must("append new", a.Model(me()).Association("Skills").Append(&Skill{Name: "a-sql"}))
			e.must("befriend", a.Model(me()).Association("Friends").Append(&Person{ID: 2}))
			e.must("badge", a.Model(me()).Association("Badges").Append(&Badge{ID: 1}))
			e.must("badge from its side", a.Model(&Badge{ID: 1}).Association("People").Append(&Person{ID: 2}))
			e.must("create", a.Create(&Person{ID: 9, Name: "a9", Skills: []Skill{{ID: 1}, {Name: "a-vi"}}, Friends: []Person{{ID: 1}}, Badges: []Badge{{ID: 2}}}).Error)
			if n := a.Model(me()).Association("Skills").Count(); n != 3 {
				t.Errorf("counted %d skills, want 3", n)
			}
			people = nil
			e.must("preload", a.Preload("Skills").Preload("Friends").Preload("Badges").Order("id").Find(&people).Error)
			var got []string
			for _, p := range people {
				got = append(got, fmt.Sprintf("%s:%d/%d/%d", p.Name, len(p.Skills), len(p.Friends), len(p.Badges)))
			}
			if g := strings.Join(got, " "); g != "a1:3/1/1 a2:0/0/1 a9:2/1/1" {
				t.Errorf("preloaded %s", g)
			}
			var badges []Badge
			e.must("preload from the central side", a.Preload("People").Order("id").Find(&badges).Error)
			got = nil
			for _, b := range badges {
				for _, p := range b.People {
					got = append(got, p.Name)
				}
			}
			sort.Strings(got)
			if g := strings.Join(got, " "); g != "a1 a2 a9" {
				t.Errorf("from the central side: %s", g)
			}
			e.must("delete", a.Model(me()).Association("Skills").Delete(&Skill{ID: 2}))
			e.must("replace", a.Model(me()).Association("Friends").Replace(&Person{ID: 9}))
			e.must("clear", a.Model(&Person{ID: 9}).Association("Skills").Clear())
			e.wants("SELECT friend_id FROM person_friends WHERE person_id = 1", "9")
			e.wants("SELECT count(*) FROM person_skills WHERE person_id IN (1,2,9)", "2")
			if _, ok := c.join.(*OwnedPersonSkill); ok {
				e.wants("SELECT DISTINCT tenant_id FROM person_skills WHERE person_id IN (1,2,9)", "a")
				e.refuse("link row for b", a.Create(&OwnedPersonSkill{PersonID: 1, SkillID: 2, TenantID: "b"}).Error, tenancy.ErrTenantMismatch)
				var links []OwnedPersonSkill
				e.must("links", a.Find(&links).Error)
				if len(links) != 2 {
					t.Errorf("%d links, want 2", len(links))
				}
			}
			if _, ok := c.join.(*PersonSkill); ok {
				var links []PersonSkill
				e.must("links", a.Where("1=1").Or("1=1").Find(&links).Error)
				if len(links) != 2 {
					t.Errorf("%d links, want 2", len(links))
				}
				e.refuse("link row to b's", a.Create(&PersonSkill{PersonID: 1, SkillID: 3}).Error, tenancy.ErrTenantMismatch)
				e.must("link row", a.Create(&PersonSkill{PersonID: 2, SkillID: 2, Level: 1}).Error)
				e.must("update all", a.Model(&PersonSkill{}).Where("1=1").Or("1=1").Update("level", 7).Error)
				e.refuse("move link", a.Model(&PersonSkill{}).Where("person_id = 2").Update("skill_id", 4).Error, tenancy.ErrTenantMismatch)
				e.must("delete all", a.Where("1=1").Or("1=1").Delete(&PersonSkill{}).Error)
				e.wants("SELECT count(*) FROM person_skills", "2")
			}
			isolated()
		})
	}
}

func TestDeclareOnBypass(t *testing.T) { onEach(t, testDeclareOnBypass) }

func testDeclareOnBypass(t *testing.T, on backend) {
	var mu sync.Mutex
	var uses []tenancy.BypassUse
	e := newEnvOn(t, on, &gorm.Config{}, tenancy.OnBypass(func(_ context.Context, u tenancy.BypassUse) {
		mu.Lock()
		defer mu.Unlock()
		uses = append(uses, u)
	}))
	all := e.db.WithContext(bypass("ticket 812"))
	for _, c := range []struct {
		do   func() error
		want tenancy.BypassUse
	}{
		{func() error { return all.Find(&[]User{}).Error }, tenancy.BypassUse{Reason: "ticket 812", Op: "query", Table: "users"}},
		{func() error { return all.Create(&Company{TenantID: "a", Name: "a-x"}).Error }, tenancy.BypassUse{Reason: "ticket 812", Op: "create", Table: "companies"}},
		{func() error { return all.Model(&User{ID: 1}).Update("age", 1).Error }, tenancy.BypassUse{Reason: "ticket 812", Op: "update", Table: "users"}},
		{func() error { return all.Delete(&Pet{ID: 2}).Error }, tenancy.BypassUse{Reason: "ticket 812", Op: "delete", Table: "pets"}},
		{func() error { return all.Exec("UPDATE users SET age = 2 WHERE id = 1").Error }, tenancy.BypassUse{Reason: "ticket 812", Op: "raw"}},
	} {
		uses = nil
		e.must(c.want.Op, c.do())
		if len(uses) != 1 || uses[0] != c.want {
			t.Errorf("told %+v, want once %+v", uses, c.want)
		}
	}
	uses = nil
	var n int64
	e.must("tenant", e.a.Model(&User{}).Count(&n).Error)
	e.refuse("no reason", e.db.WithContext(bypass("")).Find(&[]User{}).Error, tenancy.ErrNoTenant)
	if len(uses) != 0 || n != 2 {
		t.Errorf("told %+v of no bypass; %d users", uses, n)
	}
}

type (
	label struct {
		ID      uint
		Orphans []orphan `gorm:"many2many:orphan_labels"`
	}
	orphan struct {
		ID     uint
		Labels []label `gorm:"many2many:orphan_labels"`
	}
)

// TestCentralRefersToUndeclared: a central model that links to one nobody declared is no reason to fail, or to look for ever.
func TestCentralRefersToUndeclared(t *testing.T) {
	t.Parallel()
	db, err := gorm.Open(sqlite.Open("file::memory:"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Use(tenancy.New(shared.New(), tenancy.CentralModels(&label{}))); err != nil {
		t.Fatal(err)
	}
	if err := db.WithContext(asA).Find(&[]orphan{}).Error; !errors.Is(err, tenancy.ErrUndeclared) {
		t.Errorf("the model it refers to: %v", err)
	}
}
