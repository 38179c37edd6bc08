package retrofit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// dialect is what databases do in their own ways. The lists of changes are what is missing in a table that was just read.
type dialect interface {
	acquire(*session) (free bool, err error)
	release(*session) error
	read(*session, *table) (state, error)

	column(*table) string       // the statement that adds it
	add(*table, state) []Change // the triggers
	constrain(*table, state) ([]Change, []string, error)
	keys(*table, state) ([]Change, []string, error) // foreign keys with the tenant, when all tables are constrained
	finish(*table, state) ([]Change, []string, error)

	// locked runs statements that hold others up; online those that do not.
	locked(s *session, table string, statements []string) (held time.Duration, err error)
	online(s *session, statements []string) error
	// batch runs a statement that locks rows. It gives up when one of them is locked for long: others wait for the rest.
	batch(s *session, query string, args ...any) error
	// text is an expression that shows a tenant byte by byte.
	text(column string) string
	placeholder(n int) string
	// ready are the names of a table's triggers, after Add and after Constrain.
	ready(t *table, st state, constrained bool) []string
}

// state is what the database says about a table.
type state struct {
	column    bool // the tenant column is there
	notNull   bool
	byDefault bool     // the column has Legacy's default
	triggers  []string // those of this package
	checked   bool     // PostgreSQL: the check for NOT NULL is there
	columns   []string
	primary   []string
	stamped   []string // MySQL: columns that are set by every update
	indexes   []index
	keys      []string // names of foreign keys
	cascading []string // first columns of foreign keys that delete with their parents
	create    string   // SQLite: the text of the table
}

type index struct {
	name       string
	unique     bool
	primary    bool
	broken     bool // PostgreSQL: left by a CREATE INDEX CONCURRENTLY that did not finish
	constraint bool // it belongs to a constraint
	referred   bool // foreign keys need it
	columns    []string
	text       string // its statement, or "" where it cannot be written again
}

// complete reports whether the table is past Finish: the database demands a tenant and nothing fills it in.
func (st state) complete() bool {
	return st.column && st.notNull && !st.byDefault && len(st.triggers) == 0
}

// has reports whether exactly these triggers are there.
func (st state) has(triggers []string) bool {
	return len(triggers) == len(st.triggers) && len(st.others(triggers)) == 0
}

// others are triggers of this package that say something else.
func (st state) others(triggers []string) []string {
	return slices.DeleteFunc(slices.Clone(st.triggers), func(n string) bool { return slices.Contains(triggers, n) })
}

func (st state) index(name string) *index {
	for i := range st.indexes {
		if st.indexes[i].name == name {
			return &st.indexes[i]
		}
	}
	return nil
}

// led is the name of the index beside a unique one.
func led(name string) string {
	const longest = 63
	if len(name)+len("_tenant") > longest {
		name = name[:longest-len("_tenant")-11] + "_" + strings.TrimPrefix(mark(name), prefix)
	}
	return name + "_tenant"
}

// replaced lists the unique indexes of a table that let tenants collide.
func (r *Retrofit) replaced(t *table, st state) []index {
	var found []index
	for _, i := range st.indexes {
		if i.unique && !i.primary && !i.broken && !slices.Contains(i.columns, t.plain) && !r.config.keeps(i.name) {
			found = append(found, i)
		}
	}
	return found
}

// made reports whether the index beside a unique one is there and sound. Another one of that name is an error: Finish would give
// it the place of the one that keeps values unique.
func (st state) made(t *table, old index) (bool, error) {
	found := st.index(led(old.name))
	if found == nil || found.broken {
		return false, nil
	}
	if !found.unique || !slices.Equal(found.columns, append([]string{t.plain}, old.columns...)) {
		return false, fmt.Errorf("%w: index %s of table %q is in the way of the one that is to replace %s; rename it",
			tenancy.ErrUnsupported, found.name, t.name, old.name)
	}
	return true, nil
}

// leads reports whether some sound index begins with the tenant column and goes on with the primary key, uniquely.
func (st state) leads(t *table) bool {
	want := append([]string{t.plain}, st.primary...)
	return slices.Contains(st.primary, t.plain) || slices.ContainsFunc(st.indexes, func(i index) bool {
		return !i.broken && i.unique && slices.Equal(i.columns, want)
	})
}

func ownIndex(t *table) string { return led("tenancy_" + lastSegment(t.name)) }

// presets reports whether a column's default, as the database shows it, is that of Legacy.
func (t *table) presets(shown string) bool {
	value, _, _ := strings.Cut(shown, "::")
	return t.legacy != "" && strings.Trim(value, "'") == strings.Trim(t.legacy, "'")
}

// composite is a foreign key (tenant, reference) to be made.
type composite struct{ name, text string }

// composites lists the foreign keys with the tenant that are missing.
func (r *Retrofit) composites(t *table, st state) (missing []composite) {
	if !r.config.composite {
		return nil
	}
	for _, ref := range t.refs {
		parent := r.table(ref.parent)
		name := led("fk_" + lastSegment(t.name) + "_" + strings.Join(ref.columns, "_"))
		if ref.typeColumn != "" || !slices.Equal(ref.target, parent.primary) || slices.Contains(st.keys, name) {
			continue
		}
		text := fmt.Sprintf("CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s)", r.quote(name),
			strings.Join(append([]string{t.column}, r.quoteAll(ref.columns)...), ", "), parent.quoted,
			strings.Join(append([]string{parent.column}, r.quoteAll(ref.target)...), ", "))
		if slices.Contains(st.cascading, ref.columns[0]) {
			text += " ON DELETE CASCADE" // as the one that is there
		}
		missing = append(missing, composite{name, text})
	}
	return missing
}

func (r *Retrofit) quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = r.quote(n)
	}
	return quoted
}
