package database_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/database"
)

// Order is owned, Price is central; each has hooks that look at the other.
type (
	Order struct {
		ID    uint
		Item  string
		Cents int
	}
	Price struct {
		ID     uint
		Item   string
		Cents  int
		Orders int64 `gorm:"-"`
	}
)

// AfterFind of an order reads a central row.
func (o *Order) AfterFind(tx *gorm.DB) error {
	var p Price
	err := tx.Where("item = ?", o.Item).Take(&p).Error
	o.Cents = p.Cents
	return err
}

// AfterFind of a price counts the tenant's orders, in three ways.
func (p *Price) AfterFind(tx *gorm.DB) error {
	id, ok := tenancy.FromContext(tx.Statement.Context)
	if !ok {
		return nil
	}
	var raw int64
	err := errors.Join(tx.Model(&Order{}).Where("item = ?", p.Item).Count(&p.Orders).Error,
		tx.Raw("SELECT COUNT(*) FROM orders WHERE item = ?", p.Item).Scan(&raw).Error,
		tx.Session(&gorm.Session{NewDB: true, Context: tenancy.WithTenant(tx.Statement.Context, id)}).Model(&Order{}).Count(new(int64)).Error)
	if raw != p.Orders {
		err = errors.Join(err, fmt.Errorf("raw SQL counted %d, GORM %d", raw, p.Orders))
	}
	return err
}

// AfterCreate of a price works in the transaction around it, savepoints included: one is undone, one kept.
func (p *Price) AfterCreate(tx *gorm.DB) error {
	_ = tx.Transaction(func(tx *gorm.DB) error {
		return errors.Join(tx.Model(&Price{ID: p.ID}).Update("item", "undone").Error, errors.New("undo"))
	})
	return tx.Transaction(func(tx *gorm.DB) error { return tx.Model(p).Update("cents", p.Cents+1).Error })
}

// TestHooks: the hooks of one kind reach the other kind in its own place.
func TestHooks(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]gorm.Config{"plain": {}, "PrepareStmt": {PrepareStmt: true}} {
		places := database.SQLiteFiles(t.TempDir(), sqlite.Open)
		s := database.New(places.Open, database.WithProvisioner(places))
		config.Logger = logger.Discard
		db := open(t, sqlite.Open(file(t, "central.db")), config)
		must(t, db.Use(tenancy.New(s, tenancy.OwnedModels(&Order{}), tenancy.CentralModels(&Price{}))))
		must(t, db.WithContext(bypass()).AutoMigrate(&Price{}))
		for i, id := range []tenancy.ID{"a", "b"} {
			must(t, s.Provision(t.Context(), id))
			must(t, db.WithContext(as(id)).Create(&[]Order{{Item: "pen"}, {Item: "ink"}}).Error)
			if i == 0 {
				must(t, db.WithContext(as(id)).Create(&Order{Item: "pen"}).Error)
			}
		}
		must(t, db.WithContext(as("a")).Create(&[]Price{{Item: "pen", Cents: 10}, {Item: "ink", Cents: 20}}).Error)
		for id, want := range map[tenancy.ID]int64{"a": 2, "b": 1} {
			var pen Price
			chain := db.WithContext(as(id)).Where("item = ?", "pen").Session(&gorm.Session{})
			must(t, chain.Take(&pen).Error)
			if pen.Orders != want || pen.Cents != 11 {
				t.Errorf("%s: as %s %+v", name, id, pen)
			}
			var orders []Order
			must(t, chain.Find(&orders).Error)
			if len(orders) != int(want) || orders[0].Cents != 11 {
				t.Errorf("%s: as %s %+v", name, id, orders)
			}
		}
		// One statement used for a central table and then for an owned one.
		tx := db.WithContext(as("b"))
		tx = tx.Find(&[]Price{})
		must(t, tx.Error)
		if got, _ := tenancy.FromContext(tx.Statement.Context); got != "b" {
			t.Error("the statement lost its tenant")
		}
		if reach, id, err := tenancy.ReachOf(tx.Statement.Context); reach != tenancy.ReachTenant || id != "b" || err != nil {
			t.Errorf("%s: the mark of a central statement was left: %v", name, reach)
		}
		err := db.WithContext(as("a")).Transaction(func(tx *gorm.DB) error { return tx.Take(&Order{}).Error })
		if !errors.Is(err, tenancy.ErrTenantMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
