package programs

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
)

func (d *drawer) attack() *step {
	k := d.kind()
	return pick(d,
		(*drawer).reach, (*drawer).reach, (*drawer).plant, (*drawer).plant, (*drawer).give, (*drawer).takeOver, (*drawer).nobody,
		(*drawer).otherScope, (*drawer).otherContext, (*drawer).sqlText, (*drawer).sqlText, (*drawer).pool,
	)(d, k)
}

// reach names another tenant in a statement that may find nothing of it.
func (d *drawer) reach(k *kind) *step {
	other, key := string(d.other()), d.anyKey(k)
	s := &step{rule: mayRefuse}
	switch d.n(6) {
	case 0:
		s.code = fmt.Sprintf(`db.Where("1 = 0").Or("tenant_id = ?", %q).Find(&%s)`, other, k.table)
		s.run = func(e *env) (any, error) {
			v := k.many()
			return found(e.fresh().Where("1 = 0").Or("tenant_id = ?", other).Find(v), v)
		}
	case 1:
		s.code = fmt.Sprintf("db.First(&%s{TenantID: %q, ID: %d})", k.name, other, key)
		s.run = func(e *env) (any, error) {
			v := k.one()
			return found(e.fresh().Where(k.row(other, values{id: key})).First(v), v)
		}
	case 2:
		s.code = fmt.Sprintf(`db.Model(&%s{TenantID: %q, ID: %d}).Update("text", "taken")`, k.name, other, key)
		s.run = func(e *env) (any, error) {
			return changed(e.fresh().Model(k.row(other, values{id: key})).Where("tenant_id = ?", other).Update("text", string(d.id)+"-taken"))
		}
	case 3:
		s.code = fmt.Sprintf(`db.Delete(&%s{TenantID: %q, ID: %d}, "tenant_id = ?", %q)`, k.name, other, key, other)
		s.run = func(e *env) (any, error) {
			return changed(e.fresh().Delete(k.row(other, values{id: key}), "tenant_id = ?", other))
		}
	case 4:
		s.code = fmt.Sprintf(`db.Table("poll_voters").Where("tenant_id = ?", %q).Delete(nil)`, other)
		s.run = func(e *env) (any, error) {
			return changed(e.fresh().Table("poll_voters").Where("tenant_id = ?", other).Delete(nil))
		}
	default:
		s.code = fmt.Sprintf("db.Model(&poll{TenantID: %q, ID: %d}).Association(\"Choices\").Find(&choices)", other, key)
		s.run = func(e *env) (any, error) {
			var v []choice
			return &v, e.fresh().Model(&poll{TenantID: other, ID: key}).Association("Choices").Find(&v)
		}
	}
	return s
}

// plant makes a row of another tenant.
func (d *drawer) plant(k *kind) *step {
	other, v := string(d.other()), d.values(k)
	s := &step{rule: mustRefuse}
	named := fmt.Sprintf("&%s{TenantID: %q, …%s}", k.name, other, v.code())
	switch d.n(5) {
	case 0:
		s.code = "db.Create(" + named + ")"
		s.run = func(e *env) (any, error) { return nil, e.fresh().Create(k.row(other, v)).Error }
	case 1:
		s.code = fmt.Sprintf("db.Model(&%s{}).Create(map[string]any{\"tenant_id\": %q, …%s})", k.name, other, v.code())
		s.run = func(e *env) (any, error) {
			return nil, e.fresh().Model(k.one()).Create(map[string]any{"tenant_id": other, "id": v.id, "text": v.text}).Error
		}
	case 2:
		s.code = "db.Clauses(clause.OnConflict{UpdateAll: true}).Create(" + named + ")"
		s.run = func(e *env) (any, error) {
			return nil, e.fresh().Clauses(clause.OnConflict{UpdateAll: true}).Create(k.row(other, v)).Error
		}
	case 3:
		s.code = "db.Create(&[]" + k.name + "{own, " + named + "})"
		own := d.values(k)
		s.run = func(e *env) (any, error) {
			rows := k.rows("", []values{own, v})
			switch rows := rows.(type) {
			case *[]poll:
				(*rows)[1].TenantID = other
			case *[]choice:
				(*rows)[1].TenantID = other
			case *[]voter:
				(*rows)[1].TenantID = other
			case *[]memo:
				(*rows)[1].TenantID = other
			case *[]entry:
				(*rows)[1].TenantID = other
			}
			return nil, e.fresh().Create(rows).Error
		}
	default:
		s.rule = asPlain // GORM gives it the poll's
		s.code = fmt.Sprintf("db.Create(&poll{ID: 8, Code: \"c8\", Choices: []choice{{TenantID: %q, ID: %d}}})", other, v.id)
		s.run = func(e *env) (any, error) {
			p := poll{ID: 8, Code: "c8", Choices: []choice{{TenantID: other, ID: v.id, Columns: v.columns()}}}
			return nil, e.fresh().Create(&p).Error
		}
	}
	return s
}

