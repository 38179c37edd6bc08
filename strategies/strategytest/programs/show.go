package programs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ordered are rows whose order counts.
type ordered struct{ rows any }

// show is a result as text. Rows of a slice are sorted, where no order was asked for.
func show(out any) string {
	asked, isOrdered := out.(ordered)
	if isOrdered {
		out = asked.rows
	}
	v := reflect.ValueOf(out)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Slice {
		return text(tidy(v))
	}
	all := make([]string, v.Len())
	for i := range all {
		all[i] = text(tidy(v.Index(i)))
	}
	if !isOrdered {
		slices.Sort(all)
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func text(v any) string {
	t, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v: %v", err, v)
	}
	return string(t)
}

// tidy sorts what was preloaded.
func tidy(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch v := v.Interface().(type) {
	case poll:
		v.sort()
		return v
	case choice:
		if v.Poll != nil {
			v.Poll.sort()
		}
		return v
	}
	return v.Interface()
}

func (p *poll) sort() {
	slices.SortFunc(p.Choices, func(x, y choice) int { return cmp.Compare(x.ID, y.ID) })
	slices.SortFunc(p.Voters, func(x, y voter) int { return cmp.Compare(x.ID, y.ID) })
}
