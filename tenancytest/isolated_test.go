package tenancytest_test

import (
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

// TestKeepsRows shows that rows of the application are there afterwards, as they were.
func TestKeepsRows(t *testing.T) {
	t.Parallel()
	db := sharing(t, &Note{})
	must(t, db.WithContext(as("a")).Create(&Note{ID: 1, Text: "mine"}).Error)
	must(t, db.WithContext(as("third")).Create(&Note{ID: 2, Text: "a third one's"}).Error)
	tenancytest.RequireIsolated(t, db)
	for id, want := range map[string]string{"a": "mine", "third": "a third one's"} {
		var n Note
		must(t, db.WithContext(as(tenancy.ID(id))).First(&n).Error)
		if n.Text != want {
			t.Errorf("%s has %q", id, n.Text)
		}
	}
}
