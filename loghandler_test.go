package tenancy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/strategies/shared"
)

// logged is what a logger behind the handler writes: one line as JSON, without its time.
func logged(t *testing.T, log func(*slog.Logger)) string {
	t.Helper()
	var b bytes.Buffer
	log(slog.New(tenancy.LogHandler(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}}))))
	return strings.TrimSpace(b.String())
}

func TestLogHandler(t *testing.T) {
	t.Parallel()
	thor := tenancy.WithTenant(t.Context(), "thor")
	for what, tc := range map[string]struct {
		log  func(*slog.Logger)
		want string
	}{
		"tenant":     {func(l *slog.Logger) { l.InfoContext(thor, "m", "a", 1) }, `{"msg":"m","a":1,"tenant":"thor"}`},
		"no context": {func(l *slog.Logger) { l.Info("m", "a", 1) }, `{"msg":"m","a":1}`},
		"bypass": {
			func(l *slog.Logger) { l.InfoContext(tenancy.Bypass(thor, "ticket 8"), "m") },
			`{"msg":"m","bypass":"ticket 8"}`,
		},
		"central": {func(l *slog.Logger) { l.InfoContext(tenancy.Central(thor), "m") }, `{"msg":"m"}`},
		"invalid": {func(l *slog.Logger) { l.InfoContext(tenancy.WithTenant(thor, "PO TTER"), "m") }, `{"msg":"m"}`},
		"attrs":   {func(l *slog.Logger) { l.With("a", 1).InfoContext(thor, "m", "b", 2) }, `{"msg":"m","a":1,"b":2,"tenant":"thor"}`},
		"group":   {func(l *slog.Logger) { l.WithGroup("g").InfoContext(thor, "m", "a", 1) }, `{"msg":"m","g":{"a":1},"tenant":"thor"}`},
		"groups": {
			func(l *slog.Logger) {
				l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").With("c", 3).With("d", 4).InfoContext(thor, "m", "e", 5)
			},
			`{"msg":"m","a":1,"g":{"b":2,"h":{"c":3,"d":4,"e":5}},"tenant":"thor"}`,
		},
		"empty group":       {func(l *slog.Logger) { l.WithGroup("g").WithGroup("h").InfoContext(thor, "m") }, `{"msg":"m","tenant":"thor"}`},
		"empty inner group": {func(l *slog.Logger) { l.WithGroup("g").With("a", 1).WithGroup("h").Info("m") }, `{"msg":"m","g":{"a":1}}`},
		"many attributes": {
			func(l *slog.Logger) { l.InfoContext(thor, "m", "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f", 6) },
			`{"msg":"m","a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"tenant":"thor"}`,
		},
		"two loggers of one": {
			func(l *slog.Logger) {
				base := l.WithGroup("g").With("a", 1, "b", 2, "c", 3).With("d", 4) // the slice has room for more
				one := base.With("of", "thor")
				base.With("of", "potter")
				one.InfoContext(thor, "m")
			},
			`{"msg":"m","g":{"a":1,"b":2,"c":3,"d":4,"of":"thor"},"tenant":"thor"}`,
		},
		"two groups of one": {
			func(l *slog.Logger) {
				base := l.WithGroup("g").WithGroup("h").WithGroup("i")
				one := base.WithGroup("thor")
				base.WithGroup("potter")
				one.InfoContext(thor, "m", "a", 1)
			},
			`{"msg":"m","g":{"h":{"i":{"thor":{"a":1}}}},"tenant":"thor"}`,
		},
	} {
		if got := logged(t, tc.log); got != tc.want {
			t.Errorf("%s:\n%s, want\n%s", what, got, tc.want)
		}
	}
}

