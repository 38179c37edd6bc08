package tenantcli

import (
	"fmt"

	"github.com/schollz/progressbar/v3"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
)

// archive returns the application's options of package archive with those of a command, which have the last word.
func (e *Environment) archive(opts ...archive.Option) []archive.Option {
	return append(e.Archive[:len(e.Archive):len(e.Archive)], opts...)
}

// plugin is that of the environment's database.
func (e *Environment) plugin() (*tenancy.Plugin, error) {
	p, ok := e.DB.Plugins[tenancy.PluginName].(*tenancy.Plugin)
	if !ok {
		return nil, fmt.Errorf("tenantcli: Environment.DB has no plugin: call db.Use first")
	}
	return p, nil
}

// rowMeter shows how many rows of each table are done: on a terminal a bar for each table, otherwise a line. done ends it.
func (c *call) rowMeter() (progress archive.Option, done func()) {
	switch {
	case c.json || c.quiet:
		return archive.Progress(nil), func() {}
	case terminal(c.err):
		m := &barRows{call: c}
		return archive.Progress(m.progress), m.end
	}
	last := ""
	return archive.Progress(func(table string, n, total int64) {
		if n == total && table != last {
			last = table
			fmt.Fprintf(c.err, "%s: %d rows\n", oneLine(table), n)
		}
	}), func() {}
}

// barRows draws a line for each table that has rows.
type barRows struct {
	*call
	table string
	bar   *progressbar.ProgressBar
}

func (m *barRows) progress(table string, n, total int64) {
	if table != m.table {
		m.end()
		m.table = table
		if total > 0 {
			m.bar = newBar(m.err, total)
		}
	}
	if m.bar != nil {
		m.bar.Describe(fmt.Sprintf("%s: %d of %d rows", oneLine(table), n, total))
		_ = m.bar.Set64(n) // what cannot be drawn does not stop the work
	}
}

func (m *barRows) end() {
	if m.bar != nil {
		m.bar = nil
		fmt.Fprintln(m.err)
	}
}

// sizeOf is how much an archive has.
func sizeOf(m archive.Manifest) string {
	var rows int64
	for _, t := range m.Tables {
		rows += t.Rows
	}
	return fmt.Sprintf("%d rows of %d tables", rows, len(m.Tables))
}
