package archive_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
)

// story tells a tenant's rows by their texts instead of their keys: who refers to whom.
func story(t testing.TB, db *gorm.DB, id tenancy.ID) string {
	t.Helper()
	var out strings.Builder
	db = db.WithContext(as(id))
	var polls []Poll
	must(t, db.Unscoped().Preload("Choices.Comments").Preload("Labels").Preload("Comments").Preload("Detail").
		Preload("Author.Favourite").Order("title").Find(&polls).Error)
	for _, p := range polls {
		var raw any // the same JSON may be written otherwise
		if len(p.Raw) > 0 {
			must(t, json.Unmarshal(p.Raw, &raw))
		}
		fmt.Fprintf(&out, "%s %v %s %d %v %v %s %v %v\n", p.Title, p.Price, p.Amount, p.Big, p.Data, raw, p.At.UTC(), p.Meta, p.DeletedAt.Valid)
		if p.Author != nil {
			fmt.Fprintln(&out, " by", p.Author.Name)
			if p.Author.Favourite != nil {
				fmt.Fprintln(&out, "  who likes", p.Author.Favourite.Title)
			}
		}
		for _, c := range p.Choices {
			fmt.Fprintln(&out, " choice", c.Text, len(c.Comments))
			for _, o := range c.Comments {
				fmt.Fprintln(&out, "  comment", o.Text)
			}
		}
		for _, l := range p.Labels {
			fmt.Fprintln(&out, " label", l.Name)
		}
		for _, o := range p.Comments {
			fmt.Fprintln(&out, " comment", o.Text)
		}
		if p.Detail != nil {
			fmt.Fprintln(&out, " detail", p.Detail.Text)
		}
	}
	var comments []Comment
	must(t, db.Preload("Parent").Order("text").Find(&comments).Error)
	for _, c := range comments {
		if c.Parent != nil {
			fmt.Fprintln(&out, c.Text, "answers", c.Parent.Text)
		}
	}
	var notes []Note
	must(t, db.Find(&notes).Error)
	fmt.Fprintln(&out, len(notes))
	return out.String()
}

// TestRenumber imports a's archive as b, next to a where they share tables. Without Renumber that is refused, and tells
// nothing about a.
func TestRenumber(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		fill(t, b.db, "a", 1)
		if b.alone {
			return
		}
		text, m := export(t, b.db, "a")
		before, told := b.dump("a"), story(t, b.db, "a")
		if strings.Count(told, "\n") < 20 || strings.Count(told, "answers") != 2 || !strings.Contains(told, "likes gap of a") {
			t.Fatalf("the story of a is too short:\n%s", told)
		}
		_, err := archive.Import(as("b"), b.db, bytes.NewReader(text))
		if b.shared {
			if !errors.Is(err, archive.ErrKeyTaken) || !strings.Contains(err.Error(), "Renumber") || strings.Contains(err.Error(), "of a") {
				t.Errorf("over a's keys: %v", err)
			}
		} else {
			must(t, err)
			_, err := archive.Erase(as("b"), b.db)
			must(t, err)
		}
		if rows := b.dump("b"); rows != "" {
			t.Errorf("a refused import left\n%s", rows)
		}
		report, err := archive.Import(as("b"), b.db, bytes.NewReader(text), archive.Renumber())
		must(t, err)
		if report.Renumbered != 13 { // polls, choices, labels, people, comments
			t.Errorf("renumbered %d", report.Renumbered)
		}
		if got := story(t, b.db, "b"); got != told {
			t.Errorf("a tells\n%s\nand b\n%s", told, got)
		}
		if after := b.dump("a"); after != before {
			t.Errorf("a had\n%s\nand has\n%s", before, after)
		}
		if again := sum(t, b.db, "b"); again.SHA256 == m.SHA256 && b.shared {
			t.Error("the keys are the old ones")
		}
		if now := newRow(t, b, "a"); now == 0 {
			t.Error("a cannot go on")
		}
	})
}

// TestCopy copies a to b under every strategy, twice: the second time there are rows.
func TestCopy(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b *backend) {
		fill(t, b.db, "a", 1)
		if b.alone {
			_, err := archive.Copy(t.Context(), b.db, "a", "b")
			if !errors.Is(err, tenancy.ErrUnknownTenant) {
				t.Errorf("to a tenant that is not served here: %v", err)
			}
			return
		}
		before, told := b.dump("a"), story(t, b.db, "a")
		_, err := archive.Copy(t.Context(), b.db, "a", "b")
		must(t, err)
		if got := story(t, b.db, "b"); got != told {
			t.Errorf("a tells\n%s\nand b\n%s", told, got)
		}
		copied := b.dump("b")
		_, err = archive.Copy(t.Context(), b.db, "a", "b")
		if !errors.Is(err, archive.ErrNotEmpty) || b.dump("b") != copied {
			t.Errorf("over rows: %v", err)
		}
		report, err := archive.Copy(t.Context(), b.db, "a", "b", archive.Replace())
		must(t, err)
		if len(report.Erased) != len(tables) || story(t, b.db, "b") != told || b.dump("a") != before {
			t.Errorf("replaced: %+v", report.Erased)
		}
		if _, err = archive.Copy(t.Context(), b.db, "a", "a", archive.Replace()); err == nil {
			t.Error("onto itself")
		}
	})
}
