package polls_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestDescription: each route for programs is described, and what is described is routed.
func TestDescription(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]json.RawMessage
	}
	s.send("GET", "/openapi.json", "").want(200).into(&doc)
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %q", doc.OpenAPI)
	}
	var described []string
	for path, operations := range doc.Paths {
		for method := range operations {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	var routed, people []string
	for _, r := range s.engine.Routes() {
		path := strings.NewReplacer(":id", "{id}", ":choice", "{choice}").Replace(r.Path)
		if !strings.HasSuffix(path, "/") && path != "/openapi.json" && path != "/static/polls.css" {
			continue // the same with a slash is a route, too: see TestSlashes
		}
		if forPeople(path) {
			people = append(people, r.Method+" "+path)
			continue
		}
		routed = append(routed, r.Method+" "+path)
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("described %s\nrouted    %s", strings.Join(described, ", "), strings.Join(routed, ", "))
	}
	if len(people) != 19 {
		t.Errorf("%d routes for people: %s", len(people), strings.Join(people, ", "))
	}
}

// forPeople reports whether a path has nothing but pages and forms.
func forPeople(path string) bool {
	for _, prefix := range []string{"/signup/", "/signin/", "/signout/", "/admin/", "/static/", "/polls/new/", "/polls/{id}/vote/", "/polls/{id}/delete/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
