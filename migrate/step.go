package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
)

// Source gives steps. [Files], [Models] and every [Step] are sources; so can be yours. New asks it once.
type Source interface {
	// Steps returns the steps in any order. db is for names and types of models; no statement runs on it.
	Steps(db *gorm.DB) ([]Step, error)
}

// Step is one change, made once in each tenant, in the order of versions. Exactly one of Run and SQL is set.
type Step struct {
	// Version orders the steps and is unique among them: 1, 2, 3 or 20260131120000. It is at least 1.
	Version int64
	// Name is for people: at most 200 bytes.
	Name string
	// Run makes the change. tx is in the tenant's context and in a transaction that ends with the step; ctx is that
	// context. What it calls with another context is not confined by it. It is called by several goroutines, each with
	// another tenant. With NoTransaction tx is in none.
	Run func(ctx context.Context, tx *gorm.DB) error
	// SQL is a file for goose, with its annotations: "-- +goose Up" begins what is run.
	SQL string
	// NoTransaction runs the step outside a transaction, for CREATE INDEX CONCURRENTLY. When it fails or the process dies,
	// what it did is not known: see [ErrHalfDone]. SQL says so itself, by "-- +goose NO TRANSACTION".
	NoTransaction bool
	// Idempotent says that running the step again after a half is right, so that it is done without asking. Default false.
	Idempotent bool
	// Checksum tells whether the step has changed. Empty means that of the SQL, or for Run that of the name: the
	// compiler's output says nothing about what a function does.
	Checksum string

	repeatable bool // runs again whenever its checksum changes; the last step
}

// Steps returns the step itself, which makes it a [Source].
func (s Step) Steps(*gorm.DB) ([]Step, error) { return []Step{s}, nil }

// Files are the versioned SQL files of goose in the root of a file system: 00001_polls.sql. Other names are left alone.
// Sections behind "-- +goose Down" are kept for goose's own command and never run here. It fails where a .sql file has no
// version.
func Files(fsys fs.FS) Source { return files{fsys} }

type files struct{ fs.FS }

// Steps reads the files.
func (f files) Steps(*gorm.DB) ([]Step, error) {
	names, err := fs.Glob(f.FS, "*.sql")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("migrate: Files: there are no .sql files; is it the right directory?")
	}
	var steps []Step
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, fmt.Errorf("migrate: Files: %s: %w", name, err)
		}
		text, err := fs.ReadFile(f.FS, name)
		if err != nil {
			return nil, err
		}
		_, title, _ := strings.Cut(strings.TrimSuffix(path.Base(name), ".sql"), "_")
		steps = append(steps, Step{Version: version, Name: title, SQL: string(text)})
	}
	return steps, nil
}

// complete checks a step and fills in what follows from the rest.
func (s Step) complete() (Step, error) {
	switch {
	case s.Version < 1, s.Version >= modelsVersion && !s.repeatable:
		return s, fmt.Errorf("migrate: step %q: a version is between 1 and %d", s.Name, modelsVersion-1)
	case s.Name == "" || len(s.Name) > 200:
		return s, fmt.Errorf("migrate: step %d: a name has 1 to 200 bytes", s.Version)
	case (s.Run == nil) == (s.SQL == ""):
		return s, fmt.Errorf("migrate: step %s: set one of Run and SQL", label(s.Version, s.Name))
	}
	if s.SQL != "" {
		s.SQL = strings.ReplaceAll(s.SQL, "\r\n", "\n")
		if annotated(s.SQL, "NO TRANSACTION") {
			s.NoTransaction = true
		} else if s.NoTransaction {
			s.SQL = "-- +goose NO TRANSACTION\n" + s.SQL
		}
	}
	if s.Checksum == "" {
		content := s.SQL
		if s.Run != nil {
			content = "go " + s.Name
		}
		s.Checksum = checksum(content)
	}
	if len(s.Checksum) > 64 {
		return s, fmt.Errorf("migrate: step %s: a checksum has at most 64 bytes", label(s.Version, s.Name))
	}
	return s, nil
}

// annotated reports whether goose's annotation stands on a line of its own.
func annotated(text, annotation string) bool {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		if ok && strings.EqualFold(strings.Join(strings.Fields(rest), " "), "+goose "+annotation) {
			return true
		}
	}
	return false
}

func checksum(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// label is how people read a step.
func label(version int64, name string) string {
	if version == modelsVersion {
		return name
	}
	return fmt.Sprintf("%d %s", version, name)
}
