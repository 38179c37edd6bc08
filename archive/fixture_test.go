package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
)

// The models have every kind of column and of reference: parents, a circle (polls and people), a reference to the own table,
// polymorphic ones, a key that is the parent's, a join table without tenant column, and notes with overlapping keys.
type (
	Poll struct {
		ID        uint
		TenantID  string `gorm:"size:63;not null;index"`
		Title     string `gorm:"size:200"`
		Price     float64
		Amount    string `gorm:"type:decimal(30,10)"`
		Big       int64
		Open      bool
		Data      []byte
		Meta      map[string]any  `gorm:"serializer:json;type:json"`
		Raw       json.RawMessage `gorm:"type:json"`
		At        time.Time       `gorm:"precision:6"`
		Day       *time.Time      `gorm:"type:date"`
		DeletedAt gorm.DeletedAt  `gorm:"precision:6"`
		UpdatedAt time.Time       `gorm:"precision:6"`
		AuthorID  *uint
		Author    *Person
		Choices   []Choice
		Labels    []Label   `gorm:"many2many:poll_labels"`
		Comments  []Comment `gorm:"polymorphic:Owner"`
		Detail    *Detail
	}
	Choice struct {
		ID       uint
		TenantID string `gorm:"size:63;not null"`
		PollID   uint
		Text     string    `gorm:"size:100"`
		Comments []Comment `gorm:"polymorphic:Owner"`
	}
	Label struct {
		ID       uint
		TenantID string `gorm:"size:63;not null"`
		Name     string `gorm:"size:100"`
	}
	Person struct {
		ID          uint
		TenantID    string `gorm:"size:63;not null"`
		Name        string `gorm:"size:100"`
		FavouriteID *uint
		Favourite   *Poll `gorm:"constraint:-"` // makes a circle of tables
	}
	Comment struct {
		ID        uint
		TenantID  string `gorm:"size:63;not null"`
		Text      string `gorm:"size:100"`
		ParentID  *uint
		Parent    *Comment
		OwnerID   uint
		OwnerType string `gorm:"size:50"`
	}
	Detail struct {
		PollID   uint   `gorm:"primaryKey;autoIncrement:false"`
		TenantID string `gorm:"size:63;not null"`
		Text     string `gorm:"size:100"`
	}
	Note struct {
		TenantID string `gorm:"primaryKey;size:63"`
		Code     string `gorm:"primaryKey;size:50"`
		Body     string
	}
	Plan struct {
		ID   uint
		Name string `gorm:"size:100"`
	}
)

// BeforeCreate must not run in an import.
func (*Label) BeforeCreate(*gorm.DB) error { return fmt.Errorf("a hook ran") }

var (
	owned  = []any{&Poll{}, &Choice{}, &Label{}, &Person{}, &Comment{}, &Detail{}, &Note{}}
	tables = []string{"polls", "choices", "labels", "people", "comments", "details", "notes", "poll_labels"}
)

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func plugin(s tenancy.Strategy) *tenancy.Plugin {
	return tenancy.New(s, tenancy.OwnedModels(owned...), tenancy.CentralModels(&Plan{}), tenancy.Logger(slog.New(slog.DiscardHandler)))
}

