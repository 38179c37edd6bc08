package catalog

import (
	"fmt"
	"slices"
)

// State is where a tenant stands in its life.
type State string

// The states. Only [Active] tenants are served.
const (
	Creating    State = "creating"    // its place is being made
	Ready       State = "ready"       // made in advance, waiting in the pool
	Active      State = "active"      // served
	Suspended   State = "suspended"   // refused until resumed
	Maintenance State = "maintenance" // refused for a while
	Renaming    State = "renaming"    // its place is being given to another id
	Deleting    State = "deleting"    // refused; its rows are there until the grace period ends
	Purging     State = "purging"     // its place is being removed
	Purged      State = "purged"      // gone; the record keeps the id from being used again
)

// States returns all states, in the order of a tenant's life.
func States() []State {
	return []State{Creating, Ready, Active, Suspended, Maintenance, Renaming, Deleting, Purging, Purged}
}

func (s State) validate() error {
	if !slices.Contains(States(), s) {
		return fmt.Errorf("catalog: %q is no state", string(s))
	}
	return nil
}

// Step is a change in a tenant's life. Hooks are told which.
type Step string

// The steps, each named as the method of [Catalog] that takes it.
const (
	StepCreate   Step = "create"
	StepClone    Step = "clone"
	StepFill     Step = "fill" // made for the pool
	StepClaim    Step = "claim"
	StepRename   Step = "rename"
	StepSuspend  Step = "suspend"
	StepMaintain Step = "maintain"
	StepResume   Step = "resume"
	StepDelete   Step = "delete"
	StepUndelete Step = "undelete"
	StepPurge    Step = "purge"
	StepRelocate Step = "relocate"

	// stepRevert takes a tenant back to its old id when its place could not be renamed. Hooks are not asked.
	stepRevert Step = "revert"
	// stepCopy is StepClone, once nothing was found in the new tenant: what is in it from now on is a copy.
	stepCopy Step = "copy"
)

// Steps returns all steps.
func Steps() []Step {
	return []Step{
		StepCreate, StepClone, StepFill, StepClaim, StepRename, StepSuspend, StepMaintain, StepResume, StepDelete,
		StepUndelete, StepPurge, StepRelocate,
	}
}

// transition is one line of the state machine.
type transition struct {
	from   []State // a tenant in another state is refused; its own final state is in it to take back a step under way
	during State   // while the step is under way; "": as before
	final  State   // when it is finished; "": the Previous one
}

// transitionOf is the state machine. A step begins by taking the tenant to the state during, with Step set; then it does
// its work, and then takes it to the state final. Before a tenant is served, and after it is not, comes all the work.
func transitionOf(s Step) transition {
	switch s {
	case StepCreate, StepClone, stepCopy:
		return transition{during: Creating, final: Active}
	case StepFill:
		return transition{during: Creating, final: Ready}
	case StepClaim:
		return transition{from: []State{Ready}, during: Creating, final: Active}
	case StepRename:
		return transition{from: []State{Active, Suspended, Maintenance}, during: Renaming}
	case StepSuspend:
		return transition{from: []State{Active, Maintenance, Suspended}, during: Suspended, final: Suspended}
	case StepMaintain:
		return transition{from: []State{Active, Maintenance}, during: Maintenance, final: Maintenance}
	case StepResume:
		return transition{from: []State{Suspended, Maintenance}, final: Active}
	case StepDelete:
		return transition{from: []State{Active, Suspended, Maintenance, Deleting}, during: Deleting, final: Deleting}
	case StepUndelete:
		return transition{from: []State{Deleting}, during: Deleting}
	case StepRelocate:
		return transition{from: []State{Active, Suspended, Maintenance}, during: Maintenance}
	case StepPurge:
		return transition{from: []State{Creating, Ready, Deleting}, during: Purging, final: Purged}
	}
	return transition{}
}
