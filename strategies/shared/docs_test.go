package shared_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/docstest"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// TestDocumentedRoles runs the SQL of the documentation and does with its roles what the documentation says. The roles have
// names of their own, so that the server has to be, too.
func TestDocumentedRoles(t *testing.T) {
	t.Parallel()
	server := servers.NewPostgres(t)
	d := at(t, server, server.Database(t))
	text, err := os.ReadFile("../../docs/row-level-security.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := docstest.Blocks("row-level-security.md", string(text))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, b := range blocks {
		if b.Lang == "sql" {
			d.root(b.Text)
			ran++
		}
	}
	if ran != 1 {
		t.Errorf("the documentation has %d blocks of SQL, 1 is run here", ran)
	}
	s := secured(shared.BypassRole("polls_reporting"))
	p := pluginOf(s)
	if err := s.Migrate(nobody, plain(t, server.DSN("polls_owner", d.name)), p, &Plan{}); err != nil {
		t.Fatal(err)
	}
	d.root(seed)
	db := use(t, server.DSN("polls_app", d.name), p)
	d.unchanged(t, func() {
		write(t, db.WithContext(asA))
		if _, err := pool(t, db).ExecContext(asA, "TRUNCATE notes"); !errors.Is(err, tenancy.ErrUnconfined) {
			t.Errorf("TRUNCATE: %v", err)
		}
		if _, err := pool(t, db).ExecContext(bypass, "TRUNCATE notes"); code(err) != refusedByPolicy {
			t.Errorf("TRUNCATE by the database: %v", err)
		}
	})
	var notes int64
	if err := db.WithContext(bypass).Model(&Note{}).Count(&notes).Error; err != nil || notes != 6 {
		t.Errorf("Bypass sees %d notes and %v, want 6", notes, err)
	}
	d.root("DROP POLICY tenancy ON notes")
	if err := s.Migrate(nobody, db, p); code(err) != refusedByPolicy {
		t.Errorf("the application's role writes policies: %v", err)
	}
}

// TestKeys shows what policies do not hold, as the documentation says, and the keys that do.
func TestKeys(t *testing.T) {
	t.Parallel()
	d := filled(t)
	d.root("CREATE TABLE replies (tenant_id text, id bigint, note_id int, poll_id bigint REFERENCES polls, PRIMARY KEY (tenant_id, id)," +
		"FOREIGN KEY (tenant_id, note_id) REFERENCES notes (tenant_id, id));" +
		"ALTER TABLE replies OWNER TO " + servers.App + "; DELETE FROM notes WHERE tenant_id = 'a' AND id = 3")
	type Reply struct {
		TenantID string `gorm:"primaryKey"`
		ID       int    `gorm:"primaryKey;autoIncrement:false"`
		NoteID   int
		PollID   uint
		Poll     Poll
	}
	s := secured()
	p := pluginOf(s, tenancy.OwnedModels(&Reply{}))
	if err := s.Migrate(nobody, plain(t, d.app()), p); err != nil {
		t.Fatal(err)
	}
	db := use(t, d.app(), p)
	direct := pool(t, db)
	const foreignKey = "23503"
	d.unchanged(t, func() {
		if _, err := direct.ExecContext(asA, "INSERT INTO replies (tenant_id, id, poll_id) VALUES ('a', 1, 11)"); err != nil {
			t.Errorf("a plain foreign key holds, the documentation says it does not: %v", err)
		}
		if _, err := direct.ExecContext(asA, "INSERT INTO replies (tenant_id, id, note_id) VALUES ('a', 2, 3)"); code(err) != foreignKey {
			t.Errorf("a foreign key with the tenant column to a note that only b has: %v", err)
		}
		if _, err := direct.ExecContext(asA, "INSERT INTO replies (tenant_id, id, note_id) VALUES ('a', 3, 1)"); err != nil {
			t.Errorf("a foreign key with the tenant column to an own note: %v", err)
		}
		if err := db.WithContext(asA).Create(&Reply{ID: 4, NoteID: 1, PollID: 11}).Error; !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("GORM refers to b's poll: %v", err)
		}
		if err := db.WithContext(asA).Create(&Reply{ID: 5, NoteID: 1, PollID: 1}).Error; err != nil {
			t.Errorf("GORM refers to an own poll: %v", err)
		}
	})
	if strings.Contains(d.dump("a"), "b note") {
		t.Error("a row of b is a's")
	}
}
