package tenancy_test

import (
	"flag"
	"slices"
	"testing"

	"gorm.io/gorm"
)

// routeModes are those that GORM can be opened in. The modes of a session, transactions among them, are strategytest's.
var routeModes = []struct {
	name   string
	config gorm.Config
}{
	{"PrepareStmt", gorm.Config{PrepareStmt: true}},
	{"SkipDefaultTransaction", gorm.Config{SkipDefaultTransaction: true}},
	{"both", gorm.Config{PrepareStmt: true, SkipDefaultTransaction: true}},
}

var allModes = flag.Bool("allmodes", false, "run the routes in GORM's modes on every backend, which takes minutes more")

// TestRoutesInModes runs each route in one of the modes, the next one on the next backend: on one backend for each kind of
// wall, and on all of them with -allmodes.
func TestRoutesInModes(t *testing.T) {
	number := 0
	onAll(t, func(t *testing.T, b backend) {
		if !*allModes && !slices.Contains([]string{"sqlite", "postgres-schema", "sqlite-hybrid"}, b.name) {
			return
		}
		number++
		n := number
		for _, group := range routes {
			for _, r := range group.routes {
				n++
				mode := routeModes[n%len(routeModes)]
				if d, ok := b.differs[group.name+"/"+r.name]; ok {
					r.differs = map[string]difference{b.name: d}
				}
				if r.differs[b.name].why == apart["sqlite-hybrid"].why { // where the default transaction is what refuses
					mode = routeModes[0]
				}
				t.Run(group.name+"/"+r.name+"/"+mode.name, func(t *testing.T) { r.on(b).test(t, b, mode.config) })
			}
		}
	})
}
