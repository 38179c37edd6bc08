package migrate

import (
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// The sentinels say what is wrong with a tenant; test for them with errors.Is.
var (
	// ErrBehind: steps are pending for the tenant.
	ErrBehind = errors.New("migrate: the tenant is behind head")
	// ErrAhead: the tenant has steps that this program does not know; a newer one has migrated it.
	ErrAhead = errors.New("migrate: the tenant has steps that this program does not know")
	// ErrChecksum: a step that the tenant has was changed afterwards. Undo the change, and make it a step of its own.
	ErrChecksum = errors.New("migrate: a step was changed after it was applied")
	// ErrOutOfOrder: a step stands below one that the tenant has. Give it a higher version, or allow it with [OutOfOrder].
	ErrOutOfOrder = errors.New("migrate: a pending step is below one that is applied")
	// ErrHalfDone: a step that runs in no transaction ended in a crash or an error, and what it did is not known. Look at
	// the tenant and say with [Runner.Resolve] how to go on.
	ErrHalfDone = errors.New("migrate: a step without transaction may be half done")
	// ErrLocked: another runner worked on the tenant for longer than [Wait].
	ErrLocked = errors.New("migrate: another runner holds the tenant")
	// ErrPanic: the function of a step panicked. What it did was rolled back where the step runs in a transaction.
	ErrPanic = errors.New("migrate: the function of a step panicked")
)

// StepError says at which tenant and step something failed. It wraps the cause, so errors.Is works through it. It is
// immutable and safe for concurrent use.
type StepError struct {
	// Tenant is whose step it was.
	Tenant tenancy.ID
	// Version and Name are the step's; zero when the failure belongs to no step.
	Version int64
	// Name is the step's name.
	Name string
	// Err is the cause.
	Err error
}

// Error returns the tenant, the step and the cause.
func (e *StepError) Error() string {
	if e.Version == 0 {
		return fmt.Sprintf("tenant %s: %v", e.Tenant, e.Err)
	}
	return fmt.Sprintf("tenant %s: step %s: %v", e.Tenant, label(e.Version, e.Name), e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// PartialError says that some tenants failed while others were done. It is immutable and safe for concurrent use.
type PartialError struct {
	// Report is what was done and what was not.
	Report Report
	// Stopped says why tenants are left that were not tried; empty when all were.
	Stopped string
}

// Error returns the numbers and the first failure; all of them are in the report.
func (e *PartialError) Error() string {
	text := fmt.Sprintf("migrate: %d of %d tenants failed, %d were not tried", len(e.Report.Failed), e.Report.Total, len(e.Report.Left))
	if e.Stopped != "" {
		text += " (" + e.Stopped + ")"
	}
	if len(e.Report.Failed) > 0 {
		text += "; first: " + e.Report.Failed[0].Error()
	}
	return text
}

// Unwrap returns the failures.
func (e *PartialError) Unwrap() []error {
	errs := make([]error, len(e.Report.Failed))
	for i, f := range e.Report.Failed {
		errs[i] = f
	}
	return errs
}
