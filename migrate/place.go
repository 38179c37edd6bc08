package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// mark is a row of the central table "tenancy_marks": for tenants that share tables, and for the central steps, it is
// written in the transaction of the step. Tenants with tables of their own have the same table there, "tenancy_versions".
type mark struct {
	Tenant   string `gorm:"primaryKey;size:63"`
	Version  int64  `gorm:"primaryKey;autoIncrement:false"`
	Checksum string `gorm:"size:64;not null"`
}

// TableName is called by GORM.
func (mark) TableName() string { return "tenancy_marks" }

// place is goose's store: what the tenant's own database says about one step. It commits together with the step, and its
// primary key stops a second runner, whatever became of the locks.
type place struct {
	dialect string
	owner   string // whose step it is
	shared  bool   // the table is the central one
	tenant  string // its key there; empty in a table of the tenant's own
	step    Step
}

var _ database.StoreExtender = place{}

// Tablename is called by goose.
func (p place) Tablename() string {
	if p.shared {
		return mark{}.TableName()
	}
	return "tenancy_versions"
}

// TableExists makes the table where it is missing, so that goose does not wait and try again when that fails. It looks in
// the place of the tenant alone: one of that name elsewhere on the search_path is not meant.
func (p place) TableExists(ctx context.Context, db database.DBTxConn) (bool, error) {
	if p.shared {
		return true, nil
	}
	query := map[string]string{
		"postgres": "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = ",
		"mysql":    "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ",
		"sqlite":   "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ",
	}[p.dialect]
	if query == "" {
		return false, fmt.Errorf("migrate: %s is not supported", p.dialect)
	}
	var n int
	if err := db.QueryRowContext(ctx, query+"'"+p.Tablename()+"'").Scan(&n); err != nil {
		return false, err
	}
	if n > 0 {
		return true, nil
	}
	return true, p.CreateVersionTable(ctx, db)
}

// CreateVersionTable is called by TableExists.
func (p place) CreateVersionTable(ctx context.Context, db database.DBTxConn) error {
	_, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+p.Tablename()+" (tenant varchar(63) NOT NULL, "+
		"version bigint NOT NULL, checksum varchar(64) NOT NULL, PRIMARY KEY (tenant, version))")
	return err
}

// Insert is called by goose in the step's transaction.
func (p place) Insert(ctx context.Context, db database.DBTxConn, req database.InsertRequest) error {
	if p.step.repeatable {
		if err := p.Delete(ctx, db, req.Version); err != nil {
			return err
		}
	}
	_, err := db.ExecContext(ctx, p.bind("INSERT INTO "+p.Tablename()+" (tenant, version, checksum) VALUES (?, ?, ?)"),
		p.tenant, req.Version, p.step.Checksum)
	return err
}

// Delete forgets a version.
func (p place) Delete(ctx context.Context, db database.DBTxConn, version int64) error {
	_, err := db.ExecContext(ctx, p.bind("DELETE FROM "+p.Tablename()+" WHERE tenant = ? AND version = ?"), p.tenant, version)
	return err
}

// GetMigration is asked by goose before the step. A repeatable one that has changed is not found.
func (p place) GetMigration(ctx context.Context, db database.DBTxConn, version int64) (*database.GetMigrationResult, error) {
	var have string
	err := db.QueryRowContext(ctx, p.bind("SELECT checksum FROM "+p.Tablename()+" WHERE tenant = ? AND version = ?"),
		p.tenant, version).Scan(&have)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, database.ErrVersionNotFound
	case err != nil:
		return nil, err
	case have == p.step.Checksum:
		return &database.GetMigrationResult{IsApplied: true}, nil
	case p.step.repeatable:
		return nil, database.ErrVersionNotFound
	}
	return nil, fmt.Errorf("%w: step %s", ErrChecksum, label(p.step.Version, p.step.Name))
}

// GetLatestVersion is not called for single steps.
func (place) GetLatestVersion(context.Context, database.DBTxConn) (int64, error) {
	return 0, database.ErrNotImplemented
}

// ListMigrations is not called for single steps.
func (place) ListMigrations(context.Context, database.DBTxConn) ([]*database.ListMigrationsResult, error) {
	return nil, database.ErrNotImplemented
}

// bind writes PostgreSQL's parameters. The queries hold no other question mark.
func (p place) bind(query string) string {
	if p.dialect != "postgres" {
		return query
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			fmt.Fprintf(&b, "$%d", n)
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}
