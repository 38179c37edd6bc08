package programs

import (
	"fmt"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func changed(tx *gorm.DB) (any, error) { return tx.RowsAffected, tx.Error }

func (d *drawer) write() *step {
	k := d.kind()
	return pick(d,
		(*drawer).create, (*drawer).create, (*drawer).createMany, (*drawer).createMap, (*drawer).createNested, (*drawer).upsert,
		(*drawer).save, (*drawer).firstOrCreate, (*drawer).update, (*drawer).update, (*drawer).updateByKey, (*drawer).updateMany,
		(*drawer).remove, (*drawer).remove, (*drawer).removeByKey, (*drawer).link, (*drawer).link, (*drawer).genericWrite,
		(*drawer).removeWith,
	)(d, k)
}

// counting may leave the key of a row out where the database counts it up.
func (d *drawer) counting(k *kind, v values) values {
	if k.single && d.maybe(2) {
		v.id = 0
	}
	return v
}

func (d *drawer) create(k *kind) *step {
	v := d.counting(k, d.values(k))
	how := d.n(4)
	code := []string{"db", "db", `db.Select("ID", "Text", "Code", "PollID")`, `db.Omit("Note")`}[how]
	return operation(fmt.Sprintf("%s.Create(&%s)", code, k.literal(v)), func(e *env) (any, error) {
		db, row := e.fresh(), k.row(e.named(how == 1), v)
		switch how {
		case 2:
			db = db.Select("ID", "Text", "Code", "PollID")
		case 3:
			db = db.Omit("Note")
		}
		return row, db.Create(row).Error
	})
}

// named is the tenant, where the row says whose it is.
func (e *env) named(says bool) string {
	if says {
		return string(e.id)
	}
	return ""
}

func (d *drawer) several(k *kind) (all []values, code string) {
	var literals []string
	for i := range 1 + d.n(3) {
		v := d.values(k)
		v.id += uint(i)
		v.extra += uint(i)
		all = append(all, v)
		literals = append(literals, strings.TrimPrefix(k.literal(v), k.name))
	}
	return all, fmt.Sprintf("&[]%s{%s}", k.name, strings.Join(literals, ", "))
}

func (d *drawer) createMany(k *kind) *step {
	all, code := d.several(k)
	size := 1 + d.n(2)
	return operation(fmt.Sprintf("db.CreateInBatches(%s, %d)", code, size), func(e *env) (any, error) {
		rows := k.rows("", all)
		return rows, e.fresh().CreateInBatches(rows, size).Error
	})
}

func (d *drawer) createMap(k *kind) *step {
	v := d.values(k)
	fields := map[string]any{"ID": v.id, "text": v.text, "N": v.n}
	switch k.extra {
	case "Code":
		fields["code"] = fmt.Sprintf("c%d", v.extra)
	case "PollID":
		fields["poll_id"] = v.extra
	}
	code := fmt.Sprintf("map[string]any{…: %s}", k.literal(v))
	if d.maybe(3) {
		return operation(fmt.Sprintf("db.Model(&%s{}).Create([]%s)", k.name, code), func(e *env) (any, error) {
			return changed(e.fresh().Model(k.one()).Create([]map[string]any{copied(fields)}))
		})
	}
	return operation(fmt.Sprintf("db.Model(&%s{}).Create(%s)", k.name, code), func(e *env) (any, error) {
		return changed(e.fresh().Model(k.one()).Create(copied(fields)))
	})
}

func copied(m map[string]any) map[string]any {
	c := map[string]any{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

func (d *drawer) createNested(*kind) *step {
	v, c, w := d.values(d.kinds[1]), d.values(d.kinds[2]), d.values(d.kinds[0])
	voters := d.maybe(2)
	code := fmt.Sprintf("db.Create(&poll{%s, Code: \"c%d\", Choices: []choice{{%s}}})", v.code(), v.extra, c.code())
	if voters {
		code = fmt.Sprintf("db.Create(&poll{%s, Code: \"c%d\", Voters: []voter{{%s}}})", v.code(), v.extra, w.code())
	}
	return operation(code, func(e *env) (any, error) {
		p := d.kinds[1].row("", v).(*poll)
		if voters {
			p.Voters = []voter{{ID: w.id, Columns: w.columns()}}
		} else {
			p.Choices = []choice{{ID: c.id, Columns: c.columns()}}
		}
		return p, e.fresh().Create(p).Error
	})
}

// upsert is one that a conflict with the key decides. RowsAffected of it means something else on every database.
func (d *drawer) upsert(k *kind) *step {
	all, rows := d.several(k)
	key := []clause.Column{{Name: "tenant_id"}, {Name: "id"}}
	if k.single {
		key = key[1:]
	}
	how, code := clause.OnConflict{}, ""
	switch d.n(4) {
	case 0:
		how, code = clause.OnConflict{DoNothing: true}, "DoNothing: true"
	case 1:
		how, code = clause.OnConflict{UpdateAll: true}, "UpdateAll: true"
	case 2:
		how = clause.OnConflict{Columns: key, DoUpdates: clause.AssignmentColumns([]string{"text", "n"})}
		code = `Columns: key, DoUpdates: clause.AssignmentColumns([]string{"text", "n"})`
	case 3:
		note := d.note()
		how = clause.OnConflict{Columns: key, DoUpdates: clause.Assignments(map[string]any{"note": note})}
		code = fmt.Sprintf("Columns: key, DoUpdates: clause.Assignments(map[string]any{\"note\": %q})", note)
	}
	return operation(fmt.Sprintf("db.Clauses(clause.OnConflict{%s}).Create(%s)", code, rows), func(e *env) (any, error) {
		return nil, e.fresh().Clauses(how).Create(k.rows("", all)).Error
	})
}

func (d *drawer) save(k *kind) *step {
	v := d.values(k)
	if d.maybe(2) {
		return operation(fmt.Sprintf("v := first(%d); v.Text, v.N = %q, nil; db.Save(&v)", v.id, v.text), func(e *env) (any, error) {
			row := k.one()
			if err := e.fresh().First(row, v.id).Error; err != nil {
				return nil, err
			}
			set(row, v.text)
			return row, e.fresh().Save(row).Error
		})
	}
	return operation(fmt.Sprintf("db.Save(&%s)", k.literal(v)), func(e *env) (any, error) {
		return nil, e.fresh().Save(k.row("", v)).Error
	})
}

func set(row any, text string) {
	switch r := row.(type) {
	case *poll:
		r.Text, r.N = text, nil
	case *choice:
		r.Text, r.N = text, nil
	case *voter:
		r.Text, r.N = text, nil
	case *memo:
		r.Text, r.N = text, nil
	case *entry:
		r.Text, r.N = text, nil
	}
}

func (d *drawer) firstOrCreate(k *kind) *step {
	v, assign := d.values(k), d.maybe(2)
	code := fmt.Sprintf("db.Where(&%s{Text: %q}).Attrs(&%s).FirstOrCreate(&v)", k.name, v.text, k.literal(v))
	if assign {
		code = fmt.Sprintf("db.Where(&%s{Text: %q}).Attrs(&%s).Assign(map[string]any{\"note\": %q}).FirstOrCreate(&v)",
			k.name, v.text, k.literal(v), string(d.id)+"-z")
	}
	return operation(code, func(e *env) (any, error) {
		row := k.one()
		db := e.fresh().Where(k.row("", values{text: v.text})).Attrs(k.row("", v))
		if assign {
			db = db.Assign(map[string]any{"note": string(d.id) + "-z"})
		}
		return row, db.FirstOrCreate(row).Error
	})
}

// assignment draws what an update sets.
func (d *drawer) assignment() (code string, fields map[string]any) {
	switch d.n(5) {
	case 0:
		v := d.text()
		return fmt.Sprintf(`map[string]any{"text": %q}`, v), map[string]any{"text": v}
	case 1:
		n := d.n(6)
		return fmt.Sprintf(`map[string]any{"n": %d}`, n), map[string]any{"n": n}
	case 2:
		return `map[string]any{"n": gorm.Expr("n + 1")}`, map[string]any{"n": gorm.Expr("n + 1")}
	case 3:
		return `map[string]any{"note": nil}`, map[string]any{"note": nil}
	}
	v, n := d.note(), d.n(6)
	return fmt.Sprintf(`map[string]any{"Note": %q, "N": %d}`, v, n), map[string]any{"Note": v, "N": n}
}

func (d *drawer) update(k *kind) *step {
	code, on := d.chain(k, "", 0)
	what, fields := d.assignment()
	n, text := d.n(6), d.text()
	code += ".Model(&" + k.name + "{})"
	switch d.n(7) {
	case 0:
		return operation(code+fmt.Sprintf(`.Update("n", %d)`, n), func(e *env) (any, error) {
			return changed(on(e).Model(k.one()).Update("n", n))
		})
	case 1:
		return operation(code+fmt.Sprintf(`.UpdateColumn("text", %q)`, text), func(e *env) (any, error) {
			return changed(on(e).Model(k.one()).UpdateColumn("text", text))
		})
	case 2:
		return operation(code+fmt.Sprintf(`.Updates(%s{Text: %q})`, k.name, text), func(e *env) (any, error) {
			v := values{text: text}
			if k.extra == "Code" {
				return changed(on(e).Model(k.one()).Updates(&poll{Columns: v.columns()}))
			}
			return changed(on(e).Model(k.one()).Updates(k.row("", v)))
		})
	case 3:
		return operation(code+fmt.Sprintf(`.Select("n").Updates(%s{Text: %q})`, k.name, text), func(e *env) (any, error) {
			return changed(on(e).Model(k.one()).Select("n").Updates(k.row("", values{text: text})))
		})
	case 4:
		of := d.kinds[0]
		if k == of {
			of = d.kinds[3]
		}
		c := d.condition(of, "")
		code += fmt.Sprintf(`.Update("text", db.Model(&%s{}).Select("coalesce(max(text), '%s-')").Where(%s))`, of.name, d.id, c.code)
		return operation(code, func(e *env) (any, error) {
			w := c.args(e)
			sub := e.fresh().Model(of.one()).Select("coalesce(max(text), '"+string(d.id)+"-')").Where(w[0], w[1:]...)
			return changed(on(e).Model(k.one()).Update("text", sub))
		})
	}
	return operation(code+".Updates("+what+")", func(e *env) (any, error) {
		return changed(on(e).Model(k.one()).Updates(copied(fields)))
	})
}

func (d *drawer) updateByKey(k *kind) *step {
	key := d.anyKey(k)
	what, fields := d.assignment()
	if d.maybe(3) {
		return operation(fmt.Sprintf("db.Table(%q).Where(\"id = ?\", %d).Updates(%s)", k.table, key, what), func(e *env) (any, error) {
			return changed(e.fresh().Table(k.table).Where("id = ?", key).Updates(copied(fields)))
		})
	}
	return operation(fmt.Sprintf("db.Model(&%s{ID: %d}).Updates(%s)", k.name, key, what), func(e *env) (any, error) {
		row := k.row("", values{id: key})
		return changed(e.fresh().Model(row).Updates(copied(fields)))
	})
}

// updateMany has no condition of its own, and may ask for what it changed.
func (d *drawer) updateMany(k *kind) *step {
	what, fields := d.assignment()
	if d.maybe(2) {
		code := fmt.Sprintf("db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&%s{}).Updates(%s)", k.name, what)
		return operation(code, func(e *env) (any, error) {
			return changed(e.fresh().Session(&gorm.Session{AllowGlobalUpdate: true}).Model(k.one()).Updates(copied(fields)))
		})
	}
	code, on := d.chain(k, "", 0)
	code += fmt.Sprintf(".Model(&%s).Clauses(clause.Returning{}).Updates(%s)", k.table, what)
	return operation(code, func(e *env) (any, error) {
		v := k.many()
		return found(on(e).Model(v).Clauses(clause.Returning{}).Updates(copied(fields)), v)
	})
}

func (d *drawer) remove(k *kind) *step {
	code, on := d.chain(k, "", 0)
	if d.maybe(3) {
		return operation(code+".Unscoped().Delete(&"+k.name+"{})", func(e *env) (any, error) {
			return changed(on(e).Unscoped().Delete(k.one()))
		})
	}
	if d.maybe(4) {
		return operation(code+".Clauses(clause.Returning{}).Delete(&"+k.table+")", func(e *env) (any, error) {
			v := k.many()
			return found(on(e).Clauses(clause.Returning{}).Delete(v), v)
		})
	}
	return operation(code+".Delete(&"+k.name+"{})", func(e *env) (any, error) { return changed(on(e).Delete(k.one())) })
}

func (d *drawer) removeByKey(k *kind) *step {
	key := d.anyKey(k)
	if d.maybe(2) {
		return operation(fmt.Sprintf("db.Delete(&%s{ID: %d})", k.name, key), func(e *env) (any, error) {
			return changed(e.fresh().Delete(k.row(e.named(e.plain), values{id: key}))) // whose key is the tenant, too
		})
	}
	keys := []uint{key, d.key(k)}
	return operation(fmt.Sprintf("db.Delete(&%s{}, %v)", k.name, keys), func(e *env) (any, error) {
		return changed(e.fresh().Delete(k.one(), keys))
	})
}

func (d *drawer) removeWith(*kind) *step {
	key := uint(1 + d.n(4))
	return operation(fmt.Sprintf(`db.Select("Voters", "Choices").Delete(first(%d))`, key), func(e *env) (any, error) {
		p, err := first(e, key)
		if err != nil {
			return nil, err
		}
		return changed(e.fresh().Select("Voters", "Choices").Delete(p))
	})
}

// link changes an association of a poll.
func (d *drawer) link(*kind) *step {
	key, name := uint(1+d.n(3)), pick(d, "Voters", "Choices")
	of := d.kinds[0]
	if name == "Choices" {
		of = d.kinds[2]
	}
	v, there := d.values(of), d.maybe(2)
	method := pick(d, "Append", "Replace", "Delete", "Clear")
	code := fmt.Sprintf("db.Model(first(%d)).Association(%q).%s", key, name, method)
	switch {
	case method == "Clear":
		code += "()"
	case there:
		code += fmt.Sprintf("(first(%d))", v.id)
	default:
		code += fmt.Sprintf("(&%s)", of.literal(v))
	}
	return operation(code, func(e *env) (any, error) {
		p, err := first(e, key)
		if err != nil {
			return nil, err
		}
		a, row := e.fresh().Model(p).Association(name), of.row("", v)
		if there {
			row = of.one()
			if err := e.fresh().First(row, v.id).Error; err != nil {
				return nil, err
			}
		}
		switch method {
		case "Append":
			return nil, a.Append(row)
		case "Replace":
			return nil, a.Replace(row)
		case "Delete":
			return nil, a.Delete(row)
		}
		return nil, a.Clear()
	})
}

func (d *drawer) genericWrite(k *kind) *step {
	c, v := d.condition(k, ""), d.values(k)
	switch d.n(4) {
	case 0:
		return operation(fmt.Sprintf("gorm.G[%s](db).Create(ctx, &%s)", k.name, k.literal(v)), func(e *env) (any, error) {
			return k.generic.create(e.ctx(), e.db, "", v)
		})
	case 1:
		return operation(fmt.Sprintf("gorm.G[%s](db).Where(%s).Update(ctx, \"text\", %q)", k.name, c.code, v.text), func(e *env) (any, error) {
			return k.generic.update(e.ctx(), e.db, c.args(e), "text", v.text)
		})
	case 2:
		code := fmt.Sprintf("gorm.G[%s](db).Where(%s).Set(clause.Assignment{Column: clause.Column{Name: \"text\"}, Value: %q}).Update(ctx)",
			k.name, c.code, v.text)
		return operation(code, func(e *env) (any, error) {
			return k.generic.set(e.ctx(), e.db, c.args(e), "text", v.text)
		})
	}
	return operation(fmt.Sprintf("gorm.G[%s](db).Where(%s).Delete(ctx)", k.name, c.code), func(e *env) (any, error) {
		return k.generic.delete(e.ctx(), e.db, c.args(e))
	})
}
