package retrofit

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
)

const usage = `usage: retrofit [--json] plan|add|backfill|constrain|check|finish
`

// Command is a command line over a retrofit: "plan", "add", "backfill", "constrain", "check" or "finish", with --json in
// front for a structured report. Results go to stdout; errors, with the rows that stand in the way, to stderr. It returns the
// exit status: 0, 1 when the stage failed, 2 for wrong arguments.
func Command(ctx context.Context, r *Retrofit, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("retrofit", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	asJSON := flags.Bool("json", false, "print a structured report")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	var result any
	var report Report
	var err error
	switch name := flags.Arg(0); name {
	case "plan":
		result, err = r.Plan(ctx)
	case "check":
		report, err = r.Check(ctx)
		result = report
	case string(StageAdd), string(StageBackfill), string(StageConstrain), string(StageFinish):
		report, err = r.Do(ctx, Stage(name))
		result = report
	default:
		flags.Usage()
		return 2
	}
	if *asJSON {
		err = firstOf(err, json.NewEncoder(stdout).Encode(result))
	} else {
		fmt.Fprintln(stdout, result)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, err)
	for _, p := range report.Problems {
		if len(p.Keys) > 0 {
			fmt.Fprintf(stderr, "%s: %s: keys %v\n", p.Table, p.Kind, p.Keys)
		}
	}
	return 1
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
