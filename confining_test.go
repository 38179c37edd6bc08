package tenancy_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	naming "gorm.io/gorm/schema"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/internal/servers"
	"github.com/gorm-tenancy/tenancy/strategies/schema"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// confinement is what a backend has where the database itself holds tenants. Without it the strategy is shared.New().
type confinement struct {
	kind     string // "rls" or "schema"
	strategy func(dsn string) tenancy.Strategy
	names    func(dsn string) naming.Namer
	silos    *silos                // where each tenant has tables of its own
	differs  map[string]difference // by group and route, for this backend alone
	apart    func(e *env) string   // everything in b's own place, where a's tables are shared
}

func (c confinement) strategyOf(dsn string) tenancy.Strategy {
	if c.strategy == nil {
		return shared.New()
	}
	return c.strategy(dsn)
}

// silos is how the tables of a tenant are reached past the plugin.
type silos struct {
	of func(dsn, tenant string) string    // the name of the tenant's schema
	in func(dsn, schema, q string) string // SQL as it runs in a schema
	// outside lists the tables anywhere but in a's schema, crossing a's foreign keys out of it. Each has a verb for a's schema.
	outside, crossing string
}

// bypassRole sees the rows of all tenants.
const bypassRole = "reporting"

// Where each tenant has a schema of PostgreSQL, and a database of MariaDB.
var (
	inSchemas = confinement{
		kind: "schema", strategy: func(string) tenancy.Strategy { return schema.New() },
		silos: &silos{
			of: func(_, tenant string) string { return "tenant_" + tenant },
			in: func(_, schema, q string) string {
				return "SET search_path = " + schema + "; " + q + "; RESET search_path"
			},
			outside: `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
					WHERE n.nspname NOT IN ('%s', 'information_schema') AND n.nspname NOT LIKE 'pg\_%%' ORDER BY 1, 2`,
			crossing: `SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid
					WHERE c.relnamespace = '%s'::regnamespace AND f.relnamespace NOT IN (c.relnamespace, 'public'::regnamespace)`,
		},
	}
	inDatabases = confinement{
		kind:     "schema",
		strategy: func(dsn string) tenancy.Strategy { return schema.New(schema.Prefix(databaseOf(dsn) + "_")) },
		names:    func(dsn string) naming.Namer { return centralNames{database: databaseOf(dsn)} },
		silos: &silos{
			of: func(dsn, tenant string) string { return databaseOf(dsn) + "_" + tenant },
			in: func(dsn, schema, q string) string { return "USE " + schema + "; " + q + "; USE " + databaseOf(dsn) },
			outside: `SELECT table_schema, table_name FROM information_schema.tables
					WHERE table_schema IN (database(), concat(database(), '_b')) AND table_schema <> '%s' ORDER BY 1, 2`,
			crossing: `SELECT id FROM information_schema.innodb_sys_foreign WHERE for_name LIKE '%[1]s/%%' AND ref_name NOT LIKE '%[1]s/%%'
					AND ref_name NOT LIKE concat(database(), '/%%')`,
		},
	}
)

// The confining backends. On PostgreSQL with row-level security the application even owns the tables.
var (
	onPostgresRLS = backend{
		name: "postgres-rls", dialect: "postgres",
		open: postgres.Open, empty: onPostgres.empty, schema: onPostgres.schema,
		raw: func(dsn string) (*sql.DB, error) { // whom no policy holds
			return onPostgres.raw(strings.Replace(dsn, servers.App+"@", servers.Superuser+"@", 1))
		},
		seeded: func(t *testing.T) string {
			s := servers.Postgres(t)
			template := s.Template(t, "rls", func(name string) error {
				return fillRowLevelSecurity(s.DSN(servers.App, name), s.DSN(servers.Superuser, name))
			})
			return s.DSN(servers.App, s.Clone(t, template))
		},
		confinement: confinement{kind: "rls", strategy: func(string) tenancy.Strategy { return rowLevelSecurity() }},
	}
	onPostgresSchema = backend{
		name: "postgres-schema", dialect: "postgres",
		open: postgres.Open, empty: onPostgres.empty, raw: onPostgres.raw,
		schema: func(e *env) string { return e.silo("a") },
		seeded: func(t *testing.T) string {
			s := servers.Postgres(t)
			template := s.Template(t, "schemas", func(name string) error {
				dsn := s.DSN(servers.App, name)
				return fillSilos(inSchemas, postgres.Open, dsn, func(schema string) string { return dsn + "&search_path=" + schema })
			})
			return s.DSN(servers.App, s.Clone(t, template))
		},
		confinement: inSchemas,
	}
	onMariaDBSchema = backend{
		name: "mariadb-schema", dialect: "mysql",
		open: mysql.Open, empty: onMariaDB.empty,
		raw: func(dsn string) (*sql.DB, error) {
			return onMariaDB.raw(strings.Replace(dsn, servers.App+"@", "root@", 1))
		},
		schema: func(e *env) string { return e.silo("a") },
		seeded: func(t *testing.T) string {
			s := servers.MariaDB(t)
			template := s.Template(t, "schemas", func(name string) error {
				return fillSilos(inDatabases, mysql.Open, s.DSN("root", name), func(schema string) string { return s.DSN("root", schema) })
			})
			return s.DSN(servers.App, s.Clone(t, template, "_a", "_b"))
		},
		confinement: inDatabases,
	}
)

