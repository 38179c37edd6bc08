package schema

import (
	"errors"
	"strings"

	"gorm.io/gorm"
)

// listFields switches GORM's QueryFields on, but for statements that read a derived table, Table("(?) AS t", …) and
// Preload's LimitPerRecord: GORM would ask it for every column of the model, under the name of the model's table.
func listFields(db *gorm.DB) error {
	db.QueryFields = true
	query, row := db.Callback().Query(), db.Callback().Row()
	if query.Get(derived) != nil {
		return nil
	}
	return errors.Join(
		query.Before("gorm:query").Register(derived, readDerived),
		query.After("gorm:query").Before("gorm:preload").Register(derived+"_end", endDerived),
		row.Before("gorm:row").Register(derived, readDerived),
		row.After("gorm:row").Register(derived+"_end", endDerived),
	)
}

const derived = "tenancy:derived"

func isDerived(stmt *gorm.Statement) bool {
	return stmt.TableExpr != nil && strings.Contains(stmt.TableExpr.SQL, "(")
}

func readDerived(db *gorm.DB) {
	if isDerived(db.Statement) {
		listing(db, false)
	}
}

func endDerived(db *gorm.DB) {
	if isDerived(db.Statement) {
		listing(db, true)
	}
}

// listing switches QueryFields for one statement: its Config is everybody's.
func listing(db *gorm.DB, on bool) {
	config := *db.Config
	config.QueryFields = on
	db.Config = &config
}
