package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gorm-tenancy/tenancy/archive"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// settings are what all commands share. They come from flags, and otherwise from the environment: commands that act on a
// tenant have flags --tenant and --domain of their own, which are about that tenant.
type settings struct {
	hosting.Options
	dsnFile string
}

// fromEnvironment never reads a flag's default out of the settings of another tree.
func fromEnvironment() settings {
	return settings{dsnFile: os.Getenv("DATABASE_URL_FILE"), Options: hosting.Options{
		Strategy: or(os.Getenv("POLLS_STRATEGY"), hosting.Shared), DSN: os.Getenv("DATABASE_URL"), Data: os.Getenv("POLLS_DATA"),
		Tenant: os.Getenv("POLLS_TENANT"), Secret: os.Getenv("POLLS_SECRET"),
	}}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.Strategy, "strategy", s.Strategy, "shared, schema, database, hybrid or pinned (POLLS_STRATEGY)")
	f.StringVar(&s.DSN, "dsn", s.DSN, "postgres:// URL, MySQL DSN or path of a SQLite file (DATABASE_URL)")
	f.Lookup("dsn").DefValue = "" // help does not print a password
	f.StringVar(&s.dsnFile, "dsn-file", s.dsnFile, "file to read the DSN from, where there is none (DATABASE_URL_FILE)")
	f.StringVar(&s.Data, "data", s.Data, "directory of SQLite files (POLLS_DATA)")
	f.StringVar(&s.Tenant, "tenant", s.Tenant, "the tenant that a pinned process serves (POLLS_TENANT)")
	f.StringArrayVar(&s.Domains, "domain", s.Domains, "a domain of the pinned tenant, beside its subdomains; repeat it")
	f.StringArrayVar(&s.BaseDomains, "base-domain", s.BaseDomains,
		"a host whose subdomains are tenants; repeat it (default localhost, polls.local)")
	f.StringArrayVar(&s.TrustedProxies, "trusted-proxy", s.TrustedProxies,
		"an address or network whose X-Forwarded-For is believed; repeat it (default: none)")
	f.BoolVar(&s.RowLevelSecurity, "row-level-security", s.RowLevelSecurity, "PostgreSQL itself holds tenants that share tables")
	f.BoolVar(&s.Roles, "roles", s.Roles, "a role of PostgreSQL for each schema")
}

// adopt takes the tenant of a command that has a flag of its own for it: in a pinned process there is one tenant to name.
func (s *settings) adopt(cmd *cobra.Command) {
	flag := cmd.Flags().Lookup("tenant")
	if s.Strategy != hosting.Pinned || s.Tenant != "" || flag == nil {
		return
	}
	s.Tenant = flag.Value.String()
	if many, ok := flag.Value.(pflag.SliceValue); ok {
		s.Tenant = strings.Join(many.GetSlice(), ",")
	}
}

// read takes the DSN from its file: secrets of containers are files.
func (s *settings) read() error {
	if s.DSN != "" || s.dsnFile == "" {
		return nil
	}
	text, err := os.ReadFile(s.dsnFile)
	s.DSN = strings.TrimSpace(string(text))
	if err == nil && s.DSN == "" {
		err = fmt.Errorf("%s is empty", s.dsnFile)
	}
	return err
}

// open opens the application for a command.
func (s *settings) open(cmd *cobra.Command) (*hosting.Service, error) {
	s.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	return hosting.Open(cmd.Context(), s.Options)
}

// environment is what the commands of package tenantcli work on.
func (s *settings) environment(ctx context.Context, log *slog.Logger) (*tenantcli.Environment, error) {
	s.Logger = log
	service, err := hosting.Open(ctx, s.Options)
	if err != nil {
		return nil, err
	}
	return &tenantcli.Environment{
		DB: service.DB, Catalog: service.Catalog, Migrations: service.Migrations, CentralMigrations: service.Central,
		Export: func(ctx context.Context, w io.Writer) error {
			_, err := archive.Export(ctx, service.DB, w)
			return err
		},
		Import: func(ctx context.Context, r io.Reader) error {
			_, err := archive.Import(ctx, service.DB, r)
			return err
		},
		Close: service.Close,
	}, nil
}
