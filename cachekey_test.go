package tenancy_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
)

// nobodys are contexts that act for no tenant.
func nobodys() map[string]context.Context {
	thor := tenancy.WithTenant(context.Background(), "thor")
	return map[string]context.Context{
		"nothing": context.Background(), "central": tenancy.Central(thor), "bypass": tenancy.Bypass(thor, "test"),
		"no reason": tenancy.Bypass(thor, ""), "invalid": tenancy.WithTenant(thor, "../potter"), "reserved": tenancy.WithTenant(thor, "central"),
	}
}

func TestCacheKey(t *testing.T) {
	t.Parallel()
	thor := tenancy.WithTenant(t.Context(), "thor")
	for want, parts := range map[string][]string{
		"thor": nil, "thor:": {""}, "thor::": {"", ""}, "thor:poll:7": {"poll", "7"}, "thor:poll%3A7": {"poll:7"},
		"thor:poll%253A7": {"poll%3A7"}, "thor:%3Apoll:7": {":poll", "7"}, "thor:a\x00b": {"a\x00b"}, "thor:ä*": {"ä*"},
	} {
		if got, err := tenancy.CacheKey(thor, parts...); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", parts, got, err, want)
		}
	}
	// A tenant cannot spell the key of another one, whatever its parts.
	got, err := tenancy.CacheKey(thor, "x", "potter:poll:7", "\npotter:poll:7")
	if err != nil || strings.Contains(got, "potter:") || !strings.HasPrefix(got, "thor:") {
		t.Errorf("%q, %v", got, err)
	}
	for what, ctx := range nobodys() {
		if key, err := tenancy.CacheKey(ctx, "poll", "7"); key != "" || !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s: %q, %v", what, key, err)
		}
	}
}

// FuzzCacheKey compares the keys of two tenants and two lists of parts, cut from texts at a byte.
func FuzzCacheKey(f *testing.F) {
	f.Add("thor", "poll\x1f7", "thor", "poll:7")
	f.Add("thor", "", "thor", "\x1f")
	f.Add("a", "b:c", "a:b", "c")
	f.Add("a", "%3A", "a", ":")
	f.Add("a", "%25\x1f", "a", "%\x1f")
	f.Add("a-b", "c", "a", "b\x1fc")
	f.Fuzz(func(t *testing.T, one, parts, other, more string) {
		cut := func(s string) []string { return strings.Split(s, "\x1f") }
		a, errA := tenancy.CacheKey(tenancy.WithTenant(t.Context(), tenancy.ID(one)), cut(parts)...)
		b, errB := tenancy.CacheKey(tenancy.WithTenant(t.Context(), tenancy.ID(other)), cut(more)...)
		if errA != nil || errB != nil {
			return
		}
		if same := one == other && parts == more; (a == b) != same {
			t.Fatalf("%q %q: %q; %q %q: %q", one, cut(parts), a, other, cut(more), b)
		}
		if !strings.HasPrefix(a, one+":") || one != other && strings.HasPrefix(a, other+":") {
			t.Fatalf("%q begins as a key of another tenant, not of %q", a, one)
		}
	})
}

func TestObjectKey(t *testing.T) {
	t.Parallel()
	thor := tenancy.WithTenant(t.Context(), "thor")
	for name, want := range map[string]string{
		"a.png": "thor/a.png", "a/b/c": "thor/a/b/c", "..a/b..": "thor/..a/b..", "potter/a": "thor/potter/a", "%2e%2e/a": "thor/%2e%2e/a",
		"": "", ".": "", "..": "", "../potter/a": "", "a/../../potter/a": "", "a/./b": "", "/potter/a": "", "a//b": "", "a/": "",
		`..\potter\a`: "", `a\b`: "", "a\x00": "", "a\n": "", "a\x7f": "", "a\xff": "",
	} {
		got, err := tenancy.ObjectKey(thor, name)
		if got != want || errors.Is(err, fs.ErrInvalid) != (want == "") {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	for what, ctx := range nobodys() {
		if key, err := tenancy.ObjectKey(ctx, "a.png"); key != "" || !errors.Is(err, tenancy.ErrNoTenant) {
			t.Errorf("%s: %q, %v", what, key, err)
		}
	}
}
