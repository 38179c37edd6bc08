package archive_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// Models of tenants with tables of their own, without tenant column, and with types that only PostgreSQL has.
type (
	Gadget struct {
		ID    string  `gorm:"type:uuid;primaryKey"`
		Tags  string  `gorm:"type:text[]"`
		Span  string  `gorm:"type:interval"`
		Short float32 `gorm:"type:real"`
		Clock string  `gorm:"type:time without time zone"`
		Notes []Memo  `gorm:"polymorphic:Owner"`
	}
	Memo struct {
		ID        uint
		OwnerID   string
		OwnerType string
	}
)

// TestPostgresTypes takes them around. Renumber leaves a key that is no number as it is.
func TestPostgresTypes(t *testing.T) {
	t.Parallel()
	server, strategy := servers.Postgres(t), schema.New()
	db, err := gorm.Open(postgres.Open(server.DSN(servers.App, server.Database(t))), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	t.Cleanup(func() {
		pool, err := db.DB()
		must(t, err)
		pool.Close()
	})
	must(t, db.Use(tenancy.New(strategy, tenancy.OwnedModels(&Gadget{}, &Memo{}), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	for _, id := range []tenancy.ID{"a", "b"} {
		must(t, strategy.Provision(context.Background(), id))
	}
	const uuid = "0b0e5c1a-7d5e-4f6d-9a51-2f6c1c9b1a11"
	must(t, db.WithContext(as("a")).Create(&Gadget{
		ID: uuid, Tags: `{x,"a b"}`, Span: "1 day", Short: 0.1, Clock: "12:34:56.789", Notes: []Memo{{}},
	}).Error)
	text, m := export(t, db, "a")
	if rows := unpack(t, text).files["tables/gadgets.jsonl"]; !strings.Contains(rows, uuid) || !strings.Contains(rows, `"0.1`) {
		t.Errorf("exported %s", rows)
	}
	_, err = archive.Import(as("b"), db, bytes.NewReader(text))
	must(t, err)
	same(t, "import", sum(t, db, "b"), m)
	for range 2 { // the second time all numbers are others
		_, err = archive.Import(as("b"), db, bytes.NewReader(text), archive.Replace(), archive.Renumber())
		must(t, err)
	}
	var gadget Gadget
	must(t, db.WithContext(as("b")).Preload("Notes").Take(&gadget).Error)
	if len(gadget.Notes) != 1 || gadget.Notes[0].ID == 1 || gadget.ID != uuid {
		t.Errorf("%+v", gadget)
	}
}
