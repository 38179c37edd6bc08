package main

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestOperatorPages: each page is HTML that keyboards and screen readers can use, loads nothing from elsewhere, runs no
// script, and is kept by nobody.
func TestOperatorPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, hybridSQLite(t))
	s.operates()
	progress := s.wishFor("loki").want(303).Header().Get("Location")
	for path, user := range map[string]string{
		"/": "", "/start/": "", progress: "", "/operator/signin/": "", "/operator/": root, "/operator/tenants/thor/": root,
		"/operator/tenants/thor/delete/": root, "/operator/tenants/loki/": root,
	} {
		a := s.page(bare, user, path)
		h := a.Header()
		if h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Cache-Control") != "no-store" ||
			!strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self'; form-action 'self'") {
			t.Errorf("%s: header %v", path, h)
		}
		page, err := html.Parse(strings.NewReader(a.Body.String()))
		must(t, err)
		checkPage(t, path, page)
	}
}

// checkPage looks at every element of a page once.
func checkPage(t *testing.T, path string, page *html.Node) {
	t.Helper()
	seen, ids, labelled, fields := map[string]int{}, map[string]bool{}, map[string]bool{}, []string{}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		seen[n.Data]++
		at := map[string]string{}
		for _, a := range n.Attr {
			at[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("%s: %s has %s", path, n.Data, a.Key)
			}
		}
		if id := at["id"]; id != "" && ids[id] {
			t.Errorf("%s: two elements are %q", path, id)
		}
		ids[at["id"]] = true
		switch n.Data {
		case "html":
			if at["lang"] != "en" {
				t.Errorf("%s: no language", path)
			}
		case "label":
			labelled[at["for"]] = true
		case "input":
			if at["type"] != "hidden" && n.Parent.Data != "label" {
				fields = append(fields, at["id"])
			}
		case "form":
			if !strings.EqualFold(at["method"], "post") || !strings.HasPrefix(at["action"], "/") || strings.HasPrefix(at["action"], "//") {
				t.Errorf("%s: a form sends to %q by %q", path, at["action"], at["method"])
			}
		case "script", "iframe", "img":
			t.Errorf("%s: %s", path, n.Data)
		case "link":
			if at["href"] != "/static/polls.css" {
				t.Errorf("%s: loads %q", path, at["href"])
			}
		}
	}
	for _, id := range fields {
		if id == "" || !labelled[id] {
			t.Errorf("%s: the field %q has no label", path, id)
		}
	}
	if seen["h1"] != 1 || seen["main"] != 1 || seen["title"] != 1 {
		t.Errorf("%s: %v", path, seen)
	}
}
