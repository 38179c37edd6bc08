package retrofit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Retrofit takes the owned tables of a plugin through the stages. It is safe for concurrent use, by several processes, too:
// one works and the others wait.
type Retrofit struct {
	db      *gorm.DB
	plugin  *tenancy.Plugin
	config  config
	dialect dialect
	tables  []*table
	links   []link
	now     func() time.Time

	statement func(string) // tests' only: called before each that changes something
}

// New returns the retrofit of the owned models of p, whose strategy keeps tenants in shared tables. db is best one without any
// plugin, as the role that owns the tables; it asks the database nothing. It fails where options have mistakes, where nothing
// tells whose the rows of a table are, where a tenant field is not tagged "not null", with tenancy.ErrUndeclared where p owns
// no table, and with tenancy.ErrUnsupported for databases other than PostgreSQL (12 or later), MySQL, MariaDB and SQLite.
func New(db *gorm.DB, p *tenancy.Plugin, opts ...Option) (*Retrofit, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	r := &Retrofit{db: db.Session(&gorm.Session{NewDB: true}), plugin: p, config: c, now: time.Now}
	switch db.Name() {
	case "postgres":
		r.dialect = postgres{r}
	case "mysql":
		r.dialect = mysql{r}
	case "sqlite":
		if c.composite {
			return nil, fmt.Errorf("%w: SQLite cannot add a foreign key to a table; leave CompositeKeys out, the plugin checks "+
				"references", tenancy.ErrUnsupported)
		}
		r.dialect = sqlite{r}
	default:
		return nil, fmt.Errorf("%w: retrofit knows PostgreSQL, MySQL, MariaDB and SQLite; add the column by hand",
			tenancy.ErrUnsupported)
	}
	if err := p.Declare(r.db); err != nil {
		return nil, err
	}
	return r, r.learn()
}

// Do runs the stage of that name: [Retrofit.Add], [Retrofit.Backfill], [Retrofit.Constrain] or [Retrofit.Finish].
func (r *Retrofit) Do(ctx context.Context, s Stage) (Report, error) {
	switch s {
	case StageAdd:
		return r.Add(ctx)
	case StageBackfill:
		return r.Backfill(ctx)
	case StageConstrain:
		return r.Constrain(ctx)
	case StageFinish:
		return r.Finish(ctx)
	}
	return Report{}, fmt.Errorf("retrofit: there is no stage %q", s)
}

// Add adds the tenant column where it is missing, and triggers that fill it in whatever is written from now on, by programs
// that do not know it, too. Neither rewrites a table. With [Legacy] the column has a default, so that all rows have the
// tenant at once. It may be called again, also with another [From], whose triggers then replace the others.
//
// On PostgreSQL connections that hold a prepared "SELECT *" fail once with "cached plan must not change result type"; see
// docs/retrofit.md.
func (r *Retrofit) Add(ctx context.Context) (Report, error) {
	return r.stage(ctx, StageAdd, r.make)
}

// Constrain makes what Backfill has reached permanent: NOT NULL, an index led by the tenant column, and beside each unique
// index one that is led by it; with [CompositeKeys] foreign keys, too. Old programs go on. It fails with [ErrStage] before
// Backfill, with [ErrUntold] where rows have no tenant, and with [ErrProblems] where rows refer to another tenant's.
func (r *Retrofit) Constrain(ctx context.Context) (Report, error) {
	return r.stage(ctx, StageConstrain, func(s *session, report *Report) error {
		if err := r.gate(s, report, StageConstrain); err != nil {
			return err
		}
		err := r.make(s, report)
		return errors.Join(r.inspect(s, report), err) // what was written meanwhile
	})
}

// Finish ends the retrofit: it drops the old unique indexes and gives their names to the new ones, and drops the default and
// the triggers. Call it when all programs have the plugin: from now on a row without a tenant is refused (the empty tenant
// that new models without the plugin write is not), and rows of further tenants are let in. It fails with [ErrStage] before
// Constrain and with [ErrProblems] like it.
func (r *Retrofit) Finish(ctx context.Context) (Report, error) {
	return r.stage(ctx, StageFinish, func(s *session, report *Report) error {
		if err := r.gate(s, report, StageFinish); err != nil {
			return err
		}
		return r.make(s, report)
	})
}

