package database_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
)

// fuse is a context that is cancelled after somebody looked at it some times.
type fuse struct {
	context.Context
	cancel context.CancelFunc
	left   atomic.Int64
}

func newFuse(t testing.TB, looks int64) *fuse {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	f := &fuse{Context: ctx, cancel: cancel}
	f.left.Store(looks)
	return f
}

func (f *fuse) look() {
	if f.left.Add(-1) == 0 {
		f.cancel()
	}
}

func (f *fuse) Done() <-chan struct{} {
	f.look()
	return f.Context.Done()
}

func (f *fuse) Err() error {
	f.look()
	return f.Context.Err()
}

// interruption is something done to x that a cancelled context may leave half done.
type interruption struct {
	before func()
	do     func(ctx context.Context) error
	after  func()
}

// TestInterrupted: whatever is cancelled, after however much of it, is finished by calling again, and b keeps what it has.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, kind string) {
		e := newEnv(t, kind, gorm.Config{})
		b := e.dump("b")
		e.leave()
		for what, i := range e.interruptions(kind) {
			looks := int64(1)
			for cancelled := true; cancelled; looks += 1 + looks/6 {
				i.before()
				f := newFuse(t, looks)
				if err := i.do(f); err != nil {
					if f.Context.Err() == nil {
						t.Fatalf("%s after %d looks: %v", what, looks, err)
					}
					must(t, i.do(t.Context()))
				}
				cancelled = f.Context.Err() != nil
				i.after()
				e.holds("b", b)
			}
			if looks < 10 && kind != "SQLite" { // a link to a file is made at once
				t.Errorf("%s looks at its context less than %d times: nothing was interrupted", what, looks)
			}
			t.Logf("%s looks at its context less than %d times", what, looks)
		}
	})
}

func (e *env) interruptions(kind string) map[string]interruption {
	nothing := func() {}
	make := func() { must(e, e.strategy.Provision(e.Context(), "x")) }
	remove := func(id tenancy.ID) { must(e, e.strategy.Deprovision(e.Context(), id)) }
	all := map[string]interruption{
		"provision": {
			nothing,
			func(ctx context.Context) error { return e.strategy.Provision(ctx, "x") },
			func() {
				must(e, e.db.WithContext(as("x")).Create(&Book{Title: "x-one"}).Error)
				remove("x")
			},
		},
		"deprovision": {
			make,
			func(ctx context.Context) error { return e.strategy.Deprovision(ctx, "x") },
			func() {
				if err := e.db.WithContext(as("x")).Find(&[]Book{}).Error; !refused(err) {
					e.Errorf("x is served: %v", err)
				}
			},
		},
	}
	if kind == "MariaDB" { // which cannot rename
		return all
	}
	var filled string
	fill := func() {
		make()
		e.fill("x", seedOwned)
		filled = moved(e.dump("x"), "x", "y")
		e.leave()
	}
	all["rename"] = interruption{
		fill,
		func(ctx context.Context) error { return e.strategy.Rename(ctx, "x", "y") },
		func() {
			e.holds("y", filled)
			remove("y")
		},
	}
	if kind == "SQLite" {
		all["clone"] = interruption{
			fill,
			func(ctx context.Context) error { return e.strategy.Clone(ctx, "x", "y") },
			func() {
				e.holds("y", filled)
				e.holds("x", moved(filled, "y", "x"))
				remove("x")
				remove("y")
			},
		}
	}
	return all
}

// TestNoSecretInErrors: what an administrator's connection is made with stands in no error.
func TestNoSecretInErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		places places
		want   error
	}{
		"PostgreSQL is away":        {places: database.PostgresDatabases("postgres://root:hush@127.0.0.1:1/hush", secrets(t))},
		"PostgreSQL, key=value":     {places: database.PostgresDatabases("host=127.0.0.1 port=1 user=root password=hush dbname=hush", secrets(t))},
		"PostgreSQL, not readable":  {places: database.PostgresDatabases("postgres://root:hush@127.0.0.1:x/hush", secrets(t))},
		"PostgreSQL without secret": {places: database.PostgresDatabases("postgres://root:hush@127.0.0.1:1/hush", sealed{}), want: errNoSecret},
		"MySQL is away":             {places: database.MySQLDatabases("root:hush@tcp(127.0.0.1:1)/hush", secrets(t))},
		"MySQL, not readable":       {places: database.MySQLDatabases("root:hush@tcp(127.0.0.1:1", secrets(t))},
		"MySQL without secret":      {places: database.MySQLDatabases("root:hush@tcp(127.0.0.1:1)/hush", sealed{}), want: errNoSecret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			strategy := database.New(c.places.Open, database.WithProvisioner(c.places))
			db := open(t, sqlite.Open(":memory:"), gorm.Config{})
			must(t, db.Use(plugin(strategy)))
			_, opens := c.places.Open(t.Context(), "a")
			if c.want == nil && !strings.Contains(name, "readable") {
				opens = db.WithContext(as("a")).Find(&[]Book{}).Error
			}
			for what, err := range map[string]error{
				"open": opens, "provision": strategy.Provision(t.Context(), "a"), "deprovision": strategy.Deprovision(t.Context(), "a"),
			} {
				switch {
				case err == nil:
					t.Errorf("%s works", what)
				case strings.Contains(err.Error(), "hush"):
					t.Errorf("%s: %v", what, err)
				case what == "provision" && c.want != nil && !errors.Is(err, c.want):
					t.Errorf("%s: %v, want %v", what, err, c.want)
				}
			}
		})
	}
}

var errNoSecret = errors.New("the vault is sealed")

// sealed are secrets nobody gets.
type sealed struct{}

func (sealed) Password(context.Context, tenancy.ID) (string, error) { return "", errNoSecret }
