package containers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/catalog"
)

// Command returns the command "containers" with render, plan and apply. list returns the tenants of the catalog; it is asked
// once by each. The program that mounts the command says what the flags of its root are.
func Command(list func(context.Context) ([]catalog.Tenant, error)) *cobra.Command {
	c := &command{list: list}
	root := &cobra.Command{Use: "containers", Short: "Run a set of containers for each tenant"}
	flags := root.PersistentFlags()
	flags.StringVar(&c.dir, "dir", "deploy", "directory to render into")
	flags.StringVar(&c.options.Project, "project", "polls", "name of the compose project and of the application's image")
	flags.StringVar(&c.options.Base, "base", "polls.local", "domain whose subdomains are the tenants")
	flags.IntVar(&c.options.Port, "port", 8080, "port of this machine that nginx answers at")
	flags.BoolVar(&c.options.SQLite, "sqlite", false, "an SQLite file in a volume for each tenant, in place of PostgreSQL")
	root.AddCommand(c.render(), c.plan(), c.apply())
	return root
}

type command struct {
	list    func(context.Context) ([]catalog.Tenant, error)
	options Options
	dir     string
}

func (c *command) topology(ctx context.Context) (*Topology, error) {
	tenants, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	return New(tenants, c.options)
}

func (c *command) render() *cobra.Command {
	return &cobra.Command{
		Use: "render", Short: "Write compose.yaml, nginx/nginx.conf, Dockerfile and missing secrets; start nothing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := c.topology(cmd.Context())
			if err != nil {
				return err
			}
			if err := Open(c.dir).Render(t); err != nil {
				return err
			}
			c.advise(cmd)
			return nil
		},
	}
}

// advise tells who is not root that the users in the containers cannot read the secrets.
func (c *command) advise(cmd *cobra.Command) {
	if os.Geteuid() != 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "secrets belong to you; give them to the containers as root: chown %d %s/secrets/*/%s; chown %d %s/secrets/*/%s\n",
			appUser, c.dir, urlFile, postgresUser, c.dir, passwordFile)
	}
}

func (c *command) plan() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what apply would change; change nothing", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := c.topology(cmd.Context())
			if err != nil {
				return err
			}
			plan, err := Open(c.dir).Plan(t)
			if err != nil {
				return err
			}
			return write(cmd, plan, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (c *command) apply() *cobra.Command {
	asJSON, o := false, ApplyOptions{}
	cmd := &cobra.Command{
		Use: "apply", Short: "Render, start what is new, reload nginx, end what is gone", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := c.topology(cmd.Context())
			if err != nil {
				return err
			}
			c.advise(cmd)
			plan, err := Open(c.dir).Apply(cmd.Context(), t, Docker{Dir: c.dir, Project: c.options.Project}, o)
			if err != nil {
				return err
			}
			return write(cmd, plan, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&o.RemoveData, "remove-data", false, "remove secrets and volumes of tenants that are gone, for good")
	return cmd
}

func write(cmd *cobra.Command, plan Plan, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(plan)
	}
	return plan.Print(cmd.OutOrStdout())
}
