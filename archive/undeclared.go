package archive

import (
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// checkDeclared looks for tables with a tenant column that the plugin does not know: their rows would be missing in an
// archive, and stay when the tenant is erased. Where tenants have tables of their own there is no such sign.
func checkDeclared(tx *gorm.DB, plugin *tenancy.Plugin, tables []*table) error {
	shares, err := sharesTables(tx.Statement.Context, tx)
	if err != nil || !shares {
		return err
	}
	known := map[string]bool{}
	for _, name := range plugin.CentralTables() {
		known[tableKey(name)] = true
	}
	columns := map[string]bool{}
	for _, t := range tables {
		known[tableKey(t.name)] = true
		if t.tenant != "" {
			columns[t.tenant] = true
		}
	}
	for column := range columns {
		found, err := tablesWith(tx, column)
		if err != nil {
			return fmt.Errorf("archive: look for undeclared tables: %w", err)
		}
		for _, name := range found {
			if !known[tableKey(name)] && !strings.HasPrefix(name, "tenancy_") { // those are this module's own
				return fmt.Errorf("%w: table %q has the column %q, and no model declares it; declare one with tenancy.OwnedModels or "+
					"tenancy.CentralModels, or leave the table alone with archive.SkipUndeclaredTables", ErrSchema, name, column)
			}
		}
	}
	return nil
}

// tablesWith lists the tables that have a column, among those that statements find without naming a schema.
func tablesWith(tx *gorm.DB, column string) (names []string, err error) {
	query := map[string]string{
		"postgres": `SELECT c.relname FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
WHERE a.attname = ? AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND pg_table_is_visible(c.oid)`,
		"mysql": `SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t
ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = database() AND c.column_name = ? AND t.table_type = 'BASE TABLE'`,
		"sqlite": `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = ?`,
	}[tx.Name()]
	rows, err := tx.Raw(query, column).Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
