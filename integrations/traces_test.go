package integrations_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/contrib/instrumentation/github.com/gin-gonic/gin/otelgin"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"gorm.io/gorm"
	"gorm.io/plugin/opentelemetry/tracing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/ginmw"
	"github.com/gorm-tenancy/tenancy/httpmw"
	"github.com/gorm-tenancy/tenancy/oteltenancy"
)

// traced is a database whose statements are traced, with the tracing plugin in front of the tenancy plugin or behind it.
func traced(t *testing.T, before bool) (*gorm.DB, *sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(oteltenancy.Spans()), sdktrace.WithSyncer(exporter))
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) })
	db, _ := open(t, &gorm.Config{}, func(db *gorm.DB, tenant gorm.Plugin) error {
		traces := tracing.NewPlugin(tracing.WithoutMetrics(), tracing.WithTracerProvider(provider))
		if before {
			return errors.Join(db.Use(traces), db.Use(tenant))
		}
		return errors.Join(db.Use(tenant), db.Use(traces))
	})
	return db, provider, exporter
}

// tenantsOf lists the spans, each with what it says about tenants.
func tenantsOf(exporter *tracetest.InMemoryExporter) []string {
	var found []string
	for _, s := range exporter.GetSpans() {
		text := s.Name
		for _, a := range s.Attributes {
			if a.Key == oteltenancy.TenantKey || a.Key == oteltenancy.BypassKey {
				text += " " + string(a.Key) + "=" + a.Value.Emit()
			}
		}
		found = append(found, text)
	}
	exporter.Reset()
	return found
}

// TestTracedStatements reads the traces of statements, of refused ones, too.
func TestTracedStatements(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		db, _, exporter := traced(t, before)
		for _, tc := range []struct {
			ctx  context.Context
			want string
		}{
			{tenancy.WithTenant(t.Context(), "a"), "select polls tenant.id=a"},
			{tenancy.WithTenant(t.Context(), "b"), "select polls tenant.id=b"},
			{tenancy.Bypass(t.Context(), "report"), "select polls tenant.bypass=report"},
		} {
			if err := db.WithContext(tc.ctx).Find(&[]Poll{}).Error; err != nil {
				t.Error(err)
			}
			if got := tenantsOf(exporter); !slices.Equal(got, []string{tc.want}) {
				t.Errorf("before %v: %q, want %q", before, got, tc.want)
			}
		}
		if err := db.WithContext(t.Context()).Find(&[]Poll{}).Error; !errors.Is(err, tenancy.ErrNoTenant) {
			t.Error(err)
		}
		for _, span := range tenantsOf(exporter) {
			if span != "select polls" && span != "gorm.Query" {
				t.Errorf("before %v: a statement without a tenant: %q", before, span)
			}
		}
	}
}

// TestTracedRequests has otelgin start the span of a request in front of the middleware that finds its tenant.
func TestTracedRequests(t *testing.T) {
	t.Parallel()
	db, provider, exporter := traced(t, false)
	mw, err := httpmw.New(httpmw.FromSubdomain("example.com"), httpmw.Tenants("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(otelgin.Middleware("polls", otelgin.WithTracerProvider(provider)), ginmw.New(mw),
		func(c *gin.Context) { oteltenancy.Mark(c.Request.Context()) })
	engine.GET("/polls", func(c *gin.Context) {
		if err := db.WithContext(c.Request.Context()).Find(&[]Poll{}).Error; err != nil {
			t.Error(err)
		}
	})
	for _, tc := range []struct {
		host string
		want []string
	}{
		{"a.example.com", []string{"select polls tenant.id=a", "/polls tenant.id=a"}},
		{"b.example.com", []string{"select polls tenant.id=b", "/polls tenant.id=b"}},
		{"nobody.example.com", []string{"/polls"}},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://"+tc.host+"/polls", nil)
		r.Header.Set("Baggage", "tenant.id=b")
		engine.ServeHTTP(httptest.NewRecorder(), r)
		if got := tenantsOf(exporter); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.host, got, tc.want)
		}
	}
}
