package containers_test

import (
	"errors"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// hostile is text that means something in YAML, in nginx's configuration, to compose or to a template.
func hostile() []string {
	return []string{
		"x; return 200 pwned", "x\n}\nserver { listen 80; }", `x" ; include /etc/passwd; "`, "x'", "$host", "${PATH}", "$$", "{{.Header}}",
		"x: y", "- x", "&a", "*a", "!!binary x", "x #", "# tenant thor", "x\x00y", "x\ty", "~^.*$", "*.polls.local", ".polls.local", "_",
		"../thor", "thor/../potter", "thor_web:8000", "x y", "x,y", "\u2028", "-x", "%2e", "@", "\\", "`id`", "$(id)",
	}
}

// TestHostileText shows that names and metadata are in no file, and that ids and domains that mean something are refused.
func TestHostileText(t *testing.T) {
	t.Parallel()
	want := files(t, containers.Options{}, tenant("thor"), tenant("potter"))
	for _, text := range hostile() {
		record := tenant("potter")
		record.Name, record.Strategy, record.Place, record.Version, record.Metadata = text, text, text, text, map[string]any{text: text}
		if got := files(t, containers.Options{}, tenant("thor"), record); !maps.Equal(got, want) {
			t.Errorf("%q shows", text)
		}
		if _, err := containers.New([]catalog.Tenant{tenant(text)}, containers.Options{}); !errors.Is(err, tenancy.ErrInvalidID) {
			t.Errorf("the id %q: %v", text, err)
		}
		_, err := containers.New([]catalog.Tenant{tenant("thor", text)}, containers.Options{})
		if !errors.Is(err, containers.ErrDomain) && !errors.Is(err, catalog.ErrInvalidDomain) {
			t.Errorf("the domain %q: %v", text, err)
		}
		for _, o := range []containers.Options{{Project: text}, {Base: text}} {
			if _, err := containers.New(nil, o); !errors.Is(err, containers.ErrConfig) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

// TestDomains shows that no tenant gets a host that is another's.
func TestDomains(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tenants []catalog.Tenant
		want    error
	}{
		"its own":                 {[]catalog.Tenant{tenant("thor", "thor.polls.local", "thor.example")}, nil},
		"another's subdomain":     {[]catalog.Tenant{tenant("thor", "potter.polls.local"), tenant("potter")}, containers.ErrDomain},
		"a subdomain of nobody":   {[]catalog.Tenant{tenant("thor", "loki.polls.local")}, containers.ErrDomain},
		"below a subdomain":       {[]catalog.Tenant{tenant("thor", "a.potter.polls.local")}, containers.ErrDomain},
		"the base":                {[]catalog.Tenant{tenant("thor", "polls.local")}, containers.ErrDomain},
		"in other letters":        {[]catalog.Tenant{tenant("thor", "POTTER.Polls.Local.")}, containers.ErrDomain},
		"another's domain":        {[]catalog.Tenant{tenant("thor", "a.example"), tenant("potter", "a.example")}, containers.ErrDomain},
		"a deleted one's domain":  {[]catalog.Tenant{tenant("thor", "a.example"), in(catalog.Deleting, tenant("potter", "a.example"))}, containers.ErrDomain},
		"the same id":             {[]catalog.Tenant{tenant("thor"), tenant("thor")}, containers.ErrDomain},
		"an id too long":          {[]catalog.Tenant{tenant(strings.Repeat("a", containers.MaxID+1))}, tenancy.ErrInvalidID},
		"an id as long as it can": {[]catalog.Tenant{tenant(strings.Repeat("a", containers.MaxID))}, nil},
	} {
		if _, err := containers.New(tc.tenants, containers.Options{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestScalars shows that ids that YAML has other ideas about stay text.
func TestScalars(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"1", "007", "1e3", "0x1f", "0o17", "1_000", "true", "on", "off", "yes", "no", "y", "n", "nan", "inf", "2026-01-02", "12-3"} {
		c := parsed(t, files(t, containers.Options{}, tenant(id))["compose.yaml"])
		web, ok := c["services"].(map[string]any)[id+"_web"].(map[string]any)
		if !ok {
			t.Errorf("%s: there is no service", id)
			continue
		}
		if got := web["environment"].(map[string]any)["POLLS_TENANT"]; got != id {
			t.Errorf("%s became %v (%T)", id, got, got)
		}
	}
}

func parsed(t testing.TB, text string) map[string]any {
	t.Helper()
	var c map[string]any
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	serverName = regexp.MustCompile(`(?m)^\t\tserver_name (.*);$`)
	nameShape  = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]*$`)
)

// FuzzRender renders a tenant beside thor. What is accepted changes nothing of thor's, and has the shape it should.
func FuzzRender(f *testing.F) {
	for _, text := range hostile() {
		f.Add(text, text, text)
		f.Add("loki", text, text)
		f.Add("loki", text+".example", text)
	}
	f.Fuzz(func(t *testing.T, id, domain, name string) {
		record := tenant(id, domain)
		record.Name, record.Metadata = name, map[string]any{name: domain}
		topology, err := containers.New([]catalog.Tenant{tenant("thor"), record}, containers.Options{})
		if err != nil {
			return
		}
		rendered, err := topology.Files()
		if err != nil {
			t.Fatal(err)
		}
		alone := parsed(t, files(t, containers.Options{}, tenant("thor"))["compose.yaml"])["services"].(map[string]any)
		both := parsed(t, string(rendered["compose.yaml"]))["services"].(map[string]any)
		if len(both) != len(alone)+3 {
			t.Fatalf("%d services", len(both))
		}
		for _, service := range []string{"thor_web", "thor_db", "thor_migration"} {
			one, _ := yaml.Marshal(alone[service])
			two, _ := yaml.Marshal(both[service])
			if string(one) != string(two) {
				t.Fatalf("%s differs", service)
			}
		}
		config := string(rendered["nginx/nginx.conf"])
		servers := serverName.FindAllStringSubmatch(config, -1)
		if len(servers) != 3 || strings.Count(config, "proxy_pass") != 2 || strings.Count(config, "{") != strings.Count(config, "}") {
			t.Fatalf("%q", servers)
		}
		for _, s := range servers[1:] {
			for _, host := range strings.Split(s[1], " ") {
				if _, err := netip.ParseAddr(host); err == nil || !nameShape.MatchString(host) {
					t.Fatalf("the host %q", host)
				}
			}
		}
	})
}
