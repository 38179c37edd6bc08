package strategytest

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// use is what an application does that knows nothing of tenants. As a tenant it must end as with plain GORM in a database that
// has this tenant's rows only.
type use struct {
	name string
	run  func(db *gorm.DB) (any, error)
	// needs are capabilities of which a strategy may lack some.
	needs []Capability
	// alone needs more than one connection, so that it is no case of modes that have one.
	alone bool
	// tenantless is about central tables only, so that it needs no tenant.
	tenantless bool
}

func found[T any](f func(v *T) *gorm.DB) (any, error) {
	var v T
	err := f(&v).Error
	return v, err
}

func changed(tx *gorm.DB) (any, error) { return tx.RowsAffected, tx.Error }

var (
	central = []Capability{CentralTables}
	joined  = []Capability{CentralJoins}
	texts   = []Capability{SQLText}

	connections = []Capability{Connections}
)

var reads = []use{
	{name: "find", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Order("id").Find(v) })
	}},
	{name: "first", run: func(db *gorm.DB) (any, error) { return found(func(v *poll) *gorm.DB { return db.First(v) }) }},
	{name: "last", run: func(db *gorm.DB) (any, error) {
		return found(func(v *choice) *gorm.DB { return db.Order("id").Limit(1).Last(v) })
	}},
	{name: "take by key", run: func(db *gorm.DB) (any, error) { return found(func(v *choice) *gorm.DB { return db.Take(v, 2) }) }},
	{name: "take by key in dest", run: func(db *gorm.DB) (any, error) {
		v := poll{ID: 2}
		err := db.Take(&v).Error
		return v, err
	}},
	{name: "not there", run: func(db *gorm.DB) (any, error) { return found(func(v *choice) *gorm.DB { return db.Take(v, 99) }) }},
	{name: "find by keys", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Order("id").Find(v, []int{1, 2, 9}) })
	}},
	{name: "where or", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB { return db.Where("votes > ?", 4).Or("poll_id = 1").Order("id").Find(v) })
	}},
	{name: "lone or", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB { return db.Or("votes > ?", 0).Order("id").Find(v) })
	}},
	{name: "or on two lines", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB { return db.Where("votes = 3\nOR 1 = 1").Order("id").Find(v) })
	}},
	{name: "not", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Not("votes = 10").Find(v) })
	}},
	{name: "struct and map", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB {
			return db.Where(&choice{PollID: 1}).Or(map[string]any{"votes": []int{5, 6}}).Order("id").Find(v)
		})
	}},
	{name: "groups of conditions", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB {
			fresh := db.Session(&gorm.Session{NewDB: true})
			ten, twenty := fresh.Where("votes = 10").Or("votes = 90"), fresh.Where("votes = 20").Where("1 = 1")
			return db.Where(ten).Or(twenty).Order("id").Find(v)
		})
	}},
	{name: "expression", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB {
			return db.Clauses(clause.Or(clause.Eq{Column: "id", Value: 1}, clause.Gte{Column: "votes", Value: 20})).Order("id").Find(v)
		})
	}},
	{name: "scopes", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB {
			return db.Scopes(func(tx *gorm.DB) *gorm.DB { return tx.Where("votes > 10").Or("votes > 80") }).Find(v)
		})
	}},
	{name: "count", run: func(db *gorm.DB) (any, error) {
		return found(func(v *int64) *gorm.DB { return db.Model(&choice{}).Count(v) })
	}},
	{name: "pluck", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB { return db.Model(&voter{}).Order("id").Pluck("name", v) })
	}},
	{name: "group and having", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]map[string]any) *gorm.DB {
			return db.Model(&choice{}).Select("poll_id, count(*) AS n").Group("poll_id").Having("count(*) > 0").Order("poll_id").Find(v)
		})
	}},
	{name: "distinct", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]uint) *gorm.DB {
			return db.Model(&choice{}).Distinct("poll_id").Order("poll_id").Pluck("poll_id", v)
		})
	}},
	{name: "limit and offset", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB { return db.Order("id").Limit(1).Offset(1).Find(v) })
	}},
	{name: "smaller struct", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]struct{ Title string }) *gorm.DB { return db.Model(&poll{}).Order("id").Find(v) })
	}},
	{name: "preload", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB {
			return db.Preload("Choices", "votes > 3 OR 1 = 1").Preload("Voters").Order("id").Find(v)
		})
	}},
	{name: "preload nested", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB { return db.Preload("Poll.Voters").Order("id").Find(v) })
	}},
	{name: "preload central", needs: central, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Preload("Plan").Order("id").Find(v) })
	}},
	{name: "join", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB { return db.Joins("Poll").Order("choices.id").Find(v) })
	}},
	{name: "join with conditions", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB {
			all := db.Session(&gorm.Session{NewDB: true}).Where("1 = 1")
			return db.InnerJoins("Poll", all).Where("choices.votes > 0 OR 1 = 1").Order("choices.id").Find(v)
		})
	}},
	{name: "join central", needs: joined, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Joins("Plan").Order("polls.id").Find(v) })
	}},
	{name: "sub-query", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]choice) *gorm.DB {
			return db.Where("poll_id IN (?)", fresh(db).Model(&poll{}).Select("id").Where("votes > 10")).Order("id").Find(v)
		})
	}},
	{name: "derived table", run: func(db *gorm.DB) (any, error) {
		return found(func(v *int64) *gorm.DB {
			return db.Table("(?) AS c", fresh(db).Model(&choice{}).Select("votes")).Select("count(*)").Scan(v)
		})
	}},
	{name: "table", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB { return db.Table("polls AS p").Order("p.id").Pluck("p.title", v) })
	}},
	{name: "join table", run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]uint) *gorm.DB { return db.Table("poll_voters").Order("voter_id").Pluck("voter_id", v) })
	}},
	{name: "rows", run: func(db *gorm.DB) (any, error) {
		rows, err := db.Model(&choice{}).Order("id").Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var all []choice
		for rows.Next() {
			var c choice
			if err := db.ScanRows(rows, &c); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
		return all, rows.Err()
	}},
	{name: "row", run: func(db *gorm.DB) (any, error) {
		var title string
		err := db.Model(&poll{}).Select("title").Where("id = ?", 2).Row().Scan(&title)
		return title, err
	}},
	{name: "query while rows are open", alone: true, run: func(db *gorm.DB) (any, error) {
		rows, err := db.Model(&choice{}).Order("id").Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var titles []string
		for rows.Next() {
			var c choice
			var p poll
			if err := db.ScanRows(rows, &c); err != nil {
				return nil, err
			}
			if err := fresh(db).Take(&p, c.PollID).Error; err != nil {
				return nil, err
			}
			titles = append(titles, c.Text+p.Title)
		}
		return titles, rows.Err()
	}},
	{name: "in batches", run: func(db *gorm.DB) (any, error) {
		var all []string
		var batch []voter
		err := db.FindInBatches(&batch, 1, func(tx *gorm.DB, _ int) error {
			for _, v := range batch {
				all = append(all, v.Name)
			}
			return nil
		}).Error
		return all, err
	}},
	{name: "association", run: func(db *gorm.DB) (any, error) {
		p, err := loaded(db)
		if err != nil {
			return nil, err
		}
		var voters []voter
		err = db.Model(p).Order("voters.id").Association("Voters").Find(&voters)
		return []any{voters, fresh(db).Model(p).Association("Choices").Count()}, err
	}},
	{name: "lock", run: func(db *gorm.DB) (any, error) {
		return found(func(v *poll) *gorm.DB { return db.Clauses(clause.Locking{Strength: "UPDATE"}).First(v) })
	}},
	{name: "unscoped", run: func(db *gorm.DB) (any, error) {
		if err := db.Delete(&memo{}, 1).Error; err != nil {
			return nil, err
		}
		var live, all []string
		if err := fresh(db).Model(&memo{}).Order("id").Pluck("text", &live).Error; err != nil {
			return nil, err
		}
		err := fresh(db).Unscoped().Model(&memo{}).Order("id").Pluck("text", &all).Error
		return []any{live, all}, err
	}},
	{name: "generics find", run: func(db *gorm.DB) (any, error) {
		return gorm.G[poll](db).Where("votes > ?", 5).Or("1 = 1").Order("id").Find(db.Statement.Context)
	}},
	{name: "generics first", run: func(db *gorm.DB) (any, error) {
		return gorm.G[choice](db).Where("id = ?", 2).First(db.Statement.Context)
	}},
	{name: "generics not there", run: func(db *gorm.DB) (any, error) {
		return gorm.G[choice](db).Where("id = ?", 9).First(db.Statement.Context)
	}},
	{name: "generics count", run: func(db *gorm.DB) (any, error) { return gorm.G[choice](db).Count(db.Statement.Context, "*") }},
	{name: "generics join", run: func(db *gorm.DB) (any, error) {
		return gorm.G[choice](db).Joins(clause.JoinTarget{Association: "Poll"}, nil).Order("choices.id").Find(db.Statement.Context)
	}},
	{name: "generics preload", run: func(db *gorm.DB) (any, error) {
		return gorm.G[poll](db).Preload("Choices", nil).Order("id").Find(db.Statement.Context)
	}},
	{name: "central find", needs: central, tenantless: true, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]plan) *gorm.DB { return db.Order("id").Find(v) })
	}},
	{name: "SQL text", needs: texts, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Raw("SELECT title FROM polls WHERE votes >= ? ORDER BY id", 10).Scan(v)
		})
	}},
	{name: "SQL text with a CTE", needs: texts, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Raw("WITH c AS (SELECT * FROM choices) SELECT text FROM c ORDER BY text -- end").Scan(v)
		})
	}},
	{name: "SQL text by row", needs: texts, run: func(db *gorm.DB) (any, error) {
		n := 0
		err := db.Raw("SELECT count(*) FROM choices").Row().Scan(&n)
		return n, err
	}},
	{name: "SQL text in a join", needs: texts, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]string) *gorm.DB {
			return db.Model(&choice{}).Joins("JOIN polls p ON p.id = choices.poll_id").Order("choices.id").Pluck("p.title", v)
		})
	}},
	{name: "SQL text in a condition", needs: texts, run: func(db *gorm.DB) (any, error) {
		return found(func(v *[]poll) *gorm.DB { return db.Where("id IN (SELECT poll_id FROM choices)").Order("id").Find(v) })
	}},
	{name: "generics SQL text", needs: texts, run: func(db *gorm.DB) (any, error) {
		return gorm.G[string](db).Raw("SELECT title FROM polls WHERE id = ?", 1).Find(db.Statement.Context)
	}},
	{name: "database/sql", needs: connections, alone: true, run: func(db *gorm.DB) (any, error) {
		pool, err := db.DB()
		if err != nil {
			return nil, err
		}
		n := 0
		err = pool.QueryRowContext(db.Statement.Context, "SELECT count(*) FROM choices").Scan(&n)
		return n, err
	}},
	{name: "database/sql prepared", needs: connections, alone: true, run: func(db *gorm.DB) (any, error) {
		pool, err := db.DB()
		if err != nil {
			return nil, err
		}
		stmt, err := pool.PrepareContext(db.Statement.Context, "SELECT count(*) FROM polls")
		if err != nil {
			return nil, err
		}
		defer stmt.Close()
		n := 0
		err = stmt.QueryRowContext(db.Statement.Context).Scan(&n)
		return n, err
	}},
}

// fresh is a session without the conditions of a chain.
func fresh(db *gorm.DB) *gorm.DB {
	return db.Session(&gorm.Session{NewDB: true, Context: db.Statement.Context})
}

// loaded is the first poll, with the tenant in its key.
func loaded(db *gorm.DB) (*poll, error) {
	var p poll
	return &p, fresh(db).First(&p, 1).Error
}
