package schema_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/internal/wire"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
)

// shape describes everything in a schema but its name.
func (e *env) shape(name string) string {
	e.Helper()
	all := e.query(strings.ReplaceAll(`SELECT coalesce(string_agg(x, E'\n'), '') FROM (
	SELECT format('%s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, column_default,
			col_description(('"$".' || quote_ident(table_name))::regclass, ordinal_position)) AS x
		FROM information_schema.columns WHERE table_schema = '$'
	UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = '$'
	UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = to_regnamespace('"$"')
	UNION ALL SELECT format('%s %s ', relkind, relname) || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = to_regnamespace('"$"')
	UNION ALL SELECT obj_description(to_regnamespace('"$"'), 'pg_namespace') WHERE to_regnamespace('"$"') IS NOT NULL) q`, "$", name))
	lines := strings.Split(strings.NewReplacer(name, "*", "tenancy:"+name[strings.Index(name, "_")+1:], "tenancy:*", `"`, "").Replace(all), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestReplay: the tenants made from the recorded DDL are as the one that AutoMigrate made.
func TestReplay(t *testing.T) {
	t.Parallel()
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare(t, mode)
			for _, id := range []tenancy.ID{"first", "second", "with-dash", "9_x"} {
				must(t, e.strategy.Provision(context.Background(), id))
				must(t, e.strategy.Provision(context.Background(), id)) // again
				got := e.shape("tenant_" + string(id))
				if want := e.shape("tenant_first"); got != want {
					t.Errorf("%s is another than the first:\n--- got\n%s\n--- want\n%s", id, got, want)
				}
			}
			if shape := e.shape("tenant_second"); !strings.Contains(shape, "REFERENCES plans(id)") || !strings.Contains(shape, "where to write") {
				t.Error(shape)
			}
			must(t, e.db.WithContext(as("with-dash")).Create(&Poll{Title: "x", PlanID: ptr(uint(1))}).Error)
		})
	}
}

// TestProvisionTrips counts what a provision costs when the DDL is known.
func TestProvisionTrips(t *testing.T) {
	t.Parallel()
	var proxy *wire.Proxy
	e := bare(t, setup{through: func(dsn string) string {
		proxy = wire.New(t, servers.Postgres(t).Addr())
		return strings.Replace(dsn, servers.Postgres(t).Addr(), proxy.Addr(), 1)
	}})
	pool, _ := e.db.DB()
	pool.SetMaxOpenConns(1) // it needs no second one
	must(t, e.strategy.Provision(context.Background(), "a"))
	first := proxy.Trips()
	proxy.Reset()
	must(t, e.strategy.Provision(context.Background(), "b"))
	// BEGIN with the settings, the lock, the question whether the schema exists (in pgx's default mode prepared already), the
	// script, COMMIT.
	if n := proxy.Trips(); n > 5 {
		t.Errorf("%d round trips, %d for the first", n, first)
	}
}

// TestProvisionCrash ends the application before each thing it says. What is left is all or nothing, and calling again
// finishes it; the same for Deprovision.
func TestProvisionCrash(t *testing.T) {
	t.Parallel()
	var proxy *severing
	e := bare(t, setup{options: []schema.Option{schema.Roles()}, through: func(dsn string) string {
		proxy = newSevering(t, servers.Postgres(t).Addr())
		return strings.Replace(dsn, servers.Postgres(t).Addr(), proxy.Addr().String(), 1)
	}, creator: true})
	must(t, e.strategy.Provision(context.Background(), "whole"))
	whole := e.shape(e.prefix + "whole")
	for _, step := range []struct {
		name string
		run  func(context.Context, tenancy.ID) error
		done func(id string) bool
	}{
		{"provision", e.strategy.Provision, func(id string) bool {
			shape := e.shape(e.prefix + id)
			if shape != "" && shape != whole {
				t.Fatalf("half made:\n--- got\n%s\n--- want\n%s", shape, whole)
			}
			return shape != ""
		}},
		{"deprovision", e.strategy.Deprovision, func(id string) bool {
			return e.query("SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = x) + (SELECT count(*) FROM pg_roles WHERE rolname = x) "+
				"FROM (SELECT '"+e.prefix+id+"'::name) q(x)") == "0"
		}},
	} {
		crashes := 0
		for n := int64(0); ; n++ {
			id := tenancy.ID(fmt.Sprint("t", n))
			if step.name == "deprovision" {
				must(t, e.strategy.Provision(context.Background(), id))
			}
			proxy.left.Store(n)
			err := step.run(context.Background(), id)
			proxy.left.Store(-1)
			if err == nil {
				break
			}
			crashes++
			step.done(string(id))
			must(t, step.run(context.Background(), id))
			if !step.done(string(id)) {
				t.Errorf("%s: not done after a crash at %d", step.name, n)
			}
		}
		if crashes < 4 {
			t.Errorf("%s: only %d crashes", step.name, crashes)
		}
	}
}

