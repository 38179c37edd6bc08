package operator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
)

// Models returns the models of the central tables that the pages need, for tenancy.CentralModels and migrations.
func Models() []any { return []any{&Operator{}, &Session{}, &Launch{}} }

// Operator may look after all tenants.
type Operator struct {
	// ID is given by the database.
	ID uint
	// Name is unique, and in lower case.
	Name string `gorm:"size:100;not null;uniqueIndex"`
	// PasswordHash is bcrypt's.
	PasswordHash string `gorm:"size:60;not null"`
}

// TableName is called by GORM.
func (Operator) TableName() string { return "operators" }

// Session is an operator's browser that is signed in.
type Session struct {
	// Hash is that of the cookie's value, which nobody stores.
	Hash string `gorm:"primaryKey;size:64"`
	// OperatorID is whom it signs in.
	OperatorID uint `gorm:"not null;index"`
	// Operator is loaded with it.
	Operator *Operator `gorm:"constraint:OnDelete:CASCADE"`
	// ExpiresAt is when it ceases to.
	ExpiresAt time.Time `gorm:"not null;index"`
}

// TableName is called by GORM.
func (Session) TableName() string { return "operator_sessions" }

// Launch is a visitor's wish for a tenant, until it is fulfilled or turns out to be impossible.
type Launch struct {
	// ID is the hash of what stands in the address of its page.
	ID string `gorm:"primaryKey;size:64"`
	// Tenant is the id that is wished for. Of several who wish for one, the catalog decides.
	Tenant string `gorm:"size:63;not null;index"`
	// Name is what people call it.
	Name string `gorm:"size:100;not null"`
	// Plan is the name of one of the plans; empty where there are none.
	Plan string `gorm:"size:20;not null"`
	// Username is that of the first user.
	Username string `gorm:"size:150;not null"`
	// FoldedName is the same without regard to case.
	FoldedName string `gorm:"size:150;not null"`
	// Email is that of the first user, or empty.
	Email string `gorm:"size:254;not null"`
	// PasswordHash is that of the first user, and empty as soon as the tenant has it.
	PasswordHash string `gorm:"size:60;not null"`
	// Open is true until the tenant is served or cannot be.
	Open bool `gorm:"not null;index"`
	// Problem is why it cannot be; empty otherwise.
	Problem string `gorm:"size:200;not null"`
	// CreatedAt is when the wish was sent.
	CreatedAt time.Time `gorm:"not null"`
}

// TableName is called by GORM.
func (Launch) TableName() string { return "operator_launches" }

const (
	minPassword = 8
	maxPassword = 72 // bytes; bcrypt reads no more
)

// Create stores a new operator. The error says what is wrong with the name or the password, or that the name is taken.
func Create(ctx context.Context, db *gorm.DB, name, password string) error {
	name = fold(name)
	switch {
	case name == "" || len(name) > 100 || !utf8.ValidString(name):
		return errors.New("an operator's name has 1 to 100 bytes")
	case utf8.RuneCountInString(password) < minPassword || len(password) > maxPassword:
		return fmt.Errorf("a password has %d characters to %d bytes", minPassword, maxPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		return err
	}
	err = db.WithContext(tenancy.Central(ctx)).Create(&Operator{Name: name, PasswordHash: string(hash)}).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return errors.New("there is an operator of that name")
	}
	return err
}

// First stores an operator unless there is one, and returns the password; empty if there was one.
func First(ctx context.Context, db *gorm.DB, name string) (password string, err error) {
	var n int64
	if err := db.WithContext(tenancy.Central(ctx)).Model(&Operator{}).Count(&n).Error; err != nil || n > 0 {
		return "", err
	}
	password = rand.Text()
	return password, Create(ctx, db, name, password)
}

func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// hashOf is what is stored of a secret. Secrets are random, so that a fast hash is as good as a slow one.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
