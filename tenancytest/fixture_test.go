package tenancytest_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// The models of an application: two trees, a many-to-many relation, soft delete, a serializer, an embedded struct, a table that
// all share.
type (
	Plan struct {
		ID   uint
		Name string `gorm:"not null"`
	}
	Stamp struct {
		Author string `gorm:"size:20;not null"`
		Words  int16
	}
	Poll struct {
		ID       uint
		TenantID string `gorm:"size:63;not null;index:,composite:code,unique,priority:1;index"`
		Code     string `gorm:"size:12;not null;index:,composite:code,unique,priority:2"`
		Title    string
		Tags     []string `gorm:"serializer:json"`
		Stamp    Stamp    `gorm:"embedded;embeddedPrefix:by_"`
		PlanID   uint     `gorm:"not null"`
		Plan     *Plan
		Open     bool `gorm:"default:true"`
		Choices  []Choice
		Voters   []Voter `gorm:"many2many:poll_voters"`
		Deleted  gorm.DeletedAt
	}
	Choice struct {
		ID       uint
		TenantID string `gorm:"size:63;not null;index:,composite:poll"`
		PollID   uint   `gorm:"not null;index:,composite:poll"`
		Poll     *Poll
		ParentID *uint
		Parent   *Choice
		Text     string `gorm:"not null"`
		Weight   float64
	}
	Voter struct {
		ID       uint
		TenantID string `gorm:"size:63;not null;index"`
		Email    *string
		Profile  *Profile
	}
	Profile struct {
		ID       uint
		TenantID string `gorm:"size:63;not null;index"`
		VoterID  *uint
		Bio      string
	}
)

func owned() []any { return []any{&Poll{}, &Choice{}, &Voter{}, &Profile{}} }

// keyed are models whose keys hold the tenant.
type (
	Room struct {
		TenantID string `gorm:"primaryKey;size:63"`
		Number   int    `gorm:"primaryKey;autoIncrement:false"`
		Name     string `gorm:"not null"`
		Beds     []Bed  `gorm:"foreignKey:TenantID,RoomNumber;references:TenantID,Number"`
	}
	Bed struct {
		TenantID   string `gorm:"primaryKey;size:63"`
		Label      string `gorm:"primaryKey;size:10"`
		RoomNumber int    `gorm:"not null"`
		Room       *Room  `gorm:"foreignKey:TenantID,RoomNumber;references:TenantID,Number"`
		Soft       bool
	}
	Settings struct {
		TenantID string `gorm:"primaryKey;size:63"`
		Colour   string `gorm:"size:2"`
	}
)

func keyed() []any { return []any{&Room{}, &Bed{}, &Settings{}} }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func config() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }

func silent() tenancy.Option { return tenancy.Logger(slog.New(slog.DiscardHandler)) }

// at opens a file with shared tables for the models.
func at(t testing.TB, s tenancy.Strategy, options []tenancy.Option, models ...any) *gorm.DB {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "app.db") + "?_foreign_keys=on&_busy_timeout=10000&_journal_mode=WAL&_synchronous=OFF"
	db, err := gorm.Open(sqlite.Open(dsn), config())
	must(t, err)
	t.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	must(t, db.Use(tenancy.New(s, append(options, silent())...)))
	must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(models...))
	return db
}

// sharing has the tables of the models shared.
func sharing(t testing.TB, models ...any) *gorm.DB {
	t.Helper()
	return at(t, shared.New(), []tenancy.Option{tenancy.OwnedModels(models...), tenancy.CentralModels(&Plan{})}, append([]any{&Plan{}}, models...)...)
}

func as(id tenancy.ID) context.Context { return tenancy.WithTenant(context.Background(), id) }

// recorder is a testing.TB that keeps what a check says.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	lines  []string
	failed bool
	ended  bool // by FailNow
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow() {
	r.failed, r.ended = true, true
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.FailNow()
}

// recorded runs a check that may fail.
func recorded(t testing.TB, check func(t testing.TB)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		check(r)
	}()
	<-done
	return r
}

func (r *recorder) text() string { return strings.Join(r.lines, "\n") }
