package doctor

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnhealthy says that a report holds errors, or checks that failed.
var ErrUnhealthy = errors.New("doctor: isolation is not what it should be")

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	// Error: a tenant may reach another's rows, or is not served.
	Error Severity = "error"
	// Warning: something leaks, is left over, or is slow enough to hurt other tenants.
	Warning Severity = "warning"
	// Info: worth knowing; nothing needs to be done.
	Info Severity = "info"
)

// Finding is one thing that was found. It names tenants, tables and roles: show it to operators only.
type Finding struct {
	// Code is what was found, one of [Codes], or of a strategy that is not of this module. It does not change between versions.
	Code string `json:"code"`
	// Severity is that of the code.
	Severity Severity `json:"severity"`
	// Table, Tenant and Role say what is meant; each is empty where it does not apply.
	Table string `json:"table,omitempty"`
	// Tenant is the tenant's id.
	Tenant string `json:"tenant,omitempty"`
	// Role is the role of the database.
	Role string `json:"role,omitempty"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Mend says how to mend it: a call, or SQL.
	Mend string `json:"mend"`
}

// String returns the finding as one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s %s: %s; %s", f.Severity, f.Code, f.Message, f.Mend)
}

// Status is what became of a check.
type Status string

// What becomes of a check.
const (
	// Done: it looked at everything. Whether it found something is in the findings.
	Done Status = "done"
	// Skipped: it does not apply here, or needs an option that was not given.
	Skipped Status = "skipped"
	// Failed: it could not look, or not at everything.
	Failed Status = "failed"
)

// Check is one check and what became of it.
type Check struct {
	// Name is the check's, such as "pooler".
	Name string `json:"name"`
	// Status is what became of it.
	Status Status `json:"status"`
	// Why says why it was skipped or failed.
	Why string `json:"why,omitempty"`
}

// Report is what [Run] found. It is a value and safe for concurrent use.
type Report struct {
	// Strategy is the name of the strategy.
	Strategy string `json:"strategy"`
	// Database is the kind of database: "postgres", "mysql" or "sqlite".
	Database string `json:"database"`
	// Findings are in the order of the checks. Of each code there are at most 100; the last then says how many more.
	Findings []Finding `json:"findings"`
	// Checks are all checks.
	Checks []Check `json:"checks"`
}

// Count returns how many findings have the severity.
func (r Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Err returns [ErrUnhealthy] with the findings that are errors and the checks that failed, or nil.
func (r Report) Err() error {
	var lines []string
	for _, f := range r.Findings {
		if f.Severity == Error {
			lines = append(lines, f.String())
		}
	}
	for _, c := range r.Checks {
		if c.Status == Failed {
			lines = append(lines, c.String())
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("%w:\n%s", ErrUnhealthy, strings.Join(lines, "\n"))
}

// String returns the check as one line.
func (c Check) String() string {
	if c.Why == "" {
		return fmt.Sprintf("check %s: %s", c.Name, c.Status)
	}
	return fmt.Sprintf("check %s: %s: %s", c.Name, c.Status, c.Why)
}

// String returns the report as text, a line for each finding and each check.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		b.WriteString(f.String() + "\n")
	}
	for _, c := range r.Checks {
		b.WriteString(c.String() + "\n")
	}
	fmt.Fprintf(&b, "%d errors, %d warnings\n", r.Count(Error), r.Count(Warning))
	return b.String()
}
