package tenantconn

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// checked converts arguments as database/sql does before a call: by the statement's checker, the connection's, the
// statement's column converter, or the default. It returns args itself when nothing is to do, and never changes it:
// database/sql may send it again.
func checked(c driver.Conn, s driver.Stmt, args []driver.NamedValue) ([]driver.NamedValue, error) {
	if len(args) == 0 {
		return args, nil
	}
	check := checker(c, s)
	out := make([]driver.NamedValue, 0, len(args))
	for _, a := range args {
		err := check(&a)
		switch {
		case errors.Is(err, driver.ErrRemoveArgument):
			continue
		case errors.Is(err, driver.ErrSkip):
			if a.Value, err = driver.DefaultParameterConverter.ConvertValue(a.Value); err != nil {
				return nil, fmt.Errorf("tenantconn: argument %d: %w", a.Ordinal, err)
			}
		case err != nil:
			return nil, fmt.Errorf("tenantconn: argument %d: %w", a.Ordinal, err)
		}
		a.Ordinal = len(out) + 1
		out = append(out, a)
	}
	return out, nil
}

// checker returns who judges arguments. driver.ErrSkip means the default.
func checker(c driver.Conn, s driver.Stmt) func(*driver.NamedValue) error {
	if n, ok := s.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue
	}
	if n, ok := c.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue
	}
	//lint:ignore SA1019 as database/sql does
	converter, ok := s.(driver.ColumnConverter)
	if !ok {
		return func(*driver.NamedValue) error { return driver.ErrSkip }
	}
	return func(v *driver.NamedValue) error {
		value, err := converter.ColumnConverter(v.Ordinal - 1).ConvertValue(v.Value)
		if err == nil {
			v.Value = value
		}
		return err
	}
}