// Check changes nothing and says whether db.Use(plugin) may come: it is nil when Constrain is complete and no row stands in
// the way. It reads all rows of the owned tables. Errors are those of [Retrofit.Finish].
func (r *Retrofit) Check(ctx context.Context) (Report, error) {
	return r.stage(ctx, "check", func(s *session, report *Report) error { return r.gate(s, report, StageFinish) })
}

// Plan shows what each stage would run now. It changes nothing. Later stages are shown as if the rows had
// tenants, and Finish without what Add and Constrain have still to make.
func (r *Retrofit) Plan(ctx context.Context) (Plan, error) {
	var plan Plan
	_, err := r.stage(ctx, "plan", func(s *session, _ *Report) error {
		for _, stage := range Stages() {
			p := StagePlan{Stage: stage}
			for _, part := range r.parts(stage) {
				err := r.list(s, part, func(changes []Change, notes []string) error {
					p.Changes, p.Notes = append(p.Changes, changes...), append(p.Notes, notes...)
					return nil
				})
				if err != nil {
					return err
				}
			}
			plan.Stages = append(plan.Stages, p)
		}
		return nil
	})
	return plan, err
}

// part lists what is missing in a table. Each part of a stage is done in all tables before the next.
type part func(*table, state) ([]Change, []string, error)

func (r *Retrofit) parts(stage Stage) []part {
	switch stage {
	case StageAdd:
		return []part{r.columns, r.triggers} // which read the columns of other tables
	case StageBackfill:
		return []part{r.batches}
	case StageConstrain:
		return []part{r.dialect.constrain, r.dialect.keys} // which need the indexes of other tables
	default:
		return []part{r.dialect.finish}
	}
}

func (r *Retrofit) columns(t *table, st state) ([]Change, []string, error) {
	if st.column {
		return nil, nil, nil
	}
	return []Change{{Table: t.name, SQL: []string{r.dialect.column(t)}}}, nil, nil
}

func (r *Retrofit) triggers(t *table, st state) ([]Change, []string, error) {
	if st.complete() {
		return nil, nil, nil
	}
	return r.dialect.add(t, st), nil, nil
}

// batches shows what Backfill repeats.
func (r *Retrofit) batches(t *table, st state) ([]Change, []string, error) {
	if len(st.primary) == 0 || st.column && st.notNull || !st.column && t.legacy != "" {
		return nil, nil, nil
	}
	return []Change{{Table: t.name, SQL: []string{r.batchSQL(t, st, true, true)}}}, nil, nil
}

// stage runs f with a connection of its own and the lock of all retrofits of the database.
func (r *Retrofit) stage(ctx context.Context, name Stage, f func(*session, *Report) error) (report Report, err error) {
	report.Stage = name
	start := r.now()
	s, err := r.open(ctx)
	if err != nil {
		return report, err
	}
	defer func() {
		err = errors.Join(err, s.close())
		report.Took = r.now().Sub(start)
	}()
	return report, f(s, &report)
}

// list calls f with what is missing in each table. A table is read when its turn comes: others may have changed it.
func (r *Retrofit) list(s *session, missing part, f func([]Change, []string) error) error {
	for _, t := range r.tables {
		st, err := r.dialect.read(s, t)
		if err != nil {
			return err
		}
		changes, notes, err := missing(t, st)
		if err != nil {
			return err
		}
		if err := f(changes, notes); err != nil {
			return err
		}
	}
	return nil
}

// make runs what is missing for a stage.
func (r *Retrofit) make(s *session, report *Report) error {
	for _, part := range r.parts(report.Stage) {
		err := r.list(s, part, func(changes []Change, notes []string) error {
			report.Notes = append(report.Notes, notes...)
			for _, c := range changes {
				if err := s.apply(&c); err != nil {
					return fmt.Errorf("retrofit: %s: table %q: %w", report.Stage, c.Table, err)
				}
				report.Changes = append(report.Changes, c)
				report.Lock = max(report.Lock, c.Lock)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
