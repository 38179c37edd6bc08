// Package tenancyvet holds analyzers that find, before anything runs, what a GORM application with the plugin tenancy gets
// wrong most often: statements that lose the tenant of their request, SQL text that the plugin will refuse, models that tell
// one tenant about another.
//
//	go vet -vettool=$(which tenancyvet) ./...
//
// It is no proof. Nothing it says nothing about is safe for that: what holds tenants apart are the plugin's walls at run time.
// The command is in cmd/tenancyvet; [Analyzers] are for drivers of your own.
//
// Each finding names what to do. One that is wrong is silenced on its line, or on the line above, with a reason:
//
//	//tenancyvet:ignore rawsql the view compares the tenant itself
//
// The analyzers are immutable but for their flags, and safe for concurrent use once those are set.
package tenancyvet

import "golang.org/x/tools/go/analysis"

// Analyzers returns all checks, by name: bypass, goroutine, ignore, models, nocontext, rawsql, wrongcontext.
// Safe for concurrent use.
func Analyzers() []*analysis.Analyzer {
	return []*analysis.Analyzer{Bypass, Goroutine, Ignore, Models, NoContext, RawSQL, WrongContext}
}
