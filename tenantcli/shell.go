package tenantcli

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

func (a *mounted) shell() *cobra.Command {
	var name string
	var force, write bool
	var limit int
	cmd := &cobra.Command{
		Use: "shell --tenant TENANT", Short: "Type SQL for one tenant's rows, read-only unless --write", Args: none,
		Long: "Read SQL statements from the terminal or from stdin, each ended by a semicolon, and print what they find. Each " +
			"runs in a transaction of its own and in the tenant's context, within the walls that hold the application's raw SQL. " +
			"Where tenants share tables without row-level security these refuse it.",
		RunE: a.action(func(ctx context.Context, c *call, _ []string) error {
			id, err := c.served(ctx, name, force)
			if err != nil {
				return err
			}
			if limit < 1 {
				return usagef("--limit is at least 1")
			}
			s := &shell{call: c, id: id, db: c.env.DB, limit: limit}
			ctx = tenancy.WithTenant(ctx, id)
			s.screen = screen{dialect: s.db.Name(), write: write, central: centralTables(s.db)}
			if s.screen.others, err = others(ctx, s.db); err != nil {
				return named(id, err)
			}
			return s.loop(ctx)
		}),
	}
	outputFlags(cmd)
	a.tenantFlag(cmd, &name)
	cmd.Flags().BoolVar(&write, "write", false, "let statements change rows")
	cmd.Flags().BoolVar(&force, "force", false, "also a tenant that is suspended or in maintenance")
	cmd.Flags().IntVar(&limit, "limit", 1000, "rows to print of each statement")
	return cmd
}

// others are the schemas or databases of the server that are not the tenant's. Where the strategy refuses the question,
// tenants share tables, and it judges every name of a statement itself.
func others(ctx context.Context, db *gorm.DB) (names []string, err error) {
	query := map[string]string{
		"postgres": "SELECT lower(nspname) FROM pg_catalog.pg_namespace WHERE nspname <> current_schema()",
		"mysql":    "SELECT lower(schema_name) FROM information_schema.schemata WHERE schema_name <> DATABASE()",
	}[db.Name()]
	if query == "" {
		return nil, nil
	}
	err = db.WithContext(ctx).Raw(query).Scan(&names).Error
	if errors.Is(err, tenancy.ErrUnconfined) || errors.Is(err, tenancy.ErrUndeclared) {
		return nil, nil
	}
	return names, err
}

func centralTables(db *gorm.DB) (names []string) {
	if p, ok := db.Plugins[tenancy.PluginName].(*tenancy.Plugin); ok {
		for _, table := range p.CentralTables() {
			names = append(names, strings.ToLower(table[strings.LastIndexByte(table, '.')+1:]))
		}
	}
	return names
}

// shell is one session.
type shell struct {
	*call
	id     tenancy.ID
	db     *gorm.DB
	screen screen
	limit  int
}

// loop reads and runs statements. At a terminal an error is printed and the next statement awaited; otherwise it ends the
// session.
func (s *shell) loop(ctx context.Context) error {
	in := s.cmd.InOrStdin()
	talking := terminal(in)
	lines, text := bufio.NewReader(in), ""
	for {
		if talking {
			fmt.Fprint(s.err, s.prompt(strings.TrimSpace(text) != ""))
		}
		line, err := readLine(ctx, lines)
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			return err
		}
		var statements []string
		statements, text = split(text+line, s.screen.dialect)
		if ended {
			statements = append(statements, text)
		}
		for _, sql := range statements {
			err := s.statement(ctx, sql)
			if err != nil && (!talking || ctx.Err() != nil) {
				return err
			}
			if err != nil {
				fmt.Fprintf(s.err, "Error: %v\n", err)
			}
		}
		if ended {
			return nil
		}
	}
}

func (s *shell) prompt(more bool) string {
	switch {
	case more:
		return string(s.id) + "- "
	case s.screen.write:
		return string(s.id) + " (write)> "
	}
	return string(s.id) + "> "
}

// statement runs one in a transaction of its own, which ends with a commit only if rows may be changed.
func (s *shell) statement(ctx context.Context, text string) (err error) {
	if len(slices.DeleteFunc(tokens(text, s.screen.dialect), func(t token) bool { return t.kind == tokenComment })) == 0 {
		return nil
	}
	words, err := s.screen.check(text)
	if err != nil {
		return s.explain(err)
	}
	tx := s.db.WithContext(ctx).Begin(&sql.TxOptions{ReadOnly: !s.screen.write})
	if tx.Error != nil {
		return s.explain(tx.Error)
	}
	defer func() {
		if err != nil || !s.screen.write {
			err = errors.Join(err, tx.Rollback().Error)
		}
	}()
	if slices.Contains([]string{"insert", "update", "delete", "merge", "replace"}, words[0]) && !slices.Contains(words, "returning") {
		err = s.change(tx, text)
	} else {
		err = s.query(tx, text)
	}
	if err != nil || !s.screen.write {
		return s.explain(err)
	}
	return s.explain(tx.Commit().Error)
}

// explain adds what to do where tenants share tables.
func (s *shell) explain(err error) error {
	var refused *tenancy.StatementError
	if errors.As(err, &refused) && errors.Is(err, tenancy.ErrUnconfined) {
		return fmt.Errorf("%s: %w; where tenants share tables, SQL that is typed is held by row-level security only: run a "+
			"command of the application instead", s.id, err)
	}
	return named(s.id, err)
}

func (s *shell) change(tx *gorm.DB, text string) error {
	done := tx.Exec(text)
	if done.Error != nil {
		return done.Error
	}
	if s.json {
		return s.document(struct {
			Affected int64 `json:"affected"`
		}{done.RowsAffected})
	}
	s.note("%d rows changed", done.RowsAffected)
	return nil
}

func (s *shell) query(tx *gorm.DB, text string) error {
	rows, err := tx.Raw(text).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	return s.print(rows)
}
