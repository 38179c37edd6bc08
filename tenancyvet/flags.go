package tenancyvet

import (
	"flag"

	"golang.org/x/tools/go/analysis"
)

func stringFlag(name, value, usage string) flag.FlagSet {
	var set flag.FlagSet
	set.String(name, value, usage)
	return set
}

func boolFlag(name, usage string) flag.FlagSet {
	var set flag.FlagSet
	set.Bool(name, false, usage)
	return set
}

// flagged reports whether a flag of the running analyzer is set.
func flagged(pass *analysis.Pass, name string) bool {
	return pass.Analyzer.Flags.Lookup(name).Value.String() == "true"
}
