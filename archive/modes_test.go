package archive_test

import (
	"bytes"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/archive"
)

// TestModes uses sessions with prepared statements, and a transaction that the caller began and may take back.
func TestModes(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		b.fill()
		text, m := export(t, b.db, "a")
		b.unchanged(func() {
			prepared := b.db.Session(&gorm.Session{PrepareStmt: true})
			for range 2 {
				_, err := archive.Import(as("a"), prepared, bytes.NewReader(text), archive.Replace(), archive.Renumber())
				must(t, err)
			}
			_, err := archive.Import(as("a"), prepared, bytes.NewReader(text), archive.Replace())
			must(t, err)
			again, err := archive.Sum(as("a"), prepared)
			must(t, err)
			same(t, "prepared", again, m)

			back := errors.New("back")
			err = b.db.WithContext(as("a")).Transaction(func(tx *gorm.DB) error {
				_, err := archive.Erase(as("a"), tx)
				must(t, err)
				if empty, err := archive.Sum(as("a"), tx); err != nil || rowsOf(empty, "polls") != 0 {
					t.Errorf("inside: %d polls, %v", rowsOf(empty, "polls"), err)
				}
				return back
			})
			if !errors.Is(err, back) {
				t.Error(err)
			}
			same(t, "taken back", sum(t, b.db, "a"), m)
			must(t, b.db.WithContext(as("a")).Transaction(func(tx *gorm.DB) error {
				_, err := archive.Import(as("a"), tx, bytes.NewReader(text), archive.Replace())
				return err
			}))
			same(t, "inside", sum(t, b.db, "a"), m)
		})
	})
}
