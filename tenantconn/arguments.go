package tenantconn

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// checked converts arguments as database/sql does before a call: by the statement's checker, the connection's, the
// statement's column converter, or the default. It does so in place: database/sql makes args for each attempt.
func checked(c driver.Conn, s driver.Stmt, args []driver.NamedValue) ([]driver.NamedValue, error) {
	if len(args) == 0 {
		return args, nil
	}
	check, kept := checker(c, s), args[:0]
	for i := range args {
		a, err := &args[i], driver.ErrSkip
		if check != nil {
			err = check(a)
		}
		switch {
		case err == nil:
		case errors.Is(err, driver.ErrSkip):
			if a.Value, err = driver.DefaultParameterConverter.ConvertValue(a.Value); err != nil {
				return nil, fmt.Errorf("tenantconn: argument %d: %w", a.Ordinal, err)
			}
		case errors.Is(err, driver.ErrRemoveArgument):
			continue
		default:
			return nil, fmt.Errorf("tenantconn: argument %d: %w", a.Ordinal, err)
		}
		a.Ordinal = len(kept) + 1
		kept = append(kept, *a)
	}
	return kept, nil
}

// checker returns who judges arguments, or nil for the default, which driver.ErrSkip means, too.
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
		return nil
	}
	return func(v *driver.NamedValue) error {
		value, err := converter.ColumnConverter(v.Ordinal - 1).ConvertValue(v.Value)
		if err == nil {
			v.Value = value
		}
		return err
	}
}
