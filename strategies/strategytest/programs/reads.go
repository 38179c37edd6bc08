package programs

import (
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func operation(code string, run func(e *env) (any, error)) *step { return &step{code: code, run: run} }

func found(tx *gorm.DB, v any) (any, error) { return v, tx.Error }

func (d *drawer) read() *step {
	k := d.kind()
	return pick(d,
		(*drawer).find, (*drawer).find, (*drawer).single, (*drawer).page, (*drawer).count, (*drawer).pluck, (*drawer).rows,
		(*drawer).grouped, (*drawer).preload, (*drawer).join, (*drawer).table, (*drawer).batches, (*drawer).firstOrInit,
		(*drawer).genericRead, (*drawer).association, (*drawer).derived,
	)(d, k)
}

func (d *drawer) find(k *kind) *step {
	code, on := d.chain(k, "", 0)
	switch d.n(5) {
	case 0:
		return operation(code+".Find(&"+k.table+")", func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Find(v), v)
		})
	case 1:
		return operation(code+".Unscoped().Find(&"+k.table+")", func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Unscoped().Find(v), v)
		})
	case 2:
		c := d.condition(k, "")
		return operation(code+".Find(&"+k.table+", "+c.code+")", func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Find(v, c.args(e)...), v)
		})
	case 3:
		return operation(code+`.Select("text", "n").Find(&`+k.table+")", func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Select("text", "n").Find(v), v)
		})
	}
	return operation(code+".Model(&"+k.name+"{}).Find(&[]struct{ Text string }{})", func(e *env) (any, error) {
		var v []struct{ Text string }
		return found(on(e).Model(k.one()).Find(&v), v)
	})
}

func (d *drawer) single(k *kind) *step {
	key := d.anyKey(k)
	code, on := d.chain(k, "", 0)
	switch d.n(4) {
	case 0:
		return operation(code+".First(&"+k.name+")", func(e *env) (any, error) {
			v := k.one()
			return found(on(e).First(v), v)
		})
	case 1:
		return operation(code+".Last(&"+k.name+")", func(e *env) (any, error) {
			v := k.one()
			return found(on(e).Last(v), v)
		})
	case 2:
		return operation(fmt.Sprintf("%s.Order(\"id\").Take(&%s, %d)", code, k.name, key), func(e *env) (any, error) {
			v := k.one()
			return found(on(e).Order("id").Take(v, key), v)
		})
	}
	return operation(fmt.Sprintf("db.First(&%s{ID: %d})", k.name, key), func(e *env) (any, error) {
		v := k.row("", values{id: key, extra: 1})
		if k.extra != "" { // which GORM leaves as they are when nothing is found
			v = k.row("", values{id: key})
		}
		return found(e.fresh().First(v), v)
	})
}

func (d *drawer) page(k *kind) *step {
	code, on := d.chain(k, "", 0)
	order, limit, offset := pick(d, "id", "id desc"), 1+d.n(3), d.n(3)
	return operation(fmt.Sprintf("%s.Order(%q).Limit(%d).Offset(%d).Find(&%s)", code, order, limit, offset, k.table), func(e *env) (any, error) {
		v := k.many()
		return ordered{v}, on(e).Order(order).Limit(limit).Offset(offset).Find(v).Error
	})
}

func (d *drawer) count(k *kind) *step {
	code, on := d.chain(k, "", 0)
	distinct := d.maybe(3)
	if distinct {
		code += `.Distinct("text")`
	}
	return operation(code+".Model(&"+k.name+"{}).Count(&n)", func(e *env) (any, error) {
		var n int64
		tx := on(e)
		if distinct {
			tx = tx.Distinct("text")
		}
		return n, tx.Model(k.one()).Count(&n).Error
	})
}

func (d *drawer) pluck(k *kind) *step {
	code, on := d.chain(k, "", 0)
	if d.maybe(2) {
		return operation(code+`.Model(&`+k.name+`{}).Distinct().Pluck("text", &texts)`, func(e *env) (any, error) {
			var v []string
			return found(on(e).Model(k.one()).Distinct().Pluck("text", &v), &v)
		})
	}
	return operation(code+`.Model(&`+k.name+`{}).Order("id").Pluck("text", &texts)`, func(e *env) (any, error) {
		var v []string
		tx := on(e).Model(k.one()).Order("id").Pluck("text", &v)
		return ordered{&v}, tx.Error
	})
}

