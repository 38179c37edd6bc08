package programs

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/gorm-tenancy/tenancy"
)

// drawer draws the steps of a tenant.
type drawer struct {
	*rapid.T
	id     tenancy.ID
	others []tenancy.ID
	kinds  []*kind
	can    abilities
	deep   int
	pinned bool // there is one connection
	inTx   bool
	dry    bool // nothing is sent, so that no database refuses
}

// abilities are what the strategy gives the tenant.
type abilities struct {
	text, connections, centralInTx, centralJoins, prepare bool
	unsure                                                bool // what the strategy lacks says nothing about this tenant
}

// n is less than limit. Less is simpler.
func (d *drawer) n(limit int) int { return rapid.IntRange(0, limit-1).Draw(d.T, "") }

func (d *drawer) maybe(one int) bool { return d.n(one) == one-1 }

func pick[V any](d *drawer, from ...V) V { return from[d.n(len(from))] }

func (d *drawer) kind() *kind { return d.kinds[d.n(len(d.kinds))] }

func (d *drawer) other() tenancy.ID { return pick(d, d.others...) }

// text is one that the tenant's rows have, or have not yet.
func (d *drawer) text() string { return fmt.Sprintf("%s-%d", d.id, 1+d.n(6)) }

func (d *drawer) note() string { return pick(d, string(d.id)+"-x", string(d.id)+"-y") }

// key is one of a row that is there, or not, or that another tenant has where keys are the whole table's.
func (d *drawer) key(k *kind) uint {
	n := uint(1 + d.n(7))
	if !k.single {
		return n
	}
	return keysOf(d.id) + n
}

// anyKey may be another tenant's.
func (d *drawer) anyKey(k *kind) uint {
	if k.single && d.maybe(4) {
		return keysOf(d.other()) + uint(1+d.n(3))
	}
	return d.key(k)
}

func (d *drawer) values(k *kind) values {
	v := values{id: d.key(k), text: d.text(), extra: uint(1 + d.n(5))}
	if n := d.n(6); n > 0 {
		v.n = &n
	}
	if d.maybe(3) {
		note := d.note()
		v.note = &note
	}
	return v
}

// literal is a row as code.
func (k *kind) literal(v values) string {
	switch k.extra {
	case "Code":
		return fmt.Sprintf("%s{%s, Code: \"c%d\"}", k.name, v.code(), v.extra)
	case "PollID":
		return fmt.Sprintf("%s{%s, PollID: %d}", k.name, v.code(), v.extra)
	}
	return fmt.Sprintf("%s{%s}", k.name, v.code())
}

// listed are arguments as code.
func listed(args []any) string {
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = fmt.Sprintf("%#v", a)
	}
	return strings.Join(all, ", ")
}
