// Package gorm has the names of GORM's that the checks know.
package gorm

import "context"

type DB struct{ Error error }

func (db *DB) WithContext(ctx context.Context) *DB     { return db }
func (db *DB) Where(query any, args ...any) *DB        { return db }
func (db *DB) Model(value any) *DB                     { return db }
func (db *DB) Raw(sql string, values ...any) *DB       { return db }
func (db *DB) Exec(sql string, values ...any) *DB      { return db }
func (db *DB) Table(name string, args ...any) *DB      { return db }
func (db *DB) Find(dest any, conds ...any) *DB         { return db }
func (db *DB) First(dest any, conds ...any) *DB        { return db }
func (db *DB) Create(value any) *DB                    { return db }
func (db *DB) Scan(dest any) *DB                       { return db }
func (db *DB) Transaction(fc func(tx *DB) error) error { return fc(db) }
