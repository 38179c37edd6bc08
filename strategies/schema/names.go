package schema

import (
	"fmt"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// maxName is the longest name of a schema in bytes, PostgreSQL's NAMEDATALEN - 1: it cuts longer ones off in silence, so
// that two tenants would have one schema. MySQL allows one more.
const maxName = 63

// name returns the name of a tenant's schema, database and role: the prefix and the id, nothing cut, folded or replaced,
// so that two ids never give one name. It fails with tenancy.ErrInvalidID for an id that leaves the rules, is too long
// behind the prefix, or would name something that is not a tenant's.
func (s *Strategy) name(id tenancy.ID) (string, error) {
	if _, err := tenancy.ParseID(string(id)); err != nil {
		return "", err
	}
	return s.place(id)
}

// place is name for an id that was parsed.
func (s *Strategy) place(id tenancy.ID) (string, error) {
	name := s.prefix + string(id)
	most := maxName
	if s.roles {
		most -= len(ownerOf(""))
	}
	switch {
	case len(name) > most:
		return "", fmt.Errorf("%w: behind the prefix %q at most %d bytes fit the name of a schema; give the tenant a shorter id, "+
			"or the strategy a shorter schema.Prefix", tenancy.ErrInvalidID, s.prefix, most-len(s.prefix))
	case tenancy.Reserved(name):
		return "", s.taken()
	}
	for _, shared := range s.shared {
		if strings.EqualFold(shared, name) {
			return "", s.taken()
		}
	}
	return name, nil
}

// ownerOf names the role that owns the tables in a tenant's schema. No id holds a plus sign, so no schema has this name.
func ownerOf(name string) string { return name + "+" }

func (s *Strategy) taken() error {
	return fmt.Errorf("%w: behind the prefix %q it names a schema that is no tenant's", tenancy.ErrInvalidID, s.prefix)
}

// quote writes an identifier of PostgreSQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// backquote writes an identifier of MySQL.
func backquote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// text writes a string of PostgreSQL that holds no backslash.
func text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// paths returns what follows a tenant's schema in its search_path, and the path without a tenant.
func (s *Strategy) paths() (tail, central string) {
	var shared strings.Builder
	for _, name := range s.shared {
		shared.WriteString(quote(name) + ", ")
	}
	return ", pg_catalog, " + shared.String() + "pg_temp", shared.String() + "pg_temp"
}
