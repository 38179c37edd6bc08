package database

// StopAt calls f at every named step.
func (f *Files) StopAt(step func(string)) { f.step = step }

// StopAt calls f at every named step.
func (p *Postgres) StopAt(step func(string)) { p.step = step }

// StopAt calls f at every named step.
func (m *MySQL) StopAt(step func(string)) { m.step = step }
