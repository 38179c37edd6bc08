package tenantconn_test

import (
	"errors"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantconn"
)

func TestRenamed(t *testing.T) {
	t.Parallel()
	foreign, broken := errors.New("foreign"), errors.New("broken")
	for _, c := range []struct {
		name           string
		source, target bool
		sourceErr      error
		done           bool
		want           error
	}{
		{"to be done", true, false, nil, false, nil},
		{"done", false, true, nil, true, nil},
		{"done, and the old name is somebody's", false, true, foreign, true, nil},
		{"the old name is somebody's", false, false, foreign, false, foreign},
		{"both are there", true, true, nil, false, foreign},
		{"neither is there", false, false, nil, false, tenancy.ErrUnknownTenant},
		{"not known", false, true, broken, false, broken},
	} {
		done, err := tenantconn.Renamed(c.source, c.target, c.sourceErr, foreign, "the place")
		if done != c.done || !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, %v", c.name, done, err)
		}
	}
}
