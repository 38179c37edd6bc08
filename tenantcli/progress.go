package tenantcli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// meter shows how far a run of migrations is. Its methods are called one at a time.
type meter interface {
	event(e migrate.Event)
	end()
}

// meter chooses how: JSON lines on stdout; on a terminal a bar, and below it nothing but what failed; otherwise a line for
// each tenant.
func (c *call) meter() meter {
	switch {
	case c.json:
		return jsonMeter{c}
	case c.quiet:
		return &lineMeter{c.err, true}
	case terminal(c.err):
		return &barMeter{out: c.err}
	}
	return &lineMeter{c.err, false}
}

// lineMeter writes for pipes and logs.
type lineMeter struct {
	out   io.Writer
	quiet bool // failures only
}

func (m *lineMeter) event(e migrate.Event) {
	switch {
	case e.Kind == migrate.Failed:
		fmt.Fprintf(m.out, "%s (%s)\n", oneLine(e.Err.Error()), e.Progress)
	case m.quiet:
	case e.Kind == migrate.Finished:
		fmt.Fprintf(m.out, "%s: at head after %s (%s)\n", e.Tenant, e.Duration.Round(time.Millisecond), e.Progress)
	case e.Kind == migrate.Retried:
		fmt.Fprintf(m.out, "%s: attempt %d of %s: %s\n", e.Tenant, e.Attempt, label(e.Version, e.Name), oneLine(e.Err.Error()))
	}
}

func (m *lineMeter) end() {}

// barMeter draws one line that moves.
type barMeter struct {
	out io.Writer
	bar *progressbar.ProgressBar
}

func (m *barMeter) event(e migrate.Event) {
	switch e.Kind {
	case migrate.Planned:
		m.bar = progressbar.NewOptions(e.Progress.Total,
			progressbar.OptionSetWriter(m.out), progressbar.OptionSetWidth(barWidth(m.out)), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionShowDescriptionAtLineEnd(),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetTheme(progressbar.ThemeASCII))
	case migrate.Failed:
		m.clear()
		fmt.Fprintln(m.out, oneLine(e.Err.Error()))
	}
	if m.bar == nil {
		return
	}
	m.bar.Describe(e.Progress.String())
	_ = m.bar.Set(e.Progress.Done + e.Progress.Failed) // what cannot be drawn does not stop the run
}

// barWidth leaves room for the numbers behind the bar: a line that wraps cannot be taken back.
func barWidth(out io.Writer) int {
	const most, least, numbers = 30, 4, 72
	f, ok := out.(*os.File)
	if !ok {
		return most
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns == 0 {
		return most
	}
	return min(max(columns-numbers, least), most)
}

func (m *barMeter) clear() {
	if m.bar != nil {
		_ = m.bar.Clear()
	}
}

func (m *barMeter) end() {
	if m.bar != nil {
		fmt.Fprintln(m.out)
	}
}

type jsonMeter struct{ *call }

// progressLine is an event as one line of JSON.
type progressLine struct {
	Event   string     `json:"event"`
	Tenant  tenancy.ID `json:"tenant,omitempty"`
	Step    string     `json:"step,omitempty"`
	Steps   int        `json:"steps,omitempty"`
	Attempt int        `json:"attempt,omitempty"`
	Error   string     `json:"error,omitempty"`
	Seconds float64    `json:"seconds,omitempty"`
	Total   int        `json:"total,omitempty"`
	Done    int        `json:"done,omitempty"`
	Failed  int        `json:"failed,omitempty"`
	Rate    float64    `json:"perSecond,omitempty"`
	Left    float64    `json:"secondsLeft,omitempty"`
}

func (m jsonMeter) event(e migrate.Event) {
	line := progressLine{
		Event: string(e.Kind), Tenant: e.Tenant, Attempt: e.Attempt, Seconds: e.Duration.Seconds(), Total: e.Progress.Total,
		Done: e.Progress.Done, Failed: e.Progress.Failed, Rate: e.Progress.Rate, Left: e.Progress.Left.Seconds(),
	}
	if e.Name != "" {
		line.Step = label(e.Version, e.Name)
	}
	if e.Err != nil {
		line.Error = e.Err.Error()
	}
	_ = m.document(line) // the report fails, too, where stdout is gone
}

func (m jsonMeter) end() {}
