package tenancytest_test

import (
	"testing"

	"github.com/gorm-tenancy/tenancy/tenancytest"
)

func TestHealthyOnSQLite(t *testing.T) {
	t.Parallel()
	tenancytest.RequireIsolated(t, sharing(t, owned()...))
	tenancytest.RequireIsolated(t, sharing(t, keyed()...))
}
