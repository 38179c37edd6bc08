package containers_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// secrets returns the text of each secret by its path.
func secrets(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(filepath.Join(dir, "secrets"), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); e.IsDir() && mode != 0o700 || !e.IsDir() && mode != 0o600 {
			t.Errorf("%s has the mode %o", path, mode)
		}
		if e.IsDir() {
			return nil
		}
		want := map[string]uint32{"database_url": 65532, "postgres_password": 70}[e.Name()]
		if owner := info.Sys().(*syscall.Stat_t).Uid; os.Geteuid() == 0 && owner != want {
			t.Errorf("%s belongs to %d", path, owner)
		}
		text, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir+"/secrets/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestSecrets shows that they are made once, differ, and are in no file that is rendered.
func TestSecrets(t *testing.T) {
	t.Parallel()
	m := &machine{dir: t.TempDir()}
	for range 2 {
		if err := m.render(t, tenant("thor"), tenant("potter")); err != nil {
			t.Fatal(err)
		}
	}
	first := secrets(t, m.dir)
	if err := m.render(t, tenant("thor"), tenant("potter"), tenant("loki")); err != nil {
		t.Fatal(err)
	}
	all := secrets(t, m.dir)
	seen := map[string]bool{}
	for path, text := range all {
		if was, ok := first[path]; ok && was != text {
			t.Errorf("%s has changed", path)
		}
		if filepath.Base(path) == "since" {
			continue
		}
		if seen[text] || len(text) < 64 {
			t.Errorf("%s is that of another, or short", path)
		}
		seen[text] = true
		for file, rendered := range files(t, containers.Options{}, tenant("thor"), tenant("potter"), tenant("loki")) {
			if strings.Contains(rendered, text) {
				t.Errorf("%s is in %s", path, file)
			}
		}
	}
	if len(all) != 9 || len(first) != 6 {
		t.Errorf("%d, then %d secrets", len(first), len(all))
	}
	u, err := url.Parse(all["thor/database_url"])
	if err != nil {
		t.Fatal(err)
	}
	if password, _ := u.User.Password(); password != all["thor/postgres_password"] || u.Host != "thor_db:5432" {
		t.Error("the URL is not that of the database")
	}
}

// TestPasswords lets each tenant's password try the other's database.
func TestPasswords(t *testing.T) {
	t.Parallel()
	m, _, _ := pair(t, false)
	all := secrets(t, m.dir)
	for _, db := range []string{"thor", "potter"} {
		for _, secret := range []string{"thor", "potter"} {
			u, err := url.Parse(all[secret+"/database_url"])
			if err != nil {
				t.Fatal(err)
			}
			u.Host = m.up[db+"_db"].db.Addr()
			conn, err := pgx.Connect(t.Context(), u.String())
			if (err == nil) != (db == secret) {
				t.Errorf("%s's password at %s's database: %v", secret, db, err)
			}
			if err == nil {
				_ = conn.Close(context.Background())
			}
		}
	}
}

// TestFormerTenant shows that data is kept until its removal is asked for, and that a new tenant with the id does not get it.
func TestFormerTenant(t *testing.T) {
	t.Parallel()
	m, thor, potter := pair(t, true)
	hogwarts := tenant("potter", "vote.hogwarts.example")
	m.mustApply(t, in(catalog.Deleting, tenant("thor")), hogwarts)
	thor.must(t, 404, "GET", "/polls/1/", nil)

	again := tenant("thor")
	again.CreatedAt = again.CreatedAt.Add(time.Hour)
	before := slices.Clone(m.events)
	if err := m.applied(t, again, hogwarts); !errors.Is(err, containers.ErrKept) || !slices.Equal(m.events, before) {
		t.Errorf("a new tenant with the id of an old one: %v", err)
	}
	m.mustApply(t, tenant("thor"), hogwarts) // undeleted: the same one
	if text := thor.must(t, 200, "GET", "/polls/1/", nil); !strings.Contains(text, "Who lifts it?") {
		t.Error(text)
	}

	_, err := containers.Open(m.dir).Apply(t.Context(), m.topology(t, hogwarts), m, containers.ApplyOptions{RemoveData: true})
	if err != nil {
		t.Fatal(err)
	}
	if all := secrets(t, m.dir); len(all) != 2 || all["potter/database_url"] == "" {
		t.Errorf("%v", all)
	}
	m.mustApply(t, again, hogwarts)
	thor.must(t, 401, "GET", "/polls/1/", nil)
	m.member(t, thor.host, "sif").must(t, 404, "GET", "/polls/1/", nil)
	if text := potter.must(t, 200, "GET", "/polls/1/", nil); !strings.Contains(text, "Which pet?") {
		t.Error(text)
	}
}
