package servers

import (
	"context"
	"database/sql"
	"strconv"
	"testing"
)

// Prefix returns what names of databases and roles can begin with that a test makes by itself. Those that do are dropped when
// the test ends, templates and databases in use included.
func (s *PostgresServer) Prefix(tb testing.TB) string {
	tb.Helper()
	prefix := "p" + strconv.FormatInt(s.names.Add(1), 10) + "_"
	tb.Cleanup(func() {
		each(tb, s.admin, prefix,
			"SELECT format('ALTER DATABASE %I IS_TEMPLATE false', datname) FROM pg_database WHERE datistemplate AND starts_with(datname, $1)",
			"SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database WHERE starts_with(datname, $1)",
			"SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE starts_with(rolname, $1)")
	})
	return prefix
}

// Prefix returns what names of databases and users can begin with that a test makes by itself. Those that do are dropped when
// the test ends.
func (s *MariaDBServer) Prefix(tb testing.TB) string {
	tb.Helper()
	prefix := "p" + strconv.FormatInt(s.names.Add(1), 10) + "_"
	tb.Cleanup(func() {
		each(tb, s.admin, prefix,
			"SELECT CONCAT('DROP DATABASE `', SCHEMA_NAME, '`') FROM information_schema.SCHEMATA WHERE LOCATE(?, SCHEMA_NAME) = 1",
			"SELECT CONCAT('DROP USER ''', User, '''@''', Host, '''') FROM mysql.user WHERE LOCATE(?, User) = 1")
	})
	return prefix
}

// each runs the statements that the queries return for the prefix.
func each(tb testing.TB, admin *sql.DB, prefix string, queries ...string) {
	tb.Helper()
	for _, query := range queries {
		statements, err := column(context.Background(), admin, query, prefix)
		if err != nil {
			tb.Error(err)
		}
		for _, statement := range statements {
			if _, err := admin.Exec(statement); err != nil {
				tb.Errorf("%s: %v", statement, err)
			}
		}
	}
}

// column is what a query with one argument returns.
func column(ctx context.Context, db *sql.DB, query, arg string) (all []string, err error) {
	rows, err := db.QueryContext(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}
