package tenancy_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

// engineRoutes are routes that only one kind of engine has.
var engineRoutes = map[string][]route{
	"mysql": {
		{name: "Update ordered and limited", do: affected(1, func(db *gorm.DB) *gorm.DB {
			return db.Model(&User{}).Where("1=1 OR 1=1").Order("id DESC").Limit(1).Update("age", 1)
		}), afterQuery: usersOfA, after: "a1 a 10 a2 a 1"},
		{name: "Update ordered by text", do: exec(func(db *gorm.DB) *gorm.DB {
			return db.Model(&User{}).Where("1=1").Order("(SELECT name FROM users LIMIT 1)").Update("age", 1)
		}), refused: tenancy.ErrUnconfined},
		{name: "Delete ordered and limited", do: affected(1, func(db *gorm.DB) *gorm.DB {
			return db.Where("1=1 OR 1=1").Order("id DESC").Limit(1).Delete(&User{})
		}), afterQuery: usersOfA, after: "a1 a 10"},
		{name: "Delete ordered by text", do: exec(func(db *gorm.DB) *gorm.DB {
			return db.Where("1=1").Order("(SELECT name FROM users LIMIT 1)").Delete(&User{})
		}), refused: tenancy.ErrUnconfined},
		{name: "soft delete ordered and limited", do: affected(1, func(db *gorm.DB) *gorm.DB {
			return db.Where("1=1\nOR 1=1").Order("id DESC").Limit(1).Delete(&Note{})
		}), afterQuery: "SELECT id FROM notes WHERE deleted_at IS NOT NULL", after: "2"},
		{name: "hash comment", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1 # all") }), want: "a1 a2"},
		{name: "hash comment hides a parenthesis", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1) # (") }), refused: tenancy.ErrUnconfined},
		{name: "double quotes are strings", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(`name <> ")" OR name = "("`) }), want: "a1 a2"},
		{name: "backslash ends a string elsewhere", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(`name = '\') OR (1=1 -- '`) }), refused: tenancy.ErrUnconfined},
		{name: "backslash ends a double-quoted string", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(`name = "\") OR (1=1 -- "`) }), refused: tenancy.ErrUnconfined},
		{name: "executable comment", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1 /*! ) OR (1=1 */") }), refused: tenancy.ErrUnconfined},
		{name: "executable comment of MariaDB", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1 /*M! ) OR (1=1 */") }), refused: tenancy.ErrUnconfined},
		{name: "two dashes without a blank are minus", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("age > 5--5 OR 1=1") }), want: "a1 a2"},
		{name: "two dashes hide nothing", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("age > 5--5) OR (1=1") }), refused: tenancy.ErrUnconfined},
		{name: "INTO OUTFILE", do: func(e *env) error {
			return e.a.Model(&User{}).Clauses(after("LIMIT", "INTO OUTFILE '/tmp/x'"), clause.Limit{Limit: ptr(1)}).Find(&[]User{}).Error
		}, refused: tenancy.ErrUndeclared},
		{name: "raw HANDLER", do: raw("HANDLER users OPEN"), refused: tenancy.ErrUnconfined},
		{name: "raw TABLE", do: raw("TABLE users"), refused: tenancy.ErrUnconfined},
		{name: "raw LOAD DATA", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("LOAD DATA INFILE '/tmp/x' INTO TABLE users") }), refused: tenancy.ErrUnconfined},
		{name: "raw executable comment", do: raw("SELECT name FROM plans /*! UNION SELECT name FROM users */"), refused: tenancy.ErrUnconfined},
		{name: "raw of the catalog", do: raw("SELECT table_name FROM information_schema.tables WHERE table_name = 'plans' AND table_schema = database()"), want: "[plans]", differs: map[string]difference{
			"mariadb-schema": {why: "a tenant has a database of its own", want: "[]"},
		}},
		{name: "raw of others' statements", do: raw("SELECT info FROM information_schema.processlist"), refused: tenancy.ErrUndeclared},
		{name: "raw of samples", do: raw("SELECT histogram FROM information_schema.column_statistics"), refused: tenancy.ErrUndeclared},
		{name: "raw of another database", do: raw("SELECT user FROM mysql.user"), refused: tenancy.ErrUndeclared},
		{name: "raw multi-table delete", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("DELETE u FROM users u JOIN plans p ON 1=1") }), refused: tenancy.ErrUnconfined},
		{name: "raw multi-table update", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("UPDATE plans p, users u SET u.age = 1") }), refused: tenancy.ErrUnconfined},
		{name: "STRAIGHT_JOIN", do: raw("SELECT u.name FROM plans STRAIGHT_JOIN users u"), refused: tenancy.ErrUnconfined},
		{name: "sub-select TABLE", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("id IN (TABLE user_ids)") }), refused: errAny},
	},
	"postgres": {
		{name: "DISTINCT ON", do: scan(func(e *env) *gorm.DB {
			return e.a.Model(&User{}).Select("DISTINCT ON (name) name").Order("name")
		}), want: "a1 a2"},
		{name: "ILIKE ANY array", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name ILIKE ANY (ARRAY['A%','B%'])") }), want: "a1 a2"},
		{name: "cast", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("id::text = '1' OR 1::int = 1") }), want: "a1 a2"},
		{name: "dollar quotes", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name <> $$)$$ OR name = $x$ ( $x$") }), want: "a1 a2"},
		{name: "dollar quotes hide nothing", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("name <> $$x$$) OR (1=1") }), refused: tenancy.ErrUnconfined},
		{name: "nested comment", do: where(func(db *gorm.DB) *gorm.DB { return db.Where("1=1 /* /* */ ) OR (1=1 -- */") }), refused: tenancy.ErrUnconfined},
		{name: "escape string", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(`name = E'\') OR (1=1 -- '`) }), refused: tenancy.ErrUnconfined},
		{name: "unicode string", do: where(func(db *gorm.DB) *gorm.DB { return db.Where(`name = U&'\0027) OR (1=1 -- '`) }), refused: tenancy.ErrUnconfined},
		{name: "raw TABLE", do: raw("TABLE users"), refused: tenancy.ErrUnconfined},
		{name: "raw ONLY", do: raw("SELECT name FROM ONLY users"), refused: tenancy.ErrUnconfined},
		{name: "raw COPY", do: raw("COPY users TO STDOUT"), refused: tenancy.ErrUnconfined},
		{name: "raw CTE that writes", do: raw("WITH x AS (DELETE FROM users RETURNING name) SELECT name FROM x"), refused: tenancy.ErrUnconfined},
		{name: "raw MERGE", do: exec(func(db *gorm.DB) *gorm.DB {
			return db.Exec("MERGE INTO users u USING plans p ON p.id = u.id WHEN MATCHED THEN UPDATE SET age = 1")
		}), refused: tenancy.ErrUnconfined},
		{name: "raw DO", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("DO $$ BEGIN DELETE FROM users; END $$") }), refused: tenancy.ErrUnconfined},
		{name: "raw SET", do: exec(func(db *gorm.DB) *gorm.DB { return db.Exec("SET search_path = 'other'") }), refused: tenancy.ErrUnconfined},
		{name: "raw of the catalog", do: raw("SELECT relname FROM pg_class WHERE relname = 'plans'"), want: "[plans]"},
		{name: "raw of others' statements", do: raw("SELECT query FROM pg_stat_activity"), refused: tenancy.ErrUndeclared},
		{name: "raw of samples", do: raw("SELECT most_common_vals::text FROM pg_catalog.pg_stats"), refused: tenancy.ErrUndeclared},
		{name: "unicode identifier", do: raw(`SELECT name FROM U&"\0075sers"`), refused: tenancy.ErrUnconfined},
		{name: "Locking of another table", do: where(func(db *gorm.DB) *gorm.DB {
			return db.Clauses(clause.Locking{Strength: "UPDATE", Table: clause.Table{Name: clause.CurrentTable}, Options: "SKIP LOCKED"})
		}), want: "a1 a2"},
		{name: "Locking with text", do: where(func(db *gorm.DB) *gorm.DB {
			return db.Clauses(clause.Locking{Strength: "UPDATE", Options: "NOWAIT UNION SELECT * FROM users"})
		}), refused: tenancy.ErrUnconfined},
		{name: "UPDATE FROM", do: exec(func(db *gorm.DB) *gorm.DB {
			return db.Model(&User{}).Where("1=1").Clauses(clause.From{Tables: []clause.Table{{Name: "pets"}}}).Update("name", gorm.Expr("pets.name"))
		}), afterQuery: "SELECT count(*) FROM users WHERE tenant_id = 'a' AND name LIKE 'a-pet%'", after: "2"},
		{name: "RETURNING of an upsert", do: func(e *env) error {
			u := User{ID: 3, Name: "stolen"}
			err := e.a.Clauses(clause.OnConflict{UpdateAll: true}, clause.Returning{}).Create(&u).Error
			e.see(u.Name, u.TenantID)
			return err
		}, want: "stolen a", refused: tenancy.ErrTenantMismatch},
	},
}

