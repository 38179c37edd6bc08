package doctor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// Option configures [Run].
type Option func(*examination)

// Catalog gives the tenants: places and rows are compared with it. Without it that is skipped.
func Catalog(store catalog.Store) Option { return func(e *examination) { e.store = store } }

// Migrations gives the runner whose tenants are asked for pending steps. Without it that is skipped.
func Migrations(r *migrate.Runner) Option { return func(e *examination) { e.runner = r } }

// WithoutRows leaves rows alone, for start-up: of each shared table the other checks read the catalog of the database only.
// By default rows without a tenant are looked for, and with [Catalog] all tenants of each table are listed.
func WithoutRows() Option { return func(e *examination) { e.withoutRows = true } }

// Run examines the database of db, which has the plugin (db.Use). It changes nothing, and needs no tenant in ctx. An error
// says that nothing was examined: db has no plugin, or ctx has ended. A check that cannot look is in the report as failed.
// Rows are read under tenancy.Bypass, which is reported as always. Safe for concurrent use.
func Run(ctx context.Context, db *gorm.DB, opts ...Option) (Report, error) {
	plugin, ok := db.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	if !ok {
		return Report{}, errors.New("doctor: call db.Use first: without the plugin nothing keeps tenants apart")
	}
	pool, err := db.DB()
	if err != nil {
		return Report{}, fmt.Errorf("doctor: GORM has no *sql.DB: %w", err)
	}
	e := &examination{
		db: db.Session(&gorm.Session{NewDB: true}), plugin: plugin, pool: pool, kind: db.Name(),
		report:    Report{Strategy: plugin.Strategy().Name(), Database: db.Name(), Findings: []Finding{}},
		more:      map[string]int{},
		relations: map[string]*relation{},
	}
	if i, ok := plugin.Strategy().(tenancy.Isolator); ok {
		e.isolation = i.Isolation()
	}
	for _, opt := range opts {
		opt(e)
	}
	for _, c := range checks() {
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		e.report.Checks = append(e.report.Checks, outcome(c.name, c.look(tenancy.Central(ctx), e)))
	}
	e.sum()
	return e.report, ctx.Err()
}

// Refused turns the error of db.Use into a report, where it is one of the database: then db has no plugin that Run could
// ask. ok is false for all other errors.
func Refused(err error) (r Report, ok bool) {
	e := &examination{report: Report{Findings: []Finding{}}, more: map[string]int{}}
	rest := e.defects(err)
	if len(e.report.Findings) == 0 {
		return Report{}, false
	}
	e.report.Checks = []Check{outcome("strategy", rest)}
	e.sum()
	return e.report, true
}

// check is one line of the examination. look returns nil, a *skipped, or why it could not look.
type check struct {
	name string
	look func(context.Context, *examination) error
}

func checks() []check {
	return []check{
		{"pooler", pooler},
		{"strategy", strategy},
		{"tables", tables},
		{"references", references},
		{"places", places},
		{"catalog", catalogued},
		{"names", tenantNames},
		{"migrations", migrations},
		{"rows", rows},
	}
}

// skipped says why a check does not apply.
type skipped struct{ why string }

func (s *skipped) Error() string { return s.why }

var (
	errNoCatalog = &skipped{"give doctor.Catalog(store)"}
	errSiloed    = &skipped{"tenants share no tables"}
)

func outcome(name string, err error) Check {
	var s *skipped
	switch {
	case err == nil:
		return Check{Name: name, Status: Done}
	case errors.As(err, &s):
		return Check{Name: name, Status: Skipped, Why: s.why}
	}
	return Check{Name: name, Status: Failed, Why: plain(err)}
}

// plain keeps hosts and users out of the report.
func plain(err error) string {
	var connect *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &connect) || errors.As(err, &network) {
		return "the database cannot be reached"
	}
	return err.Error()
}

// examination is one run. It is not safe for concurrent use.
type examination struct {
	db          *gorm.DB
	plugin      *tenancy.Plugin
	isolation   tenancy.Isolation
	pool        *sql.DB
	kind        string
	store       catalog.Store
	runner      *migrate.Runner
	withoutRows bool

	report    Report
	more      map[string]int       // findings of each code
	relations map[string]*relation // by table
	records   []catalog.Tenant     // see tenants
	listed    bool                 // records are there
}

// most is how many findings of one code are listed.
const most = 100

func (e *examination) find(f Finding) {
	f.Severity = severityOf(f.Code)
	e.more[f.Code]++
	if e.more[f.Code] <= most {
		e.report.Findings = append(e.report.Findings, f)
	}
}

// sum says what was left out.
func (e *examination) sum() {
	for _, f := range e.report.Findings {
		if n := e.more[f.Code]; n > most {
			e.more[f.Code] = 0
			e.report.Findings = append(e.report.Findings, Finding{
				Code: f.Code, Severity: f.Severity, Message: fmt.Sprintf("%d more like these", n-most), Mend: "mend those listed, and run it again",
			})
		}
	}
}

// defects takes what strategies found out of an error, and returns what is left of it.
func (e *examination) defects(err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := any(err).(interface{ Unwrap() []error }); ok { // the tree is walked, not searched
		var rest []error
		for _, each := range joined.Unwrap() {
			rest = append(rest, e.defects(each))
		}
		return errors.Join(rest...)
	}
	if d, ok := any(err).(*tenancy.Defect); ok {
		e.find(Finding{Code: d.Code, Table: d.Table, Tenant: string(d.Tenant), Role: d.Role, Message: d.Message, Mend: d.Mend})
		return nil
	}
	if inner := errors.Unwrap(err); inner != nil {
		if before := e.found(); e.defects(inner) == nil && e.found() > before {
			return nil
		}
	}
	return err
}

func (e *examination) found() (n int) {
	for _, each := range e.more {
		n += each
	}
	return n
}

// strategy runs the strategy's own checks.
func strategy(ctx context.Context, e *examination) error {
	v, verifies := e.plugin.Strategy().(tenancy.Verifier)
	i, inspects := e.plugin.Strategy().(tenancy.Inspector)
	if !verifies && !inspects {
		return &skipped{"the strategy has no checks of its own"}
	}
	var failed []error
	if verifies {
		failed = append(failed, e.defects(v.Verify(e.db.WithContext(ctx), e.plugin)))
	}
	if inspects {
		failed = append(failed, e.defects(i.Inspect(ctx, e.db, e.plugin)))
	}
	return errors.Join(failed...)
}
