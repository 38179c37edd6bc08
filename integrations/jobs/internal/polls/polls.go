// Package polls is what the tests of the queues work on: a real database with the plugin, and a catalog.
package polls

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// Poll is owned. The tenants a, b and c have polls of the same ids.
type Poll struct {
	TenantID string `gorm:"primaryKey"`
	ID       uint   `gorm:"primaryKey;autoIncrement:false"`
	Votes    int
}

// Vote is the payload of a job. Tenant is what an attacker writes into it: nobody obeys it.
type Vote struct {
	Tenant string `json:"tenant_id"`
	Poll   uint   `json:"poll"`
}

// JSON is the payload as it goes into a queue.
func (v Vote) JSON() []byte {
	text, _ := json.Marshal(v) // a string and a number
	return text
}

// Place is a database with the plugin and the catalog's tenants a, b and c.
type Place struct {
	DB      *gorm.DB
	Store   catalog.Store
	Tenants *catalog.Catalog

	past *gorm.DB // without the plugin
}

// New fills the database of the dialector, which is called for each connection.
func New(t testing.TB, dialector func() gorm.Dialector) *Place {
	t.Helper()
	p := &Place{Store: catalog.NewMemory()}
	for _, db := range []**gorm.DB{&p.DB, &p.past} {
		opened, err := gorm.Open(dialector(), &gorm.Config{Logger: logger.Discard})
		Must(t, err)
		*db = opened
		pool, err := opened.DB()
		Must(t, err)
		t.Cleanup(func() { _ = pool.Close() })
	}
	var err error
	p.Tenants, err = catalog.New(p.Store)
	Must(t, err)
	Must(t, p.past.AutoMigrate(&Poll{}))
	for _, id := range []tenancy.ID{"a", "b", "c"} {
		_, err := p.Tenants.Create(t.Context(), catalog.Tenant{ID: id})
		Must(t, err)
		Must(t, p.past.Create(&[]Poll{{TenantID: string(id), ID: 1}, {TenantID: string(id), ID: 2}}).Error)
	}
	Must(t, p.DB.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Poll{}), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	return p
}

// Vote does what a job says, in its context.
func (p *Place) Vote(ctx context.Context, payload []byte) error {
	var v Vote
	if err := json.Unmarshal(payload, &v); err != nil {
		return err
	}
	voted := p.DB.WithContext(ctx).Model(&Poll{}).Where("id = ?", v.Poll).Update("votes", gorm.Expr("votes + 1"))
	if voted.Error == nil && voted.RowsAffected != 1 {
		return fmt.Errorf("%d rows", voted.RowsAffected)
	}
	return voted.Error
}

// Votes are those of all polls, read past the plugin: "a 0 0, b 0 0, c 0 0".
func (p *Place) Votes(t testing.TB) string {
	t.Helper()
	var rows []Poll
	Must(t, p.past.Order("tenant_id, id").Find(&rows).Error)
	var b strings.Builder
	for i, row := range rows {
		if i%2 == 0 {
			b.WriteString(", " + row.TenantID)
		}
		fmt.Fprint(&b, " ", row.Votes)
	}
	return strings.TrimPrefix(b.String(), ", ")
}

// WantVotes compares all rows.
func (p *Place) WantVotes(t testing.TB, want string) {
	t.Helper()
	if got := p.Votes(t); got != want {
		t.Errorf("votes %s, want %s", got, want)
	}
}

// As is a context that acts for a tenant.
func As(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

// Must ends the test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Eventually waits until what is true.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
