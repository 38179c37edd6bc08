package strategytest

import (
	"context"
	"database/sql"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Capability is something that not every strategy can give on every database. A case that needs one which the harness lacks
// must be refused, and change nothing.
type Capability string

// The capabilities. A strategy has all that its harness does not name in Lacks.
const (
	// SQLText is that text which names owned tables runs, because the database holds it.
	SQLText Capability = "SQL text"
	// Connections is that what the application does through database/sql is held, too, by the context it passes.
	Connections Capability = "connections"
	// CentralTables is that a tenant's transaction reaches the central tables. Only modes with a transaction lack it.
	CentralTables Capability = "central tables in transactions"
	// CentralJoins is that a statement joins owned and central tables.
	CentralJoins Capability = "central joins"
	// Others is that the process serves more than one tenant.
	Others Capability = "other tenants"
)

// Harness is how the suite reaches a strategy, and the databases it works on. Tenants are named a and b. No function is called
// concurrently.
type Harness struct {
	// Open opens the application's database with GORM as config says and calls db.Use with a plugin of the strategy and the
	// options. It is called several times for one database, which has no tables at first, and closes what it opened when the test
	// ends. Required.
	Open func(t testing.TB, config *gorm.Config, options ...tenancy.Option) *gorm.DB
	// Plain opens an empty database of the same kind, one in every run, without the plugin: what GORM does there is right.
	// It is called several times for one database. Required.
	Plain func(t testing.TB, config *gorm.Config) *gorm.DB
	// Prepare makes the tables of the models, those of tenants with a place of their own excepted, before the first call of Open.
	// By default AutoMigrate under Bypass makes them after it: the central ones, and the owned ones where Provision is nil.
	Prepare func(t testing.TB, owned, central []any)
	// Provision and Deprovision make and remove the place of a tenant, where tenants have one. Both, or neither.
	Provision, Deprovision func(ctx context.Context, id tenancy.ID) error
	// Raw returns a pool past the plugin to the tables of a tenant, or to the central ones for "", which finds them by their bare
	// names and may do everything. It returns the same pool for tenants that share tables. Required.
	Raw func(t testing.TB, id tenancy.ID) *sql.DB
	// Lacks says why the strategy has no capability. A case can be named as well: "create", or "savepoint/create" in one mode.
	// An excuse that no case needed fails the test.
	Lacks map[Capability]string
}

// Counts are what became of the cases.
type Counts struct {
	// Cases is how many ran, Passed how many ended as they must, Refused those of them that were refused with an excuse, and
	// Held those attacks that found nothing or were refused. Failed are all others.
	Cases, Passed, Refused, Held, Failed int
	// Left is how many did not run: they need a connection more than their mode has, or the harness lacks [Connections].
	Left int
}

// Run tries every case in every mode with the strategy. It fails the test for each that does not end as it must, and logs a
// table of what it counted.
func Run(t *testing.T, h Harness) Counts {
	t.Helper()
	if h.Open == nil || h.Plain == nil || h.Raw == nil || (h.Provision == nil) != (h.Deprovision == nil) {
		t.Fatal("strategytest: a harness needs Open, Plain and Raw, and Provision with Deprovision or neither")
	}
	s := newSuite(t, h)
	total := Counts{}
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) { total.add(s.session(t, m).all()) })
	}
	t.Run("no tenant", func(t *testing.T) { total.add(s.session(t, modes[0]).nobody()) })
	t.Run("two tenants at once", func(t *testing.T) { total.add(s.session(t, modes[0]).crowd()) })
	if h.Deprovision != nil {
		t.Run("deprovision", func(t *testing.T) { total.add(s.session(t, modes[0]).deprovision()) })
	}
	s.finish(t, total)
	return total
}
