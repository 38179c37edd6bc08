// Package doctor looks for what breaks isolation in silence: a pooler that gives a tenant's settings to the next, a role
// above policies, a table in everybody's reach, an index that says which values other tenants have. It is for continuous
// integration and start-up:
//
//	report, err := doctor.Run(ctx, db, doctor.Catalog(store))
//	if err == nil {
//		err = report.Err()
//	}
//
// It changes nothing. What it could not look at it says; see [Report.Checks]. [Codes] lists what it finds.
package doctor
