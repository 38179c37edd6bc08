package record_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/record"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

type (
	Note struct {
		record.Record
		Text string
	}
	Label struct {
		record.Unique
		Name string `gorm:"size:50;uniqueIndex:,composite:unique"`
	}
)

func open(t *testing.T) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "record.db")+"?_txlock=immediate"),
		&gorm.Config{TranslateError: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if err := db.AutoMigrate(&record.Counter{}, &Note{}, &Label{}); err != nil {
		t.Fatal(err)
	}
	return db
}

func as(t *testing.T, db *gorm.DB, id tenancy.ID) *gorm.DB {
	return db.WithContext(tenancy.WithTenant(t.Context(), id))
}

// TestIDs: ids count from 1 in each table and tenant, and are given once.
func TestIDs(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&record.Counter{}, &Note{}, &Label{}))); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []tenancy.ID{"a", "b"} {
		db := as(t, db, tenant)
		ids := func(notes ...*Note) (ids []int64) {
			t.Helper()
			if err := db.Create(notes).Error; err != nil {
				t.Fatal(err)
			}
			for _, n := range notes {
				ids = append(ids, n.ID)
			}
			return ids
		}
		if got := ids(&Note{}, &Note{}, &Note{}); !reflect.DeepEqual(got, []int64{1, 2, 3}) {
			t.Errorf("%s: %v", tenant, got)
		}
		if err := db.Where("id = ?", 3).Delete(&Note{}).Error; err != nil {
			t.Fatal(err)
		}
		if got := ids(&Note{}); !reflect.DeepEqual(got, []int64{4}) {
			t.Errorf("%s: after a deletion %v", tenant, got)
		}
		if got := ids(&Note{Record: record.Record{ID: 99}}, &Note{}); !reflect.DeepEqual(got, []int64{99, 5}) {
			t.Errorf("%s: beside a given id %v", tenant, got)
		}
		failure := errors.New("rolled back")
		if err := db.Transaction(func(tx *gorm.DB) error { return errors.Join(tx.Create(&Note{}).Error, failure) }); !errors.Is(err, failure) {
			t.Error(err)
		}
		if got := ids(&Note{}); !reflect.DeepEqual(got, []int64{6}) {
			t.Errorf("%s: after a rollback %v", tenant, got)
		}
		label := Label{Name: "same"}
		if err := db.Create(&label).Error; err != nil || label.ID != 1 {
			t.Errorf("%s: label %d, %v", tenant, label.ID, err)
		}
		if err := db.Create(&Label{Name: "same"}).Error; !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Errorf("%s: second label: %v", tenant, err)
		}
	}
}

// TestAlone: without the plugin there is one space, and the keys work all the same.
func TestAlone(t *testing.T) {
	t.Parallel()
	db := open(t)
	notes := []Note{{Text: "x"}, {Text: "y"}}
	if err := db.Create(&notes).Error; err != nil || notes[0].ID != 1 || notes[1].ID != 2 {
		t.Errorf("%v, %v", notes, err)
	}
}
