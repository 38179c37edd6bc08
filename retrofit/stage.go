package retrofit

import (
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// Stage is one part of the way. Stages are done in their order.
type Stage string

// The stages.
const (
	StageAdd       Stage = "add"       // [Retrofit.Add]
	StageBackfill  Stage = "backfill"  // [Retrofit.Backfill]
	StageConstrain Stage = "constrain" // [Retrofit.Constrain]
	StageFinish    Stage = "finish"    // [Retrofit.Finish]
)

// Stages returns all stages in their order.
func Stages() []Stage { return []Stage{StageAdd, StageBackfill, StageConstrain, StageFinish} }

var (
	// ErrStage: the stage before has not finished. The message names the table and the call.
	ErrStage = errors.New("retrofit: the stage before has not finished")
	// ErrUntold: nothing tells whose some rows are. Their keys are in [Report.Problems].
	ErrUntold = errors.New("retrofit: rows whose tenant cannot be told")
	// ErrProblems: rows stand in the way. They are in [Report.Problems]. Where a row refers to another tenant's the error is
	// tenancy.ErrTenantMismatch as well; where one has a tenant whose id is not valid, tenancy.ErrInvalidID.
	ErrProblems = errors.New("retrofit: rows stand in the way")
	// ErrLocked: a lock was not to be had, and all tries are used up. Nothing was changed by the statement; call again.
	ErrLocked = errors.New("retrofit: no lock on the table")
)

func notYet(s Stage, table, what string, before Stage) error {
	return fmt.Errorf("%w: %s: table %q %s; run %s first", ErrStage, s, table, what, before)
}

// errorOf turns problems into the error of a stage.
func errorOf(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	var wrong []error
	for _, p := range problems {
		cause := ErrProblems
		switch p.Kind {
		case Untold:
			cause = ErrUntold
		case Crossing, Foreign:
			cause = fmt.Errorf("%w: %w", ErrProblems, tenancy.ErrTenantMismatch)
		case Invalid:
			cause = fmt.Errorf("%w: %w", ErrProblems, tenancy.ErrInvalidID)
		}
		wrong = append(wrong, fmt.Errorf("%w: table %q: %d rows %s", cause, p.Table, p.Rows, p.Detail))
	}
	return errors.Join(wrong...)
}
