package programs

import (
	"fmt"
	"strconv"

	"gorm.io/gorm"
)

// The models of the programs. They share their columns, so that one step can be about any of them. Texts begin with the name of
// the tenant. What comes back is compared as JSON, without the tenant, which plain GORM does not know.
type (
	Columns struct { // exported, because GORM reads embedded fields of exported types only
		// Text begins with the name of the tenant.
		Text string `gorm:"size:100"`
		// N is a small number.
		N *int
		// Note begins as Text does.
		Note *string `gorm:"size:100"`
	}
	poll struct {
		TenantID string `gorm:"primaryKey;size:63;uniqueIndex:idx_polls_code,priority:1" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Columns
		Code    string `gorm:"size:20;uniqueIndex:idx_polls_code,priority:2"`
		PlanID  *uint
		Plan    *plan
		Choices []choice `gorm:"foreignKey:TenantID,PollID;references:TenantID,ID"`
		Voters  []voter  `gorm:"many2many:poll_voters;foreignKey:TenantID,ID;joinForeignKey:TenantID,PollID;references:TenantID,ID;joinReferences:TenantID,VoterID"`
	}
	choice struct {
		TenantID string `gorm:"primaryKey;size:63" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Columns
		PollID uint
		Poll   *poll `gorm:"foreignKey:TenantID,PollID;references:TenantID,ID"`
	}
	voter struct {
		TenantID string `gorm:"primaryKey;size:63" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Columns
	}
	memo struct { // is deleted softly
		TenantID string `gorm:"primaryKey;size:63" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Columns
		Gone gorm.DeletedAt `json:"-"`
	}
	entry struct { // has a key without the tenant, which the database counts up for all
		ID       uint   `json:"-"`
		TenantID string `gorm:"size:63;index" json:"-"`
		Columns
	}
	plan struct { // central
		ID   uint   `gorm:"autoIncrement:false"`
		Name string `gorm:"size:100"`
	}
)

func ownedModels() []any { return []any{&poll{}, &choice{}, &voter{}, &memo{}, &entry{}} }

func centralModels() []any { return []any{&plan{}} }

// values are what a row is made of.
type values struct {
	id    uint
	text  string
	n     *int
	note  *string
	extra uint // a poll's code, a choice's poll
}

func (v values) columns() Columns { return Columns{Text: v.text, N: v.n, Note: v.note} }

// code is how a program shows them.
func (v values) code() string {
	s := fmt.Sprintf("ID: %d, Text: %q", v.id, v.text)
	if v.n != nil {
		s += fmt.Sprintf(", N: new(%d)", *v.n)
	}
	if v.note != nil {
		s += fmt.Sprintf(", Note: new(%q)", *v.note)
	}
	return s
}

// kind is a model that steps can be about.
type kind struct {
	name, table string
	single      bool   // its keys are the whole table's
	soft        bool   // its rows are deleted softly
	extra       string // the field that values.extra is for
	one, many   func() any
	row         func(tenant string, v values) any
	rows        func(tenant string, v []values) any
	generic     generics
}

func kindOf[T any](k kind, row func(tenant string, v values) T) *kind {
	k.one, k.many = func() any { return new(T) }, func() any { return new([]T) }
	k.row = func(tenant string, v values) any {
		r := row(tenant, v)
		return &r
	}
	k.rows = func(tenant string, all []values) any {
		rows := make([]T, len(all))
		for i, v := range all {
			rows[i] = row(tenant, v)
		}
		return &rows
	}
	k.generic = genericsOf[T](row)
	return &k
}

func kinds() []*kind {
	return []*kind{
		kindOf(kind{name: "voter", table: "voters"}, func(tenant string, v values) voter {
			return voter{TenantID: tenant, ID: v.id, Columns: v.columns()}
		}),
		kindOf(kind{name: "poll", table: "polls", extra: "Code"}, func(tenant string, v values) poll {
			return poll{TenantID: tenant, ID: v.id, Columns: v.columns(), Code: "c" + strconv.Itoa(int(v.extra))}
		}),
		kindOf(kind{name: "choice", table: "choices", extra: "PollID"}, func(tenant string, v values) choice {
			return choice{TenantID: tenant, ID: v.id, Columns: v.columns(), PollID: v.extra}
		}),
		kindOf(kind{name: "memo", table: "memos", soft: true}, func(tenant string, v values) memo {
			return memo{TenantID: tenant, ID: v.id, Columns: v.columns()}
		}),
		kindOf(kind{name: "entry", table: "entries", single: true}, func(tenant string, v values) entry {
			return entry{TenantID: tenant, ID: v.id, Columns: v.columns()}
		}),
	}
}
