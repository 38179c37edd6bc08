package tenantcli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// record is a tenant in JSON.
type record struct {
	ID          tenancy.ID     `json:"id"`
	Name        string         `json:"name,omitempty"`
	State       catalog.State  `json:"state"`
	Step        catalog.Step   `json:"step,omitempty"`
	Previous    catalog.State  `json:"previous,omitempty"`
	Peer        tenancy.ID     `json:"peer,omitempty"`
	Domains     []string       `json:"domains"`
	Strategy    string         `json:"strategy,omitempty"`
	Place       string         `json:"place,omitempty"`
	Version     string         `json:"version,omitempty"`
	Metadata    map[string]any `json:"metadata,omitempty"`
	DeleteAfter *time.Time     `json:"deleteAfter,omitempty"`
	CreatedAt   time.Time      `json:"createdAt"`
	UpdatedAt   time.Time      `json:"updatedAt"`
}

func recordOf(t catalog.Tenant) record {
	r := record{
		ID: t.ID, Name: t.Name, State: t.State, Step: t.Step, Previous: t.Previous, Peer: t.Peer, Strategy: t.Strategy,
		Place: t.Place, Version: t.Version, Metadata: t.Metadata, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		Domains: append([]string{}, t.Domains...),
	}
	if !t.DeleteAfter.IsZero() {
		r.DeleteAfter = &t.DeleteAfter
	}
	return r
}

// state is the tenant's state with the step under way.
func (r record) state() string {
	text := string(r.State)
	if r.Step != "" {
		text += " (" + string(r.Step) + " is not finished)"
	}
	return text
}

// lines are the record for people.
func (r record) lines() [][]string {
	rows := [][]string{{"id", string(r.ID)}, {"state", r.state()}}
	for _, row := range [][]string{
		{"name", r.Name},
		{"domains", strings.Join(r.Domains, " ")},
		{"strategy", r.Strategy},
		{"place", r.Place},
		{"version", r.Version},
		{"before", string(r.Previous)},
		{"peer", string(r.Peer)},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	if r.DeleteAfter != nil {
		rows = append(rows, []string{"purged after", r.DeleteAfter.Format(time.RFC3339)})
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		rows = append(rows, []string{"metadata " + key, literal(r.Metadata[key])})
	}
	return append(rows, []string{"created", r.CreatedAt.Format(time.RFC3339)}, []string{"updated", r.UpdatedAt.Format(time.RFC3339)})
}

func literal(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}

// metadata reads --metadata: key=value. A value that is JSON (a number, true, an object) is kept as that, all others as text.
func metadata(pairs []string) (map[string]any, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	m := map[string]any{}
	for _, pair := range pairs {
		key, text, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("--metadata is key=value")
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		m[key] = value
	}
	return m, nil
}
