package tenancy_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

// condition is one argument list of Where, Or or Not. fresh starts a statement of its own.
type condition func(fresh *gorm.DB) (query any, args []any)

func text(s string, args ...any) condition {
	return func(*gorm.DB) (any, []any) { return s, args }
}

func value(v any) condition { return func(*gorm.DB) (any, []any) { return v, nil } }

// ownPets are the owners of pets in the row's own tenant: what the plugin adds to it changes nothing for rows of a.
func ownPets(fresh *gorm.DB) *gorm.DB {
	return fresh.Model(&Pet{}).Select("user_id").Where("pets.tenant_id = users.tenant_id")
}

func subquery(s string, args ...any) condition {
	return func(fresh *gorm.DB) (any, []any) {
		return s, append([]any{ownPets(fresh).Where("pets.id <> 2")}, args...)
	}
}

// conditions are true for some users of each tenant: a has the ids 1, 2 and b 3, 4, both with the ages 10, 20.
var conditions = []condition{
	text("age = ?", 10), text("users.id > ?", 1), text("name = 'a2' OR age = ?", 20), text("name LIKE 'a%' AND age > ?", 15),
	text("name = 'a1'\nOR age = 20"), text("(name = 'a1')OR(age = 20)"), text("name = 'a1' or 1 = 0"),
	text("age = @age OR name = @name", map[string]any{"age": 10, "name": "a2"}), text("users.id IN ?", []int{2, 3}),
	text("1 = 0"), text("1 = 1"), text("TRUE OR FALSE AND FALSE"),
	value(&User{Age: 10}), value(User{Name: "a2", Age: 20}), value(map[string]any{"age": 20}),
	value(map[string]any{"age": []int{10}, "name": "a1"}), value(map[string]any{"age": gorm.Expr("10 OR 1 = 0")}),
	value(clause.Eq{Column: "age", Value: 20}), value(clause.Neq{Column: "age", Value: 20}), value(clause.IN{Column: "age", Values: []any{10}}),
	value(clause.Or(clause.Eq{Column: "age", Value: 20}, clause.Gt{Column: "age", Value: 15})),
	value(clause.Or(clause.Eq{Column: "age", Value: 10})),
	value(clause.And(clause.Eq{Column: "age", Value: 20}, clause.Like{Column: "name", Value: "a%"})),
	value(clause.And(clause.Or(clause.Eq{Column: "age", Value: 20}))),
	value(clause.Not(clause.Eq{Column: "age", Value: 20}, clause.Eq{Column: "name", Value: "a1"})),
	value(clause.Not(clause.Expr{SQL: "age = 20 OR name = 'a1'"})),
	value(gorm.Expr("age = ? OR name = ?", 20, "a1")), value(clause.NamedExpr{SQL: "age = 20 OR name = @n", Vars: []any{map[string]any{"n": "a1"}}}),
	subquery("users.id IN (?)"), subquery("users.id IN (?) OR age = ?", 20), subquery("users.id IN (?) AND age = ?", 10),
	subquery("EXISTS (?)"), func(fresh *gorm.DB) (any, []any) {
		return map[string]any{"users.id": gorm.Expr("(?)", ownPets(fresh).Limit(1))}, nil
	},
	func(fresh *gorm.DB) (any, []any) {
		return clause.Eq{Column: "users.id", Value: gorm.Expr("(?)", ownPets(fresh).Limit(1))}, nil
	},
	func(fresh *gorm.DB) (any, []any) {
		return "users.id IN (@sub) OR age = @age", []any{map[string]any{"sub": ownPets(fresh), "age": 20}}
	},
}

// chain adds random conditions to a statement, the same ones for the same seed.
func chain(r *rand.Rand, db, fresh *gorm.DB, depth int) (*gorm.DB, string) {
	var said strings.Builder
	for range 1 + r.IntN(4) {
		verb, n := r.IntN(4), r.IntN(len(conditions)+4)
		var query any
		var args []any
		what := fmt.Sprint(n)
		if n < len(conditions) {
			query, args = conditions[n](fresh)
		} else if depth == 0 {
			continue
		} else {
			query, what = chain(r, fresh, fresh, depth-1)
			what = "(" + what + ")"
		}
		switch verb {
		case 0:
			db = db.Where(query, args...)
		case 1:
			db = db.Or(query, args...)
		case 2:
			db = db.Not(query, args...)
		case 3:
			db = db.Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Or(query, args...) })
		}
		fmt.Fprint(&said, " ", []string{"Where", "Or", "Not", "Scopes Or"}[verb], " ", what)
	}
	return db, said.String()
}

