package tenancy_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// LateLink is a join model without a tenant field, set up after the plugin has learned the automatic join table.
type LateLink struct {
	UserID     uint `gorm:"primaryKey"`
	LanguageID uint `gorm:"primaryKey"`
}

func (LateLink) TableName() string { return "user_languages" }

// TestJoinTableSetUpLate: a join model that GORM is told of after db.Use, and that would be undeclared by itself, is
// confined through the rows it links.
func TestJoinTableSetUpLate(t *testing.T) {
	t.Parallel()
	for name, setUp := range map[string]func(*gorm.DB) error{
		"SetupJoinTable": func(db *gorm.DB) error { return db.SetupJoinTable(&User{}, "Languages", &LateLink{}) },
		"only queried":   func(*gorm.DB) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, tenancy.AllowUndeclared())
			if err := setUp(e.db); err != nil {
				t.Fatal(err)
			}
			var links []LateLink
			if err := e.a.Find(&links).Error; err != nil || len(links) != 3 {
				t.Errorf("a sees %v: %v", links, err)
			}
			for _, l := range links {
				if l.UserID > 2 || l.LanguageID > 2 {
					t.Errorf("a sees a link of b: %v", l)
				}
			}
			if err := e.a.Where("1 = 1").Delete(&LateLink{}).Error; err != nil {
				t.Error(err)
			}
			if err := e.a.Create(&LateLink{UserID: 1, LanguageID: 3}).Error; err == nil {
				t.Error("a linked a language of b")
			}
			e.isolated()
		})
	}
}
