package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
)

// The exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// Execute runs the application's command tree, with the arguments of the process unless root.SetArgs set others, prints
// the error, if any, to stderr and returns the exit code for os.Exit: see [ExitCode]. The first interrupt (Ctrl-C, SIGTERM)
// ends the context, so that commands stop between tenants and say what is left; the second ends the process.
func Execute(ctx context.Context, root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second one has its usual effect
	err := execute(ctx, root)
	if err != nil {
		fmt.Fprintf(root.ErrOrStderr(), "Error: %v\n", err)
		if hint := hintOf(err); hint != "" {
			fmt.Fprintf(root.ErrOrStderr(), "Hint: %s\n", hint)
		}
	}
	return ExitCode(err)
}

// execute runs a tree whose errors the caller prints.
func execute(ctx context.Context, root *cobra.Command) error {
	root.SilenceErrors, root.SilenceUsage = true, true
	refused := root.FlagErrorFunc()
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(refused(cmd, err)) })
	for cmd := range tree(root) {
		if check := cmd.Args; check != nil {
			cmd.Args = func(cmd *cobra.Command, args []string) error { return usage(check(cmd, args)) }
		}
	}
	return root.ExecuteContext(ctx)
}

// tree yields a command and all those below it.
func tree(root *cobra.Command) func(yield func(*cobra.Command) bool) {
	return func(yield func(*cobra.Command) bool) {
		todo := []*cobra.Command{root}
		for len(todo) > 0 {
			cmd := todo[0]
			todo = append(todo[1:], cmd.Commands()...)
			if !yield(cmd) {
				return
			}
		}
	}
}

// usageError is an error of whoever typed the command.
type usageError struct{ error }

// Unwrap returns the cause.
func (e usageError) Unwrap() error { return e.error }

func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ExitCode returns the exit code for the error of a command tree: 0 for nil, 2 for wrong use (an unknown command or flag, a
// wrong number of arguments, what cannot be a tenant's id, a confirmation that is missing), 1 for everything else: the work
// failed, in all tenants or in some, or some of it is left.
func ExitCode(err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &wrong):
		return exitUsage
	}
	for _, cobras := range []string{"unknown command ", "required flag(s) ", "if any flags in the group ", "at least one of the flags "} {
		if strings.HasPrefix(err.Error(), cobras) {
			return exitUsage
		}
	}
	return exitFailed
}

// hintOf says what to do about an error that a tenant's statement ran into.
func hintOf(err error) string {
	switch {
	case errors.Is(err, tenancy.ErrTenantSuspended), errors.Is(err, tenancy.ErrTenantMaintenance):
		return "tenants resume lets it be served; --force works on it as it is"
	case errors.Is(err, tenancy.ErrNoTenant):
		return "run --tenant names one"
	}
	return ""
}
