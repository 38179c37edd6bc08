package tenancy_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Current is bound as text and never judged by the column's type. SQLite compares '007' with an
// integer column as 7, MySQL does so with '7x', PostgreSQL reads a UUID without dashes.
func TestCurrentNotCanonical(t *testing.T) { onEach(t, testCurrentNotCanonical) }

func testCurrentNotCanonical(t *testing.T, on backend) {
	db, e := openEmpty(t, on, tenancy.OwnedModels(&ledger[int]{}))
	if err := db.WithContext(bypass("create tables")).AutoMigrate(&ledger[int]{}); err != nil {
		t.Fatal(err)
	}
	e.must("create", db.WithContext(as("7")).Create(&ledger[int]{ID: 1, Name: "b-of-7"}).Error)
	e.refuse("built query", db.WithContext(as("007")).Find(&[]ledger[int]{}).Error, tenancy.ErrUnknownTenant)
	var names []string
	err := db.WithContext(as("007")).Raw("SELECT name FROM ledgers WHERE tenant_id = ?", tenancy.Current).Scan(&names).Error
	if !errors.Is(err, tenancy.ErrUnknownTenant) || len(names) > 0 {
		t.Errorf("tenant 007 read %q of tenant 7, error %v", names, err)
	}
	tx := db.WithContext(as("007")).Exec("DELETE FROM ledgers WHERE tenant_id = ?", tenancy.Current)
	if !errors.Is(tx.Error, tenancy.ErrUnknownTenant) || tx.RowsAffected > 0 {
		t.Errorf("tenant 007 deleted %d rows of tenant 7, error %v", tx.RowsAffected, tx.Error)
	}
	e.wants("SELECT name FROM ledgers", "b-of-7")
}

// the tenant's own ID in the form the package itself uses (tenancy.ID,
// text) or JSON uses (float64) is taken for another tenant's when the column is a number.
func TestOwnNumberInMap(t *testing.T) { onEach(t, testOwnNumberInMap) }

func testOwnNumberInMap(t *testing.T, on backend) {
	for name, own := range map[string]any{"text": "7", "tenancy.ID": tenancy.ID("7"), "json": float64(7), "int": 7} {
		t.Run(name, func(t *testing.T) {
			db, e := openEmpty(t, on, tenancy.OwnedModels(&ledger[int]{}))
			if err := db.WithContext(bypass("create tables")).AutoMigrate(&ledger[int]{}); err != nil {
				t.Fatal(err)
			}
			a := db.WithContext(as("7"))
			e.must("create", a.Create(&ledger[int]{ID: 1, Name: "a1"}).Error)
			e.must("update", a.Model(&ledger[int]{}).Where("id = 1").Updates(map[string]any{"tenant_id": own, "age": 1}).Error)
			e.must("create map", a.Model(&ledger[int]{}).Create(map[string]any{"tenant_id": own, "id": 2, "name": "a2"}).Error)
		})
	}
}

// the zero value of the column's type is a tenant for int and *uuid.UUID, not for uuid.UUID.
func TestZeroTenant(t *testing.T) { onEach(t, testZeroTenant) }

func testZeroTenant(t *testing.T, on backend) {
	const zero = tenancy.ID("00000000-0000-0000-0000-000000000000")
	db, e := openEmpty(t, on, tenancy.OwnedModels(&ledger[*uuid.UUID]{}))
	e.must("migrate", db.WithContext(bypass("create tables")).AutoMigrate(&ledger[*uuid.UUID]{}))
	e.refuse("nil uuid by pointer", db.WithContext(as(zero)).Find(&[]ledger[*uuid.UUID]{}).Error, tenancy.ErrUnknownTenant)
	db, e = openEmpty(t, on, tenancy.OwnedModels(&ledger[uuid.UUID]{}))
	e.must("migrate", db.WithContext(bypass("create tables")).AutoMigrate(&ledger[uuid.UUID]{}))
	e.refuse("nil uuid", db.WithContext(as(zero)).Find(&[]ledger[uuid.UUID]{}).Error, tenancy.ErrUnknownTenant)
	db, e = openEmpty(t, on, tenancy.OwnedModels(&ledger[int]{}))
	e.must("migrate", db.WithContext(bypass("create tables")).AutoMigrate(&ledger[int]{}))
	e.refuse("zero", db.WithContext(as("0")).Find(&[]ledger[int]{}).Error, tenancy.ErrUnknownTenant)
}

// a many-to-many join model with a tenant field of its own is not asked whether
// the two rows it links are the tenant's (without the field it is, and so is the automatic join table).
func TestOwnedJoinModel(t *testing.T) { onEach(t, testOwnedJoinModel) }

func testOwnedJoinModel(t *testing.T, on backend) {
	for name, attack := range map[string]func(a *gorm.DB) error{
		"append to b's person": func(a *gorm.DB) error { return a.Model(&Person{ID: 3}).Association("Skills").Append(&Skill{ID: 1}) },
		"link only, b's skill": func(a *gorm.DB) error {
			return a.Omit("Skills.*").Create(&Person{Name: "a3", Skills: []Skill{{ID: 3}}}).Error
		},
		"link row": func(a *gorm.DB) error { return a.Create(&OwnedPersonSkill{PersonID: 1, SkillID: 3}).Error },
	} {
		t.Run(name, func(t *testing.T) {
			opts := tenancy.OwnedModels(&Person{}, &Skill{}, &OwnedPersonSkill{})
			a, e, isolated := openPeople(t, on, setup(&OwnedPersonSkill{}), nothing, &OwnedPersonSkill{}, opts)
			e.must("own link", a.Model(&Person{ID: 1}).Association("Skills").Append(&Skill{ID: 1}))
			e.refuse(name, attack(a), tenancy.ErrTenantMismatch)
			isolated()
		})
	}
}
