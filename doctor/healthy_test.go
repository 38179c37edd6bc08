package doctor_test

import (
	"encoding/json"
	"testing"

	"github.com/gorm-tenancy/tenancy/doctor"
)

// TestHealthy: a healthy database of each strategy has neither errors nor warnings, and every check either looked or says
// why it does not apply.
func TestHealthy(t *testing.T) {
	t.Parallel()
	for name, ward := range wards {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ward(t).migrations().run()
			if r.Count(doctor.Error) != 0 || r.Count(doctor.Warning) != 0 || r.Err() != nil {
				t.Errorf("it is healthy:\n%s", r)
			}
			for _, c := range r.Checks {
				if c.Status == doctor.Failed || (c.Status == doctor.Skipped) != (c.Why != "") {
					t.Error(c)
				}
			}
			text, err := json.Marshal(r)
			must(t, err)
			var back doctor.Report
			must(t, json.Unmarshal(text, &back))
			if len(back.Checks) != 9 || back.Strategy != r.Strategy || back.Findings == nil {
				t.Errorf("%s", text)
			}
		})
	}
}
