package database

import (
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// tableNames lists the tables and views a connection finds without naming a schema.
var tableNames = map[string]string{
	"sqlite":   "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')",
	"postgres": "SELECT table_name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))",
	"mysql":    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
}

// Verify fails with tenancy.ErrUnconfined when owned tables stand in the central database, where statements that act for
// no tenant would find them, and names all of them. The plugin calls it at the end of db.Use.
func (s *Strategy) Verify(db *gorm.DB, p *tenancy.Plugin) error {
	s.mu.Lock()
	beside := s.beside
	s.mu.Unlock()
	if !beside {
		if err := s.verifyCentral(db, p); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plugin == nil {
		s.plugin = p
	}
	return nil
}

func (s *Strategy) verifyCentral(db *gorm.DB, p *tenancy.Plugin) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	owned := map[string]bool{}
	for _, t := range p.OwnedTables() {
		owned[strings.ToLower(t.Name[strings.LastIndexByte(t.Name, '.')+1:])] = true
	}
	rows, err := pool.QueryContext(tenancy.Central(db.Statement.Context), tableNames[db.Name()])
	if err != nil {
		return err
	}
	defer rows.Close()
	var wrong []error
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if owned[strings.ToLower(name)] {
			wrong = append(wrong, &tenancy.Defect{
				Code: "table-misplaced", Table: name, Err: tenancy.ErrUnconfined,
				Message: fmt.Sprintf("the owned table %q stands in the central database", name),
				Mend:    "move its rows to the tenants' databases and DROP TABLE it there",
			})
		}
	}
	return errors.Join(append(wrong, rows.Err())...)
}
