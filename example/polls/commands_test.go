package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// program is the example's commands with the settings of one strategy.
type program struct {
	*testing.T
	at       []string
	strategy string
	tenant   string // whom a pinned one serves
	confined bool   // the database itself holds SQL that is typed
}

// inPrograms runs a test once with each strategy, on an empty database.
func inPrograms(t *testing.T, test func(program)) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) program{
		"shared SQLite": func(t *testing.T) program {
			return program{T: t, at: []string{"--data", t.TempDir()}, strategy: hosting.Shared}
		},
		"database SQLite": func(t *testing.T) program { return onSQLite(t, hosting.Database) },
		"hybrid SQLite":   func(t *testing.T) program { return onSQLite(t, hosting.Hybrid) },
		"pinned SQLite": func(t *testing.T) program {
			p := onSQLite(t, hosting.Pinned)
			p.at, p.tenant = append(p.at, "--tenant", "thor"), "thor"
			return p
		},
		"shared PostgreSQL": func(t *testing.T) program { return onPostgres(t, hosting.Shared, "--row-level-security") },
		"schema PostgreSQL": func(t *testing.T) program { return onPostgres(t, hosting.Schema) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(open(t))
		})
	}
}

func onSQLite(t *testing.T, strategy string) program {
	return program{T: t, at: []string{"--strategy", strategy, "--data", t.TempDir()}, strategy: strategy, confined: strategy != hosting.Hybrid}
}

func onPostgres(t *testing.T, strategy string, flags ...string) program {
	server := servers.Postgres(t)
	at := append(flags, "--strategy", strategy, "--dsn", server.DSN(servers.App, server.Database(t)))
	return program{T: t, at: at, strategy: strategy, confined: true}
}

func (p program) run(stdin string, args []string) (code int, stdout, stderr string) {
	p.Helper()
	var out, err bytes.Buffer
	code = run(p.Context(), stdin, &out, &err, slices.Concat(p.at, args)...)
	return code, out.String(), err.String()
}

// does fails unless a command succeeds and prints the text.
func (p program) does(text string, args ...string) string { return p.doesWith("", text, args...) }

func (p program) doesWith(stdin, text string, args ...string) string {
	p.Helper()
	code, stdout, stderr := p.run(stdin, args)
	if code != 0 || !strings.Contains(stdout, text) {
		p.Fatalf("%q: code %d, printed %q and %q", args, code, stdout, stderr)
	}
	return stdout
}

// fails fails unless a command ends with the code and says the text.
func (p program) fails(want int, text string, args ...string) {
	p.Helper()
	p.failsWith("", want, text, args...)
}

func (p program) failsWith(stdin string, want int, text string, args ...string) {
	p.Helper()
	code, stdout, stderr := p.run(stdin, args)
	if code != want || !strings.Contains(stderr, text) {
		p.Fatalf("%q: code %d, printed %q and %q", args, code, stdout, stderr)
	}
}

func (p program) create(tenant string) {
	p.Helper()
	args := []string{"tenants", "create", tenant}
	if p.strategy == hosting.Hybrid {
		args = append(args, "--in", map[string]string{"potter": hosting.Database, "thor": hosting.Shared, "loki": hosting.Database}[tenant])
	}
	p.does("is made and served", args...)
}

// TestCommands takes tenants through their life by commands alone: users of the same name in each, one tenant's rows in the
// shell, and nothing for whom it is not meant.
func TestCommands(t *testing.T) {
	inPrograms(t, func(p program) {
		if p.tenant == "" {
			p.does("central", "migrate", "plan")
			p.does("CREATE TABLE", "migrate", "up", "--dry-run")
		}
		p.does("", "migrate", "up")
		create := []string{"run", "--tenant", "thor", "--", "createsuperuser", "--username", "shabda"}
		if p.tenant == "" {
			p.create("thor")
			p.create("potter")
			p.failsWith("a long password\n", 1, "say for which tenant", "createsuperuser", "--username", "shabda")
			p.doesWith("a long password\n", "shabda is a superuser of potter", "run", "--tenant", "potter", "--", "createsuperuser", "--username", "shabda")
			p.doesWith("a long password\n", "root is an operator", "operators", "create", "root")
			p.failsWith("a long password\n", 1, "an operator of that name", "operators", "create", "ROOT")
			p.failsWith("a long password\n", 1, "belong to no tenant", "run", "--tenant", "thor", "--", "operators", "create", "x")
		} else {
			p.failsWith("a long password\n", 1, "serves one tenant", "operators", "create", "root")
			p.fails(1, "unknown tenant", "tenants", "show", "potter")
		}
		p.failsWith("short\n", 1, "shorter than 8", create...)
		p.failsWith("", 1, "POLLS_PASSWORD", create...)
		p.doesWith("a long password\n", "shabda is a superuser of thor", create...)
		p.failsWith("a long password\n", 1, "exists already", create...)
		p.fails(1, "POLLS_PASSWORD", "each", "--", "createsuperuser", "--username", "jane")
		query := "SELECT username FROM users;\n"
		if !p.confined {
			p.failsWith(query, 1, "cannot be confined", "shell", "--tenant", "thor")
		} else if out := p.doesWith(query, "shabda", "shell", "--tenant", "thor"); strings.Count(out, "shabda") != 1 {
			p.Errorf("the shell shows %q", out)
		}
		p.does("nothing is wrong", "doctor")
		if p.tenant == "" {
			p.exports("thor", "potter")
		}
		p.does("is suspended", "tenants", "suspend", "thor")
		if p.tenant == "" {
			p.failsWith("a long password\n", 1, "suspended", create...)
		}
	})
}

// TestEachFromEnvironment: a password for all comes from the environment, since each has no stdin.
func TestEachFromEnvironment(t *testing.T) {
	t.Setenv("POLLS_PASSWORD", "a long password")
	p := onSQLite(t, hosting.Database)
	p.does("", "migrate", "up")
	p.create("thor")
	p.create("potter")
	out := p.does("thor | jane is a superuser of thor", "each", "--", "createsuperuser", "--username", "jane")
	if !strings.Contains(out, "potter | jane is a superuser of potter") {
		t.Error(out)
	}
}

// exports moves one tenant's rows into an empty one, which then signs the same user in, and into no other.
func (p program) exports(from, other string) {
	p.Helper()
	file := filepath.Join(p.TempDir(), from+".zip")
	p.does("", "tenants", "export", from, file)
	p.fails(1, "", "tenants", "import", other, file) // has rows already
	p.create("loki")
	p.does("", "tenants", "import", "loki", file)
	p.failsWith("a long password\n", 1, "exists already", "run", "--tenant", "loki", "--", "createsuperuser", "--username", "shabda")
	p.doesWith("a long password\n", "is a superuser", "run", "--tenant", "loki", "--", "createsuperuser", "--username", "sif")
	p.doesWith("a long password\n", "is a superuser", "run", "--tenant", from, "--", "createsuperuser", "--username", "sif")
}
