package tenantcli

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"
)

// resultSet is what a statement found, in JSON.
type resultSet struct {
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
	More    bool     `json:"more,omitempty"`
}

// print reads rows, as many as the limit allows, and prints them.
func (s *shell) print(rows *sql.Rows) error {
	var set resultSet
	var err error
	if set.Columns, err = rows.Columns(); err != nil {
		return err
	}
	set.Rows = [][]any{}
	for rows.Next() {
		if len(set.Rows) == s.limit {
			set.More = true
			break
		}
		values, targets := make([]any, len(set.Columns)), make([]any, len(set.Columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		for i, v := range values {
			values[i] = plain(v)
		}
		set.Rows = append(set.Rows, values)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if s.json {
		return s.document(set)
	}
	return s.printTable(set)
}

func (s *shell) printTable(set resultSet) error {
	if len(set.Columns) > 0 {
		table := [][]string{set.Columns}
		for _, values := range set.Rows {
			row := make([]string, len(values))
			for i, v := range values {
				if row[i] = fmt.Sprint(v); v == nil {
					row[i] = "NULL"
				}
			}
			table = append(table, row)
		}
		if err := s.table(table); err != nil {
			return err
		}
	}
	more := ""
	if set.More {
		more = ", and there are more: see --limit"
	}
	s.note("%d rows%s", len(set.Rows), more)
	return nil
}

// plain is a driver's value for people and JSON.
func plain(v any) any {
	switch v := v.(type) {
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return `\x` + hex.EncodeToString(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return v
}
