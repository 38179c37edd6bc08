package tenantcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

func (a *mounted) run() *cobra.Command {
	var name string
	var force bool
	cmd := &cobra.Command{
		Use: "run --tenant TENANT -- COMMAND [ARG...]", Short: "Run another command of this program for one tenant",
		Long: "Run another command of this program for one tenant: the context of the command acts for it. A tenant that is " +
			"not served is refused.",
		Args: someCommand,
		RunE: a.action(func(ctx context.Context, c *call, args []string) error {
			id, err := c.served(ctx, name, force)
			if err != nil {
				return err
			}
			root, err := a.fresh(c.cmd)
			if err != nil {
				return err
			}
			root.SetIn(c.cmd.InOrStdin())
			root.SetOut(c.out)
			root.SetErr(c.err)
			return runAs(ctx, root, id, args)
		}),
	}
	outputFlags(cmd)
	a.tenantFlag(cmd, &name)
	cmd.Flags().BoolVar(&force, "force", false, "also a tenant that is suspended or in maintenance")
	return cmd
}

func someCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("%s: name a command after --", cmd.CommandPath())
	}
	return nil
}

// served returns the tenant that --tenant names, from the store and not from a cache, if it may be served or, with force,
// is only suspended or in maintenance.
func (c *call) served(ctx context.Context, name string, force bool) (tenancy.ID, error) {
	if name == "" {
		return "", usagef("%s: --tenant is missing", c.cmd.CommandPath())
	}
	id, err := parseID(name)
	if err != nil {
		return "", err
	}
	t, err := c.env.Catalog.Store().Get(ctx, id)
	if err == nil {
		err = t.Err()
	}
	forced := force && (t.State == catalog.Suspended || t.State == catalog.Maintenance)
	if err != nil && !forced {
		return "", named(id, err)
	}
	return id, nil
}

// runAs runs a command of a tree for a tenant. Every command of the tree has the tenant's context and no other, whatever
// it had before.
func runAs(ctx context.Context, root *cobra.Command, id tenancy.ID, args []string) error {
	ctx = context.WithValue(tenancy.WithTenant(ctx, id), scopeKey{}, id)
	for cmd := range tree(root) {
		cmd.SetContext(ctx)
	}
	root.SetArgs(args)
	return execute(ctx, root)
}

// errStale: a tree of an earlier tenant remembers its flags and its context, and two tenants at once would share them.
var errStale = errors.New("App.Root has to make every command anew: this one was made before")

// trees knows the commands of all trees that were run, so that none is run twice. It is safe for concurrent use.
type trees struct {
	mu   sync.Mutex // guards seen
	seen map[*cobra.Command]bool
}

// add fails if a command of the tree was in another one.
func (s *trees) add(root *cobra.Command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[*cobra.Command]bool{}
	}
	for cmd := range tree(root) {
		if s.seen[cmd] {
			return fmt.Errorf("%w: %s", errStale, cmd.Name())
		}
		s.seen[cmd] = true
	}
	return nil
}

// fresh makes a tree in which nothing was run.
func (a *mounted) fresh(running *cobra.Command) (*cobra.Command, error) {
	if err := a.trees.first(running.Root()); err != nil {
		return nil, err
	}
	root := a.Root()
	if root == nil {
		return nil, errors.New("App.Root returned nil")
	}
	return root, a.trees.add(root)
}

// first adds the tree of the running command, once.
func (s *trees) first(root *cobra.Command) error {
	s.mu.Lock()
	known := s.seen[root]
	s.mu.Unlock()
	if known {
		return nil
	}
	return s.add(root)
}

// prefixed puts the tenant in front of each line, and writes whole lines only.
type prefixed struct {
	write func(line string) error
	rest  strings.Builder
}

var _ io.Writer = (*prefixed)(nil)

// Write implements io.Writer.
func (p *prefixed) Write(b []byte) (int, error) {
	p.rest.Write(b)
	text := p.rest.String()
	end := strings.LastIndexByte(text, '\n') + 1
	if end == 0 {
		return len(b), nil
	}
	p.rest.Reset()
	p.rest.WriteString(text[end:])
	for line := range strings.Lines(text[:end]) {
		if err := p.write(strings.TrimSuffix(line, "\n")); err != nil {
			return len(b), err
		}
	}
	return len(b), nil
}

// flush writes what has no line end.
func (p *prefixed) flush() error {
	if p.rest.Len() == 0 {
		return nil
	}
	defer p.rest.Reset()
	return p.write(p.rest.String())
}
