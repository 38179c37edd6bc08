package catalog

import (
	"context"
	"errors"
	"iter"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
)

// GORM returns a [Store] over central tables of db, on SQLite, PostgreSQL and MySQL or MariaDB, with and without the
// tenancy plugin, under every strategy. Declare [Models] with tenancy.CentralModels and create the tables once:
//
//	db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(catalog.Models()...)
//
// It acts for the central site ([tenancy.Central]) whatever the caller's context says. Reads must not go to a replica that
// lags: what is suspended would be served that much longer. On MySQL the DSN needs parseTime=true. Transactions must be at
// the database's default isolation or weaker. Safe for concurrent use as far as db is.
func GORM(db *gorm.DB) Store {
	return gormStore{db}
}

type gormStore struct{ db *gorm.DB }

const (
	pageSize   = 500
	counterRow = 1
)

// central returns a session of its own: nothing that db was chained with takes part, nor the caller's tenant.
func (s gormStore) central(ctx context.Context) *gorm.DB {
	return s.db.Session(&gorm.Session{
		NewDB: true, Context: tenancy.Central(ctx),
		Logger: s.db.Logger.LogMode(logger.Error),
	})
}

func (s gormStore) Get(ctx context.Context, id tenancy.ID) (Tenant, error) {
	// MySQL's collations find acme when asked for ACME, or for acme and a space.
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return Tenant{}, tenancy.ErrUnknownTenant
	}
	return find(s.central(ctx).Where("id = ?", string(id)))
}

// find returns the one record that a query finds.
func find(query *gorm.DB) (Tenant, error) {
	var rows []tenantRow
	if err := query.Limit(1).Find(&rows).Error; err != nil {
		return Tenant{}, err
	}
	if len(rows) == 0 {
		return Tenant{}, tenancy.ErrUnknownTenant
	}
	return rows[0].tenant()
}

func (s gormStore) ByDomain(ctx context.Context, domain string) (Tenant, error) {
	if name, err := ParseDomain(domain); err != nil || name != domain {
		return Tenant{}, tenancy.ErrUnknownTenant
	}
	db := s.central(ctx)
	var owners []string
	if err := db.Model(&domainRow{}).Where("domain = ?", domain).Limit(1).Pluck("owner", &owners).Error; err != nil {
		return Tenant{}, err
	}
	if len(owners) == 0 {
		return Tenant{}, tenancy.ErrUnknownTenant
	}
	return find(s.central(ctx).Where("id = ?", owners[0]))
}

func (s gormStore) List(ctx context.Context, f Filter) iter.Seq2[Tenant, error] {
	return func(yield func(Tenant, error) bool) {
		for after := string(f.After); ; {
			rows, err := s.page(ctx, f, after)
			if err != nil {
				yield(Tenant{}, err)
				return
			}
			for i := range rows {
				t, err := rows[i].tenant()
				if !yield(t, err) || err != nil {
					return
				}
			}
			if len(rows) < pageSize {
				return
			}
			after = rows[len(rows)-1].ID
		}
	}
}

func (s gormStore) page(ctx context.Context, f Filter, after string) (rows []tenantRow, err error) {
	q := s.central(ctx)
	if after != "" {
		q = q.Where("id > ?", after)
	}
	if len(f.States) > 0 {
		q = q.Where("state IN ?", f.States)
	}
	if f.Pending {
		q = q.Where("step <> ?", "")
	}
	return rows, q.Order("id").Limit(pageSize).Find(&rows).Error
}

func (s gormStore) Save(ctx context.Context, tenants ...*Tenant) error {
	ids, err := idsOf(tenants)
	if err != nil {
		return err
	}
	rows := make([]tenantRow, len(tenants))
	for i, t := range tenants {
		if rows[i], err = rowOf(t); err != nil {
			return err
		}
	}
	err = s.central(ctx).Transaction(func(tx *gorm.DB) error {
		revision, err := next(tx)
		if err != nil {
			return err
		}
		return save(tx, revision, ids, rows, tenants)
	})
	if err != nil {
		return err
	}
	for i, t := range tenants {
		t.Revision, t.CreatedAt, t.UpdatedAt = rows[i].Revision, rows[i].CreatedAt, rows[i].UpdatedAt
	}
	return nil
}

