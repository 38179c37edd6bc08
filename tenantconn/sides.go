package tenantconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Confiner is a strategy that can stand beside others on the connections of one gorm.DB, which strategies/hybrid makes.
type Confiner interface {
	tenancy.Strategy
	// Confine prepares db as Attach does, but leaves its connections alone, and says what confines the strategy's tenants on
	// them. It is called instead of Attach, once for every *gorm.DB. besideShared reports that owned tables stand in the
	// database that GORM was opened with, with the rows of tenants of another strategy: Verify then accepts those that no
	// tenant of this strategy can reach.
	Confine(db *gorm.DB, besideShared bool) (Side, error)
}

// Side is one of several confinements that the connections of one *sql.DB have, a statement at a time.
type Side struct {
	// Wall confines the statements of the side. Without Settings the connections are as the dialector makes them.
	Wall Wall
	// Pool has the connections, to the route's place. Nil: they lead to the database that GORM was opened with.
	Pool *Pool
}

// Choice is where one driver call belongs.
type Choice struct {
	// Side is an index of the sides.
	Side int
	// Gate is entered before the call and left when database/sql takes the connection back. Nil: none.
	Gate *Gate
	// Place is the tenant's in the side's Pool (see [PlaceKey]). Empty: the one that the side's Router names. Without a Pool
	// it says nothing.
	Place string
}

// Chooser turns the context of a driver call into the side that confines it. What is asked of a [Router] is asked of it,
// too.
type Chooser func(ctx context.Context) (Choice, error)

// AttachSides replaces db's connections by virtual ones (see [Pool.Open]): each statement is confined by the side that
// choose names, on a connection that no other side ever uses. The sides without a Pool share the budget. A transaction
// belongs to one tenant on one side to its end: once choose says something else, its statements and its commit fail with
// tenancy.ErrTenantMaintenance, and it is rolled back.
//
// It fails where connections cannot be opened again, as [Attach] does, and when a wall is incomplete. A db that is confined
// already is left alone.
func AttachSides(db *gorm.DB, budget Budget, sides []Side, choose Chooser) error {
	old, err := replaceable(db)
	if err != nil || Confined(old) {
		return err
	}
	home, err := NewPool(budget, func(_ context.Context, r Route) (driver.Connector, error) { return r.wall.connector, nil })
	if err != nil {
		return err
	}
	walls := make([]*Wall, len(sides))
	pools := []*Pool{home}
	for i, s := range sides {
		if walls[i], err = s.wall(db, old, home, i); err != nil {
			return err
		}
		if s.Pool != nil {
			pools = append(pools, s.Pool)
		}
	}
	pool, err := openSides(old.Driver(), pools, walls, choose)
	if err != nil {
		return err
	}
	return Replace(db, pool)
}

// wall completes the side's wall with where its connections come from.
func (s Side) wall(db *gorm.DB, old *sql.DB, home *Pool, index int) (*Wall, error) {
	w := s.Wall
	if w.Router == nil {
		return nil, errors.New("tenantconn: the wall needs a router")
	}
	if s.Pool != nil {
		w.pool, w.lone = s.Pool.pool, true
		return &w, w.validate()
	}
	w.pool, w.place = home.pool, "side "+strconv.Itoa(index)
	connect, err := sessions(db, old, &w)
	w.connector = sessionConnector{connect, old.Driver()}
	return &w, err
}

// sessions returns what opens connections to db's own database, with the settings of a wall.
func sessions(db *gorm.DB, old *sql.DB, w *Wall) (connecting, error) {
	if len(w.Settings) > 0 {
		return confining(db, old, *w)
	}
	c, err := ConnectorOf(db.Dialector, old.Driver())
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (session, error) {
		inner, err := c.Connect(ctx)
		if err != nil {
			return nil, err
		}
		return &guardedSession{fixed{inner}}, nil
	}, nil
}

func openSides(d driver.Driver, pools []*Pool, walls []*Wall, choose Chooser) (*sql.DB, error) {
	most := 0
	for i, p := range pools {
		if err := p.pool.enter(); err != nil {
			return nil, errors.Join(err, leaveAll(pools[:i]))
		}
		most += p.pool.budget.MaxOpen
	}
	route := func(ctx context.Context) (Route, *Gate, error) {
		chosen, err := choose(ctx)
		if err != nil {
			return Route{}, nil, err
		}
		w := walls[chosen.Side]
		r, err := w.route(ctx)
		if err == nil && chosen.Place != "" && r.Tenant != "" && w.place == "" {
			r.Place = chosen.Place
		}
		return r, chosen.Gate, err
	}
	db := sql.OpenDB(&connector{
		route:  route,
		driver: d,
		connect: func(context.Context) (session, error) {
			return &virtualSession{route: func(ctx context.Context) (Route, error) { r, _, err := route(ctx); return r, err }}, nil
		},
		end: func() error { return leaveAll(pools) },
	})
	db.SetMaxIdleConns(most)
	return db, nil
}

func leaveAll(pools []*Pool) error {
	var errs []error
	for _, p := range pools {
		errs = append(errs, p.pool.leave())
	}
	return errors.Join(errs...)
}

// connecting opens a connection and keeps how it is confined.
type connecting func(ctx context.Context) (session, error)

// sessionConnector hands a pool connections with their sessions.
type sessionConnector struct {
	connect connecting
	driver  driver.Driver
}

func (c sessionConnector) Connect(ctx context.Context) (driver.Conn, error) {
	s, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	return seated{s.bare(), s}, nil
}

func (c sessionConnector) Driver() driver.Driver { return c.driver }

// seated is a driver's connection and the session on it.
type seated struct {
	driver.Conn
	session session
}

// seat returns a connection of a pool and what applies routes to it: nothing, where the place is the tenant's alone.
func seat(c driver.Conn) (driver.Conn, session) {
	if s, ok := c.(seated); ok {
		return s.Conn, s.session
	}
	return c, &quietSession{guardedSession{fixed{c}}}
}

// quietSession does not ask the driver for transactions begun as text: in a place of its own a tenant meets nobody.
type quietSession struct{ guardedSession }

func (*quietSession) inTransaction() bool { return false }
