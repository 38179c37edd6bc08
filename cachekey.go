package tenancy

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
)

// CacheKey returns the key under which a cache keeps something of the context's tenant: the tenant and the parts, separated by
// colons, as in "acme:poll:7". In the parts '%' and ':' are escaped as in URLs, so that no two lists of parts, and no two
// tenants, share a key. The keys of one tenant are those that begin with its ID and a colon. The error is [ErrNoTenant], also
// under [Central] and [Bypass]; keys of what belongs to no tenant begin with a reserved name, as in "central:plans", so that
// they never meet one of a tenant. Safe for concurrent use.
func CacheKey(ctx context.Context, parts ...string) (string, error) {
	id, err := Require(ctx)
	if err != nil {
		return "", err
	}
	size := len(id)
	for _, part := range parts {
		size += 1 + len(part) + 2*(strings.Count(part, "%")+strings.Count(part, ":"))
	}
	var key strings.Builder
	key.Grow(size)
	key.WriteString(string(id))
	for _, part := range parts {
		key.WriteByte(':')
		for i := 0; i < len(part); i++ {
			switch c := part[i]; c {
			case '%':
				key.WriteString("%25")
			case ':':
				key.WriteString("%3A")
			default:
				key.WriteByte(c)
			}
		}
	}
	return key.String(), nil
}

// ObjectKey returns the key of an object of the context's tenant in a store that has no directories, such as S3: the tenant,
// a slash and the name, as in "acme/photos/1.png". No two names and no two tenants share a key. The error is [ErrNoTenant],
// also under [Central] and [Bypass], and fs.ErrInvalid for a name that some client, proxy or file system could read as
// another one: one that fs.ValidPath refuses ("..", ".", empty elements, a leading or trailing slash, broken UTF-8) and one
// with a backslash or a control character. For files on a disk use [OpenRoot], which also withstands links. Safe for
// concurrent use.
func ObjectKey(ctx context.Context, name string) (string, error) {
	id, err := Require(ctx)
	if err != nil {
		return "", err
	}
	unsafe := func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }
	if !fs.ValidPath(name) || name == "." || strings.ContainsFunc(name, unsafe) {
		return "", fmt.Errorf("tenancy: the name of an object: %w", fs.ErrInvalid)
	}
	return string(id) + "/" + name, nil
}