// TestProvisionTogether: several processes make and remove the same tenant at once.
func TestProvisionTogether(t *testing.T) {
	t.Parallel()
	e := bare(t, setup{})
	strategies := []*schema.Strategy{e.strategy}
	for range 2 {
		s := schema.New()
		_, err := open(t, e.dsn, setup{}.config, s)
		must(t, err)
		strategies = append(strategies, s)
	}
	for _, step := range []func(*schema.Strategy) error{
		func(s *schema.Strategy) error { return s.Provision(context.Background(), "same") },
		func(s *schema.Strategy) error { return s.Deprovision(context.Background(), "same") },
	} {
		var all sync.WaitGroup
		for _, s := range strategies {
			for range 3 {
				all.Go(func() {
					if err := step(s); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
	}
	if got := e.tables("tenant_same"); got != "" {
		t.Error(got)
	}
	for _, s := range strategies {
		must(t, s.Provision(context.Background(), "same"))
	}
	if got := e.tables("tenant_same"); got != "choices notes poll_tags poll_voters polls voters" {
		t.Error(got)
	}
}

// TestForeign: what Provision did not make for this tenant is neither used nor removed.
func TestForeign(t *testing.T) {
	t.Parallel()
	e := bare(t, setup{})
	for name, prepare := range map[string]string{
		"no mark":        "CREATE SCHEMA tenant_x; CREATE TABLE tenant_x.polls (id int)",
		"empty":          "CREATE SCHEMA tenant_x",
		"another tenant": "CREATE SCHEMA tenant_x; COMMENT ON SCHEMA tenant_x IS 'tenancy:y'",
		"stranger's function": "CREATE SCHEMA tenant_x; GRANT USAGE ON SCHEMA tenant_x TO PUBLIC; " +
			"CREATE FUNCTION tenant_x.obj_description(oid, text) RETURNS text LANGUAGE sql AS $$ SELECT 'tenancy:x'::text $$",
		"another use": "CREATE SCHEMA tenant_x; COMMENT ON SCHEMA tenant_x IS 'reports'",
	} {
		e.exec(prepare)
		before := e.shape("tenant_x")
		for _, run := range []func(context.Context, tenancy.ID) error{e.strategy.Provision, e.strategy.Deprovision} {
			if err := run(context.Background(), "x"); !errors.Is(err, schema.ErrForeign) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after := e.shape("tenant_x"); after != before {
			t.Errorf("%s: changed\n%s\n%s", name, before, after)
		}
		e.exec("COMMENT ON SCHEMA tenant_x IS 'tenancy:x'") // as the error says
		e.exec("ALTER SCHEMA tenant_x OWNER TO " + servers.App)
		must(t, e.strategy.Deprovision(context.Background(), "x"))
	}
}

// TestDependents: what stands outside and depends on a tenant's tables stops Deprovision; what stands inside does not.
func TestDependents(t *testing.T) {
	t.Parallel()
	e := newEnv(t, setup{})
	inside := `SET ROLE app; CREATE VIEW tenant_b.v AS SELECT * FROM tenant_b.polls; CREATE TYPE tenant_b.mood AS ENUM ('x');
CREATE FUNCTION tenant_b.f(tenant_b.mood) RETURNS SETOF tenant_b.polls LANGUAGE sql AS 'SELECT * FROM tenant_b.polls';
CREATE TABLE tenant_b.p (id int, m tenant_b.mood DEFAULT 'x', CHECK (id > 0)) PARTITION BY RANGE (id);
CREATE TABLE tenant_b.p1 PARTITION OF tenant_b.p DEFAULT;
CREATE MATERIALIZED VIEW tenant_b.m AS SELECT * FROM tenant_b.v; CREATE DOMAIN tenant_b.d AS text CHECK (value <> ''); CREATE SEQUENCE tenant_b.s;
CREATE POLICY y ON tenant_b.polls USING (true); CREATE RULE r AS ON INSERT TO tenant_b.v DO INSTEAD NOTHING;
CREATE FUNCTION tenant_b.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON tenant_b.polls FOR EACH ROW EXECUTE FUNCTION tenant_b.t();
CREATE STATISTICS tenant_b.st ON id, title FROM tenant_b.polls;
CREATE OPERATOR tenant_b.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq); CREATE COLLATION tenant_b.co FROM "C"; RESET ROLE`
	e.exec(inside)
	for what, undo := range map[string]string{
		"CREATE VIEW public.v AS SELECT id FROM tenant_b.polls":                                           "DROP VIEW public.v",
		"CREATE TABLE public.fk (id bigint REFERENCES tenant_b.polls)":                                    "DROP TABLE public.fk",
		"CREATE TABLE public.c (m tenant_b.mood)":                                                         "DROP TABLE public.c",
		"CREATE FUNCTION public.f(tenant_b.polls) RETURNS int LANGUAGE sql AS 'SELECT 1'":                 "DROP FUNCTION public.f",
		"CREATE TABLE public.n (id bigint DEFAULT nextval('tenant_b.s'))":                                 "DROP TABLE public.n",
		"CREATE TABLE public.i () INHERITS (tenant_b.voters)":                                             "DROP TABLE public.i",
		"CREATE TABLE public.p2 PARTITION OF tenant_b.p FOR VALUES FROM (1) TO (2)":                       "DROP TABLE public.p2",
		"CREATE MATERIALIZED VIEW tenant_a.mv AS SELECT * FROM tenant_b.v":                                "DROP MATERIALIZED VIEW tenant_a.mv",
		"CREATE TRIGGER t BEFORE INSERT ON tenant_a.polls FOR EACH ROW EXECUTE FUNCTION tenant_b.t()":     "DROP TRIGGER t ON tenant_a.polls",
		"CREATE POLICY y ON tenant_a.polls USING (EXISTS (SELECT FROM tenant_b.voters))":                  "DROP POLICY y ON tenant_a.polls",
		"CREATE FUNCTION public.g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT id FROM tenant_b.p; END": "DROP FUNCTION public.g",
	} {
		e.exec(what)
		before := e.shape("tenant_b")
		if err := e.strategy.Deprovision(context.Background(), "b"); !errors.Is(err, schema.ErrForeign) {
			t.Fatalf("%s: %v", what, err)
		}
		if e.shape("tenant_b") != before {
			t.Fatalf("%s: something was removed", what)
		}
		e.exec(undo)
	}
	before := e.dump("tenant_a", ownedTables...) + e.shape("tenant_a") + e.dump("public", centralTables...)
	for range 2 {
		must(t, e.strategy.Deprovision(context.Background(), "b"))
	}
	if e.shape("tenant_b") != "" || e.dump("tenant_a", ownedTables...)+e.shape("tenant_a")+e.dump("public", centralTables...) != before {
		t.Error("b is there, or others changed")
	}
	must(t, e.strategy.Provision(context.Background(), "b"))
	if n := e.query("SELECT count(*) FROM tenant_b.polls"); n != "0" {
		t.Errorf("a new tenant found %s polls", n)
	}
}

// TestProvisionRefused: ids that can be no schema, and a strategy that was not attached.
func TestProvisionRefused(t *testing.T) {
	t.Parallel()
	e := bare(t, setup{options: []schema.Option{schema.Prefix(""), schema.Shared("public", "reports")}})
	for _, id := range []tenancy.ID{
		"", "public", "pg_catalog", "information_schema", "Reports", "reports", "a.b", "a\"b", tenancy.ID(strings.Repeat("x", 64)),
	} {
		for _, run := range []func(context.Context, tenancy.ID) error{e.strategy.Provision, e.strategy.Deprovision} {
			if err := run(context.Background(), id); !errors.Is(err, tenancy.ErrInvalidID) {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	must(t, e.strategy.Provision(context.Background(), tenancy.ID(strings.Repeat("x", 63))))
	if err := schema.New().Provision(context.Background(), "a"); err == nil {
		t.Error("provisioned nowhere")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.strategy.Provision(ctx, "late"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