var confining = []backend{onPostgresRLS, onPostgresSchema, onMariaDBSchema}

// Why routes end differently where the database holds tenants.
const (
	noneOfAll   = "each tenant has tables of its own, and none of all tenants"
	notTheOwner = "under Bypass statements run as a role that owns no tables; (*shared.Strategy).Migrate changes them"
)

var (
	notOfAll = differsEach(difference{why: noneOfAll, refused: tenancy.ErrUnconfined}, "schema")
	notOfTwo = differsEach(difference{why: "one of the tenants has tables of its own", refused: tenancy.ErrUnconfined}, "schema", "hybrid")
	// Where central tables stand in another database for some tenant, they do for all.
	apart = differsEach(difference{
		why: "statements on central tables have no part in a tenant's transaction", refused: tenancy.ErrTenantMismatch,
	}, "sqlite-hybrid")
	outOfReach = differsEach(difference{
		why: "statements without a tenant go where no owned table is in reach", refused: errAny,
	}, "postgres-hybrid")
	noCentral = map[string]difference{"mariadb-schema": {
		why: "MySQL has no search path: the text has to name the central tables' database", refused: errAny,
	}}
	ofNobody = differsEach(difference{
		why: "a connection that the database confines asks for whom a transaction begins", refused: tenancy.ErrNoTenant,
	}, "rls", "schema", "hybrid")
)

func differsEach(d difference, keys ...string) map[string]difference {
	each := map[string]difference{}
	for _, key := range keys {
		each[key] = d
	}
	return each
}

func rowLevelSecurity() *shared.Strategy {
	return shared.New(shared.RowLevelSecurity(), shared.BypassRole(bypassRole))
}

// databaseOf is the name of the database in a data source of MariaDB.
func databaseOf(dsn string) string {
	_, name, _ := strings.Cut(dsn, ")/")
	name, _, _ = strings.Cut(name, "?")
	return name
}

// centralNames gives central tables the database they live in, as MySQL's schema strategy asks.
type centralNames struct {
	naming.NamingStrategy
	database string
}

func (n centralNames) TableName(model string) string {
	table := n.NamingStrategy.TableName(model)
	if table == "plans" || table == "tags" {
		return n.database + "." + table
	}
	return table
}

// fillRowLevelSecurity makes the tables as their owner and writes the rows as a superuser, who needs no tenant.
func fillRowLevelSecurity(app, superuser string) error {
	return withDB(postgres.Open(superuser), nil, func(above *gorm.DB) error {
		err := withDB(postgres.Open(app), nil, func(owner *gorm.DB) error {
			s := rowLevelSecurity()
			return s.Migrate(context.Background(), owner, pluginOf(s), centralModels...)
		})
		if err != nil {
			return err
		}
		for _, q := range []string{
			"CREATE ROLE " + bypassRole + " NOLOGIN BYPASSRLS", // of the server, and there is one template of this kind on it
			"GRANT " + bypassRole + " TO " + servers.App,
			"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + bypassRole,
			"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO " + bypassRole,
		} {
			if err := above.Exec(q).Error; err != nil {
				return err
			}
		}
		return seedRows(above)
	})
}

// fillSilos provisions a and b with the rows that the fixture gives them, and b with twins of a's: rows with the same ids.
func fillSilos(c confinement, open func(string) gorm.Dialector, dsn string, at func(schema string) string) error {
	var names naming.Namer
	if c.names != nil {
		names = c.names(dsn)
	}
	return withDB(open(dsn), names, func(db *gorm.DB) error {
		s := c.strategy(dsn)
		if err := db.Use(pluginOf(s)); err != nil {
			return err
		}
		above := db.WithContext(bypass("seed"))
		if err := errors.Join(above.AutoMigrate(centralModels...), seedCentral(above)); err != nil {
			return err
		}
		pool, err := db.DB()
		if err != nil {
			return err
		}
		for i, id := range []string{"a", "b"} {
			if err := s.(tenancy.Provisioner).Provision(context.Background(), tenancy.ID(id)); err != nil {
				return err
			}
			err := withDB(open(at(c.silos.of(dsn, id))), names, func(db *gorm.DB) error {
				if err := errors.Join(seedTenant(db, id, uint(i*2)), seedComposite(db, id)); err != nil || i == 0 {
					return err
				}
				return seedTenant(db, id, 0)
			})
			if err != nil {
				return err
			}
		}
		return c.count(pool, db.Name(), dsn)
	})
}

