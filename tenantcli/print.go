package tenantcli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// printer writes what a command found or did. It is not safe for concurrent use.
type printer struct {
	out, err io.Writer
	json     bool
	quiet    bool
}

// outputFlags gives a command the flags that newPrinter reads.
func outputFlags(cmd *cobra.Command) {
	cmd.PersistentFlags().Bool("json", false, "print JSON: one document, or one line for each event of a longer run")
	cmd.PersistentFlags().BoolP("quiet", "q", false, "print results and errors only")
}

func newPrinter(cmd *cobra.Command) (printer, error) {
	p := printer{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr()}
	var err error
	if p.json, err = cmd.Flags().GetBool("json"); err != nil {
		return p, err
	}
	p.quiet, err = cmd.Flags().GetBool("quiet")
	return p, err
}

// document writes a value as JSON.
func (p *printer) document(v any) error {
	e := json.NewEncoder(p.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes lines whose cells stand below each other. The first is the head, which is left out when quiet.
func (p *printer) table(rows [][]string) error {
	if p.quiet {
		rows = rows[1:]
	}
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = oneLine(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(p.out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// say writes a line about what was done, unless quiet or in JSON.
func (p *printer) say(format string, args ...any) error {
	if p.quiet || p.json {
		return nil
	}
	_, err := fmt.Fprintln(p.out, oneLine(fmt.Sprintf(format, args...)))
	return err
}

// note writes a line to stderr, unless quiet.
func (p *printer) note(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintln(p.err, oneLine(fmt.Sprintf(format, args...)))
	}
}

// oneLine keeps texts of tenants, names for example, from moving the cursor or looking like further lines.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, s)
}

// terminal reports whether a reader or writer is one.
func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
