package tenantcli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/retrofit"
)

// App says how the commands reach the application.
type App struct {
	// Open opens what the commands work on. It is called when a command needs it, so that help and completion scripts need no
	// database; ctx ends with the command. Required.
	Open func(ctx context.Context) (*Environment, error)
	// Root makes the application's whole command tree anew at each call, this package's commands included. The commands run
	// and each start the application's commands in such trees. Commands that were made before, from package variables for
	// example, are refused: they remember the flags and the context of an earlier tenant. nil: run and each are missing.
	Root func() *cobra.Command
	// Retrofit opens the retrofit of an application that gets its tenants now, over a database without the plugin. It is called
	// when the command retrofit needs it. nil: there is no such command.
	Retrofit func(ctx context.Context) (*retrofit.Retrofit, error)
}

// Environment is what commands work on. A command whose part is missing says so and fails.
type Environment struct {
	// DB is the application's database, with the plugin. Required.
	DB *gorm.DB
	// Catalog has the tenants. Required.
	Catalog *catalog.Catalog
	// Migrations migrates the tenants. Make it over catalog.IDs, and give catalog.Baselining or catalog.Migrating to the
	// catalog, so that a tenant which is created here is known to it. nil: there are no migrations.
	Migrations *migrate.Runner
	// CentralMigrations migrates the central tables, before the tenants. nil: there are none.
	CentralMigrations *migrate.Runner
	// Archive has options for everything that the commands do by package archive: export, import, move and purge. Default none.
	Archive []archive.Option
	// Export writes all rows of the tenant that ctx acts for. nil: archive.Export, with the migrations' version of the tables.
	Export func(ctx context.Context, w io.Writer) error
	// Import reads what Export wrote into the tenant that ctx acts for, which has no rows yet. nil: archive.Import. Set both
	// or neither.
	Import func(ctx context.Context, r io.Reader) error
	// Doctor looks for what is wrong. It changes nothing. nil: doctor.Run, over the catalog and the migrations.
	Doctor func(ctx context.Context) ([]Finding, error)
	// Close is called when the command has ended. nil: nothing.
	Close func() error
}

// Finding is something that the doctor found.
type Finding struct {
	// Check is the name of what was looked at.
	Check string `json:"check"`
	// Tenant is where; empty when it is about all.
	Tenant tenancy.ID `json:"tenant,omitempty"`
	// Problem says what is wrong, and Remedy what to do.
	Problem string `json:"problem"`
	// Remedy says what to do; empty when it is not known.
	Remedy string `json:"remedy,omitempty"`
}

// Commands returns the commands tenants, migrate, run, each, shell, doctor and, where there is one, retrofit, for the
// application's root command. They are not safe for concurrent use, as no command of cobra is.
func Commands(app App) []*cobra.Command {
	a := &mounted{App: app}
	commands := []*cobra.Command{a.tenants(), a.migrate(), a.shell(), a.doctor()}
	if app.Root != nil {
		commands = append(commands, a.run(), a.each())
	}
	if app.Retrofit != nil {
		commands = append(commands, a.retrofit())
	}
	for _, cmd := range commands {
		cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	}
	return commands
}

// mounted is the commands of one tree.
type mounted struct {
	App
	trees trees
}

// call is one command as it runs.
type call struct {
	printer
	cmd *cobra.Command
	env *Environment
}

// scopeKey marks the context of what run and each start.
type scopeKey struct{}

var errScoped = errors.New("this command is about all tenants and does not run inside run or each")

// action makes the function of a command: it opens the environment for do, whose context reaches the central tables only.
func (a *mounted) action(do func(ctx context.Context, c *call, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) (err error) {
		ctx, p, err := begin(cmd)
		if err != nil {
			return err
		}
		env, err := a.open(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, env.close()) }()
		return env.unprepared(ctx, do(ctx, &call{p, cmd, env}, args))
	}
}

// begin refuses commands inside run and each, and returns what all others need.
func begin(cmd *cobra.Command) (context.Context, printer, error) {
	cmd.SilenceUsage = true
	if cmd.Context().Value(scopeKey{}) != nil {
		return nil, printer{}, usage(errScoped)
	}
	p, err := newPrinter(cmd)
	return tenancy.Central(cmd.Context()), p, err
}

func (a *mounted) open(ctx context.Context) (*Environment, error) {
	if a.Open == nil {
		return nil, errors.New("tenantcli: App.Open is missing")
	}
	env, err := a.Open(ctx)
	switch {
	case err != nil:
		return nil, err
	case env == nil || env.DB == nil || env.Catalog == nil:
		return nil, errors.New("tenantcli: App.Open returned no Environment with DB and Catalog")
	}
	return env, nil
}

func (e *Environment) close() error {
	if e.Close == nil {
		return nil
	}
	return e.Close()
}
