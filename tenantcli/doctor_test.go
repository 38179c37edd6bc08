package tenantcli_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// TestDoctor fails when something was found.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	if got := w.run("doctor"); strings.Contains(got.out, "acme") { // package doctor's, on a healthy application
		t.Errorf("%+v", got)
	}
	w.sources = append(w.sources, step(2)) // pending
	w.build()
	if got := w.run("doctor"); got.code != 1 || !strings.Contains(got.out, "acme") {
		t.Errorf("%+v", got)
	}
	var found []tenantcli.Finding
	var broken error
	w.env = func(env *tenantcli.Environment) {
		env.Doctor = func(context.Context) ([]tenantcli.Finding, error) { return found, broken }
	}
	w.script([]typed{
		{args: "doctor", want: result{out: "nothing is wrong\n"}},
		{args: "doctor --json", want: result{out: "[]\n"}},
	})
	found = []tenantcli.Finding{{Check: "rows", Tenant: "acme", Problem: "no\nrows", Remedy: "add some"}, {Check: "policies", Problem: "missing"}}
	w.script([]typed{
		{args: "doctor", want: result{code: 1, out: "rows: acme: no�rows; add some\npolicies: missing\n", err: "Error: 2 findings\n"}},
		{args: "doctor --json", want: result{
			code: 1,
			out:  `[{"check":"rows","tenant":"acme","problem":"no\nrows","remedy":"add some"},{"check":"policies","problem":"missing"}]` + "\n",
		}},
	})
	broken = errors.New("cannot look")
	w.script([]typed{{args: "doctor", want: result{code: 1, err: "cannot look"}}})
}

// TestSignal interrupts a process: its command's context ends, and it exits with 1.
func TestSignal(t *testing.T) {
	if os.Getenv("TENANTCLI_CHILD") != "" {
		root := &cobra.Command{Use: "app"}
		root.AddCommand(&cobra.Command{Use: "wait", RunE: func(cmd *cobra.Command, _ []string) error {
			os.Stdout.WriteString("waiting\n")
			<-cmd.Context().Done()
			return context.Cause(cmd.Context())
		}})
		root.SetArgs([]string{"wait"})
		os.Exit(tenantcli.Execute(context.Background(), root))
	}
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestSignal$")
	child.Env = append(os.Environ(), "TENANTCLI_CHILD=1")
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	line := make([]byte, len("waiting\n"))
	if _, err := out.Read(line); err != nil || string(line) != "waiting\n" {
		t.Fatalf("%q, %v", line, err)
	}
	must(t, child.Process.Signal(os.Interrupt))
	_ = child.Wait() // the code says how it went
	if child.ProcessState.ExitCode() != 1 || !strings.HasPrefix(stderr.String(), "Error: interrupt") {
		t.Errorf("%v: %s", child.ProcessState, stderr.String())
	}
}