func TestEngineRoutes(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		for _, r := range engineRoutes[b.dialect] {
			t.Run(r.name, func(t *testing.T) { r.on(b).test(t, b, gorm.Config{}) })
		}
	})
}

// TestCollations compares pairs of tenants in each collation MariaDB has for texts: where two are one, the security page
// warns of it.
func TestCollations(t *testing.T) {
	e := newEnvOn(t, onMariaDB, &gorm.Config{})
	page, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	var ids []string
	for _, first := range letters {
		for _, second := range letters {
			ids = append(ids, "'t"+string(first)+string(second)+"'", "'t"+string(first)+"'")
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if _, err := e.raw.Exec("CREATE TABLE ids (id varchar(9) CHARACTER SET utf8mb4); INSERT INTO ids VALUES (" + strings.Join(ids, "),(") + ")"); err != nil {
		t.Fatal(err)
	}
	collations := strings.Fields(e.query("SELECT full_collation_name FROM information_schema.collation_character_set_applicability WHERE character_set_name = 'utf8mb4'"))
	if len(collations) < 20 {
		t.Fatalf("collations: %q", collations)
	}
	warned := 0
	for _, c := range collations {
		if e.query("SELECT count(*) = count(DISTINCT id COLLATE "+c+") FROM ids") == "1" {
			continue
		}
		warned++
		if name := strings.Replace(c, "_nopad", "", 1); !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("two tenants are one in %s: %s", c, e.query("SELECT group_concat(id) FROM ids GROUP BY id COLLATE "+c+" HAVING count(*) > 1 LIMIT 3"))
		}
	}
	if warned == 0 {
		t.Error("tenants differ in all collations: the page is wrong")
	}
}

// TestMigratorLooks asks what GORM's migrator answers from the catalog: it needs no tenant.
func TestMigratorLooks(t *testing.T) {
	onEach(t, func(t *testing.T, b backend) {
		e := newEnvOn(t, b, &gorm.Config{})
		m := e.db.Migrator()
		for what, got := range map[string]bool{
			"HasTable":       m.HasTable(&User{}),
			"HasColumn":      m.HasColumn(&User{}, "age"),
			"HasIndex":       m.HasIndex(&Note{}, "DeletedAt"),
			"no table":       !m.HasTable("nowhere"),
			"no column":      !m.HasColumn(&User{}, "nothing"),
			"HasConstraint":  !m.HasConstraint(&User{}, "nothing"),
			"database named": b.dialect == "sqlite" || m.CurrentDatabase() != "",
		} {
			if !got {
				t.Errorf("%s is wrong", what)
			}
		}
		tables, err := m.GetTables()
		if err != nil || !slices.Contains(tables, "users") {
			t.Errorf("tables %q, %v", tables, err)
		}
	})
}
