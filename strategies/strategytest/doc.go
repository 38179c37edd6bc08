// Package strategytest is the suite that every strategy of the module passes, and that a strategy of your own can pass.
//
// [Run] does what an application does with GORM: it reads, writes, preloads, joins, uses associations, transactions and
// generics, in every mode of a session. What plain GORM does in a database that holds one tenant alone is right; after each case
// the rows of everybody are read past the plugin and compared. Another tenant with rows of the same ids must be neither seen nor
// changed. Attacks that name this other tenant must come to nothing, and come to something when they name the tenant itself.
// Without a tenant nothing may be reached at all.
//
// A test of a strategy fills in a [Harness]:
//
//	func TestMine(t *testing.T) {
//		strategytest.Run(t, strategytest.Harness{Open: open, Plain: plain, Raw: raw})
//	}
//
// What a strategy cannot give on some database stands in [Harness.Lacks], with the reason. Nothing is skipped in silence.
//
// docs/strategytest.md has a whole test, and what became of the strategies of the module.
package strategytest
