package tenancy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// OpenRoot opens the directory of the context's tenant below base, which must exist; it makes the tenant's when it is
// missing, for the user of the process only (mode 0700). What is opened, made, renamed or removed through the root it
// returns stays in there: "..", absolute names, links that lead out, and on Windows the names of devices are refused (see
// [os.Root]). Close the root after use.
//
// The error is [ErrNoTenant], also under [Central] and [Bypass], and fs.ErrInvalid if what stands there is a link or no
// directory: it could be another tenant's. Nobody but the process may write into base itself. On Windows tenants named as
// devices (con, nul, com1) have no directory: opening it fails. The only tenant that errors name is the context's. Safe for
// concurrent use.
func OpenRoot(ctx context.Context, base string) (*os.Root, error) {
	id, err := Require(ctx)
	if err != nil {
		return nil, err
	}
	all, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if err := all.Mkdir(string(id), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	entry, err := all.Lstat(string(id))
	if err != nil {
		return nil, err
	}
	if !entry.IsDir() {
		return nil, errNotOwn
	}
	return all.OpenRoot(string(id))
}

var errNotOwn = fmt.Errorf("tenancy: the tenant's directory is a link or no directory: %w", fs.ErrInvalid)
