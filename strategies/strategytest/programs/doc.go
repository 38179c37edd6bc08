// Package programs tries a strategy with random GORM programs.
//
// A program is what tenants do side by side: reads with conditions of every kind, writes, associations, upserts, nested transactions,
// sessions, raw SQL, and statements that name another tenant. [Check] draws programs with pgregory.net/rapid and runs each twice:
// for all tenants at once with the strategy, and for each tenant with plain GORM, in a database where it is alone. What
// comes back, how it fails and the rows that are left must be the same. So a tenant that sees or changes what is another's is found,
// and so is a strategy that refuses, or changes the meaning of, what an application may do.
//
// A program that fails is shrunk, printed as Go, and kept in testdata/rapid, from where it is tried first the next time.
//
//	func TestPrograms(t *testing.T) {
//		programs.Check(t, harness, programs.Options{})
//	}
//
// The flags are rapid's: -rapid.checks is how many programs, -rapid.seed repeats a run.
package programs
