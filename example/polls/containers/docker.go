package containers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/gorm-tenancy/tenancy"
)

// Docker runs the rendered directory by the docker command with its compose plugin. It is safe for concurrent use.
type Docker struct {
	// Dir is the rendered directory.
	Dir string
	// Project is that of [Options].
	Project string
}

var _ Runtime = Docker{}

const (
	pollEvery = 100 * time.Millisecond
	// settle is how long only the new configuration has to answer. nginx starts the new workers, waits 0.1 s and then tells the
	// old ones to take no more connections.
	settle     = 500 * time.Millisecond
	reloadTime = 30 * time.Second
)

// Up starts the tenant and shows nginx, if it runs, the tenant's network. Compose would make nginx anew for that.
func (d Docker) Up(ctx context.Context, id tenancy.ID) error {
	s := site{id: id}
	if _, err := d.compose(ctx, "up", "--detach", "--wait", s.web()); err != nil {
		return err
	}
	nginx, err := d.nginx(ctx)
	if err != nil || nginx == "" {
		return err
	}
	out, err := d.run(ctx, "inspect", "--format", "{{json .NetworkSettings.Networks}}", nginx)
	if err != nil {
		return err
	}
	var networks map[string]any
	if err := json.Unmarshal([]byte(out), &networks); err != nil {
		return err
	}
	name := d.Project + "_" + s.front()
	if _, connected := networks[name]; connected {
		return nil
	}
	_, err = d.run(ctx, "network", "connect", name, nginx)
	return err
}

// Test runs nginx -t in a container that is removed.
func (d Docker) Test(ctx context.Context, file string) error {
	_, err := d.compose(ctx, "run", "--rm", "--no-deps", "-T", "nginx", "-t", "-c", nginxDir+"/"+file)
	return err
}

// Serve sends HUP to nginx, or starts it, and waits for the version.
func (d Docker) Serve(ctx context.Context, version string, restart bool) error {
	nginx, err := d.nginx(ctx)
	if err != nil {
		return err
	}
	if nginx == "" || restart {
		_, err = d.compose(ctx, "up", "--detach", "--wait", "--no-deps", "nginx")
	} else {
		_, err = d.run(ctx, "kill", "--signal", "HUP", nginx)
	}
	if err != nil {
		return err
	}
	return Await(ctx, version, func(ctx context.Context) (string, error) {
		return d.compose(ctx, "exec", "-T", "nginx", "wget", "-q", "-O", "-", "http://"+statusAddr+"/")
	})
}

// Await asks which version of its configuration nginx answers with, by ask, and returns when there was no other answer for
// half a second. It fails after 30 s.
func Await(ctx context.Context, version string, ask func(context.Context) (string, error)) error {
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	since := time.Time{}
	for {
		answer, err := ask(ctx)
		switch {
		case err != nil || strings.TrimSpace(answer) != version:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) >= settle:
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("nginx does not take the new configuration"), err, ctx.Err())
		case <-tick.C:
		}
	}
}

// Down stops and removes the tenant's containers and networks.
func (d Docker) Down(ctx context.Context, id tenancy.ID) error {
	containers, err := d.list(ctx, id, "ps", "--all", "--quiet")
	if err != nil {
		return err
	}
	if len(containers) > 0 {
		if _, err := d.run(ctx, append([]string{"stop"}, containers...)...); err != nil {
			return err
		}
		if _, err := d.run(ctx, append([]string{"rm"}, containers...)...); err != nil {
			return err
		}
	}
	networks, err := d.list(ctx, id, "network", "ls", "--quiet")
	if err != nil || len(networks) == 0 {
		return err
	}
	nginx, err := d.nginx(ctx)
	if err != nil {
		return err
	}
	for _, network := range networks {
		if nginx != "" {
			_, _ = d.run(ctx, "network", "disconnect", "--force", network, nginx) // fails for those it is not in
		}
		if _, err := d.run(ctx, "network", "rm", network); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes the tenant's volumes.
func (d Docker) Purge(ctx context.Context, id tenancy.ID) error {
	volumes, err := d.list(ctx, id, "volume", "ls", "--quiet")
	if err != nil || len(volumes) == 0 {
		return err
	}
	_, err = d.run(ctx, append([]string{"volume", "rm"}, volumes...)...)
	return err
}

// list returns what of a kind is the tenant's in this project.
func (d Docker) list(ctx context.Context, id tenancy.ID, command ...string) ([]string, error) {
	out, err := d.run(ctx, append(command,
		"--filter", "label=com.docker.compose.project="+d.Project, "--filter", "label="+tenantLabel+"="+string(id))...)
	return strings.Fields(out), err
}

// nginx returns the id of nginx's container, "" if it does not run.
func (d Docker) nginx(ctx context.Context) (string, error) {
	out, err := d.compose(ctx, "ps", "--quiet", "nginx")
	return strings.TrimSpace(out), err
}

func (d Docker) compose(ctx context.Context, args ...string) (string, error) {
	return d.run(ctx, append([]string{"compose"}, args...)...)
}

func (d Docker) run(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, "docker", args...)
	c.Dir = d.Dir
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}