func (d *drawer) rows(k *kind) *step {
	code, on := d.chain(k, "", 0)
	if d.maybe(2) {
		return operation(code+".Model(&"+k.name+`{}).Select("max(text)").Row()`, func(e *env) (any, error) {
			var v *string
			return &v, on(e).Model(k.one()).Select("max(text)").Row().Scan(&v)
		})
	}
	return operation(code+".Model(&"+k.name+"{}).Rows()", func(e *env) (any, error) {
		rows, err := on(e).Model(k.one()).Rows()
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var all []string
		for rows.Next() {
			v := k.one()
			if err := e.db.ScanRows(rows, v); err != nil {
				return nil, err
			}
			all = append(all, show(v))
		}
		return all, rows.Err()
	})
}

func (d *drawer) grouped(k *kind) *step {
	code, on := d.chain(k, "", 0)
	least := d.n(3)
	code += fmt.Sprintf(`.Model(&%s{}).Select("text, count(*) AS n").Group("text").Having("count(*) > ?", %d).Scan(&counts)`, k.name, least)
	return operation(code, func(e *env) (any, error) {
		var v []struct {
			Text string
			N    int
		}
		tx := on(e).Model(k.one()).Select("text, count(*) AS n").Group("text").Having("count(*) > ?", least).Scan(&v)
		return &v, tx.Error
	})
}

func (d *drawer) preload(*kind) *step {
	k := d.kinds[1+d.n(2)] // polls and choices
	code, on := d.chain(k, "", 0)
	names := []string{"Choices", "Voters", "Choices.Poll"}
	if k.table == "choices" {
		names = []string{"Poll", "Poll.Voters", "Poll.Choices"}
	}
	name := pick(d, names...)
	s := operation("", nil)
	if k.table == "polls" && d.maybe(4) {
		name = "Plan"
		s.rule = d.centralInTx()
	}
	var with []any
	if d.maybe(2) && name != "Plan" && name != "Choices.Poll" {
		with = []any{"n > ? OR 1 = 1", d.n(3)}
		code += fmt.Sprintf(".Preload(%q, %s)", name, listed(with))
	} else {
		code += fmt.Sprintf(".Preload(%q)", name)
	}
	s.code = code + ".Find(&" + k.table + ")"
	s.run = func(e *env) (any, error) {
		v := k.many()
		return found(on(e).Preload(name, with...).Find(v), v)
	}
	return s
}

func (d *drawer) join(*kind) *step {
	if d.maybe(4) {
		k := d.kinds[1]
		code, on := d.chain(k, "polls.", 0)
		s := operation(code+`.Joins("Plan").Find(&polls)`, func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Joins("Plan").Find(v), v)
		})
		if s.rule = d.centralInTx(); !d.can.centralJoins {
			s.rule = mayRefuse
		}
		return s
	}
	k := d.kinds[2]
	code, on := d.chain(k, "choices.", 0)
	if d.maybe(2) {
		return operation(code+`.InnerJoins("Poll").Find(&choices)`, func(e *env) (any, error) {
			v := k.many()
			return found(on(e).InnerJoins("Poll").Find(v), v)
		})
	}
	if d.maybe(2) {
		return operation(code+`.Joins("Poll").Find(&choices)`, func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Joins("Poll").Find(v), v)
		})
	}
	n := d.n(4)
	return operation(fmt.Sprintf(`%s.Joins("Poll", db.Where(&poll{N: new(%d)})).Find(&choices)`, code, n), func(e *env) (any, error) {
		v := k.many()
		return found(on(e).Joins("Poll", e.fresh().Where(&poll{Columns: Columns{N: &n}})).Find(v), v)
	})
}

func (d *drawer) table(k *kind) *step {
	if d.maybe(4) {
		return operation(`db.Table("poll_voters").Where("voter_id > 0 OR 1 = 1").Find(&links)`, func(e *env) (any, error) {
			var v []struct{ PollID, VoterID uint }
			return found(e.fresh().Table("poll_voters").Where("voter_id > 0 OR 1 = 1").Find(&v), &v)
		})
	}
	code, on := d.chain(k, "t.", 0)
	return operation(fmt.Sprintf("%s.Table(%q).Select(\"t.text, t.n\").Find(&maps)", code, k.table+" AS t"), func(e *env) (any, error) {
		v := []map[string]any{}
		tx := on(e).Table(k.table + " AS t").Select("t.text, t.n").Find(&v)
		return &v, tx.Error
	})
}

