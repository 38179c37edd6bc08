package retrofit

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// gate refuses a stage whose predecessors are not complete, and rows that stand in its way.
func (r *Retrofit) gate(s *session, report *Report, stage Stage) error {
	for _, t := range r.tables {
		st, err := r.dialect.read(s, t)
		if err != nil {
			return err
		}
		if !st.column {
			return notYet(stage, t.name, "has no column "+t.plain, StageAdd)
		}
		if !r.kept(t, st) {
			return notYet(stage, t.name, "lacks the triggers that fill in the tenant", StageAdd)
		}
		if stage != StageFinish {
			continue
		}
		for _, part := range r.parts(StageConstrain) {
			changes, _, err := part(t, st)
			if err != nil {
				return err
			}
			if len(changes) > 0 {
				return notYet(stage, t.name, "is not constrained", StageConstrain)
			}
		}
	}
	return r.inspect(s, report)
}

// kept reports whether the triggers of a table are there. On MySQL Finish may have been interrupted between them: nothing
// fills in the tenant any more, and the database refuses rows without.
func (r *Retrofit) kept(t *table, st state) bool {
	if !st.column {
		return false
	}
	before, after := r.dialect.ready(t, st, false), r.dialect.ready(t, st, true)
	return st.complete() || st.has(before) || st.has(after) ||
		st.notNull && !st.byDefault && len(st.others(after)) == 0 && len(st.triggers) > 0
}

// inspect looks for rows that stand in the way.
func (r *Retrofit) inspect(s *session, report *Report) error {
	report.Problems = nil
	for _, t := range r.tables {
		st, err := r.dialect.read(s, t)
		if err != nil {
			return err
		}
		for _, look := range []func(*session, *Report, *table, state) error{r.untold, r.ids, r.crossing} {
			if err := look(s, report, t, st); err != nil {
				return err
			}
		}
	}
	for _, l := range r.links {
		if err := r.crossingLinks(s, report, l); err != nil {
			return err
		}
	}
	return errorOf(report.Problems)
}

func (r *Retrofit) untold(s *session, report *Report, t *table, st state) error {
	return r.problem(s, report, Problem{Table: t.name, Kind: Untold, Detail: "have no tenant; set column " + t.plain +
		", or mend what retrofit.From selects and run backfill again"}, r.keyed(t.alias, st.primary), t.quoted+" "+t.alias,
		t.missing(t.alias+"."+t.column))
}

// ids looks at each tenant that rows have.
func (r *Retrofit) ids(s *session, report *Report, t *table, st state) error {
	query := fmt.Sprintf("SELECT %s, count(*) FROM %s WHERE NOT %s GROUP BY 1",
		r.dialect.text(t.column), t.quoted, t.missing(t.column))
	invalid, foreign := int64(0), int64(0)
	err := s.rows(query, func(rows *sql.Rows) error {
		var id string
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return err
		}
		if _, err := tenancy.ParseID(id); err != nil {
			invalid += n
		} else if r.config.legacy != "" && id != string(r.config.legacy) && !st.complete() {
			foreign += n
		}
		return nil
	})
	if invalid > 0 {
		report.Problems = append(report.Problems, Problem{
			Table: t.name, Kind: Invalid, Rows: invalid,
			Detail: "have a tenant that tenancy.ParseID refuses, for example with capitals or spaces",
		})
	}
	if foreign > 0 {
		report.Problems = append(report.Problems, Problem{
			Table: t.name, Kind: Foreign, Rows: foreign,
			Detail: "are not the tenant's that retrofit.Legacy names; use retrofit.From",
		})
	}
	return err
}

// crossing looks for rows that refer to another tenant's.
func (r *Retrofit) crossing(s *session, report *Report, t *table, st state) error {
	for _, ref := range t.refs {
		parent := r.table(ref.parent)
		from := fmt.Sprintf("%s tenancy_child JOIN %s tenancy_parent ON %s", t.quoted, parent.quoted,
			r.joined(ref, "tenancy_child", "tenancy_parent"))
		detail := "refer to rows of " + ref.parent + " of another tenant by " + strings.Join(ref.columns, ", ")
		err := r.problem(s, report, Problem{Table: t.name, Kind: Crossing, Detail: detail}, r.keyed("tenancy_child", st.primary), from,
			"tenancy_child."+t.column+" <> tenancy_parent."+parent.column)
		if err != nil {
			return err
		}
	}
	return nil
}

// crossingLinks does the same with a join table that has no tenant column.
func (r *Retrofit) crossingLinks(s *session, report *Report, l link) error {
	if len(l.sides) < 2 || r.table(l.sides[0].Table) == nil || r.table(l.sides[1].Table) == nil {
		return nil
	}
	from, columns := r.quote(l.name)+" tenancy_link", []string{}
	var tenant [2]string
	for i, side := range l.sides[:2] {
		alias := fmt.Sprintf("tenancy_side%d", i)
		ref := reference{columns: side.Columns, target: side.References}
		from += fmt.Sprintf(" JOIN %s %s ON %s", r.quote(side.Table), alias, r.joined(ref, "tenancy_link", alias))
		tenant[i] = alias + "." + r.table(side.Table).column
		columns = append(columns, side.Columns...)
	}
	return r.problem(s, report, Problem{Table: l.name, Kind: Crossing, Detail: "link rows of two tenants"},
		r.keyed("tenancy_link", columns), from, tenant[0]+" <> "+tenant[1])
}

// problem reports the rows of from that fulfil a condition.
func (r *Retrofit) problem(s *session, report *Report, p Problem, keys []string, from, where string) (err error) {
	if p.Rows, err = s.count("SELECT count(*) FROM " + from + " WHERE " + where); err != nil || p.Rows == 0 {
		return err
	}
	if len(keys) > 0 {
		list := strings.Join(keys, ", ")
		query := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %[1]s LIMIT 10", list, from, where)
		err = s.rows(query, func(rows *sql.Rows) error {
			key, err := scanKey(rows, len(keys))
			p.Keys = append(p.Keys, strings.Trim(fmt.Sprint(key...), "[]"))
			return err
		})
	}
	report.Problems = append(report.Problems, p)
	return err
}

func (r *Retrofit) keyed(alias string, columns []string) []string {
	keys := make([]string, len(columns))
	for i, c := range columns {
		keys[i] = alias + "." + r.quote(c)
	}
	return keys
}

// scanKey reads a primary key whatever its types are.
func scanKey(rows *sql.Rows, n int) ([]any, error) {
	key, into := make([]any, n), make([]any, n)
	for i := range key {
		into[i] = &key[i]
	}
	err := rows.Scan(into...)
	for i := range key {
		if text, ok := key[i].([]byte); ok {
			key[i] = string(text)
		}
	}
	return key, err
}
