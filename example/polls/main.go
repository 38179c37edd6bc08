// Command polls serves an application to its tenants, which have users, polls and ids of their own and never see each
// other's rows: in shared tables, in a schema or a database for each, in a mix of them, or with a process for each. The
// application itself is package polls, which does not know that there are tenants; package hosting puts them under it.
//
//	go run ./example/polls
//
// Then open http://localhost:8080 in a browser.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/example/polls/containers"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

func main() {
	os.Exit(tenantcli.Execute(context.Background(), newRoot(fromEnvironment())))
}

// newRoot makes the command tree. Those that run and each start begin with the settings of the tree they are started from.
func newRoot(s settings) *cobra.Command {
	root := &cobra.Command{
		Use: "polls", Short: "Polls for many tenants", SilenceUsage: true, TraverseChildren: true, Args: cobra.NoArgs,
	}
	s.flags(root.PersistentFlags())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		s.adopt(cmd)
		return s.read()
	}
	serving(root, &s)
	root.AddCommand(newServe(&s), newHealthcheck(), newCreateSuperuser(&s), newOperators(&s), containers.Command(s.tenants))
	root.AddCommand(tenantcli.Commands(tenantcli.App{
		Open: func(ctx context.Context) (*tenantcli.Environment, error) {
			return s.environment(ctx, slog.New(slog.NewTextHandler(root.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})))
		},
		Root: func() *cobra.Command { return newRoot(s) },
	})...)
	return root
}
