package retrofit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/retrofit"
)

// TestRebuild: SQLite's tables are made again with what belongs to them.
func TestRebuild(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "sqlite")
	e.seed(5)
	e.exec("CREATE TABLE log (what text)")
	e.exec("CREATE TRIGGER log_polls AFTER DELETE ON polls BEGIN INSERT INTO log VALUES ('deleted'); END")
	e.exec("CREATE INDEX votes ON polls (votes) WHERE votes > 0")
	e.exec("CREATE VIEW popular AS SELECT id FROM polls WHERE votes > 3")
	must(t, e.db.Create(&OldPoll{CompanyID: 1, Slug: "last"}).Error)
	e.exec("DELETE FROM polls WHERE slug = 'last'") // SQLite does not give its key again
	e.all(e.retrofit(byCompany))
	if n := e.count("SELECT count(*) FROM log"); n != 1 {
		t.Errorf("making the table again fired its triggers: %d", n)
	}
	structure := e.structure()
	for _, want := range []string{"log_polls", "CREATE INDEX votes ON polls (votes) WHERE votes > 0", "popular", "`tenant_id` text NOT NULL"} {
		if !strings.Contains(structure, want) {
			t.Errorf("%s is lost:\n%s", want, structure)
		}
	}
	if n := e.count("SELECT count(*) FROM pragma_foreign_key_list('choices') WHERE \"table\" = 'polls'"); n != 1 {
		t.Errorf("choices have %d foreign keys to polls", n)
	}
	if n := e.count("PRAGMA foreign_keys"); n != 1 {
		t.Error("foreign keys are off")
	}
	poll := Poll{TenantID: "acme", CompanyID: 1, Slug: "next"}
	must(t, e.db.Create(&poll).Error)
	if poll.ID != 12 {
		t.Errorf("the key after 11, which is deleted, is %d", poll.ID)
	}
	if err := e.db.Exec("INSERT INTO choices (tenant_id, poll_id, text) VALUES ('acme', 99, 'x')").Error; err == nil {
		t.Error("the foreign key holds no more")
	}
	must(t, e.db.Exec("INSERT INTO choices (tenant_id, poll_id, text) VALUES ('acme', 1, 'x')").Error)
	e.exec("DELETE FROM polls WHERE slug = 'next'")
	if n := e.count("SELECT count(*) FROM log"); n != 2 {
		t.Errorf("the trigger fires no more: %d", n)
	}
}

// TestUniqueConstraint: SQLite cannot drop one, which is said before rows collide.
func TestUniqueConstraint(t *testing.T) {
	t.Parallel()
	e := newEnv(t, "sqlite")
	e.exec("DROP TABLE choices")
	e.exec("DROP TABLE polls")
	e.exec("CREATE TABLE polls (id integer PRIMARY KEY AUTOINCREMENT, company_id integer, slug text UNIQUE, votes integer)")
	must(t, e.db.AutoMigrate(&OldChoice{}))
	r := e.retrofit(byCompany)
	e.stage(r, retrofit.StageAdd)
	e.stage(r, retrofit.StageBackfill)
	if _, err := r.Constrain(t.Context()); !errors.Is(err, tenancy.ErrUnsupported) || !contains(err, "uniqueIndex") {
		t.Errorf("Constrain: %v", err)
	}
	e.all(e.retrofit(byCompany, retrofit.KeepUnique("sqlite_autoindex_polls_1")))
}