// count makes ids go on behind b's in both silos, as they do where tables are shared.
func (c confinement) count(pool *sql.DB, dialect, dsn string) error {
	ctx := bypass("seed")
	for _, table := range ownedTables {
		foreign := c.silos.of(dsn, "b") + "." + table
		var last int
		if err := pool.QueryRowContext(ctx, "SELECT max(id) FROM "+foreign).Scan(&last); err != nil {
			return err
		}
		for _, id := range []string{"a", "b"} {
			name := c.silos.of(dsn, id) + "." + table
			q := fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%s', 'id'), %d)", name, last)
			if dialect == "mysql" {
				q = fmt.Sprintf("ALTER TABLE %s AUTO_INCREMENT = %d", name, last+1)
			}
			if _, err := pool.ExecContext(ctx, q); err != nil {
				return err
			}
		}
	}
	if dialect == "mysql" {
		return nil
	}
	_, err := pool.ExecContext(ctx, "SELECT setval('plans_id_seq', 2), setval('tags_id_seq', 2)")
	return err
}

func pluginOf(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(ownedModels...), tenancy.CentralModels(centralModels...), tenancy.Logger(silent))
}

// withDB opens a database that is to be cloned, and closes it.
func withDB(d gorm.Dialector, names naming.Namer, f func(db *gorm.DB) error) error {
	db, err := gorm.Open(d, &gorm.Config{Logger: logger.Discard, NamingStrategy: names, DisableForeignKeyConstraintWhenMigrating: true})
	if err != nil {
		return err
	}
	err = f(db)
	pool, poolErr := db.DB()
	if poolErr != nil {
		return errors.Join(err, poolErr)
	}
	return errors.Join(err, pool.Close())
}

// silo is the name of a tenant's schema.
func (e *env) silo(tenant string) string { return e.silos.of(e.dsn, tenant) }

// siloed are the tables that each tenant has.
var siloed = append([]string{"user_languages", "user_tags"}, ownedTables...)

var tableWords = regexp.MustCompile(`\b(` + strings.Join(siloed, "|") + `)\b`)

// whole puts the tables of both tenants, without b's twins, in front of a query that names them.
func (e *env) whole(q string) string {
	var with []string
	seen := map[string]bool{}
	for _, table := range tableWords.FindAllString(q, -1) {
		if seen[table] {
			continue
		}
		seen[table] = true
		key := map[string]string{"user_languages": "user_id", "user_tags": "user_id", "docs": "2 + id", "lines": "2 + id"}[table]
		if key == "" {
			key = "id"
		}
		with = append(with, fmt.Sprintf(`"%[1]s" AS (SELECT * FROM %[2]s."%[1]s" UNION ALL SELECT * FROM %[3]s."%[1]s" WHERE %[4]s > 2)`,
			table, e.silo("a"), e.silo("b"), key))
	}
	if with == nil {
		return q
	}
	return "WITH " + strings.Join(with, ", ") + " " + q
}

// dumpOutside is everything in b's schema, and which tables there are anywhere but in a's.
func (e *env) dumpOutside() string {
	e.Helper()
	var b strings.Builder
	for _, table := range siloed {
		fmt.Fprintf(&b, "%s: %s\n", table, e.rows(fmt.Sprintf(`SELECT * FROM %s."%s" ORDER BY 1, 2`, e.silo("b"), table)))
	}
	fmt.Fprintf(&b, "tables: %s\n", e.rows(fmt.Sprintf(e.silos.outside, e.silo("a"))))
	return b.String()
}

// stamped fails the test if a legitimate use left a row in a's schema that names another tenant.
func (e *env) stamped() {
	e.Helper()
	if e.silos == nil {
		return
	}
	for _, table := range ownedTables {
		found := e.rows(fmt.Sprintf(`SELECT id FROM %s."%s" WHERE coalesce(tenant_id, '') <> 'a'`, e.silo("a"), table))
		if found != "" {
			e.Errorf("%s of a that name another tenant: %s", table, found)
		}
	}
}

// TestComparisonNotices is the control of the tests on all backends: what they compare would show a change of b's rows, of one
// with an id of a's, and of a table outside the tenants.
func TestComparisonNotices(t *testing.T) {
	onAll(t, func(t *testing.T, b backend) {
		changes := []string{"UPDATE users SET age = 1 WHERE id = 3", "DELETE FROM docs WHERE tenant_id = 'b' AND id = 1", "DELETE FROM user_tags WHERE user_id = 3"}
		if b.silos != nil {
			changes = append(changes, "UPDATE users SET age = 1 WHERE id = 1", "CREATE TABLE stray (id int)")
		}
		for _, q := range changes {
			e := newEnvOn(t, b, &gorm.Config{})
			if err := e.past("b", q); err != nil {
				t.Fatal(err)
			}
			if e.dumpB() == e.start {
				t.Errorf("nobody notices %s", q)
			}
		}
	})
}
