package tenantcli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// dangerFlags gives a command --yes, for scripts.
func dangerFlags(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask; needed where stdin is no terminal")
}

// confirm has somebody at the terminal type a word, the tenant's id, before something is done that cannot be taken back by
// the same command.
func (c *call) confirm(ctx context.Context, yes bool, what, word string) error {
	if yes {
		return nil
	}
	in := c.cmd.InOrStdin()
	if !terminal(in) {
		return usagef("%s: stdin is no terminal to confirm at; say --yes", c.cmd.CommandPath())
	}
	fmt.Fprintf(c.err, "%s\nType %s to go on: ", what, word)
	line, err := readLine(ctx, bufio.NewReader(in))
	if err != nil {
		return err
	}
	if strings.TrimSpace(line) != word {
		return usagef("not confirmed; nothing was done")
	}
	return nil
}

// readLine reads a line, or as much of it as there is at the end of the input. When ctx ends it returns at once, and what is
// typed then is lost: the process is about to end.
func readLine(ctx context.Context, in *bufio.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := in.ReadString('\n')
		if err == io.EOF && line != "" {
			err = nil
		}
		done <- read{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
