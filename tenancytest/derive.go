package tenancytest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm/schema"
)

// derived are the values of row n of one tenant. number is another one for each tenant and row, and mark tells it in texts.
type derived struct {
	mark   string
	number int
}

// noon is the time of the first row.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// values is what a field may get, in the order in which it should be tried. None leaves the field as it is.
func (d derived) values(f *schema.Field) []any {
	kind := strings.ToLower(string(f.DataType))
	switch {
	case leftAlone(f):
		return nil
	case strings.Contains(kind, "uuid"):
		return []any{d.uuid(), []byte(d.uuid())}
	case strings.Contains(kind, "json"):
		text, _ := json.Marshal(map[string]string{"mark": d.text(f.DBName, 0)})
		return []any{string(text), text}
	case strings.HasPrefix(kind, "enum"):
		return []any{firstQuoted(string(f.DataType))}
	}
	switch f.IndirectFieldType.Kind() {
	case reflect.String:
		return []any{d.text(f.DBName, width(f))}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return []any{d.number}
	case reflect.Float32, reflect.Float64:
		return []any{float64(d.number) + 0.5}
	case reflect.Bool:
		return []any{true}
	}
	return d.scanned(f)
}

// scanned are values for types of their own.
func (d derived) scanned(f *schema.Field) []any {
	at := noon.Add(time.Duration(d.number) * time.Minute)
	switch f.IndirectFieldType {
	case reflect.TypeFor[time.Time]():
		return []any{at}
	case reflect.TypeFor[[]byte]():
		return []any{[]byte(d.text(f.DBName, width(f)))}
	}
	text := d.text(f.DBName, width(f))
	switch v := reflect.New(f.IndirectFieldType).Interface(); {
	case f.Serializer != nil:
		if err := json.Unmarshal([]byte(`["`+text+`"]`), v); err == nil {
			return []any{reflect.ValueOf(v).Elem().Interface()}
		}
	case f.IndirectFieldType.Kind() == reflect.Array && f.IndirectFieldType.Len() == 16: // a UUID whose column says something else
		return []any{d.uuid()}
	default:
		if _, ok := v.(sql.Scanner); ok {
			return []any{at, text, d.number, strconv.Itoa(d.number), d.uuid()}
		}
	}
	return nil
}

// leftAlone reports a field that GORM, the database or a plugin fills in.
func leftAlone(f *schema.Field) bool {
	if f.AutoCreateTime > 0 || f.AutoUpdateTime > 0 || f.HasDefaultValue && !f.PrimaryKey || !f.Creatable {
		return true
	}
	v := reflect.New(f.IndirectFieldType).Interface()
	_, queries := v.(schema.QueryClausesInterface)
	_, updates := v.(schema.UpdateClausesInterface)
	return queries || updates
}

// text says whose it is, and the column's name where there is room.
func (d derived) text(column string, size int) string {
	text := d.mark + " " + column
	if size == 0 || len(text) <= size {
		return text
	}
	if len(d.mark) <= size {
		return d.mark
	}
	short := strconv.FormatInt(int64(d.number), 36)
	return short[max(0, len(short)-size):]
}

func (d derived) uuid() string { return fmt.Sprintf("7e570000-0000-4000-8000-%012d", d.number) }

var sized = regexp.MustCompile(`\((\d+)\)`)

// width is how many bytes a text may have; 0 is as many as one likes.
func width(f *schema.Field) int {
	if m := sized.FindStringSubmatch(string(f.DataType)); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return f.Size
}

func firstQuoted(text string) string {
	parts := strings.SplitN(text, "'", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// set gives a field the first value that it takes.
func (d derived) set(ctx context.Context, f *schema.Field, row reflect.Value) {
	for _, v := range d.values(f) {
		if f.Set(ctx, row, v) == nil {
			return
		}
	}
}

// keyBase is below all keys that are made; rows of the application seldom have them.
func keyBase(f *schema.Field) int {
	switch f.IndirectFieldType.Kind() {
	case reflect.Int8, reflect.Uint8:
		return 50
	case reflect.Int16, reflect.Uint16:
		return 9000
	}
	return 900000
}
