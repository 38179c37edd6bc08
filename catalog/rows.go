package catalog

import (
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
)

// Models returns the models of the tables that [GORM] needs, for tenancy.CentralModels and AutoMigrate. The tables are
// tenancy_tenants, tenancy_domains and tenancy_revisions, as the naming strategy of db writes these names.
func Models() []any { return []any{&tenantRow{}, &domainRow{}, &revisionRow{}} }

// tenantRow is a record. The domains are in it too, so that it is read in one piece.
type tenantRow struct {
	ID          string `gorm:"primaryKey;size:63"`
	Name        string `gorm:"size:255;not null"`
	Domains     string `gorm:"type:text;not null"` // JSON
	Strategy    string `gorm:"size:255;not null"`
	Place       string `gorm:"size:255;not null"`
	Version     string `gorm:"size:255;not null"`
	Metadata    string `gorm:"type:text;not null"` // JSON
	State       string `gorm:"size:20;not null;index"`
	Step        string `gorm:"size:20;not null"`
	Previous    string `gorm:"size:20;not null"`
	Peer        string `gorm:"size:63;not null"`
	DeleteAfter *time.Time
	Revision    int64     `gorm:"not null;index"`
	CreatedAt   time.Time `gorm:"not null;autoCreateTime:false"`
	UpdatedAt   time.Time `gorm:"not null;autoUpdateTime:false"`
}

// domainRow keeps domains unique and finds them.
type domainRow struct {
	Domain string `gorm:"primaryKey;size:253"`
	Owner  string `gorm:"size:63;not null;index"`
}

// revisionRow is one row, the counter. Who saves holds its lock to the end of the transaction, so that revisions become
// visible in order.
type revisionRow struct {
	ID       int   `gorm:"primaryKey;autoIncrement:false"`
	Revision int64 `gorm:"not null"`
	Cleared  int64 `gorm:"not null"` // the revision of the last Delete
}

// The names go through the naming strategy, which on MySQL may have to name the database (see docs/catalog.md).

func (tenantRow) TableName(n schema.Namer) string   { return n.TableName("tenancy_tenants") }
func (domainRow) TableName(n schema.Namer) string   { return n.TableName("tenancy_domains") }
func (revisionRow) TableName(n schema.Namer) string { return n.TableName("tenancy_revisions") }

func rowOf(t *Tenant) (tenantRow, error) {
	metadata, err := encode(t.Metadata)
	if err != nil {
		return tenantRow{}, err
	}
	domains, err := json.Marshal(t.Domains)
	if err != nil {
		return tenantRow{}, err
	}
	row := tenantRow{
		ID: string(t.ID), Name: t.Name, Domains: string(domains), Strategy: t.Strategy, Place: t.Place, Version: t.Version,
		Metadata: metadata, State: string(t.State), Step: string(t.Step), Previous: string(t.Previous), Peer: string(t.Peer),
		Revision: t.Revision, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
	}
	if !t.DeleteAfter.IsZero() {
		row.DeleteAfter = &t.DeleteAfter
	}
	return row, nil
}

func (r *tenantRow) tenant() (Tenant, error) {
	t := Tenant{
		ID: tenancy.ID(r.ID), Name: r.Name, Strategy: r.Strategy, Place: r.Place, Version: r.Version,
		State: State(r.State), Step: Step(r.Step), Previous: State(r.Previous), Peer: tenancy.ID(r.Peer),
		Revision: r.Revision, CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt),
	}
	if r.DeleteAfter != nil {
		t.DeleteAfter = stamp(*r.DeleteAfter)
	}
	if r.Domains != "" {
		if err := json.Unmarshal([]byte(r.Domains), &t.Domains); err != nil {
			return Tenant{}, fmt.Errorf("catalog: domains: %w", err)
		}
	}
	var err error
	t.Metadata, err = decode(r.Metadata)
	return t, err
}
