package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// parseID reads an argument that names a tenant. The error quotes nothing that moves the cursor.
func parseID(arg string) (tenancy.ID, error) {
	id, err := tenancy.ParseID(arg)
	if err != nil {
		return "", usagef("%q: %w", arg, err)
	}
	return id, nil
}

func parseIDs(args []string) ([]tenancy.ID, error) {
	ids := make([]tenancy.ID, 0, len(args))
	for _, arg := range args {
		id, err := parseID(arg)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// tenantsFlag is --tenant, given once for each tenant.
func (a *mounted) tenantsFlag(cmd *cobra.Command, ids *[]string) {
	cmd.Flags().StringArrayVarP(ids, "tenant", "t", nil, "this tenant only; repeat it for several")
	a.completeFlag(cmd, "tenant")
}

// tenantFlag is --tenant, given once.
func (a *mounted) tenantFlag(cmd *cobra.Command, id *string) {
	cmd.Flags().StringVarP(id, "tenant", "t", "", "the tenant (required)")
	a.completeFlag(cmd, "tenant")
}

func (a *mounted) completeFlag(cmd *cobra.Command, name string) {
	if err := cmd.RegisterFlagCompletionFunc(name, a.complete); err != nil {
		panic(err) // the flag was not defined: a mistake in this package
	}
}

const (
	// completionTime is how long somebody who pressed tab waits for a database.
	completionTime = 1500 * time.Millisecond
	// mostCompletions is how many names are of use to a shell.
	mostCompletions = 100
)

// complete offers the ids of tenants. It says nothing where the database does not answer in time.
func (a *mounted) complete(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(tenancy.Central(parent), completionTime)
	defer cancel()
	found := make(chan []cobra.Completion, 1)
	go func() { found <- a.matching(ctx, prefix) }() // Open may not heed ctx; the process ends soon
	select {
	case names := <-found:
		return names, cobra.ShellCompDirectiveNoFileComp
	case <-ctx.Done():
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFirst completes the first argument only.
func (a *mounted) completeFirst(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.complete(cmd, args, prefix)
}

func (a *mounted) matching(ctx context.Context, prefix string) (names []cobra.Completion) {
	env, err := a.open(ctx)
	if err != nil {
		return nil
	}
	defer env.close()
	for t, err := range env.Catalog.Store().List(ctx, catalog.Filter{}) {
		if err != nil || len(names) == mostCompletions {
			break
		}
		if t.State != catalog.Purged && strings.HasPrefix(string(t.ID), prefix) {
			names = append(names, cobra.CompletionWithDesc(string(t.ID), oneLine(strings.TrimSpace(string(t.State)+" "+t.Name))))
		}
	}
	return names
}

// need says that the application does not provide a part of the environment.
func need(there bool, field string) error {
	if !there {
		return fmt.Errorf("this application has no %s (Environment.%s of package tenantcli)", strings.ToLower(field), field)
	}
	return nil
}

// without returns those of the ids that are not in done.
func without(ids, done []tenancy.ID) []tenancy.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id tenancy.ID) bool { return slices.Contains(done, id) })
}

var errNothing = errors.New("name tenants, or say --all")
