package tenantcli

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// unprepared is the error of a command, and says what to do where it failed because the catalog's tables are not there yet.
func (e *Environment) unprepared(ctx context.Context, err error) error {
	p, ok := e.DB.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	if err == nil || ctx.Err() != nil || !ok {
		return err
	}
	db := e.DB.WithContext(ctx)
	for _, model := range catalog.Models() {
		stmt := &gorm.Statement{DB: db}
		if stmt.Parse(model) != nil || !slices.Contains(p.CentralTables(), stmt.Table) { // the records are elsewhere
			return err
		}
		if !db.Migrator().HasTable(model) {
			return fmt.Errorf("%w\nthe central tables are not there yet: make them first, with migrate up or as the application does it", err)
		}
	}
	return err
}
