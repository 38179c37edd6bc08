package shared

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// setting is what the policies compare the tenant column with.
const setting = "app.tenant_id"

// RowLevelSecurity lets PostgreSQL itself confine every statement of a tenant, in addition to the predicate: policies on
// the owned tables compare the tenant column with a setting that rides in front of each statement. Raw SQL of a tenant then
// runs unjudged, DDL excepted, and whoever uses db.DB() with a tenant's context is confined, too.
//
// The policies are written by [Strategy.Migrate] or taken as text from [Strategy.PolicySQL]; db.Use fails with
// tenancy.ErrUnconfined where one is missing, and for a role that policies do not hold (see [Strategy.Verify]).
// tenancy.Bypass then needs [BypassRole]. Declare every owned model with tenancy.OwnedModels. Default: off.
func RowLevelSecurity() Option { return func(s *Strategy) { s.rowSecurity = true } }

// BypassRole names the database role that statements under tenancy.Bypass and tenancy.ForTenants run as, with
// [RowLevelSecurity]. The role has BYPASSRLS, or on each owned table a policy of its own, and the privileges such
// statements need; the role that logs in is a member of it, without inheriting from it where it has policies of its own.
// Default: none, and such statements are refused with tenancy.ErrUnsupported.
func BypassRole(name string) Option { return func(s *Strategy) { s.bypassRole = name } }

// Pooled is for [RowLevelSecurity] behind PgBouncer in transaction mode, and other poolers that do not know named prepared
// statements. GORM's DSN must then have default_query_exec_mode=exec or simple_protocol. Default: off.
func Pooled() Option { return func(s *Strategy) { s.pooled = true } }

var errWithoutRowSecurity = errors.New("shared: BypassRole, Pooled and Migrate belong to shared.RowLevelSecurity()")

func (s *Strategy) validate() error {
	switch {
	case s.rowSecurity && (strings.ContainsAny(s.bypassRole, "\x00\\") || s.bypassRole == noRole):
		return errors.New("shared: BypassRole is not the name of a role")
	case !s.rowSecurity && (s.bypassRole != "" || s.pooled):
		return errWithoutRowSecurity
	}
	return nil
}

// supported refuses databases that have no policies.
func supported(db *gorm.DB) error {
	if db.Name() != "postgres" {
		return fmt.Errorf("%w: row-level security is PostgreSQL's; use shared.New() without it, or strategies/database",
			tenancy.ErrUnsupported)
	}
	return nil
}

// confine puts the connection wall under db.
func (s *Strategy) confine(db *gorm.DB) error {
	if err := supported(db); err != nil {
		return err
	}
	return tenantconn.Attach(db, s.wall())
}

func (s *Strategy) wall() tenantconn.Wall {
	wall := tenantconn.Wall{Router: s.connection, Settings: []string{setting}, Pooled: s.pooled, RowsOnly: true}
	if s.bypassRole != "" {
		wall.Settings = append(wall.Settings, "role")
	}
	return wall
}

// noRole is PostgreSQL's word for the role that logged in.
const noRole = "none"

var errBypass = fmt.Errorf("%w: row-level security hides the rows of all tenants from tenancy.Bypass and ForTenants; name the "+
	"role that may see them with shared.BypassRole, use tenancy.Central for central tables, or create tables with "+
	"(*shared.Strategy).Migrate", tenancy.ErrUnsupported)

// maintenance marks the context of Migrate: it acts for no tenant, as the role that logged in.
type maintenance struct{}

// connection is the tenantconn.Router.
func (s *Strategy) connection(ctx context.Context) (tenantconn.Route, error) {
	if ctx.Value(maintenance{}) != nil {
		return tenantconn.Route{Values: s.values("", noRole)}, nil
	}
	reach, id, err := tenancy.ReachOf(ctx)
	switch {
	case err != nil:
		return tenantconn.Route{}, err
	case reach == tenancy.ReachTenant && s.allow != nil && s.allow(id) != nil:
		return tenantconn.Route{}, s.allow(id)
	case reach != tenancy.ReachAll:
		return tenantconn.Route{Tenant: id, Values: s.values(string(id), noRole), Central: reach == tenancy.ReachCentral}, nil
	case s.bypassRole == "":
		return tenantconn.Route{}, errBypass
	}
	return tenantconn.Route{Values: s.values("", s.bypassRole)}, nil
}

func (s *Strategy) values(tenant, role string) []string {
	if s.bypassRole == "" {
		return []string{tenant}
	}
	return []string{tenant, role}
}
