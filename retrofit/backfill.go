package retrofit

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Backfill gives the rows that were there before [Retrofit.Add] a tenant, in batches by primary key, each in a transaction of
// its own; the triggers say whose a row is, at the moment it is locked, so that what others write meanwhile stays. It goes
// round until the children of children have theirs. What it did is kept when it is stopped or killed: call it again.
//
// It fails with [ErrStage] before Add, with [ErrUntold] where rows are left that nothing tells the tenant of, and with
// tenancy.ErrUnsupported where such rows are in a table without a primary key.
func (r *Retrofit) Backfill(ctx context.Context) (Report, error) {
	return r.stage(ctx, StageBackfill, func(s *session, report *Report) error {
		for _, t := range r.tables {
			st, err := r.dialect.read(s, t)
			if err != nil {
				return err
			}
			if !r.kept(t, st) {
				return notYet(StageBackfill, t.name, "has no column "+t.plain+" or not its triggers", StageAdd)
			}
		}
		for {
			stamped, err := r.round(s, report)
			report.Stamped += stamped
			if err != nil {
				return err
			}
			if stamped == 0 {
				return r.inspect(s, report)
			}
		}
	})
}

// round goes once through all tables.
func (r *Retrofit) round(s *session, report *Report) (stamped int64, err error) {
	for _, t := range r.tables {
		st, err := r.dialect.read(s, t)
		if err != nil {
			return stamped, err
		}
		if st.complete() {
			continue
		}
		n, err := r.fill(s, report, t, st)
		stamped += n
		if err != nil {
			return stamped, fmt.Errorf("retrofit: backfill: table %q: %w", t.name, err)
		}
	}
	return stamped, nil
}

// fill goes once through a table.
func (r *Retrofit) fill(s *session, report *Report, t *table, st state) (stamped int64, err error) {
	left := "SELECT count(*) FROM " + t.quoted + " WHERE " + t.missing(t.column)
	total, err := s.count(left)
	if err != nil || total == 0 {
		return 0, err
	}
	if len(st.primary) == 0 {
		return 0, fmt.Errorf("%w: it has no primary key; add one, or set column %s by hand", tenancy.ErrUnsupported, t.plain)
	}
	start, done := r.now(), int64(0)
	for last := []any(nil); ; {
		bound, err := r.bound(s, t, st, last)
		if err != nil {
			return 0, err
		}
		began, tries := r.now(), 0
		err = s.retry(&tries, func() error {
			began = r.now()
			return r.dialect.batch(s, r.batchSQL(t, st, last != nil, bound != nil), append(append([]any{}, last...), bound...)...)
		})
		if err != nil {
			return 0, err
		}
		report.Lock = max(report.Lock, r.now().Sub(began))
		if done += int64(r.config.batch); bound == nil {
			done = total
		}
		r.tell(t, start, min(done, total), total)
		if bound == nil {
			break
		}
		if last = bound; r.config.pause > 0 {
			if err := pause(s.ctx, r.config.pause); err != nil {
				return 0, err
			}
		}
	}
	rest, err := s.count(left)
	return max(0, total-rest), err
}

func (r *Retrofit) tell(t *table, start time.Time, done, total int64) {
	p := Progress{Table: t.name, Done: done, Total: total}
	if took := r.now().Sub(start).Seconds(); took > 0 {
		p.PerSecond = float64(done) / took
		p.Left = time.Duration(float64(total-done) / p.PerSecond * float64(time.Second))
	}
	r.config.progress(p)
}

// bound is the key of the last row of the next batch, or nil for the last batch.
func (r *Retrofit) bound(s *session, t *table, st state, last []any) (bound []any, err error) {
	keys := strings.Join(r.keyed(t.alias, st.primary), ", ")
	where := t.missing(t.alias + "." + t.column)
	if last != nil {
		where += " AND " + r.beyond(t, st, ">", 0)
	}
	query := fmt.Sprintf("SELECT %s FROM %s %s WHERE %s ORDER BY %s LIMIT 1 OFFSET %d",
		keys, t.quoted, t.alias, where, keys, r.config.batch-1)
	err = s.rows(query, func(rows *sql.Rows) error {
		bound, err = scanKey(rows, len(st.primary))
		return err
	}, last...)
	return bound, err
}

// beyond compares the primary key with bind values, of which so many stand in front.
func (r *Retrofit) beyond(t *table, st state, operator string, before int) string {
	values := make([]string, len(st.primary))
	for i := range values {
		values[i] = r.dialect.placeholder(before + i + 1)
	}
	keys, list := strings.Join(r.keyed(t.alias, st.primary), ", "), strings.Join(values, ", ")
	if len(values) == 1 {
		return keys + " " + operator + " " + list
	}
	return "(" + keys + ") " + operator + " (" + list + ")"
}

// batchSQL writes the rows of a batch as they are: the triggers do the rest. Columns that the database would set by itself
// stay what they are.
func (r *Retrofit) batchSQL(t *table, st state, from, to bool) string {
	set := t.column + " = " + t.column
	for _, c := range st.stamped {
		set += ", " + r.quote(c) + " = " + r.quote(c)
	}
	where, before := t.missing(t.column), 0
	if from {
		where += " AND " + r.beyond(t, st, ">", 0)
		before = len(st.primary)
	}
	if to {
		where += " AND " + r.beyond(t, st, "<=", before)
	}
	return "UPDATE " + t.quoted + " SET " + set + " WHERE " + where
}
