package tenantconn

import (
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// Renamed reports whether a place that a tenancy.Renamer is to give a new name has it already, so that the call can be
// repeated, or why it may not be given. source and target say whether the places of the old and of the new id are there, and
// sourceErr why the former could not be told. When that is foreign, the strategy's sentinel for places that it did not make,
// the old name is somebody's who came after the work was done. It fails with foreign where both are there, and taken
// says which place that is; with tenancy.ErrUnknownTenant where neither is, and with sourceErr. Safe for concurrent use.
func Renamed(source, target bool, sourceErr, foreign error, taken string) (done bool, err error) {
	switch {
	case errors.Is(sourceErr, foreign) && target:
		return true, nil
	case sourceErr != nil:
		return false, sourceErr
	case source && target:
		return false, fmt.Errorf("%w: %s is that of the new id; purge that tenant first", foreign, taken)
	case !source && !target:
		return false, tenancy.ErrUnknownTenant
	}
	return target, nil
}
