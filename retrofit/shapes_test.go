package retrofit_test

import (
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/retrofit"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type (
	// Node refers to nodes and is tagged.
	Node struct {
		ID       uint
		TenantID int64 `gorm:"not null"`
		ParentID *uint
		Children []Node `gorm:"foreignKey:ParentID"`
		Owner    int64
		Tags     []Tag  `gorm:"many2many:node_tags"`
		Notes    []Note `gorm:"polymorphic:Subject"`
	}
	// Tag is linked to nodes by a table without tenant column.
	Tag struct {
		ID       uint
		TenantID int64 `gorm:"not null"`
		Owner    int64
	}
	// Note is about something.
	Note struct {
		Part        int   `gorm:"primaryKey;autoIncrement:false"`
		Number      int   `gorm:"primaryKey;autoIncrement:false"`
		TenantID    int64 `gorm:"not null"`
		SubjectID   uint
		SubjectType string `gorm:"size:20"`
	}
)

// TestShapes: tenants that are numbers, rows that refer to rows of their own table, join tables, polymorphic references,
// primary keys of two columns.
func TestShapes(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, e *env) {
		key := map[string]string{"sqlite": "integer PRIMARY KEY", "postgres": "bigserial PRIMARY KEY", "mysql": "bigint unsigned PRIMARY KEY AUTO_INCREMENT"}[e.kind]
		e.exec("CREATE TABLE nodes (id " + key + ", parent_id bigint, owner bigint)")
		e.exec("CREATE TABLE tags (id " + key + ", owner bigint)")
		e.exec("CREATE TABLE node_tags (node_id bigint, tag_id bigint, PRIMARY KEY (node_id, tag_id))")
		e.exec("CREATE TABLE notes (part int, number int, subject_id bigint, subject_type varchar(20), PRIMARY KEY (part, number))")
		e.exec("INSERT INTO nodes (id, parent_id, owner) VALUES (1, 2, NULL), (2, 3, NULL), (3, NULL, 7), (4, NULL, 8)")
		e.exec("INSERT INTO tags (id, owner) VALUES (1, 7), (2, 8)")
		e.exec("INSERT INTO node_tags VALUES (1, 1), (4, 1)")
		e.exec("INSERT INTO notes VALUES (1, 1, 1, 'nodes'), (1, 2, 4, 'nodes'), (2, 1, 2, 'nodes')")
		plugin := tenancy.New(shared.New(), tenancy.OwnedModels(&Node{}, &Tag{}, &Note{}))
		r, err := retrofit.New(e.db, plugin, retrofit.BatchSize(1),
			retrofit.From(&Node{}, "SELECT COALESCE(nodes.owner, (SELECT p.tenant_id FROM nodes p WHERE p.id = nodes.parent_id))"),
			retrofit.From(&Tag{}, "SELECT tags.owner"))
		must(t, err)
		e.stage(r, retrofit.StageAdd)
		report, err := r.Backfill(t.Context())
		if !errors.Is(err, tenancy.ErrTenantMismatch) || report.Stamped != 9 || len(report.Problems) != 1 ||
			report.Problems[0].Table != "node_tags" || report.Problems[0].Keys[0] != "4 1" {
			t.Fatalf("%v: %v %+v", err, report, report.Problems)
		}
		e.exec("DELETE FROM node_tags WHERE node_id = 4")
		e.stage(r, retrofit.StageBackfill)
		e.stage(r, retrofit.StageConstrain)
		e.stage(r, retrofit.StageFinish)
		for query, want := range map[string]int{
			"SELECT count(*) FROM nodes WHERE tenant_id = 7": 3, "SELECT count(*) FROM nodes WHERE tenant_id = 8": 1,
			"SELECT count(*) FROM notes WHERE tenant_id = 7": 2, "SELECT count(*) FROM notes WHERE tenant_id = 8": 1,
		} {
			if got := e.count(query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
	})
}
