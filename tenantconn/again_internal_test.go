package tenantconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// failing is a connector that fails with its errors, one after the other, and then connects.
type failing struct {
	errs  []error
	tries int
}

func (f *failing) Connect(context.Context) (driver.Conn, error) {
	f.tries++
	if len(f.errs) == 0 {
		return struct{ driver.Conn }{}, nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

func (*failing) Driver() driver.Driver { return nil }

func TestConnectAgain(t *testing.T) {
	t.Parallel()
	full, other := &pgconn.PgError{Code: "53300"}, errors.New("down")
	for name, c := range map[string]struct {
		errs  []error
		tries int
		want  error
	}{
		"at once":             {tries: 1},
		"when it has room":    {errs: []error{full, full, full}, tries: 4},
		"not when it is down": {errs: []error{other}, tries: 1, want: other},
		"not for ever":        {errs: []error{full, full, full, full, full, full, full, full, full, full, full, full}, tries: 11, want: full},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &failing{errs: c.errs}
			conn, err := f.Connect(t.Context())
			conn, err = connectAgain(t.Context(), f, conn, err)
			if f.tries != c.tries || !errors.Is(err, c.want) || (conn == nil) != (c.want != nil) {
				t.Errorf("%d tries, %v %v", f.tries, conn, err)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := connectAgain(ended, &failing{}, nil, full); !errors.Is(err, full) {
		t.Errorf("a caller that has gone: %v", err)
	}
}
