package tenantcli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenantcli"
)

// TestTransfer exports and imports in the tenant's context and in no other.
func TestTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "database")
	var broken error
	w.env = func(env *tenantcli.Environment) {
		env.Export = func(ctx context.Context, out io.Writer) error {
			var polls []Poll
			err := w.db.WithContext(ctx).Order("id").Find(&polls).Error
			for _, p := range polls {
				fmt.Fprintln(out, p.Title)
			}
			return errors.Join(err, broken)
		}
		env.Import = func(ctx context.Context, in io.Reader) error {
			text, err := io.ReadAll(in)
			if err != nil {
				return err
			}
			return w.db.WithContext(ctx).Create(&Poll{ID: 7, Title: strings.TrimSpace(string(text))}).Error
		}
	}
	must(t, w.create("empty"))
	dir := t.TempDir()
	file := filepath.Join(dir, "acme.archive")
	w.script([]typed{
		{args: "tenants export acme", want: result{out: "acme one\nacme two\n"}},
		{args: "tenants export acme " + file, want: result{err: "acme is exported to " + file}},
		{args: "tenants export nobody", want: result{code: 1, err: "unknown tenant"}},
		{args: "tenants export", want: result{code: 2}},
		{args: "tenants import empty " + file + " --dry-run", want: result{out: "would import empty, which is active\n"}},
		{args: "tenants import empty " + file, want: result{err: "empty is imported"}},
		{args: "tenants import empty " + dir + "/missing", want: result{code: 1}},
		{args: "tenants suspend acme"},
		{args: "tenants import acme", stdin: "more", want: result{err: "acme is imported"}},
		{args: "tenants import nobody", stdin: "more", want: result{code: 1, err: "unknown tenant"}},
	})
	for id, want := range map[tenancy.ID]string{
		"acme": "1 acme one 0, 2 acme two 0, 7 more 0", "empty": "7 acme one\nacme two 0", "globex": "1 globex one 0, 2 globex two 0",
	} {
		if got := w.polls(id); got != want {
			t.Errorf("%s has %q", id, got)
		}
	}
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v", info.Mode())
	}
	broken = errors.New("half way")
	w.script([]typed{{args: "tenants export acme " + file, want: result{code: 1, err: "half way"}}})
	text, err := os.ReadFile(file)
	must(t, err)
	files, err := os.ReadDir(dir)
	must(t, err)
	if string(text) != "acme one\nacme two\n" || len(files) != 1 {
		t.Errorf("the file has %q, among %v", text, files)
	}
	if got := w.atTerminal(t.Context(), nil, "tenants", "export", "acme"); got.code != 2 || !strings.Contains(got.text, "stdout is a terminal") {
		t.Errorf("%+v", got)
	}
}
