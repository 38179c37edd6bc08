package shared_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type table struct{}

func (table) TableName() string { return "things" }

type text struct {
	table
	ID       int
	TenantID string `gorm:"type:text"`
}

type varchar4 struct {
	table
	ID       int
	TenantID string `gorm:"size:4"`
}

type char4 struct {
	table
	ID       int
	TenantID string `gorm:"type:char(4)"`
}

type citext struct {
	table
	ID       int
	TenantID string `gorm:"type:citext"`
}

type bytea struct {
	table
	ID       int
	TenantID []byte
}

type smallint struct {
	table
	ID       int
	TenantID int16
}

type integer struct {
	table
	ID       int
	TenantID uint16
}

type bigint struct {
	table
	ID       int
	TenantID uint
}

type numeric struct {
	table
	ID       int
	TenantID int64 `gorm:"type:numeric(20)"`
}

type uuidThing struct {
	table
	ID       int
	TenantID uuid.UUID `gorm:"type:uuid"`
}

// things are models of one table, by the type of their tenant column.
var things = map[string]any{
	"text": &text{}, "varchar(4)": &varchar4{}, "char(4)": &char4{}, "citext": &citext{}, "bytea": &bytea{},
	"smallint": &smallint{}, "integer": &integer{}, "bigint": &bigint{}, "numeric(20)": &numeric{}, "uuid": &uuidThing{},
}

// protected makes a table of things and protects it by the text that PolicySQL gives.
func (d database) protected(table, columnType string) {
	d.Helper()
	s := secured()
	text, err := s.PolicySQL(plain(d, d.app()), tenancy.New(s, tenancy.OwnedModels(things[columnType])))
	if err != nil {
		d.Fatal(err)
	}
	d.root(table)
	if _, err := pool(d, plain(d, d.app()+"&default_query_exec_mode=simple_protocol")).Exec(text); err != nil {
		d.Fatalf("%s: %v", text, err)
	}
}

// TestColumnTypes shows that a column which cannot be compared safely is refused, by name.
func TestColumnTypes(t *testing.T) {
	t.Parallel()
	d := empty(t)
	for columnType, want := range map[string]error{"bytea": tenancy.ErrUnsupported, "citext": tenancy.ErrUnsupported, "text": nil} {
		s := secured()
		_, err := s.PolicySQL(plain(t, d.app()), tenancy.New(s, tenancy.OwnedModels(things[columnType])))
		if !errors.Is(err, want) || (want != nil && !strings.Contains(err.Error(), columnType)) {
			t.Errorf("%s: %v, want %v", columnType, err, want)
		}
	}
}

// TestOptions shows that mistakes in the options surface in db.Use.
func TestOptions(t *testing.T) {
	t.Parallel()
	d := empty(t)
	for name, s := range map[string]*shared.Strategy{
		"BypassRole alone": shared.New(shared.BypassRole("x")),
		"Pooled alone":     shared.New(shared.Pooled()),
		"no role":          secured(shared.BypassRole("none")),
		"backslash":        secured(shared.BypassRole(`a\b`)),
		"pooled prepares":  secured(shared.Pooled()),
	} {
		if err := plain(t, d.app()).Use(pluginOf(s)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := plain(t, d.app()).Use(pluginOf(secured())); err != nil {
		t.Errorf("an empty database: %v", err)
	}
}
