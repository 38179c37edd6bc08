package tenancy

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// placed is a context whose access was changed for one statement: a statement on central tables without a tenant runs
// under [Central], and where they stand apart ([Isolation]) one inside a tenant runs beside it.
type placed struct {
	context.Context
	access *access
}

func (c *placed) Value(key any) any {
	if key == (contextKey{}) {
		return c.access
	}
	return c.Context.Value(key)
}

// place says where a statement runs, before anything of it is sent: GORM begins a transaction around a write in front of
// the other callbacks. Hooks, preloads and associations are statements of their own and find their own place.
func (p *Plugin) place(db *gorm.DB) {
	stmt := db.Statement
	a := accessOf(stmt.Context)
	if a.mode != modeNone && !p.isolation.CentralApart {
		return
	}
	if stmt.SQL.Len() > 0 {
		if a.origin != nil && !p.savepoint(db) {
			restore(db)
		}
		return
	}
	central := false
	if t, err := p.target(db); err == nil {
		central = t.model != nil && !t.model.confined()
		if a.mode == modeNone {
			p.centralise(stmt, t)
			return
		}
	}
	switch {
	case central && a.origin == nil && a.id != "":
		beside := *a
		beside.origin = a
		stmt.Context = &placed{stmt.Context, &beside}
	case !central && a.origin != nil:
		restore(db)
	}
}

// savepoint reports whether a raw statement belongs to the transaction it is sent in, wherever that is.
func (p *Plugin) savepoint(db *gorm.DB) bool {
	verb, ok := verbOf(db.Statement.SQL.String(), flavorOf(db.Name()))
	return ok && verb == "SAVEPOINT"
}

// restore takes back what place did, so that the statement can be used for something else.
func restore(db *gorm.DB) {
	stmt := db.Statement
	a := accessOf(stmt.Context)
	if a.origin == nil {
		return
	}
	if c, ok := stmt.Context.(*placed); ok && accessOf(c.Context) == a.origin {
		stmt.Context = c.Context
		return
	}
	stmt.Context = &placed{stmt.Context, a.origin} // another plugin wrapped it
}

// together refuses joins of tables that stand in two databases.
func (p *Plugin) together(db *gorm.DB, t target) error {
	stmt := db.Statement
	if !p.isolation.CentralApart || (len(stmt.Joins) == 0 && stmt.Clauses["FROM"].Expression == nil) {
		return nil
	}
	central := !t.model.confined()
	if t.model == nil {
		central = accessOf(stmt.Context).mode != modeTenant
	}
	for _, j := range stmt.Joins {
		rels := relationsOf(stmt.Schema, j.Name)
		for _, rel := range rels {
			if m := p.modelOf(db, rel.FieldSchema); m.confined() == central {
				return apart(m.table)
			}
		}
		if rels == nil {
			if err := p.togetherText(db, j.Name, central); err != nil {
				return err
			}
		}
	}
	from, _ := stmt.Clauses["FROM"].Expression.(clause.From)
	for _, j := range from.Joins {
		from.Tables = append(from.Tables[:len(from.Tables):len(from.Tables)], j.Table)
		if e, ok := j.Expression.(clause.Expr); ok {
			if err := p.togetherText(db, e.SQL, central); err != nil {
				return err
			}
		}
	}
	for _, table := range from.Tables {
		if known, ok := p.tables.Load(tableKey(lastSegment(table.Name))); ok && known.(*model).confined() == central {
			return apart(table.Name)
		}
	}
	return nil
}

func (p *Plugin) togetherText(db *gorm.DB, text string, central bool) error {
	refs, _ := tableRefs("SELECT 1 FROM x "+text, flavorOf(db.Name()))
	for _, r := range refs {
		if known, ok := p.tables.Load(tableKey(r.name)); ok && r.position && known.(*model).confined() == central {
			return apart(r.name)
		}
	}
	return nil
}

func apart(table string) error {
	return fmt.Errorf("%w: table %q stands in another database than the one it is joined to; read it with Preload or in a "+
		"statement of its own", ErrUnconfined, table)
}
