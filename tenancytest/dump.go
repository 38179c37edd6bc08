package tenancytest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// dump writes a value with all its exported fields, also those that are no columns: hooks may fill them. Lists of rows are
// sorted, because a database without ORDER BY may return them in any order.
func dump(v any) string {
	var b strings.Builder
	write(&b, reflect.ValueOf(v), 0)
	return b.String()
}

// deep is how far structs may be nested: rows may point at each other.
const deep = 12

func write(b *strings.Builder, v reflect.Value, depth int) {
	if depth > deep {
		b.WriteString("…")
		return
	}
	switch v.Kind() {
	case reflect.Invalid:
		b.WriteString("nil")
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		write(b, v.Elem(), depth)
	case reflect.Struct:
		writeStruct(b, v, depth)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(b, "%q", bytesOf(v))
			return
		}
		all := make([]string, v.Len())
		for i := range all {
			var one strings.Builder
			write(&one, v.Index(i), depth+1)
			all[i] = one.String()
		}
		slices.Sort(all)
		b.WriteString("[" + strings.Join(all, " ") + "]")
	case reflect.Map:
		var all []string
		for _, k := range v.MapKeys() {
			var one strings.Builder
			fmt.Fprintf(&one, "%v:", k)
			write(&one, v.MapIndex(k), depth+1)
			all = append(all, one.String())
		}
		slices.Sort(all)
		b.WriteString("map[" + strings.Join(all, " ") + "]")
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		b.WriteString(v.Kind().String())
	case reflect.String:
		fmt.Fprintf(b, "%q", v.String())
	default:
		fmt.Fprintf(b, "%v", v)
	}
}

func bytesOf(v reflect.Value) []byte {
	all := make([]byte, v.Len())
	for i := range all {
		all[i] = byte(v.Index(i).Uint())
	}
	return all
}

func writeStruct(b *strings.Builder, v reflect.Value, depth int) {
	if v.CanInterface() {
		if at, ok := v.Interface().(time.Time); ok {
			b.WriteString(at.UTC().Format(time.RFC3339Nano))
			return
		}
	}
	b.WriteString("{")
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			b.WriteString(f.Name + ":")
			write(b, v.Field(i), depth+1)
			b.WriteString(" ")
		}
	}
	b.WriteString("}")
}
