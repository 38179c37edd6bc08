package tenancy_test

import (
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

// TestRoutesInModes runs each route on each backend in one of the modes, the next one on the next backend: three times the
// routes would take three times as long.
func TestRoutesInModes(t *testing.T) {
	number := 0
	onAll(t, func(t *testing.T, b backend) {
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
