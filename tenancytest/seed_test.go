package tenancytest_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

type (
	// Sundry has a field of each kind.
	Sundry struct {
		ID       uuid.UUID `gorm:"type:uuid;primaryKey"`
		TenantID string    `gorm:"index"`
		Short    string    `gorm:"size:2;not null"`
		One      string    `gorm:"type:char(1);not null"`
		Tiny     int8      `gorm:"not null"`
		Many     uint64
		Rate     float32
		On       bool `gorm:"not null"`
		At       time.Time
		Blob     []byte `gorm:"not null"`
		Maybe    sql.NullString
		MaybeAt  sql.NullTime
		Count    sql.NullInt64
		Token    uuid.UUID         `gorm:"type:uuid"`
		Data     string            `gorm:"type:json;check:json_valid(data)"`
		Map      map[string]string `gorm:"serializer:json"`
		Pointer  *string           `gorm:"not null"`
		State    string            `gorm:"default:draft;check:state IN ('draft', 'sent')"`
		Seen     int64             `gorm:"autoUpdateTime"`
		Deleted  gorm.DeletedAt
	}
	// Numbered belongs to tenants that are numbers, Unique to such that are UUIDs.
	Numbered struct {
		ID    uint
		Owner int64 `tenancy:"tenant" gorm:"index"`
		Text  string
	}
	Unique struct {
		ID    uint
		Owner uuid.UUID `tenancy:"tenant" gorm:"type:uuid;index"`
		Text  string
	}
)

// TestEveryField shows that rows are derived for each kind of field, and hold.
func TestEveryField(t *testing.T) {
	t.Parallel()
	for name, models := range map[string][]any{
		"fields": {&Sundry{}}, "numbers": {&Numbered{}}, "UUIDs": {&Unique{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tenancytest.RequireIsolated(t, at(t, shared.New(), []tenancy.Option{tenancy.OwnedModels(models...)}, models...))
		})
	}
}

// TestSeedAgain shows that rows that are there are taken, and that RequireIsolated leaves them.
func TestSeedAgain(t *testing.T) {
	t.Parallel()
	db := sharing(t, everything()...)
	for range 2 {
		must(t, tenancytest.Seed(db))
		tenancytest.RequireIsolated(t, db, &Room{}, &Settings{})
		for id, want := range map[tenancy.ID]int64{"a": 2, "b": 3} {
			var n int64
			must(t, db.WithContext(as(id)).Model(&Choice{}).Count(&n).Error)
			if n != want {
				t.Errorf("%s has %d choices", id, n)
			}
		}
	}
	var links int64
	must(t, db.WithContext(as("b")).Table("poll_voters").Count(&links).Error)
	if links != 3 {
		t.Errorf("%d links", links)
	}
}

// TestTenants shows which pairs are no pairs.
func TestTenants(t *testing.T) {
	t.Parallel()
	db := sharing(t, &Note{})
	for _, pair := range [][2]tenancy.ID{{"thor", "thor"}, {"Thor", "odin"}, {"", "odin"}} {
		if err := tenancytest.Seed(db, tenancytest.Tenants(pair[0], pair[1])); err == nil || !strings.Contains(err.Error(), "Tenants") {
			t.Errorf("%q: %v", pair, err)
		}
	}
}
