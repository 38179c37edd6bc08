package shared_test

import (
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/plugin/dbresolver"

	"github.com/gorm-tenancy/tenancy"
)

// TestReplicas shows that the replicas of dbresolver are confined and checked, too.
func TestReplicas(t *testing.T) {
	t.Parallel()
	d := filled(t)
	db := use(t, d.app(), pluginOf(secured()))
	if err := db.Use(dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{postgres.Open(d.app())}})); err != nil {
		t.Fatal(err)
	}
	d.unchanged(t, func() {
		for _, to := range []dbresolver.Operation{dbresolver.Read, dbresolver.Write} {
			var n int64
			err := db.WithContext(asA).Clauses(to).Raw("SELECT count(*) FROM notes").Scan(&n).Error
			if err != nil || n != 3 {
				t.Errorf("%s: %d rows and %v, want 3", to, n, err)
			}
		}
	})
	d.root("DROP POLICY tenancy ON notes")
	db = plain(t, d.app())
	if err := db.Use(pluginOf(secured())); err == nil {
		t.Error("a database without policies passes")
	}
}

// Memo lives in a PostgreSQL schema that is not in the search path, and so do its tags and their join table.
type Memo struct {
	ID       uint
	TenantID string
	Tags     []Tag `gorm:"many2many:office.memo_tags"`
}

// TableName names the table with its schema.
func (Memo) TableName() string { return "office.memos" }

// Tag is linked to memos.
type Tag struct {
	ID       uint
	TenantID string
}

// TableName names the table with its schema.
func (Tag) TableName() string { return "office.tags" }

// TestQualifiedNames shows that tables in another schema are protected like those in the search path.
func TestQualifiedNames(t *testing.T) {
	t.Parallel()
	d := empty(t)
	d.root("CREATE SCHEMA office; GRANT ALL ON SCHEMA office TO PUBLIC")
	s := secured()
	p := tenancy.New(s, tenancy.OwnedModels(&Memo{}, &Tag{}))
	for range 2 {
		if err := s.Migrate(nobody, plain(t, d.app()), p); err != nil {
			t.Fatal(err)
		}
	}
	db := use(t, d.app(), p)
	for _, ctx := range []string{"a", "b"} {
		memo := Memo{Tags: []Tag{{}, {}}}
		if err := db.WithContext(tenancy.WithTenant(nobody, tenancy.ID(ctx))).Create(&memo).Error; err != nil {
			t.Fatal(err)
		}
	}
	for table, want := range map[string]int64{"office.memos": 1, "office.tags": 2, "office.memo_tags": 2} {
		if n, err := count(asA, pool(t, db), "SELECT * FROM "+table); err != nil || n != want {
			t.Errorf("%s: %d rows and %v, want %d", table, n, err, want)
		}
	}
	d.root("DROP POLICY tenancy ON office.memo_tags")
	if err := plain(t, d.app()).Use(tenancy.New(s, tenancy.OwnedModels(&Memo{}, &Tag{}))); !contains(err, "table office.memo_tags has no policy") {
		t.Errorf("got %v", err)
	}
}
