package containers

import (
	"bytes"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// The images that are not built here, the users in them, and the one in the application's.
const (
	postgresImage = "postgres:17-alpine"
	nginxImage    = "nginx:1.28-alpine"
	postgresUser  = 70
	nginxUser     = 101
	appUser       = 65532
)

// tenantLabel is on all that belongs to a tenant.
const tenantLabel = "polls.tenant"

type composeFile struct {
	Name     string             `yaml:"name"`
	Services map[string]service `yaml:"services"`
	Networks map[string]network `yaml:"networks"`
	Volumes  map[string]volume  `yaml:"volumes,omitempty"`
	Secrets  map[string]secret  `yaml:"secrets,omitempty"`
}

type service struct {
	Image       string               `yaml:"image"`
	PullPolicy  string               `yaml:"pull_policy,omitempty"`
	Entrypoint  []string             `yaml:"entrypoint,omitempty"`
	Command     []string             `yaml:"command,omitempty"`
	User        string               `yaml:"user"`
	ReadOnly    bool                 `yaml:"read_only"`
	CapDrop     []string             `yaml:"cap_drop"`
	SecurityOpt []string             `yaml:"security_opt"`
	MemLimit    string               `yaml:"mem_limit"`
	PidsLimit   int                  `yaml:"pids_limit"`
	Sysctls     map[string]int       `yaml:"sysctls,omitempty"`
	Restart     string               `yaml:"restart"`
	StopGrace   string               `yaml:"stop_grace_period,omitempty"`
	Environment map[string]string    `yaml:"environment,omitempty"`
	Secrets     []secretMount        `yaml:"secrets,omitempty"`
	Volumes     []mount              `yaml:"volumes,omitempty"`
	Tmpfs       []string             `yaml:"tmpfs,omitempty"`
	Ports       []port               `yaml:"ports,omitempty"`
	NetworkMode string               `yaml:"network_mode,omitempty"`
	Networks    []string             `yaml:"networks,omitempty"`
	DependsOn   map[string]condition `yaml:"depends_on,omitempty"`
	Healthcheck *healthcheck         `yaml:"healthcheck,omitempty"`
	Labels      map[string]string    `yaml:"labels,omitempty"`
}

type secretMount struct {
	Source string `yaml:"source"`
	Target string `yaml:"target"`
}

type mount struct {
	Type     string `yaml:"type"`
	Source   string `yaml:"source"`
	Target   string `yaml:"target"`
	ReadOnly bool   `yaml:"read_only,omitempty"`
}

type port struct {
	Target    int    `yaml:"target"`
	Published string `yaml:"published"`
}

type condition struct {
	Condition string `yaml:"condition"`
}

type healthcheck struct {
	Test        []string `yaml:"test"`
	Interval    string   `yaml:"interval"`
	Timeout     string   `yaml:"timeout"`
	Retries     int      `yaml:"retries"`
	StartPeriod string   `yaml:"start_period"`
}

type network struct {
	Internal bool              `yaml:"internal,omitempty"`
	Labels   map[string]string `yaml:"labels,omitempty"`
}

type volume struct {
	Labels map[string]string `yaml:"labels"`
}

type secret struct {
	File string `yaml:"file"`
}

// compose returns the compose file.
func (t *Topology) compose() composeFile {
	c := composeFile{
		Name:     t.options.Project,
		Services: map[string]service{"nginx": t.nginxService()},
		Networks: map[string]network{"public": {}},
		Volumes:  map[string]volume{},
		Secrets:  map[string]secret{},
	}
	for _, s := range t.sites {
		labels := map[string]string{tenantLabel: string(s.id)}
		c.Networks[s.front()] = network{Internal: true, Labels: labels}
		c.Volumes[s.data()] = volume{Labels: labels}
		c.Secrets[s.urlSecret()] = secret{File: "./" + secretPath(s.id, urlFile)}
		c.Services[s.web()] = t.web(s)
		c.Services[s.migration()] = t.migration(s)
		if t.options.SQLite {
			continue
		}
		c.Networks[s.back()] = network{Internal: true, Labels: labels}
		c.Secrets[s.password()] = secret{File: "./" + secretPath(s.id, passwordFile)}
		c.Services[s.db()] = t.db(s)
	}
	return c
}

// marshal quotes what YAML has other ideas about: a tenant's id may be "on" or "1e3".
func marshal(c composeFile) ([]byte, error) {
	text := bytes.NewBufferString(header)
	e := yaml.NewEncoder(text)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(c), e.Close()); err != nil {
		return nil, fmt.Errorf("containers: compose file: %w", err)
	}
	return text.Bytes(), nil
}

// header begins every file.
const header = "# Written by polls containers; changes are overwritten.\n"
