package strategytest

import (
	"gorm.io/gorm"
)

// The models of the suite. Keys begin with the tenant, so that tenants in one table have rows of the same ids, too. What comes
// back is compared as JSON, without the tenant, which plain GORM does not know.
type (
	poll struct {
		TenantID string `gorm:"primaryKey;size:63;uniqueIndex:idx_polls_code,priority:1" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Code     string `gorm:"size:20;uniqueIndex:idx_polls_code,priority:2"`
		Title    string `gorm:"size:100"`
		Votes    int
		PlanID   *uint
		Plan     *plan
		Choices  []choice `gorm:"foreignKey:TenantID,PollID;references:TenantID,ID"`
		Voters   []voter  `gorm:"many2many:poll_voters;foreignKey:TenantID,ID;joinForeignKey:TenantID,PollID;references:TenantID,ID;joinReferences:TenantID,VoterID"`
	}
	choice struct {
		TenantID string `gorm:"primaryKey;size:63" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		PollID   uint
		Poll     *poll  `gorm:"foreignKey:TenantID,PollID;references:TenantID,ID"`
		Text     string `gorm:"size:100"`
		Votes    int
	}
	voter struct {
		TenantID string `gorm:"primaryKey;size:63" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Name     string `gorm:"size:100"`
		Email    string `gorm:"size:100"`
	}
	memo struct {
		TenantID string `gorm:"primaryKey;size:63" json:"-"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Text     string `gorm:"size:100"`
		Gone     gorm.DeletedAt
	}
	plan struct { // central
		ID   uint   `gorm:"autoIncrement:false"`
		Name string `gorm:"size:100"`
	}
)

func ownedModels() []any { return []any{&poll{}, &choice{}, &voter{}, &memo{}} }

func centralModels() []any { return []any{&plan{}} }

// table is what is seeded and compared of a table. In the rows # is the tenant.
type table struct {
	name    string
	columns string // but the tenant's
	rows    []string
	only    string // a row that b has and a has not
}

// ownedTables are in an order in which rows can be inserted.
var ownedTables = []table{
	{"polls", "id, code, title, votes, plan_id", []string{"1, 'c1', '#-one', 10, 1", "2, 'c2', '#-two', 20, 2"}, "9, 'c9', '#-nine', 90, 1"},
	{"voters", "id, name, email", []string{"1, '#-ann', '#@1'", "2, '#-bob', '#@2'"}, "9, '#-nina', '#@9'"},
	{"choices", "id, poll_id, text, votes", []string{"1, 1, '#-yes', 3", "2, 1, '#-no', 4", "3, 2, '#-maybe', 5"}, "9, 9, '#-never', 6"},
	{"memos", "id, text, gone", []string{"1, '#-memo1', NULL", "2, '#-memo2', NULL"}, "9, '#-memo9', NULL"},
	{"poll_voters", "poll_id, voter_id", []string{"1, 1", "1, 2"}, "9, 9"},
}

var centralTables = []table{{"plans", "id, name", []string{"1, 'free'", "2, 'gold'"}, ""}}
