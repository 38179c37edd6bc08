package programs

import (
	"reflect"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// stamp writes the tenant of the context into new rows of plain GORM, as an application without the plugin does, unless they say
// whose they are.
func stamp(db *gorm.DB) {
	id, ok := tenancy.FromContext(db.Statement.Context)
	if !ok || db.Statement.Schema == nil || db.Statement.Schema.LookUpField("TenantID") == nil {
		return
	}
	if len(db.Statement.Selects) > 0 {
		db.Statement.Selects = append(db.Statement.Selects[:len(db.Statement.Selects):len(db.Statement.Selects)], "TenantID")
	}
	switch rows := db.Statement.Dest.(type) {
	case map[string]any:
		rows["tenant_id"] = string(id)
		return
	case *map[string]any:
		(*rows)["tenant_id"] = string(id)
		return
	case *[]map[string]any:
		for _, row := range *rows {
			row["tenant_id"] = string(id)
		}
		return
	case []map[string]any:
		for _, row := range rows {
			row["tenant_id"] = string(id)
		}
		return
	}
	value := db.Statement.ReflectValue
	if value.Kind() != reflect.Slice {
		stampRow(value, id)
		return
	}
	for i := range value.Len() {
		stampRow(reflect.Indirect(value.Index(i)), id)
	}
}

func stampRow(row reflect.Value, id tenancy.ID) {
	if field := row.FieldByName("TenantID"); field.IsZero() {
		field.SetString(string(id))
	}
}

// keep leaves the tenant out of what plain GORM sets: to end an association by two columns it empties both.
func keep(db *gorm.DB) {
	if s := db.Statement.Schema; s != nil && s.LookUpField("TenantID") != nil {
		db.Statement.Omits = append(db.Statement.Omits[:len(db.Statement.Omits):len(db.Statement.Omits)], "TenantID")
	}
}