// TestConditionsAsPlain: whatever Where, Or and Not are strung together, a finds what GORM alone would find among the
// rows of a. Several expressions keep GORM's own precedence, and nothing climbs out of the group they stand in.
func TestConditionsAsPlain(t *testing.T) {
	e := newEnv(t)
	var name string
	if err := e.raw.QueryRow("SELECT file FROM pragma_database_list").Scan(&name); err != nil {
		t.Fatal(err)
	}
	plain, err := gorm.Open(sqlite.Open(name+"?_busy_timeout=10000"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := plain.DB()
	t.Cleanup(func() { pool.Close() })
	found := func(db *gorm.DB, seed uint64) (names []string, said, text string) {
		q, said := chain(rand.New(rand.NewPCG(seed, 1)), db, db, 2)
		q = q.Model(&User{}).Order("users.id").Session(&gorm.Session{})
		e.must(fmt.Sprintf("chain %d%s", seed, said), q.Pluck("name", &names).Error)
		return names, said, q.Session(&gorm.Session{DryRun: true}).Find(&[]User{}).Statement.SQL.String()
	}
	some, all := 0, 0
	for seed := range uint64(3000) {
		every, said, plainText := found(plain, seed)
		var want []string
		for _, n := range every {
			if strings.HasPrefix(n, "a") {
				want = append(want, n)
			}
		}
		got, _, text := found(e.a, seed)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("chain %d%s:\nsaw  %v\nwant %v\nours  %s\nplain %s", seed, said, got, want, text, plainText)
		}
		switch len(want) {
		case 1:
			some++
		case 2:
			all++
		}
	}
	if some < 300 || all < 300 {
		t.Errorf("only %d chains found one row and %d both: the conditions say too little", some, all)
	}
	e.isolated()
}

// TestConditionsAsPlainWhereDeletedSoftly: GORM groups the conditions by itself where deleted rows stay, so that an Or in front
// means something else than without.
func TestConditionsAsPlainWhereDeletedSoftly(t *testing.T) {
	e := newEnv(t)
	plain, err := gorm.Open(sqlite.Open(e.dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, _ := plain.DB()
	t.Cleanup(func() { pool.Close() })
	e.must("delete one", e.a.Where("text = ?", "a-note2").Delete(&Note{}).Error)
	e.must("create", e.a.Create([]Note{{Text: "a-x", Model: gorm.Model{ID: 11}}, {Text: "a-y", Model: gorm.Model{ID: 12}}}).Error)
	for what, build := range map[string]func(db *gorm.DB) *gorm.DB{
		"Or Where":          func(db *gorm.DB) *gorm.DB { return db.Or("text = 'a-x'").Where("id > 1") },
		"Or Where Or":       func(db *gorm.DB) *gorm.DB { return db.Or("text = 'a-x'").Where("text = 'a-y'").Or("id = 1") },
		"Or Or":             func(db *gorm.DB) *gorm.DB { return db.Or("text = 'a-x'").Or("text LIKE '%note%'") },
		"Where Or":          func(db *gorm.DB) *gorm.DB { return db.Where("text = 'a-x'").Or("text LIKE '%note%'") },
		"a lone Or":         func(db *gorm.DB) *gorm.DB { return db.Or("text LIKE '%note%'") },
		"Or Not":            func(db *gorm.DB) *gorm.DB { return db.Or("text = 'a-x'").Not("id = 12") },
		"Unscoped Or Where": func(db *gorm.DB) *gorm.DB { return db.Unscoped().Or("text = 'a-x'").Where("id > 1") },
	} {
		var every, got, want []string
		e.must(what, build(plain.Model(&Note{})).Order("id").Pluck("text", &every).Error)
		e.must(what, build(e.a.Model(&Note{})).Order("id").Pluck("text", &got).Error)
		for _, text := range every {
			if strings.HasPrefix(text, "a") {
				want = append(want, text)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: saw %v, want %v", what, got, want)
		}
	}
	e.isolated()
}
