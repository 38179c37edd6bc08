package tenantconn

import (
	"context"
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// TestShutGate: nobody enters a gate that is shut, those inside may not go on, and it is shut when they have left.
func TestShutGate(t *testing.T) {
	t.Parallel()
	var g Gate
	var inside, outside gates
	if err := inside.hold(&g); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Shut(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("shut with somebody inside: %v", err)
	}
	if err := inside.hold(&g); err != nil {
		t.Errorf("it is not open again: %v", err)
	}
	inside.leave()
	open, err := g.Shut(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := outside.hold(&g); !errors.Is(err, tenancy.ErrTenantMaintenance) {
		t.Errorf("entered a gate that is shut: %v", err)
	}
	open()
	if err := outside.hold(&g); err != nil {
		t.Errorf("the control: %v", err)
	}
}
