package containers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// visitor asks nginx for a host.
type visitor struct {
	client *http.Client
	url    string
	host   string
	token  string
}

func (m *machine) visitor(host string) *visitor {
	return &visitor{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url: m.url, host: host}
}

// ask returns the status and the body.
func (v *visitor) ask(method, path string, body any, headers ...string) (int, string, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	r, err := http.NewRequest(method, v.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	if body == nil {
		r.Body, r.ContentLength = nil, 0
	}
	r.Host = v.host
	r.Header.Set("Content-Type", "application/json")
	if v.token != "" {
		r.Header.Set("Authorization", "Token "+v.token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := v.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// must asks and ends the test for another status.
func (v *visitor) must(t testing.TB, status int, method, path string, body any, headers ...string) string {
	t.Helper()
	got, text, err := v.ask(method, path, body, headers...)
	if err != nil || got != status {
		t.Fatalf("%s %s%s: %d, %v, want %d: %s", method, v.host, path, got, err, status, text)
	}
	return text
}

type object map[string]any

// member signs somebody up and in at a host.
func (m *machine) member(t testing.TB, host, name string) *visitor {
	t.Helper()
	v := m.visitor(host)
	account := object{"username": name, "email": "", "password": "correct horse of " + name}
	v.must(t, http.StatusCreated, http.MethodPost, "/users/", account)
	delete(account, "email")
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(v.must(t, http.StatusOK, http.MethodPost, "/login/", account)), &answer); err != nil {
		t.Fatal(err)
	}
	v.token = answer.Token
	return v
}

// question makes poll 1 of a tenant.
func (v *visitor) question(t testing.TB, text string) {
	t.Helper()
	v.must(t, http.StatusCreated, http.MethodPost, "/polls/", object{"question": text, "choices": []string{"yes", "no"}})
}

// applied makes the machine that of the tenants.
func (m *machine) applied(t testing.TB, tenants ...catalog.Tenant) error {
	t.Helper()
	_, err := containers.Open(m.dir).Apply(t.Context(), m.topology(t, tenants...), m, containers.ApplyOptions{})
	return err
}

func (m *machine) mustApply(t testing.TB, tenants ...catalog.Tenant) {
	t.Helper()
	if err := m.applied(t, tenants...); err != nil {
		t.Fatal(fmt.Errorf("apply: %w", err))
	}
}

func (m *machine) topology(t testing.TB, tenants ...catalog.Tenant) *containers.Topology {
	t.Helper()
	topology, err := containers.New(tenants, containers.Options{SQLite: m.sqlite})
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// render writes what is rendered and starts nothing.
func (m *machine) render(t testing.TB, tenants ...catalog.Tenant) error {
	t.Helper()
	return containers.Open(m.dir).Render(m.topology(t, tenants...))
}
