package main

import (
	"fmt"
	"regexp"
	"strings"
)

// suite is one benchmark function.
type suite struct {
	name string // without "Benchmark"
	pkg  string
	once string // -benchtime of one run in one binary; empty for those that compare
}

// suites are all benchmarks, in the order of the page. Alone is left out: it is for profiles.
var suites = []suite{
	{"Build", "./bench", ""},
	{"BuildNothingOwned", "./bench", ""},
	{"SharedSQLite", "./bench", ""},
	{"SharedSQLiteNothingOwned", "./bench", ""},
	{"SharedPostgres", "./bench", ""},
	{"RowLevelSecurity", "./bench", ""},
	{"SchemaLoopback", "./bench", ""},
	{"SchemaRemote", "./bench", ""},
	{"SchemaPooler", "./bench", ""},
	{"DatabaseWarm", "./bench", ""},
	{"DatabasePrepared", "./bench", ""},
	{"Hybrid", "./bench", ""},
	{"DatabaseProvision", "./bench", "20x"},
	{"SchemaProvision", "./bench", "20x"},
	{"Provision", "./strategies/schema", "10x"},
	{"PoolHit", "./tenantconn", "0.3s"},
	{"Lookup", "./catalog", "0.3s"},
	{"SignUp", "./catalog", "20x"},
	{"List", "./catalog", "0.3s"},
	{"Poll", "./catalog", "0.3s"},
	{"Suspend", "./catalog", "3x"},
	{"LogHandler", ".", "0.3s"},
	{"Ways", "./example/polls", "50x"},
	{"Template", "./tenancytest", "20x"},
	{"RequireIsolated", "./tenancytest", "3x"},
	{"Tenant", "./archive", "1x"},
	{"Stages", "./retrofit", "1x"},
}

// selection is what to run of a suite.
type selection struct {
	suite
	pattern string // for -bench
}

// choose finds what a pattern of go test -bench matches, from a suite on. Like go test it takes the pattern apart at "|"
// first and then at "/".
func choose(pattern, from string) ([]selection, error) {
	var chosen []selection
	reached := from == ""
	for _, s := range suites {
		reached = reached || s.name == from
		if !reached {
			continue
		}
		var own []string
		for _, part := range outside(pattern, '|') {
			levels := outside(part, '/')
			name, err := regexp.Compile(levels[0])
			if err != nil {
				return nil, err
			}
			if name.MatchString("Benchmark" + s.name) {
				own = append(own, strings.Join(append([]string{"^Benchmark" + s.name + "$"}, levels[1:]...), "/"))
			}
		}
		if len(own) > 0 {
			chosen = append(chosen, selection{s, strings.Join(own, "|")})
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no benchmark is called %q, from %q on", pattern, from)
	}
	return chosen, nil
}

// outside splits a pattern where the byte stands outside of brackets.
func outside(pattern string, at byte) []string {
	var parts []string
	depth, start := 0, 0
	for i := range len(pattern) {
		switch pattern[i] {
		case '(', '[':
			depth++
		case ')', ']':
			depth--
		case at:
			if depth == 0 {
				parts = append(parts, pattern[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, pattern[start:])
}
