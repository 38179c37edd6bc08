package retrofit

import (
	"fmt"
	"strings"
	"time"
)

// Report says what a stage did and what stands in the way. It is also valid beside an error.
type Report struct {
	Stage    Stage         `json:"stage"`              // which; "check" for [Retrofit.Check]
	Changes  []Change      `json:"changes,omitempty"`  // what was run, in order; nothing when nothing was left to do
	Stamped  int64         `json:"stamped"`            // rows that Backfill gave a tenant
	Took     time.Duration `json:"took_ns"`            // all of it
	Lock     time.Duration `json:"longest_lock_ns"`    // the longest that one change or batch held others up; see [Change.Lock]
	Problems []Problem     `json:"problems,omitempty"` // what has to be mended before the next stage
	Notes    []string      `json:"notes,omitempty"`    // what was left as it is, and why
}

// String is one line.
func (r Report) String() string {
	s := fmt.Sprintf("%s: %d changes, %d rows stamped in %s, longest lock %s", r.Stage, len(r.Changes), r.Stamped,
		r.Took.Round(time.Millisecond), r.Lock.Round(10*time.Microsecond))
	if len(r.Problems) > 0 {
		s += fmt.Sprintf(", %d problems", len(r.Problems))
	}
	return s
}

// Change is a group of statements on one table that are run together: in one transaction, except on MySQL and where Online.
type Change struct {
	Table string   `json:"table"` // as the model names it
	SQL   []string `json:"sql"`   // in this order
	// Online statements wait for other transactions, but let nobody wait.
	Online bool `json:"online,omitempty"`
	// Lock is how long others were held up: on PostgreSQL from having the table's lock to the commit, elsewhere all of the
	// change, which is more. 0 for what is Online, and in a plan.
	Lock time.Duration `json:"lock_ns,omitempty"`
	// Tries counts attempts to get the locks. 0 in a plan.
	Tries int `json:"tries,omitempty"`

	rebuild func(*session) error // SQLite's, instead of SQL, which only shows it
}

// Kind is what is wrong with rows.
type Kind string

// The kinds of problems.
const (
	Untold   Kind = "untold"   // they have no tenant
	Invalid  Kind = "invalid"  // their tenant is no valid tenancy.ID
	Foreign  Kind = "foreign"  // they are not Legacy's
	Crossing Kind = "crossing" // they refer to another tenant's row
)

// Problem is about rows of one table.
type Problem struct {
	Table  string   `json:"table"`          // as the model names it
	Kind   Kind     `json:"kind"`           // what is wrong
	Detail string   `json:"detail"`         // the same for people, and what to do
	Rows   int64    `json:"rows"`           // how many
	Keys   []string `json:"keys,omitempty"` // primary keys of at most 10 of them
}

// Progress is told after each batch of [Retrofit.Backfill].
type Progress struct {
	Table     string        // the table
	Done      int64         // rows looked at
	Total     int64         // rows without a tenant when the table was begun
	PerSecond float64       // rows, since the table was begun, pauses included
	Left      time.Duration // at this rate
}

// String is a line for people.
func (p Progress) String() string {
	return fmt.Sprintf("%s: %d of %d rows, %.0f per second, %s left",
		p.Table, p.Done, p.Total, p.PerSecond, p.Left.Round(time.Second))
}

// Plan is what each stage would run now.
type Plan struct {
	Stages []StagePlan `json:"stages"` // in their order
}

// StagePlan is what one stage would run.
type StagePlan struct {
	Stage   Stage    `json:"stage"`             // which
	Changes []Change `json:"changes,omitempty"` // what is missing; of Backfill, the statement it repeats
	Notes   []string `json:"notes,omitempty"`   // what would be left as it is, and why
}

// String is SQL with comments.
func (p Plan) String() string {
	var b strings.Builder
	for _, s := range p.Stages {
		fmt.Fprintf(&b, "-- %s\n", s.Stage)
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "%s;\n", strings.Join(c.SQL, ";\n"))
		}
		for _, note := range s.Notes {
			fmt.Fprintf(&b, "-- note: %s\n", note)
		}
	}
	return b.String()
}
