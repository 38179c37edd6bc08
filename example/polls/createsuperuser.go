package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// newCreateSuperuser is a command of the application: it acts for the tenant of its context.
func newCreateSuperuser(s *settings) *cobra.Command {
	var username, email string
	cmd := &cobra.Command{
		Use: "createsuperuser", Short: "Make a user who may do everything in the admin of a tenant", Args: cobra.NoArgs,
		Long: "Make a user who may do everything in the admin of a tenant. The password comes from POLLS_PASSWORD, a prompt or stdin.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			service, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer service.Close()
			ctx := service.Acting(cmd.Context())
			id, ok := tenancy.FromContext(ctx)
			if !ok {
				return errors.New("say for which tenant: polls run --tenant thor -- createsuperuser --username " + username)
			}
			password, err := readPassword(cmd)
			if err != nil {
				return err
			}
			if _, err := polls.CreateSuperuser(ctx, service.DB, username, email, password); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is a superuser of %s\n", username, id)
			return err
		},
	}
	cmd.Flags().StringVar(&username, "username", "", "the user's name")
	cmd.Flags().StringVar(&email, "email", "", "the user's address; may be empty")
	_ = cmd.MarkFlagRequired("username")
	return cmd
}

// readPassword never takes a password from the arguments, which other users of the machine can see.
func readPassword(cmd *cobra.Command) (string, error) {
	if password := os.Getenv("POLLS_PASSWORD"); password != "" {
		return password, nil
	}
	in := cmd.InOrStdin()
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		fmt.Fprint(cmd.ErrOrStderr(), "Password: ")
		password, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(password), err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("set POLLS_PASSWORD, or send the password to stdin")
	}
	return line, nil
}