func (d *drawer) batches(k *kind) *step {
	size, n := 1+d.n(2), d.n(3)
	code := fmt.Sprintf(`db.Where("n > ?", %d).FindInBatches(&%s, %d, func(…) …)`, n, k.table, size)
	return operation(code, func(e *env) (any, error) {
		batch := k.many()
		var all []string
		err := e.fresh().Where("n > ?", n).FindInBatches(batch, size, func(*gorm.DB, int) error {
			all = append(all, show(batch))
			return nil
		}).Error
		return ordered{all}, err
	})
}

func (d *drawer) firstOrInit(k *kind) *step {
	text, n := d.text(), d.n(4)
	return operation(fmt.Sprintf(`db.Where("text = ?", %q).Attrs(map[string]any{"n": %d}).FirstOrInit(&%s)`, text, n, k.name), func(e *env) (any, error) {
		v := k.one()
		return found(e.fresh().Where("text = ?", text).Attrs(map[string]any{"n": n}).FirstOrInit(v), v)
	})
}

func (d *drawer) genericRead(k *kind) *step {
	c := d.condition(k, "")
	switch d.n(3) {
	case 0:
		return operation(fmt.Sprintf("gorm.G[%s](db).Where(%s).Order(\"id\").Find(ctx)", k.name, c.code), func(e *env) (any, error) {
			return k.generic.find(e.ctx(), e.db, c.args(e))
		})
	case 1:
		return operation(fmt.Sprintf("gorm.G[%s](db).Where(%s).First(ctx)", k.name, c.code), func(e *env) (any, error) {
			return k.generic.first(e.ctx(), e.db, c.args(e))
		})
	}
	return operation(fmt.Sprintf("gorm.G[%s](db).Where(%s).Count(ctx, \"*\")", k.name, c.code), func(e *env) (any, error) {
		return k.generic.count(e.ctx(), e.db, c.args(e))
	})
}

// derived has a query for its table, and locks what it reads.
func (d *drawer) derived(k *kind) *step {
	if d.maybe(3) {
		code, on := d.chain(k, "", 0)
		return operation(code+`.Clauses(clause.Locking{Strength: "UPDATE"}).Find(&`+k.table+")", func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Clauses(clause.Locking{Strength: "UPDATE"}).Find(v), v)
		})
	}
	code, on := d.chain(k, "", 0)
	code = fmt.Sprintf(`db.Table("(?) AS t", %s.Model(&%s{}).Select("text")).Select("t.text").Scan(&texts)`, code, k.name)
	return operation(code, func(e *env) (any, error) {
		var v []string
		sub := on(e).Model(k.one()).Select("text")
		return found(e.fresh().Table("(?) AS t", sub).Select("t.text").Scan(&v), &v)
	})
}

func (d *drawer) association(*kind) *step {
	key, name := 1+uint(d.n(4)), pick(d, "Choices", "Voters")
	of := d.kinds[0]
	if name == "Choices" {
		of = d.kinds[2]
	}
	code, on := d.chain(of, of.table+".", 0)
	count := d.maybe(3)
	method := "Find(&" + name + ")"
	if count {
		method = "Count()"
	}
	return operation(fmt.Sprintf("%s.Model(first(%d)).Association(%q).%s", code, key, name, method), func(e *env) (any, error) {
		p, err := first(e, key)
		if err != nil {
			return nil, err
		}
		a := on(e).Model(p).Association(name)
		if count {
			return a.Count(), a.Error
		}
		if name == "Voters" {
			var v []voter
			return &v, a.Find(&v)
		}
		var v []choice
		return &v, a.Find(&v)
	})
}

// first reads a poll, with the tenant in its key.
func first(e *env, key uint) (*poll, error) {
	var p poll
	return &p, e.fresh().First(&p, key).Error
}

// centralInTx is the rule for central tables.
func (d *drawer) centralInTx() rule {
	if d.can.unsure || d.inTx && !d.can.centralInTx {
		return mayRefuse
	}
	return asPlain
}