// give makes another tenant the owner of a row.
func (d *drawer) give(k *kind) *step {
	other, key := string(d.other()), d.key(k)
	s := &step{rule: mustRefuse}
	if d.maybe(2) {
		s.code = fmt.Sprintf("db.Model(&%s{}).Where(\"id = ?\", %d).Updates(&%s{TenantID: %q})", k.name, key, k.name, other)
		s.run = func(e *env) (any, error) {
			return nil, e.fresh().Model(k.one()).Where("id = ?", key).Updates(k.row(other, values{text: "x"})).Error
		}
		return s
	}
	s.code = fmt.Sprintf("db.Model(&%s{}).Where(\"id = ?\", %d).Update(\"tenant_id\", %q)", k.name, key, other)
	s.run = func(e *env) (any, error) {
		return nil, e.fresh().Model(k.one()).Where("id = ?", key).Update("tenant_id", other).Error
	}
	return s
}

// takeOver writes a row whose key another tenant has, where keys are the whole table's. In a place of its own nobody has it.
func (d *drawer) takeOver(*kind) *step {
	k := d.kinds[4]
	v := d.values(k)
	v.id = keysOf(d.other()) + uint(1+d.n(3))
	s := &step{rule: mayRefuse}
	switch d.n(4) {
	case 0:
		s.code = "db.Create(&" + k.literal(v) + ")"
		s.run = func(e *env) (any, error) { return nil, e.fresh().Create(k.row("", v)).Error }
	case 1:
		s.code = "db.Save(&" + k.literal(v) + ")"
		s.run = func(e *env) (any, error) { return nil, e.fresh().Save(k.row("", v)).Error }
	case 2:
		s.code = "db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&" + k.literal(v) + ")"
		s.run = func(e *env) (any, error) {
			return nil, e.fresh().Clauses(clause.OnConflict{UpdateAll: true}).Create(k.row("", v)).Error
		}
	default:
		s.code = "db.Clauses(clause.OnConflict{DoNothing: true}).Create(&" + k.literal(v) + ")"
		s.run = func(e *env) (any, error) {
			tx := e.fresh().Clauses(clause.OnConflict{DoNothing: true}).Create(k.row("", v))
			if tx.Error == nil && tx.RowsAffected == 0 { // where the database hides the other row nothing is what is done
				return nil, errNothing
			}
			return nil, tx.Error
		}
	}
	return s
}

var errNothing = errors.New("nothing was written")

// nobody has no tenant.
func (d *drawer) nobody(k *kind) *step {
	s := &step{rule: mustRefuse}
	if d.maybe(2) {
		s.code = fmt.Sprintf("db.WithContext(context.Background()).Create(&%s{ID: 8})", k.name)
		s.run = func(e *env) (any, error) {
			return nil, e.fresh().WithContext(context.Background()).Create(k.row("", values{id: 8})).Error
		}
		return s
	}
	s.code = fmt.Sprintf("db.WithContext(context.Background()).Find(&%s)", k.table)
	s.run = func(e *env) (any, error) {
		v := k.many()
		return found(e.fresh().WithContext(context.Background()).Find(v), v)
	}
	return s
}

func (d *drawer) otherScope(k *kind) *step {
	other := d.other()
	return &step{
		rule: mustRefuse, code: fmt.Sprintf("db.Scopes(tenancy.ForTenant(%q)).Find(&%s)", other, k.table),
		run: func(e *env) (any, error) {
			v := k.many()
			return found(e.fresh().Scopes(tenancy.ForTenant(other)).Find(v), v)
		},
	}
}

