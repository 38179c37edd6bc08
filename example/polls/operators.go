package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
)

// newOperators is about the people who look after all tenants, and not about a tenant.
func newOperators(s *settings) *cobra.Command {
	group := &cobra.Command{Use: "operators", Short: "Who may look after all tenants", Args: cobra.NoArgs, RunE: help}
	group.AddCommand(&cobra.Command{
		Use: "create NAME", Short: "Make an operator; the password comes from POLLS_PASSWORD, a prompt or stdin", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, ok := tenancy.FromContext(cmd.Context()); ok {
				return errors.New("operators belong to no tenant")
			}
			service, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer service.Close()
			if service.Strategy() == hosting.Pinned {
				return errors.New("a pinned process has no operators: it serves one tenant, which has superusers")
			}
			password, err := readPassword(cmd)
			if err != nil {
				return err
			}
			if err := operator.Create(cmd.Context(), service.DB, args[0], password); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is an operator\n", args[0])
			return err
		},
	})
	return group
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }
