package tenancy

import (
	"fmt"
	"strings"
)

// MaxIDLength is the longest tenant ID in bytes. It is the length of a DNS label (RFC 1035) and of a PostgreSQL
// identifier (NAMEDATALEN - 1), so that an ID can name a subdomain, a schema, a role and a database.
const MaxIDLength = 63

// ID names a tenant. A valid ID is 1 to [MaxIDLength] bytes, starts with a letter or digit and holds only
// a-z, 0-9, '-' and '_'. Text from outside becomes an ID through [ParseID].
type ID string

// String returns the ID as text.
func (id ID) String() string { return string(id) }

// ParseID validates s as a tenant ID. It does not change s: capitals are refused, not folded, because two spellings
// of one tenant are two cache keys and two schemas. It refuses names that databases and web hosts use themselves (see
// [Reserved]). The error is [ErrInvalidID] and says what is wrong without repeating s, which may come from an attacker.
// Safe for concurrent use.
func ParseID(s string) (ID, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("%w: it is empty", ErrInvalidID)
	case len(s) > MaxIDLength:
		return "", fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrInvalidID, len(s), MaxIDLength)
	case !wellFormed(s):
		return "", fmt.Errorf("%w: use a-z, 0-9, '-' and '_', beginning with a letter or digit", ErrInvalidID)
	case Reserved(s):
		return "", fmt.Errorf("%w: the name is reserved", ErrInvalidID)
	}
	return ID(s), nil
}

// Reserved reports whether s may not name a tenant because a database or a web host gives it a meaning of its own:
// schemas and databases of PostgreSQL, MySQL and SQLite, and host names such as www. Safe for concurrent use.
func Reserved(s string) bool {
	switch s {
	case "public", "information_schema", "postgres", "template0", "template1", "pg_catalog", "pg_toast", "pg_temp",
		"mysql", "sys", "performance_schema", "main", "temp", "sqlite_master",
		"localhost", "www", "default", "central", "shared", "tenancy", "none", "null":
		return true
	}
	return strings.HasPrefix(s, "pg_") || strings.HasPrefix(s, "sqlite_")
}

func wellFormed(s string) bool {
	if s == "" || len(s) > MaxIDLength {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case (c == '-' || c == '_') && i > 0:
		default:
			return false
		}
	}
	return true
}
