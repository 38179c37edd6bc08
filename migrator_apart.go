package tenancy

import (
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// CreateTable leaves foreign keys out that would point into another database.
func (m siloedMigrator) CreateTable(models ...any) error {
	for _, v := range models {
		if err := m.createTable(v); err != nil {
			return err
		}
	}
	return nil
}

func (m siloedMigrator) createTable(v any) error {
	s, err := parse(m.db, v)
	if err != nil || !m.apart() || !m.pointsAway(s) {
		return m.Migrator.CreateTable(v)
	}
	db := m.db.Session(&gorm.Session{})
	db.DisableForeignKeyConstraintWhenMigrating = true
	if err := m.dialector.Dialector.Migrator(db).CreateTable(v); err != nil || m.db.DisableForeignKeyConstraintWhenMigrating {
		return err
	}
	for _, rel := range s.Relationships.Relations {
		c := rel.ParseConstraint()
		if rel.Field.IgnoreMigration || c == nil || c.Schema != s || m.away(rel) || m.Migrator.HasConstraint(v, c.Name) {
			continue
		}
		if err := m.Migrator.CreateConstraint(v, c.Name); err != nil {
			return err
		}
	}
	for _, index := range s.ParseIndexes() { // SQLite adds a constraint by making the table again
		if m.Migrator.HasIndex(v, index.Name) {
			continue
		}
		if err := m.Migrator.CreateIndex(v, index.Name); err != nil {
			return err
		}
	}
	return nil
}

// pointsAway reports whether a table would have a foreign key into another database.
func (m siloedMigrator) pointsAway(s *schema.Schema) bool {
	for _, rel := range s.Relationships.Relations {
		if c := rel.ParseConstraint(); c != nil && c.Schema == s && m.away(rel) {
			return true
		}
	}
	return false
}

// apart reports whether no foreign key can lead from owned tables to central ones, or back.
func (m siloedMigrator) apart() bool {
	return m.dialector.plugin.isolation.CentralApart && m.separates()
}

// away reports whether the two sides of a relation stand in different databases.
func (m siloedMigrator) away(rel *schema.Relationship) bool {
	p := m.dialector.plugin
	return m.apart() && p.modelOf(m.db, rel.Schema).confined() != p.modelOf(m.db, rel.FieldSchema).confined()
}

// keyAway reports whether a constraint is a foreign key into another database.
func (m siloedMigrator) keyAway(v any, name string) bool {
	s, err := parse(m.db, v)
	if err != nil || !m.apart() {
		return false
	}
	for _, rel := range s.Relationships.Relations {
		if c := rel.ParseConstraint(); c != nil && c.Name == name && m.away(rel) {
			return true
		}
	}
	return false
}
