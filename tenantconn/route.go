package tenantconn

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// Route confines one driver call.
type Route struct {
	// Tenant is whom the call acts for; empty for central work and under tenancy.Bypass.
	Tenant tenancy.ID
	// Values are those of [Wall.Settings], in their order. They hold neither NUL nor backslash.
	Values []string
	// Place is where the call goes, for a wall over a [Pool]; empty for others.
	Place string
	// Central holds a call without tenant to its settings, as tenants are: its SQL does not change them. Default false, as
	// under tenancy.Bypass.
	Central bool

	wall *Wall // that confines the call
}

// Router turns the context of a driver call into its route. It is called for every call from many goroutines: it must
// be safe for concurrent use and do no I/O when warm. Its error, for example tenancy.ErrNoTenant, ends the call before
// anything is sent.
type Router func(ctx context.Context) (Route, error)

// Wall says how a connector confines. It is not changed after use.
type Wall struct {
	// Router is required.
	Router Router
	// Settings names what each route sets: PostgreSQL's settings ("search_path", "role"), or for MySQL the word "database".
	// There is at least one, but none over a [Pool], whose routes have a place instead.
	Settings []string
	// Session keeps the settings on the connection, and sends them only when the tenant changes. It saves what PostgreSQL
	// takes to set them again for one hot tenant. It is wrong behind a pooler that changes the server connection between
	// transactions. Default false: the settings end with the statement or transaction.
	Session bool
	// Pooled is for PgBouncer before 1.21 and other poolers that do not know named prepared statements. GORM's DSN must
	// then choose default_query_exec_mode=exec or simple_protocol. Default false.
	Pooled bool
	// RowsOnly lets a tenant's connections run statements about rows and nothing else: no DDL, no TRUNCATE. It is for tenants
	// that share tables, whose owner could take their protection away. Default false.
	RowsOnly bool
	// Startup are settings of PostgreSQL that connections through pgx begin with where the DSN does not name them, for
	// whoever goes round the wall with [Unwrap]: a search_path without tables. PgBouncer refuses most. Default none.
	Startup map[string]string

	lone bool // a connection is never another tenant's: what stays on it harms nobody

	// Where connections are borrowed:
	pool      *pool
	place     string           // in the pool; empty: the route's
	connector driver.Connector // to the place; nil: the pool's Finder knows
}

func (w *Wall) validate() error {
	switch {
	case w.Router == nil:
		return fmt.Errorf("tenantconn: the wall needs a router")
	case len(w.Settings) == 0 && w.pool == nil:
		return fmt.Errorf("tenantconn: the wall needs the names of its settings")
	case len(w.Settings) > 0 && w.lone, w.lone && (w.Session || w.Pooled):
		return fmt.Errorf("tenantconn: a wall over a pool of places has no settings, and neither Session nor Pooled")
	case w.Session && w.Pooled:
		return fmt.Errorf("tenantconn: Session keeps state on a connection that Pooled shares with strangers; choose one")
	}
	return nil
}

// route asks the router and holds its answer to the contract.
func (w *Wall) route(ctx context.Context) (Route, error) {
	r, err := w.Router(ctx)
	if err != nil {
		return Route{}, err
	}
	if len(r.Values) != len(w.Settings) {
		return Route{}, fmt.Errorf("tenantconn: the router gave %d values for %d settings", len(r.Values), len(w.Settings))
	}
	for _, v := range r.Values {
		if strings.IndexByte(v, 0) >= 0 || strings.IndexByte(v, '\\') >= 0 {
			return Route{}, fmt.Errorf("tenantconn: a value of the route holds NUL or a backslash")
		}
	}
	r.wall = w
	return r, nil
}

func (r Route) same(o Route) bool {
	return r.Tenant == o.Tenant && r.wall == o.wall && r.Place == o.Place && slices.Equal(r.Values, o.Values)
}

// key is the route's place in the pool of its wall.
func (r Route) key() string {
	if r.wall != nil && r.wall.place != "" {
		return r.wall.place
	}
	return r.Place
}

// outlived reports whether more becomes possible when the settings of the route end before the statement does: the role
// of the DSN comes back, or what the connection had for somebody else.
func (w *Wall) outlived(r Route) bool {
	if w.Session {
		return true
	}
	if w.lone {
		return false
	}
	i := slices.Index(w.Settings, "role")
	return i >= 0 && r.Values[i] != "none"
}

// ungated is the route of connections that have this wall alone.
func (w *Wall) ungated(ctx context.Context) (Route, *Gate, error) {
	r, err := w.route(ctx)
	return r, nil, err
}
