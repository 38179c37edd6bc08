package database

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
)

// Secrets knows the passwords of tenants' database users. It is asked when a tenant is provisioned and each time a
// connection is opened, from many goroutines, and must answer the same until the tenant is provisioned again.
type Secrets interface {
	Password(ctx context.Context, id tenancy.ID) (string, error)
}

// Derived makes each tenant's password from one key, so that none is kept anywhere: HMAC-SHA256 of the tenant's id. key is
// at least 32 random bytes, from where the application keeps its secrets, and of this purpose and server alone. Whoever has
// it has all tenants. To change it, provision every tenant again with the new one: that sets its password. It fails for a
// shorter key.
func Derived(key []byte) (Secrets, error) {
	if len(key) < 32 {
		return nil, errors.New("database: a key of at least 32 random bytes")
	}
	own, err := hkdf.Key(sha256.New, key, nil, "tenancy: passwords of database users", 32)
	return derived(own), err
}

type derived []byte

func (d derived) Password(_ context.Context, id tenancy.ID) (string, error) {
	mac := hmac.New(sha256.New, d)
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// String keeps the key out of logs.
func (derived) String() string { return "database.Derived" }

// GoString keeps the key out of logs.
func (derived) GoString() string { return "database.Derived" }

// verifier is what PostgreSQL stores of a password (RFC 5803), so that its log never shows the password itself.
func verifier(password string) (string, error) {
	const rounds = 4096
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	sign := func(key []byte, text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, encode(salt), encode(stored[:]), encode(sign(salted, "Server Key"))), nil
}
