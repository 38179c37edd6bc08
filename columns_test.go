package tenancy_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// ledger is a model whose tenant column has the type K and is half of its key; every tenant has the ids 1 and 2.
type ledger[K any] struct {
	TenantID K    `gorm:"primaryKey;autoIncrement:false"`
	ID       uint `gorm:"primaryKey;autoIncrement:false"`
	Name     string
	Age      int
}

func (ledger[K]) TableName() string { return "ledgers" }

type (
	orgKey   string
	sizedOrg struct {
		TenantID string `gorm:"primaryKey;size:4"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
		Name     string
		Age      int
	}
	nullUUIDOrg struct { // MariaDB has no keys of unlimited text, which is what GORM makes of a uuid.NullUUID there
		TenantID uuid.NullUUID `gorm:"primaryKey;size:36"`
		ID       uint          `gorm:"primaryKey;autoIncrement:false"`
		Name     string
		Age      int
	}
	taggedOrg struct {
		OrgID string `gorm:"primaryKey;column:organisation" tenancy:"tenant"`
		ID    uint   `gorm:"primaryKey;autoIncrement:false"`
		Name  string
		Age   int
	}
	namedOrg struct {
		OrgID uint `gorm:"primaryKey;autoIncrement:false"`
		ID    uint `gorm:"primaryKey;autoIncrement:false"`
		Name  string
		Age   int
	}
	// Base is embedded in three ways.
	Base struct {
		TenantID string `gorm:"primaryKey"`
		ID       uint   `gorm:"primaryKey;autoIncrement:false"`
	}
	embeddedOrg struct {
		Base
		Name string
		Age  int
	}
	embeddedPointerOrg struct {
		*Base
		Name string
		Age  int
	}
	prefixedOrg struct {
		Base Base `gorm:"embedded;embeddedPrefix:base_"`
		Name string
		Age  int
	}
	// decoyOrg marks another field than TenantID by tag.
	decoyOrg struct {
		OrgID    string `gorm:"primaryKey" tenancy:"tenant"`
		TenantID string
		ID       uint `gorm:"primaryKey;autoIncrement:false"`
		Name     string
		Age      int
	}
)

func (sizedOrg) TableName() string           { return "ledgers" }
func (nullUUIDOrg) TableName() string        { return "ledgers" }
func (taggedOrg) TableName() string          { return "ledgers" }
func (namedOrg) TableName() string           { return "ledgers" }
func (embeddedOrg) TableName() string        { return "ledgers" }
func (embeddedPointerOrg) TableName() string { return "ledgers" }
func (prefixedOrg) TableName() string        { return "ledgers" }
func (decoyOrg) TableName() string           { return "ledgers" }

// openEmpty is a database of its own with the plugin, and the same past it.
func openEmpty(t *testing.T, b backend, opts ...tenancy.Option) (*gorm.DB, *env) {
	t.Helper()
	e := b.connect(t, b.empty(t), &gorm.Config{}, func(db *gorm.DB) error {
		return db.Use(tenancy.New(shared.New(), append([]tenancy.Option{tenancy.Logger(silent)}, opts...)...))
	})
	return e.db, e
}

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

// columnTest runs the same attacks for a model M whose tenant column is column (Go field), for tenants one and two.
func columnTest[M any](t *testing.T, on backend, one, two tenancy.ID, column, goField, idColumn string, bad map[tenancy.ID]error, opts ...tenancy.Option) {
	t.Helper()
	db, e := openEmpty(t, on, append(opts, tenancy.OwnedModels(new(M)))...)
	if err := db.WithContext(bypass("create tables")).AutoMigrate(new(M)); err != nil {
		t.Fatal(err)
	}
	mk := func(id uint, name string) *M {
		m := new(M)
		v := reflect.ValueOf(m).Elem()
		if b := v.FieldByName("Base"); b.IsValid() && b.Kind() == reflect.Pointer {
			b.Set(reflect.ValueOf(&Base{}))
		}
		if f := v.FieldByName("ID"); f.IsValid() {
			f.SetUint(uint64(id))
		} else {
			v.FieldByName("Base").FieldByName("ID").SetUint(uint64(id))
		}
		v.FieldByName("Name").SetString(name)
		return m
	}
	nameOf := func(m M) string { return reflect.ValueOf(m).FieldByName("Name").String() }
	tenantOf := func(m *M) reflect.Value {
		v := reflect.ValueOf(m).Elem()
		if f := v.FieldByName(goField); f.IsValid() {
			return f
		}
		return v.FieldByName("Base").FieldByName(goField)
	}
	a, b := db.WithContext(as(one)), db.WithContext(as(two))
	e.must("create one", a.Create(mk(1, "a1")).Error)
	e.must("create two of one", a.Create([]*M{mk(2, "a2")}).Error)
	foreign := []M{*mk(1, "b1"), *mk(2, "b2")}
	e.must("create of two", b.Create(&foreign).Error)
	if tenantOf(&foreign[0]).IsZero() {
		t.Error("the created row does not know its tenant")
	}
	dump := func() string {
		return e.query("SELECT " + column + "," + idColumn + ", name, age FROM ledgers WHERE name LIKE 'b%' ORDER BY 1,2")
	}
	own := "SELECT name, age FROM ledgers WHERE name NOT LIKE 'b%' ORDER BY " + idColumn
	start := dump()
	if strings.Count(start, "b") < 2 {
		t.Fatalf("seed of the other tenant: %q", start)
	}
	e.wants(own, "a1 0 a2 0")
	e.wants("SELECT count(DISTINCT "+column+"), count(*) FROM ledgers", "2 4")
	var stored any
	if err := e.raw.QueryRow("SELECT " + column + " FROM ledgers WHERE name = 'a1'").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if s, ok := stored.([]byte); ok {
		stored = string(s)
	}
	if got := fmt.Sprint(stored); got != string(one) {
		t.Errorf("stored tenant %q, want %q", got, one)
	}

	// Reads.
	read := func(what string, tx *gorm.DB, want string) {
		t.Helper()
		var rows []M
		e.must(what, tx.Order(idColumn).Find(&rows).Error)
		var got []string
		for _, r := range rows {
			got = append(got, nameOf(r))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: saw %q, want %q", what, g, want)
		}
	}
	read("all", a, "a1 a2")
	read("or", a.Where("1=0").Or("1=1"), "a1 a2")
	read("id", a.Where(map[string]any{idColumn: 1}), "a1")
	read("the other's column value", a.Where(column+" = ?", tenantOf(&foreign[0]).Interface()), "")
	read("struct condition", a.Where(mk(2, "a2")), "a2")
	read("struct condition of the other", a.Where(&foreign[0]), "")
	read("two", b, "b1 b2")
	var maps []map[string]any
	e.must("maps", a.Model(new(M)).Find(&maps).Error)
	if len(maps) != 2 {
		t.Errorf("maps %v", maps)
	}
	maps = nil
	e.must("table maps", a.Table("ledgers").Find(&maps).Error)
	if len(maps) != 2 || strings.HasPrefix(fmt.Sprint(maps[0]["name"]), "b") {
		t.Errorf("maps %v", maps)
	}
	var n int64
	e.must("count", a.Model(new(M)).Count(&n).Error)
	if n != 2 {
		t.Errorf("counted %d", n)
	}
	var names []string
	e.must("raw", a.Raw("SELECT name FROM ledgers WHERE "+column+" = ? ORDER BY name", tenancy.Current).Scan(&names).Error)
	if strings.Join(names, " ") != "a1 a2" {
		t.Errorf("raw saw %q", names)
	}
	e.must("exec", a.Exec("UPDATE ledgers SET age = 0 WHERE "+column+" = ?", tenancy.Current).Error)

	// Attacks on writes.
	taken := *mk(7, "b-stolen")
	tenantOf(&taken).Set(tenantOf(&foreign[0]))
	first := *mk(1, "")
	e.must("first", a.Where(idColumn+" = 1").First(&first).Error)
	mineValue := tenantOf(&first).Interface()
	other := tenantOf(&foreign[0]).Interface()
	e.refuse("create for two", a.Create(&taken).Error, tenancy.ErrTenantMismatch)
	e.refuse("save two's", a.Save(&foreign[0]).Error, tenancy.ErrTenantMismatch)
	e.refuse("batch for two", a.Create([]*M{mk(8, "a8"), &taken}).Error, tenancy.ErrTenantMismatch)
	for _, key := range []string{column, strings.ToUpper(column)} {
		e.refuse("map for two "+key, a.Model(new(M)).Create(map[string]any{key: other, idColumn: 7, "name": "b-stolen"}).Error, tenancy.ErrTenantMismatch)
		e.refuse("table map for two "+key, a.Table("ledgers").Create(map[string]any{key: other, idColumn: 7, "name": "b-stolen"}).Error, tenancy.ErrTenantMismatch)
	}
	e.refuse("move", a.Model(new(M)).Where(idColumn+" = 1").Update(column, other).Error, tenancy.ErrTenantMismatch)
	e.refuse("move by map", a.Model(new(M)).Where(idColumn+" = 1").Updates(map[string]any{column: other, "age": 1}).Error, tenancy.ErrTenantMismatch)
	e.refuse("move by struct", a.Model(new(M)).Where(idColumn+" = 1").Updates(&foreign[0]).Error, tenancy.ErrTenantMismatch)
	e.refuse("move by text", a.Model(new(M)).Where(idColumn+" = 1").Update(column, string(two)).Error, tenancy.ErrTenantMismatch)
	if tx := a.Model(&foreign[0]).Update("age", 66); tx.RowsAffected != 0 {
		t.Errorf("update of the other's row: %d rows", tx.RowsAffected)
	}
	if tx := a.Delete(&foreign[0]); tx.RowsAffected != 0 {
		t.Errorf("delete of the other's row: %d rows", tx.RowsAffected)
	}
	e.refuse("no tenant", db.Find(&[]M{}).Error, tenancy.ErrNoTenant)
	for id, want := range bad {
		x := db.WithContext(as(id))
		for what, err := range map[string]error{
			"find":     x.Find(&[]M{}).Error,
			"count":    x.Model(new(M)).Count(&n).Error,
			"create":   x.Create(mk(9, "bad")).Error,
			"map":      x.Model(new(M)).Create(map[string]any{idColumn: 9, "name": "bad"}).Error,
			"update":   x.Model(new(M)).Where("1=1").Update("age", 9).Error,
			"delete":   x.Where("1=1").Delete(new(M)).Error,
			"subquery": x.Where(idColumn+" IN (?)", x.Model(new(M)).Select(idColumn)).Find(&[]M{}).Error,
		} {
			if !errors.Is(err, want) {
				t.Errorf("%s as %q: error %v, want %v", what, id, err, want)
			}
		}
	}
	if now := dump(); now != start {
		t.Fatalf("the other tenant's rows changed: %q, before %q", now, start)
	}
	e.wants(own, "a1 0 a2 0")

	// Legitimate writes, on ids the other tenant has, too.
	e.must("update", a.Model(new(M)).Where(idColumn+" = ?", 1).Update("age", 1).Error)
	e.must("update or", a.Model(new(M)).Where("1=0").Or(idColumn+" = 2").Updates(map[string]any{"age": 2}).Error)
	e.wants(own, "a1 1 a2 2")
	e.must("own tenant named", a.Model(new(M)).Where(idColumn+" = ?", 1).Updates(map[string]any{column: mineValue, "age": 3}).Error)
	mine := mk(2, "a2-saved")
	e.must("read mine", a.Where(idColumn+" = 2").First(mine, "name = 'a2'").Error)
	reflect.ValueOf(mine).Elem().FieldByName("Name").SetString("a2-saved")
	e.must("save", a.Save(mine).Error)
	e.wants(own, "a1 3 a2-saved 2")
	e.must("upsert", a.Clauses(clause.OnConflict{UpdateAll: true}).Create(mk(1, "a1-up")).Error)
	e.wants(own, "a1-up 0 a2-saved 2")
	e.must("map", a.Model(new(M)).Create(map[string]any{idColumn: 3, "name": "a3"}).Error)
	e.must("maps", a.Table("ledgers").Create([]map[string]any{{idColumn: 4, "name": "a4"}, {idColumn: 5, "name": "a5", column: mineValue}}).Error)
	e.wants("SELECT count(*) FROM ledgers WHERE "+column+" = (SELECT "+column+" FROM ledgers WHERE name = 'a1-up') AND name IN ('a3','a4','a5')", "3")
	e.must("delete", a.Where(idColumn+" IN ?", []int{3, 4}).Delete(new(M)).Error)
	e.must("delete struct", a.Delete(mk(2, "")).Error)
	e.wants("SELECT name FROM ledgers WHERE name NOT LIKE 'b%' ORDER BY "+idColumn, "a1-up a5")
	e.must("delete all", a.Where("1=1").Or("1=1").Delete(new(M)).Error)
	e.wants("SELECT count(*) FROM ledgers WHERE name NOT LIKE 'b%'", "0")
	if now := dump(); now != start {
		t.Errorf("the other tenant's rows changed: %q, before %q", now, start)
	}
}

const (
	uuidA = "0188d0e4-3d5c-7a2b-9c1d-aaaaaaaaaaaa"
	uuidB = "0188d0e4-3d5c-7a2b-9c1d-bbbbbbbbbbbb"
)

func TestColumns(t *testing.T) { onEach(t, testColumns) }

func testColumns(t *testing.T, on backend) {
	unknown, invalid := tenancy.ErrUnknownTenant, tenancy.ErrInvalidID
	numbers := func(more ...tenancy.ID) map[tenancy.ID]error {
		bad := map[tenancy.ID]error{
			"007": unknown, "07": unknown, "7x": unknown, "x": unknown, "0x7": unknown, "7_0": unknown,
			"7e1": unknown, "00": unknown, "7-0": unknown, "-7": invalid, "+7": invalid, "7 ": invalid, "": invalid,
			"99999999999999999999": unknown,
		}
		for _, id := range more {
			bad[id] = unknown
		}
		return bad
	}
	const col, field = "tenant_id", "TenantID"
	t.Run("int", func(t *testing.T) { columnTest[ledger[int]](t, on, "7", "8", col, field, "id", numbers()) })
	t.Run("int8", func(t *testing.T) {
		columnTest[ledger[int8]](t, on, "7", "127", col, field, "id", numbers("128", "263", "255"))
	})
	t.Run("int64", func(t *testing.T) {
		columnTest[ledger[int64]](t, on, "9223372036854775807", "8", col, field, "id", numbers("9223372036854775808"))
	})
	t.Run("uint", func(t *testing.T) { columnTest[ledger[uint]](t, on, "7", "8", col, field, "id", numbers()) })
	t.Run("uint32", func(t *testing.T) {
		columnTest[ledger[uint32]](t, on, "7", "4294967295", col, field, "id", numbers("4294967296", "4294967303"))
	})
	t.Run("*int", func(t *testing.T) { columnTest[ledger[*int]](t, on, "7", "8", col, field, "id", numbers()) })
	t.Run("*uint", func(t *testing.T) { columnTest[ledger[*uint]](t, on, "7", "8", col, field, "id", numbers()) })
	t.Run("string", func(t *testing.T) { columnTest[ledger[string]](t, on, "a", "b", col, field, "id", nil) })
	t.Run("string numbers", func(t *testing.T) { columnTest[ledger[string]](t, on, "7", "007", col, field, "id", nil) })
	t.Run("*string", func(t *testing.T) { columnTest[ledger[*string]](t, on, "a", "b", col, field, "id", nil) })
	t.Run("named string", func(t *testing.T) { columnTest[ledger[orgKey]](t, on, "a", "b", col, field, "id", nil) })
	t.Run("sql.NullString", func(t *testing.T) { columnTest[ledger[sql.NullString]](t, on, "a", "b", col, field, "id", nil) })
	t.Run("sql.NullInt64", func(t *testing.T) {
		columnTest[ledger[sql.NullInt64]](t, on, "7", "8", col, field, "id", map[tenancy.ID]error{"007": unknown, "x": unknown})
	})
	t.Run("sized string", func(t *testing.T) {
		columnTest[sizedOrg](t, on, "abcd", "abce", col, field, "id", map[tenancy.ID]error{"abcde": unknown, "abcd-": unknown})
	})
	uuids := map[tenancy.ID]error{
		"0188d0e43d5c7a2b9c1daaaaaaaaaaaa":              unknown, // without dashes
		"0188D0E4-3D5C-7A2B-9C1D-AAAAAAAAAAAA":          invalid, // capitals
		"{" + uuidA + "}":                               invalid,
		"urn:uuid:" + uuidA:                             invalid,
		"a":                                             unknown,
		"7":                                             unknown,
		"0188d0e4-3d5c-7a2b-9c1d-aaaaaaaaaaa":           unknown,
		"0188d0e4-3d5c-7a2b-9c1d-aaaaaaaaaaaaa":         unknown,
		"0188d0e43d5c-7a2b-9c1d-aaaaaaaaaaaa-":          unknown,
		"g188d0e4-3d5c-7a2b-9c1d-aaaaaaaaaaaa":          unknown,
		tenancy.ID("z" + uuidA[:35] + "z"):              unknown,
		tenancy.ID("0" + strings.Repeat("1", 15)):       unknown, // 16 bytes, as the binary form
		tenancy.ID(strings.ReplaceAll(uuidA, "-", "_")): unknown,
	}
	t.Run("uuid", func(t *testing.T) { columnTest[ledger[uuid.UUID]](t, on, uuidA, uuidB, col, field, "id", uuids) })
	t.Run("*uuid", func(t *testing.T) { columnTest[ledger[*uuid.UUID]](t, on, uuidA, uuidB, col, field, "id", uuids) })
	t.Run("uuid.NullUUID", func(t *testing.T) { columnTest[nullUUIDOrg](t, on, uuidA, uuidB, col, field, "id", uuids) })
	t.Run("tag", func(t *testing.T) { columnTest[taggedOrg](t, on, "a", "b", "organisation", "OrgID", "id", nil) })
	t.Run("tag beats name", func(t *testing.T) { columnTest[decoyOrg](t, on, "a", "b", "org_id", "OrgID", "id", nil) })
	t.Run("tag beats option", func(t *testing.T) {
		columnTest[decoyOrg](t, on, "a", "b", "org_id", "OrgID", "id", nil, tenancy.TenantField("TenantID"))
	})
	t.Run("option", func(t *testing.T) {
		columnTest[namedOrg](t, on, "7", "8", "org_id", "OrgID", "id", numbers(), tenancy.TenantField("OrgID"))
	})
	t.Run("embedded", func(t *testing.T) { columnTest[embeddedOrg](t, on, "a", "b", col, field, "id", nil) })
	t.Run("embedded pointer", func(t *testing.T) { columnTest[embeddedPointerOrg](t, on, "a", "b", col, field, "id", nil) })
	t.Run("embedded with prefix", func(t *testing.T) {
		columnTest[prefixedOrg](t, on, "a", "b", "base_tenant_id", "TenantID", "base_id", nil)
	})
}

// A tenant field that cannot be written is a mistake db.Use reports.
func TestColumnsNotWritable(t *testing.T) {
	type ReadOnly struct {
		ID       uint
		TenantID string `gorm:"->"`
	}
	type Ignored struct {
		ID       uint
		TenantID string `gorm:"-"`
	}
	type UpdateOnly struct {
		ID       uint
		TenantID string `gorm:"<-:update"`
	}
	type CreateOnly struct {
		ID       uint
		TenantID string `gorm:"<-:create"`
	}
	for _, bad := range []any{&ReadOnly{}, &Ignored{}, &UpdateOnly{}} {
		if err := useError(t, tenancy.OwnedModels(bad)); !errors.Is(err, tenancy.ErrUndeclared) {
			t.Errorf("%T: error %v, want ErrUndeclared", bad, err)
		}
	}
	if err := useError(t, tenancy.OwnedModels(&CreateOnly{})); err != nil {
		t.Errorf("a field writable on create: %v", err)
	}
}

// useError is what db.Use says to the options.
func useError(t *testing.T, opts ...tenancy.Option) error {
	t.Helper()
	db, err := gorm.Open(sqlite.Open("file::memory:"), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return db.Use(tenancy.New(shared.New(), append(opts, tenancy.Logger(silent))...))
}
