package storetest_test

import (
	"testing"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/catalog/storetest"
)

func TestRun(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) catalog.Store { return catalog.NewMemory() })
}
