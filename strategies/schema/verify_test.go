package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

// TestVerify: db.Use fails where an owned table stands in everybody's reach, and says which and what to do.
func TestVerify(t *testing.T) {
	t.Parallel()
	const legacy = "CREATE SCHEMA legacy; CREATE TABLE legacy.polls (id int)"
	for name, tc := range map[string]struct {
		prepare, params string
		options         []schema.Option
		pooled          bool
		want            string // part of the error; empty: none
	}{
		"clean":                {},
		"table in public":      {prepare: "CREATE TABLE public.polls (id int)", want: `DROP TABLE "public"."polls"`},
		"view in public":       {prepare: "CREATE VIEW public.choices AS SELECT 1", want: `"public"."choices"`},
		"join table in public": {prepare: "CREATE TABLE public.poll_voters (id int)", want: `"public"."poll_voters"`},
		"table in another shared": {
			prepare: `CREATE SCHEMA "Re ports"; CREATE TABLE "Re ports".notes (id int)`,
			options: []schema.Option{schema.Shared("public", "Re ports")}, want: `"Re ports"."notes"`,
		},
		"table elsewhere":             {prepare: legacy},
		"in the DSN's path":           {prepare: legacy, params: "&search_path=legacy", want: `"legacy"."polls"`},
		"in the DSN's options":        {prepare: legacy, params: "&options=-csearch_path%3Dlegacy", want: `"legacy"."polls"`},
		"in the database's path":      {prepare: legacy + "; ALTER DATABASE $ SET search_path = legacy"},
		"in a pooled database's path": {prepare: legacy + "; ALTER DATABASE $ SET search_path = legacy", pooled: true, want: `"legacy"."polls"`},
		"pooled":                      {pooled: true},
		"pooled, table in public":     {prepare: "CREATE TABLE public.polls (id int)", pooled: true, want: `"public"."polls"`},
		"schema of the role":          {prepare: "CREATE SCHEMA app AUTHORIZATION app; CREATE TABLE app.polls (id int)", pooled: true, want: `"app"."polls"`},
		"no shared schema":            {prepare: "CREATE TABLE public.polls (id int)", options: []schema.Option{schema.Shared()}},
		"prefix":                      {options: []schema.Option{schema.Prefix("Tenant")}, want: "Prefix"},
		"long prefix":                 {options: []schema.Option{schema.Prefix(strings.Repeat("x", 32))}, want: "Prefix"},
		"prefix of PostgreSQL":        {options: []schema.Option{schema.Prefix("pg_")}, want: "pg_"},
		"prefix of roles":             {options: []schema.Option{schema.Prefix(""), schema.Roles()}, want: "Roles"},
		"privilege":                   {options: []schema.Option{schema.Roles("ALL; DROP TABLE x")}, want: "Roles"},
		"shared user":                 {options: []schema.Option{schema.Shared("$user")}, want: "Shared"},
		"shared catalog":              {options: []schema.Option{schema.Shared("pg_catalog")}, want: "Shared"},
		"shared empty":                {options: []schema.Option{schema.Shared("")}, want: "Shared"},
		"session and pooled":          {options: []schema.Option{schema.Session(), schema.Pooled()}, params: "&default_query_exec_mode=exec", want: "choose"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := bare(t, setup{})
			e.exec(strings.ReplaceAll(tc.prepare, "$", e.name) + ";")
			e.exec("GRANT USAGE ON SCHEMA public TO app")
			e.exec("DO $$ BEGIN IF to_regnamespace('legacy') IS NOT NULL THEN GRANT USAGE ON SCHEMA legacy TO app; END IF; END $$")
			dsn := e.dsn
			if tc.pooled {
				dsn = servers.PgBouncer(t, dsn, 2) + "&default_query_exec_mode=exec"
				tc.options = append(tc.options, schema.Pooled())
			}
			_, err := open(t, dsn+tc.params, gorm.Config{}, schema.New(tc.options...))
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if strings.Contains(tc.want, ".") && !errors.Is(err, tenancy.ErrUnconfined) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
				t.Errorf("the error shows the DSN: %v", err)
			}
		})
	}
}

type qualified struct{ ID uint }

func (qualified) TableName() string { return "public.qualified" }

// TestAttachRefused: what cannot be confined is refused.
func TestAttachRefused(t *testing.T) {
	t.Parallel()
	lite, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	if err := lite.Use(tenancy.New(schema.New())); !errors.Is(err, tenancy.ErrUnsupported) || !strings.Contains(err.Error(), "strategies/database") {
		t.Error(err)
	}
	e := bare(t, setup{})
	ready, err := gorm.Open(postgres.New(postgres.Config{Conn: e.raw}), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	if err := ready.Use(tenancy.New(schema.New())); err == nil {
		t.Error("a ready pool was taken")
	}
	db, err := gorm.Open(postgres.Open(e.dsn), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	if err := db.Use(tenancy.New(schema.New(), tenancy.OwnedModels(&qualified{}))); !errors.Is(err, tenancy.ErrUnconfined) {
		t.Error(err)
	}
}

// TestResolver: with dbresolver the replicas are confined, too; registered first it is refused.
func TestResolver(t *testing.T) {
	t.Parallel()
	for _, prepared := range []bool{false, true} {
		e := newEnv(t, setup{config: gorm.Config{PrepareStmt: prepared}})
		config := dbresolver.Config{Replicas: []gorm.Dialector{postgres.Open(e.dsn)}}
		resolver := dbresolver.Register(config)
		must(t, e.db.Use(resolver))
		must(t, resolver.Call(func(pool gorm.ConnPool) error {
			if p, ok := pool.(*gorm.PreparedStmtDB); ok {
				pool = p.ConnPool
			}
			if !tenantconn.Confined(pool.(*sql.DB)) {
				t.Error("a pool is not confined")
			}
			return nil
		}))
		compare(t, e, setup{config: gorm.Config{PrepareStmt: prepared}}, without())
		must(t, e.strategy.Provision(context.Background(), "c"))
		if err := e.db.Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
			t.Error(err)
		}
		db, err := gorm.Open(postgres.Open(e.dsn), &gorm.Config{Logger: logger.Discard})
		must(t, err)
		must(t, db.Use(dbresolver.Register(config)))
		if err := db.Use(tenancy.New(schema.New(), options()...)); err == nil {
			t.Error("dbresolver came first")
		}
	}
}