// next takes the next revision. From here to the end of the transaction nobody else saves, so that what is read now stays
// true until it is written.
func next(tx *gorm.DB) (revision int64, err error) {
	count := func() (int64, error) {
		r := tx.Model(&revisionRow{}).Where("id = ?", counterRow).UpdateColumn("revision", gorm.Expr("revision + 1"))
		return r.RowsAffected, r.Error
	}
	counted, err := count()
	if err == nil && counted == 0 {
		if err = tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&revisionRow{ID: counterRow}).Error; err == nil {
			_, err = count()
		}
	}
	if err != nil {
		return 0, err
	}
	var counter revisionRow
	err = tx.Where("id = ?", counterRow).Take(&counter).Error
	return counter.Revision, err
}

func save(tx *gorm.DB, revision int64, ids []tenancy.ID, rows []tenantRow, tenants []*Tenant) error {
	var old []tenantRow
	if err := tx.Select("id", "revision", "created_at").Where("id IN ?", ids).Find(&old).Error; err != nil {
		return err
	}
	is := map[string]tenantRow{}
	for _, row := range old {
		is[row.ID] = row
	}
	now := stamp(time.Now())
	for i := range rows {
		row := &rows[i]
		before, exists := is[row.ID]
		if err := compare(row.Revision, before.Revision, exists); err != nil {
			return err
		}
		row.Revision, row.CreatedAt, row.UpdatedAt = revision, stamp(before.CreatedAt), now
		write := tx.Model(row).Select("*").Updates
		if !exists {
			row.CreatedAt = now
			write = tx.Create
		}
		if err := write(row).Error; err != nil {
			return err
		}
	}
	return saveDomains(tx, ids, tenants)
}

// saveDomains writes the domains of the tenants, if nobody else has them.
func saveDomains(tx *gorm.DB, ids []tenancy.ID, tenants []*Tenant) error {
	var rows []domainRow
	var names []string
	claimed := map[string]bool{}
	for _, t := range tenants {
		for _, d := range t.Domains {
			if claimed[d] {
				return ErrDomainTaken
			}
			claimed[d] = true
			names = append(names, d)
			rows = append(rows, domainRow{Domain: d, Owner: string(t.ID)})
		}
	}
	if err := tx.Where("owner IN ?", ids).Delete(&domainRow{}).Error; err != nil || len(rows) == 0 {
		return err
	}
	var taken int64
	if err := tx.Model(&domainRow{}).Where("domain IN ?", names).Count(&taken).Error; err != nil {
		return err
	}
	if taken > 0 {
		return ErrDomainTaken
	}
	return tx.Create(&rows).Error
}

func (s gormStore) Delete(ctx context.Context, id tenancy.ID, revision int64) error {
	return s.central(ctx).Transaction(func(tx *gorm.DB) error {
		now, err := next(tx)
		if err != nil {
			return err
		}
		var is []int64
		if err := tx.Model(&tenantRow{}).Where("id = ?", string(id)).Pluck("revision", &is).Error; err != nil {
			return err
		}
		is = append(is, 0)
		if err := compare(max(revision, 1), is[0], len(is) > 1); err != nil {
			return err
		}
		return errors.Join(
			tx.Where("owner = ?", string(id)).Delete(&domainRow{}).Error,
			tx.Where("id = ?", string(id)).Delete(&tenantRow{}).Error,
			tx.Model(&revisionRow{}).Where("id = ?", counterRow).UpdateColumn("cleared", now).Error,
		)
	})
}

func (s gormStore) Changes(ctx context.Context, since int64) (Changes, error) {
	var counters []revisionRow
	if err := s.central(ctx).Where("id = ?", counterRow).Find(&counters).Error; err != nil {
		return Changes{}, err
	}
	counters = append(counters, revisionRow{}) // nothing was ever saved
	c := Changes{Revision: counters[0].Revision, All: since < 0 || since < counters[0].Cleared}
	if c.All || since == c.Revision {
		return c, nil
	}
	var rows []tenantRow
	err := s.central(ctx).Where("revision > ?", since).Limit(MaxChanges + 1).Find(&rows).Error
	if err != nil {
		return Changes{}, err
	}
	if len(rows) > MaxChanges {
		return Changes{Revision: c.Revision, All: true}, nil
	}
	for i := range rows {
		t, err := rows[i].tenant()
		if err != nil {
			return Changes{}, err
		}
		c.Tenants = append(c.Tenants, t)
	}
	return c, nil
}
