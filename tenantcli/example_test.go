package tenantcli_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/migrate"
	"github.com/gorm-tenancy/tenancy/strategies/database"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// An application with one command of its own, which knows nothing of tenants but the context it is given.
func ExampleCommands() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	app := application{dir}
	for _, args := range [][]string{
		{"tenants", "create", "acme", "--name", "Acme"},
		{"tenants", "create", "globex"},
		{"run", "--tenant", "acme", "--", "ask", "Tabs or spaces?"},
		{"each", "--quiet", "--", "count"},
		{"migrate", "status"},
	} {
		root := app.root()
		root.SetOut(os.Stdout)
		root.SetArgs(args)
		if code := tenantcli.Execute(context.Background(), root); code != 0 {
			panic(code)
		}
	}
	// Output:
	// acme is made and served
	// globex is made and served
	// acme | 1 polls
	// globex | 0 polls
	// TENANT  STANDS   OPEN
	// acme    at head
	// globex  at head
}

type application struct{ dir string }

func (a application) root() *cobra.Command {
	root := &cobra.Command{Use: "polls"}
	root.AddCommand(a.command("ask", func(cmd *cobra.Command, db *gorm.DB, args []string) error {
		return db.Create(&Poll{ID: 1, Title: args[0]}).Error
	}))
	root.AddCommand(a.command("count", func(cmd *cobra.Command, db *gorm.DB, _ []string) error {
		var n int64
		err := db.Model(&Poll{}).Count(&n).Error
		cmd.Printf("%d polls\n", n)
		return err
	}))
	root.AddCommand(tenantcli.Commands(tenantcli.App{Open: a.open, Root: a.root})...)
	return root
}

func (a application) command(name string, do func(*cobra.Command, *gorm.DB, []string) error) *cobra.Command {
	return &cobra.Command{Use: name, RunE: func(cmd *cobra.Command, args []string) error {
		env, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer env.Close()
		return do(cmd, env.DB.WithContext(cmd.Context()), args)
	}}
}

func (a application) open(ctx context.Context) (*tenantcli.Environment, error) {
	files := database.SQLiteFiles(filepath.Join(a.dir, "tenants"), sqlite.Open)
	strategy := database.New(files.Open, database.WithProvisioner(files))
	db, err := gorm.Open(sqlite.Open(filepath.Join(a.dir, "app.db")), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	plugin := tenancy.New(strategy, tenancy.OwnedModels(&Poll{}), tenancy.CentralModels(catalog.Models()...),
		tenancy.Logger(slog.New(slog.DiscardHandler)))
	if err := db.Use(plugin); err != nil {
		return nil, err
	}
	if err := db.WithContext(tenancy.Bypass(ctx, "create tables")).AutoMigrate(catalog.Models()...); err != nil {
		return nil, err
	}
	store := catalog.GORM(db)
	runner, err := migrate.New(db, catalog.IDs(store), []migrate.Source{migrate.Models()})
	if err != nil {
		return nil, err
	}
	tenants, err := catalog.New(store, catalog.Strategy(strategy), catalog.Hooks(catalog.Baselining(runner)))
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	return &tenantcli.Environment{DB: db, Catalog: tenants, Migrations: runner, Close: pool.Close}, nil
}
