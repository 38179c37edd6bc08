package containers

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/gorm-tenancy/tenancy"
)

// What a tenant's directory of secrets holds, by the names that containers see.
const (
	secretsDir   = "secrets"
	urlFile      = "database_url"
	passwordFile = "postgres_password"
	sinceFile    = "since" // when the tenant was made; no container sees it
	role         = "polls" // PostgreSQL's role and database, in a server of the tenant's own
)

// ErrKept is a new tenant with the id of an old one whose data is still there: it would get the old one's rows.
var ErrKept = errors.New("containers: data of a former tenant with this id is kept; remove it first")

func secretPath(id tenancy.ID, file string) string { return path.Join(secretsDir, string(id), file) }

// ensureSecrets makes what is missing and changes nothing that is there.
func (d *Dir) ensureSecrets(t *Topology) error {
	if err := os.MkdirAll(d.path(secretsDir), 0o700); err != nil {
		return err
	}
	for _, s := range t.sites {
		if err := d.ensureSite(t, s); err != nil {
			return fmt.Errorf("secrets of %s: %w", s.id, err)
		}
	}
	return nil
}

func (d *Dir) ensureSite(t *Topology, s site) error {
	if err := d.sameTenant(s); err != nil {
		return err
	}
	// Containers of other users than root's have the files mounted one by one; the directory is nobody's way in.
	if err := os.MkdirAll(d.path(secretsDir, string(s.id)), 0o700); err != nil {
		return err
	}
	if _, err := d.keep(s, sinceFile, os.Geteuid(), s.since); err != nil {
		return err
	}
	if t.options.SQLite {
		_, err := d.keep(s, urlFile, appUser, "sqlite:///data/polls.db")
		return err
	}
	fresh, err := newPassword()
	if err != nil {
		return err
	}
	password, err := d.keep(s, passwordFile, postgresUser, fresh)
	if err != nil {
		return err
	}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password), Host: s.db() + ":5432", Path: "/" + role,
		RawQuery: "sslmode=disable", // the network has two members
	}
	_, err = d.keep(s, urlFile, appUser, u.String())
	return err
}

// sameTenant fails with ErrKept if the directory belongs to a tenant that had the id before.
func (d *Dir) sameTenant(s site) error {
	since, err := os.ReadFile(d.path(secretPath(s.id, sinceFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && string(since) != s.since {
		return ErrKept
	}
	return err
}

// keep returns the text of the tenant's file, which it makes with the given text if there is none.
func (d *Dir) keep(s site, file string, owner int, text string) (string, error) {
	name := d.path(secretPath(s.id, file))
	old, err := os.ReadFile(name)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return string(old), err
	}
	return text, replace(name, []byte(text), 0o600, owner)
}

func newPassword() (string, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// kept returns the tenants that have secrets and are not in the topology.
func (d *Dir) kept(t *Topology) ([]tenancy.ID, error) {
	entries, err := os.ReadDir(d.path(secretsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []tenancy.ID
	for _, e := range entries {
		id, err := tenancy.ParseID(e.Name())
		if err != nil || slices.ContainsFunc(t.sites, func(s site) bool { return s.id == id }) {
			continue
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// replace puts the file in its place at once: who reads it sees the old text or the new one. A process of root gives it to
// the owner.
func replace(name string, text []byte, mode fs.FileMode, owner int) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && os.Geteuid() == 0 {
		err = f.Chown(owner, owner)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