// otherContext serves another tenant with the session. In a transaction it must be refused, where the strategy holds connections;
// else it is the other's own affair.
func (d *drawer) otherContext(k *kind) *step {
	other := d.other()
	c, _ := d.chain(k, "", 0)
	if d.pinned {
		if !d.inTx || !d.can.connections || d.can.unsure {
			return d.reach(k)
		}
		return &step{
			rule: mustRefuse, code: fmt.Sprintf("db.WithContext(%s).Find(&%s) // in a transaction", other, k.table),
			run: func(e *env) (any, error) {
				v := k.many()
				return found(e.fresh().WithContext(as(other)).Find(v), v)
			},
		}
	}
	code, on := d.chain(k, "", 0)
	_ = c
	return operation(
		fmt.Sprintf("chain := %s.Session(&gorm.Session{}); chain.WithContext(%s).Find(&%s); chain.WithContext(%s).Find(&%s)", code, other, k.table, d.id, k.table),
		func(e *env) (any, error) {
			chain := on(e).Session(&gorm.Session{})
			_ = chain.WithContext(as(other)).Find(k.many()).Error
			v := k.many()
			return found(chain.WithContext(e.ctx()).Find(v), v)
		})
}

// sqlText is raw SQL. Whoever cannot hold it refuses it.
func (d *drawer) sqlText(k *kind) *step {
	s := &step{}
	switch {
	case d.can.unsure:
		s.rule = mayRefuse
	case !d.can.text:
		s.rule = mustRefuse
	}
	n, text := d.n(5), d.text()
	switch d.n(6) {
	case 0:
		s.code = fmt.Sprintf(`db.Raw("SELECT text, n FROM %s WHERE n > ?", %d).Scan(&texts)`, k.table, n)
		s.run = func(e *env) (any, error) {
			var v []struct {
				Text string
				N    *int
			}
			return found(e.fresh().Raw("SELECT text, n FROM "+k.table+" WHERE n > ?", n).Scan(&v), &v)
		}
	case 1:
		s.code = fmt.Sprintf(`db.Exec("UPDATE %s SET text = ? WHERE n = ?", %q, %d)`, k.table, text, n)
		s.run = func(e *env) (any, error) {
			return changed(e.fresh().Exec("UPDATE "+k.table+" SET text = ? WHERE n = ?", text, n))
		}
	case 2:
		s.code = fmt.Sprintf(`db.Exec("DELETE FROM %s WHERE text = ?", %q)`, k.table, text)
		s.run = func(e *env) (any, error) {
			return changed(e.fresh().Exec("DELETE FROM "+k.table+" WHERE text = ?", text))
		}
	case 3:
		s.code = fmt.Sprintf(`db.Model(&%s{}).Joins("JOIN choices c ON c.id = %s.id").Pluck("c.text", &texts)`, k.name, k.table)
		s.run = func(e *env) (any, error) {
			var v []string
			return found(e.fresh().Model(k.one()).Joins("JOIN choices c ON c.id = "+k.table+".id").Pluck("c.text", &v), &v)
		}
	case 4:
		s.code = fmt.Sprintf(`db.Where("n IN (SELECT n FROM voters UNION SELECT id FROM polls)").Find(&%s)`, k.table)
		s.run = func(e *env) (any, error) {
			v := k.many()
			return found(e.fresh().Where("n IN (SELECT n FROM voters UNION SELECT id FROM polls)").Find(v), v)
		}
	default:
		s.code = fmt.Sprintf(`db.Raw("SELECT count(*) FROM %s").Row().Scan(&n)`, k.table)
		s.run = func(e *env) (any, error) {
			n := 0
			return &n, e.fresh().Raw("SELECT count(*) FROM " + k.table).Row().Scan(&n)
		}
	}
	return s
}

// pool goes past GORM.
func (d *drawer) pool(k *kind) *step {
	if d.pinned || !d.can.connections {
		return d.sqlText(k)
	}
	s := &step{code: fmt.Sprintf(`pool.QueryRowContext(ctx, "SELECT max(text) FROM %s").Scan(&text)`, k.table)}
	if d.can.unsure {
		s.rule = mayRefuse
	}
	s.run = func(e *env) (any, error) {
		pool, err := e.fresh().DB()
		if err != nil {
			return nil, err
		}
		var v *string
		return &v, pool.QueryRowContext(e.ctx(), "SELECT max(text) FROM "+k.table).Scan(&v)
	}
	return s
}