// fill gives a tenant rows whose ids begin at first. Text says whose they are. Comments 1 and 3 have later parents.
func fill(t testing.TB, db *gorm.DB, id tenancy.ID, first uint) {
	t.Helper()
	if db.Name() == "postgres" { // whose sequences do not look at keys that are given
		for _, table := range []string{"polls", "choices", "labels", "people", "comments"} {
			must(t, db.WithContext(as(id)).Exec("SELECT count(nextval(pg_get_serial_sequence(?, 'id'))) FROM generate_series(1, ?)",
				table, first+10).Error)
		}
	}
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.FixedZone("", 2*3600))
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	n := func(k uint) *uint { k += first - 1; return &k }
	mine := func(s string) string { return s + " of " + string(id) }
	db = db.WithContext(as(id)).Session(&gorm.Session{SkipHooks: true}).Omit(clause.Associations).Session(&gorm.Session{})
	create := func(v any) {
		t.Helper()
		must(t, db.Create(v).Error)
	}
	create(&[]Person{{ID: *n(1), Name: mine("Ann")}, {ID: *n(2), Name: mine("Bob")}})
	create(&[]Poll{
		{
			ID: *n(1), Title: mine("<Z\u00fcrich> \"\\ \n\t\u2028 \U0001F600"), Price: 0.1, Amount: "12345678901234567890.0123456789",
			Big: math.MinInt64, Open: true, Data: []byte{0, 255, 128, 10}, Meta: map[string]any{"b": "x<y", "a": 1.5},
			Raw: json.RawMessage(`{"z":[1,2.50,null],"a":"\u00e9"}`), At: at, Day: &day, AuthorID: n(1), UpdatedAt: at,
		},
		{
			ID: *n(2), Title: mine(""), Price: -1e-300, Amount: "0", Big: math.MaxInt64, Meta: nil, Raw: json.RawMessage("null"), At: at,
			UpdatedAt: at, DeletedAt: gorm.DeletedAt{Time: at, Valid: true}, Data: []byte{},
		},
		{ID: *n(7), Title: mine("gap"), Price: 1e21, Amount: "-7.5", Raw: json.RawMessage(`""`), At: at, UpdatedAt: at, AuthorID: n(2)},
	})
	must(t, db.Model(&Person{}).Where("id = ?", *n(1)).Update("favourite_id", *n(7)).Error)
	create(&[]Choice{{ID: *n(1), PollID: *n(1), Text: mine("yes")}, {ID: *n(2), PollID: *n(7), Text: mine("no")}})
	create(&[]Label{{ID: *n(1), Name: mine("red")}, {ID: *n(2), Name: mine("blue")}})
	create(&Detail{PollID: *n(7), Text: mine("more")})
	create(&[]Note{{Code: "1", Body: mine("a")}, {Code: "B", Body: mine("")}, {Code: "a", Body: mine("\x7f")}, {Code: "\u00e9"}})
	create(&[]Comment{
		{ID: *n(1), Text: mine("first"), OwnerID: *n(1), OwnerType: "polls"},
		{ID: *n(2), Text: mine("reply"), ParentID: n(1), OwnerID: *n(2), OwnerType: "choices"},
		{ID: *n(3), Text: mine("early"), OwnerID: *n(7), OwnerType: "polls"},
		{ID: *n(4), Text: mine("late"), OwnerID: *n(2), OwnerType: "polls"},
	})
	must(t, db.Model(&Comment{}).Where("id = ?", *n(3)).Update("parent_id", *n(4)).Error)
	must(t, db.Table("poll_labels").Create([]map[string]any{
		{"poll_id": *n(1), "label_id": *n(1)}, {"poll_id": *n(1), "label_id": *n(2)}, {"poll_id": *n(7), "label_id": *n(2)},
	}).Error)
}

func export(t testing.TB, db *gorm.DB, id tenancy.ID, opts ...archive.Option) ([]byte, archive.Manifest) {
	t.Helper()
	var b bytes.Buffer
	m, err := archive.Export(as(id), db, &b, opts...)
	must(t, err)
	return b.Bytes(), m
}

func sum(t testing.TB, db *gorm.DB, id tenancy.ID) archive.Manifest {
	t.Helper()
	m, err := archive.Sum(as(id), db)
	must(t, err)
	return m
}

// same compares two manifests table by table.
func same(t testing.TB, what string, got, want archive.Manifest) {
	t.Helper()
	byName := map[string]archive.Table{}
	for _, w := range want.Tables {
		byName[w.Name] = w
	}
	for _, g := range got.Tables {
		if w := byName[g.Name]; g.SHA256 != w.SHA256 || g.Rows != w.Rows {
			t.Errorf("%s: table %s has %d rows of %.8s, want %d of %.8s", what, g.Name, g.Rows, g.SHA256, w.Rows, w.SHA256)
		}
	}
	if got.SHA256 != want.SHA256 {
		t.Errorf("%s: the whole differs", what)
	}
}
