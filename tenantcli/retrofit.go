package tenantcli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/retrofit"
)

// retrofit is the command "retrofit" with the stages below it.
func (a *mounted) retrofit() *cobra.Command {
	cmd := &cobra.Command{
		Use: "retrofit", Short: "Give the tables of a running application without tenants a tenant, stage by stage", Args: group, RunE: help,
	}
	outputFlags(cmd)
	for _, stage := range []struct{ name, short string }{
		{"plan", "Print the SQL that each stage would run now; nothing is run"},
		{string(retrofit.StageAdd), "Add the tenant column, and triggers that fill it in"},
		{string(retrofit.StageBackfill), "Give the rows that were there before a tenant, in batches"},
		{string(retrofit.StageConstrain), "Add NOT NULL, and indexes led by the tenant"},
		{"check", "Say whether the program with the plugin may come; nothing is changed"},
		{string(retrofit.StageFinish), "Drop the triggers and the old unique indexes; no old program runs any more"},
	} {
		cmd.AddCommand(&cobra.Command{Use: stage.name, Short: stage.short, Args: none, RunE: a.stage(stage.name)})
	}
	return cmd
}

// stage is the function of a command of the retrofit. It opens no environment: there may be no plugin yet that would start.
func (a *mounted) stage(name string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		ctx, p, err := begin(cmd)
		if err != nil {
			return err
		}
		r, err := a.Retrofit(ctx)
		if err != nil {
			return err
		}
		if r == nil {
			return errors.New("tenantcli: App.Retrofit returned no retrofit")
		}
		args := []string{name}
		if p.json {
			args = []string{"--json", name}
		}
		if retrofit.Command(ctx, r, args, p.out, p.err) != 0 {
			return fmt.Errorf("retrofit %s has failed", name)
		}
		return nil
	}
}
