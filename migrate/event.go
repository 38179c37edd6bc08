package migrate

import (
	"fmt"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Kind says what an [Event] is about.
type Kind string

const (
	// Planned: the run begins; Progress says how many tenants are behind.
	Planned Kind = "planned"
	// Began: a tenant's turn has come.
	Began Kind = "began"
	// Stepped: a step is done in a tenant.
	Stepped Kind = "stepped"
	// Retried: a step lost a lock and will be tried again; Err says why.
	Retried Kind = "retried"
	// Finished: a tenant is at head.
	Finished Kind = "finished"
	// Failed: a tenant is not; Err says why.
	Failed Kind = "failed"
)

// Event is something that happened in a run.
type Event struct {
	// Kind says what.
	Kind Kind
	// Tenant is where; empty when the run begins.
	Tenant tenancy.ID
	// Version and Name are the step's, for Stepped and Retried.
	Version int64
	// Name is the step's.
	Name string
	// Attempt counts from 1, for Retried.
	Attempt int
	// Duration is how long the step or the tenant took.
	Duration time.Duration
	// Err is set for Retried and Failed.
	Err error
	// Progress is how far the run is.
	Progress Progress
}

// Progress is how far a run is.
type Progress struct {
	// Total is how many tenants were behind when the run began.
	Total int
	// Done and Failed are how many are finished.
	Done int
	// Failed is how many did not reach head.
	Failed int
	// Rate is tenants per second, since the run began.
	Rate float64
	// Left is how long the rest takes at that rate; 0 while it is not known.
	Left time.Duration
}

// String is one line: "412 of 1000 tenants, 1 failed, 57.3 per second, 11s left".
func (p Progress) String() string {
	text := fmt.Sprintf("%d of %d tenants", p.Done+p.Failed, p.Total)
	if p.Failed > 0 {
		text += fmt.Sprintf(", %d failed", p.Failed)
	}
	if p.Rate > 0 {
		text += fmt.Sprintf(", %.1f per second, %s left", p.Rate, p.Left.Round(time.Second))
	}
	return text
}

// after fills in rate and time left.
func (p Progress) after(elapsed time.Duration) Progress {
	if finished := p.Done + p.Failed; finished > 0 && elapsed > 0 {
		p.Rate = float64(finished) / elapsed.Seconds()
		p.Left = time.Duration(float64(p.Total-finished) / p.Rate * float64(time.Second))
	}
	return p
}
