// Package record holds the keys that the application's models embed. It is the only place where the rows of the polls know
// whose they are: the tenancy plugin finds the field by its tag, writes it and compares it, and nobody else looks at it.
//
// Every key has two halves, the space and the id. In tables that tenants share this lets two tenants have the same ids, keeps
// a foreign key, which names both halves, from pointing at another tenant's row, and lets a tenant move in or out of them
// without new ids. In a schema or a database of one tenant the space is the same in every row, and the models are the same.
package record

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Key is the first half of a primary key, for models that bring the rest of it.
type Key struct {
	// Space is the tenant. The plugin fills it in; applications leave it alone.
	Space string `gorm:"column:tenant_id;primaryKey;size:63" json:"-" tenancy:"tenant"`
}

// Record is a primary key whose ids count from 1 in each tenant.
type Record struct {
	Key
	// ID is given by BeforeCreate unless it is set.
	ID int64 `gorm:"primaryKey;autoIncrement:false" json:"id"`
}

// Unique is a [Record] of a model with one more key: what its fields tagged `gorm:"uniqueIndex:,composite:unique"` hold
// together is there once in each tenant. Without such a field a tenant could have one row only.
type Unique struct {
	// Space is that of [Key].
	Space string `gorm:"column:tenant_id;primaryKey;size:63;uniqueIndex:,composite:unique" json:"-" tenancy:"tenant"`
	// ID is that of [Record].
	ID int64 `gorm:"primaryKey;autoIncrement:false" json:"id"`
}

// Counter is the highest id a table has given in a tenant. Put it among the models.
type Counter struct {
	Key
	// Name is the table's.
	Name string `gorm:"primaryKey;size:63"`
	// Last is the id given last; it never goes back, so that the id of a deleted row is not given again.
	Last int64 `gorm:"not null"`
}

// BeforeCreate is GORM's hook that gives the record its id. It relies on the transaction that GORM makes for a create.
func (r *Record) BeforeCreate(tx *gorm.DB) error { return number(tx, &r.ID) }

// BeforeCreate is GORM's hook that gives the record its id. It relies on the transaction that GORM makes for a create.
func (u *Unique) BeforeCreate(tx *gorm.DB) error { return number(tx, &u.ID) }

// number gives the next id. A key of two columns has no auto-increment in SQLite and none of its own in each tenant
// anywhere. The row of the counter is locked until the transaction ends, so that two of them never get the same number.
func number(tx *gorm.DB, id *int64) error {
	if *id != 0 {
		return nil
	}
	counter := Counter{Name: tx.Statement.Table}
	counted, err := count(tx, counter.Name)
	if err != nil {
		return err
	}
	if !counted {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&counter).Error; err != nil {
			return err
		}
		if _, err := count(tx, counter.Name); err != nil {
			return err
		}
	}
	return tx.Model(&Counter{}).Where("name = ?", counter.Name).Select("last").Scan(id).Error
}

// count moves the counter on. counted is false when the table has none yet.
func count(tx *gorm.DB, name string) (counted bool, err error) {
	done := tx.Model(&Counter{}).Where("name = ?", name).Update("last", gorm.Expr("last + 1"))
	return done.RowsAffected > 0, done.Error
}