// TestLogHandlerContract runs the standard library's tests of handlers, in a tenant's context and without.
func TestLogHandlerContract(t *testing.T) {
	t.Parallel()
	for what, ctx := range map[string]context.Context{"tenant": tenancy.WithTenant(t.Context(), "thor"), "nobody": t.Context()} {
		var b bytes.Buffer
		handler := tenancy.LogHandler(acting{tenancy.LogHandler(slog.NewJSONHandler(&b, nil)), ctx})
		err := slogtest.TestHandler(handler, func() (results []map[string]any) {
			for d := json.NewDecoder(&b); ; {
				line := map[string]any{}
				if err := d.Decode(&line); errors.Is(err, io.EOF) {
					return results
				} else if err != nil {
					t.Fatal(err)
				}
				if id, named := line["tenant"]; named != (what == "tenant") || named && id != "thor" {
					t.Errorf("%s: %v", what, line)
				}
				results = append(results, line)
			}
		})
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// acting is a handler that hands on its own context.
type acting struct {
	slog.Handler
	ctx context.Context
}

func (h acting) Handle(_ context.Context, r slog.Record) error { return h.Handler.Handle(h.ctx, r) }

func (h acting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return acting{h.Handler.WithAttrs(attrs), h.ctx}
}

func (h acting) WithGroup(name string) slog.Handler { return acting{h.Handler.WithGroup(name), h.ctx} }

// TestLogHandlerShares hands one record to two handlers, as a fan-out does: neither may see what the other adds.
func TestLogHandlerShares(t *testing.T) {
	t.Parallel()
	r := slog.Record{Message: "m"}
	for n := range 20 { // the first few stand in the record, the others in a slice that sometimes has room for one more
		r.AddAttrs(slog.Int("a", 1))
		for _, id := range []tenancy.ID{"thor", "potter"} {
			got := logged(t, func(l *slog.Logger) { must(t, l.Handler().Handle(tenancy.WithTenant(t.Context(), id), r)) })
			if strings.Count(got, "tenant") != 1 || !strings.Contains(got, string(id)) || strings.Contains(got, "BUG") {
				t.Error(got)
			}
		}
		if r.NumAttrs() != n+1 {
			t.Errorf("%d attributes, want %d", r.NumAttrs(), n+1)
		}
	}
}

// TestLogHandlerStatements reads GORM's log of two tenants' statements.
func TestLogHandlerStatements(t *testing.T) {
	t.Parallel()
	type Hall struct {
		ID       uint
		TenantID string
	}
	var b bytes.Buffer
	to := logger.NewSlogLogger(slog.New(tenancy.LogHandler(slog.NewJSONHandler(&b, nil))), logger.Config{LogLevel: logger.Info})
	db, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{Logger: to})
	must(t, err)
	must(t, db.Use(tenancy.New(shared.New(), tenancy.OwnedModels(&Hall{}), tenancy.Logger(slog.New(slog.DiscardHandler)))))
	must(t, db.WithContext(tenancy.Bypass(t.Context(), "create tables")).AutoMigrate(&Hall{}))
	for _, id := range []tenancy.ID{"thor", "potter"} {
		b.Reset()
		must(t, db.WithContext(tenancy.WithTenant(t.Context(), id)).Create(&Hall{}).Error)
		if got := b.String(); !strings.Contains(got, `"tenant":"`+string(id)+`"`) || !strings.Contains(got, "INSERT INTO `halls`") {
			t.Errorf("%s: %s", id, got)
		}
	}
}

// none accepts every record and does nothing.
type none struct{ slog.Handler }

func (none) Enabled(context.Context, slog.Level) bool  { return true }
func (none) Handle(context.Context, slog.Record) error { return nil }
func (h none) WithAttrs([]slog.Attr) slog.Handler      { return h }
func (h none) WithGroup(string) slog.Handler           { return h }
func loggers() (plain, top, grouped *slog.Logger) {
	top = slog.New(tenancy.LogHandler(none{}))
	return slog.New(none{}), top.With("a", 1), top.WithGroup("g").With("a", 1).WithGroup("h").With("b", 1)
}

// TestAllocations is not parallel: it counts what the whole process allocates.
func TestAllocations(t *testing.T) {
	thor := tenancy.WithTenant(t.Context(), "thor")
	_, top, grouped := loggers()
	attrs := []slog.Attr{slog.Int("x", 1), slog.String("y", "z")}
	for what, tc := range map[string]struct {
		do   func()
		want float64
	}{
		"log":            {func() { top.LogAttrs(thor, slog.LevelInfo, "m", attrs...) }, 0},
		"log in a group": {func() { grouped.LogAttrs(thor, slog.LevelInfo, "m", attrs...) }, 1},
		"cache key":      {func() { _, _ = tenancy.CacheKey(thor, "poll", "a:7") }, 1},
	} {
		if n := testing.AllocsPerRun(100, tc.do); n != tc.want {
			t.Errorf("%s: %v allocations, want %v", what, n, tc.want)
		}
	}
}

func BenchmarkLogHandler(b *testing.B) {
	thor := tenancy.WithTenant(b.Context(), "thor")
	attrs := []slog.Attr{slog.Int("x", 1), slog.String("y", "z")}
	plain, top, grouped := loggers()
	for _, bc := range []struct {
		name   string
		logger *slog.Logger
	}{{"without", plain}, {"top level", top}, {"two groups", grouped}} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bc.logger.LogAttrs(thor, slog.LevelInfo, "m", attrs...)
			}
		})
	}
}
