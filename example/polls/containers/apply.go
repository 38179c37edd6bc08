package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"

	"github.com/gorm-tenancy/tenancy"
)

// Runtime runs what is rendered. [Docker] is one. Its methods are called one after the other, and again after a failure, so
// that each has to bear that its work is done.
type Runtime interface {
	// Up starts the services of a tenant as the compose file has them, and returns when they are healthy.
	Up(ctx context.Context, id tenancy.ID) error
	// Test asks nginx whether it would take the configuration in a file of its directory.
	Test(ctx context.Context, file string) error
	// Serve makes nginx, which may not run yet, take the configuration of the version without dropping a request, and returns
	// when no other one answers. With restart nginx starts anew.
	Serve(ctx context.Context, version string, restart bool) error
	// Down ends the services of a tenant that the compose file does not have any more. Requests under way are finished.
	Down(ctx context.Context, id tenancy.ID) error
	// Purge removes the volumes of a tenant that is down.
	Purge(ctx context.Context, id tenancy.ID) error
}

// ErrNginx is a configuration that nginx does not take. The old one is in force.
var ErrNginx = errors.New("containers: nginx refuses the configuration")

// ApplyOptions are what [Dir.Apply] may do beyond what is safe.
type ApplyOptions struct {
	// RemoveData removes the secrets and volumes of tenants that are gone. They are kept by default.
	RemoveData bool
}

// Apply makes what runs that of the topology and returns what that was. New tenants are up before nginx knows them, and nginx
// has forgotten those that are gone before they end. A tenant that does not start keeps nobody else back: its error is joined to
// the others', and the next call tries again. Fails with [ErrKept] before anything is touched, and with [ErrNginx].
func (d *Dir) Apply(ctx context.Context, t *Topology, r Runtime, o ApplyOptions) (Plan, error) {
	unlock, err := d.lock()
	if err != nil {
		return Plan{}, err
	}
	defer unlock()
	plan, err := d.Plan(t)
	if err != nil {
		return Plan{}, err
	}
	if err := d.ensureSecrets(t); err != nil {
		return plan, err
	}
	if err := d.write(t, composePath, dockerfilePath, ignorePath); err != nil {
		return plan, err
	}
	failed := up(ctx, r, plan)
	if err := d.serve(ctx, t, r, plan.Restart); err != nil {
		return plan, errors.Join(failed, err)
	}
	if err := errors.Join(failed, d.down(ctx, r, plan, o)); err != nil {
		return plan, err
	}
	return plan, d.remember(t)
}

// up starts the tenants whose services are new or differ.
func up(ctx context.Context, r Runtime, plan Plan) error {
	var failed []error
	done := map[tenancy.ID]bool{"": true}
	for _, s := range plan.Services {
		if s.Kind == Removed || done[s.Tenant] {
			continue
		}
		done[s.Tenant] = true
		if err := r.Up(ctx, s.Tenant); err != nil {
			failed = append(failed, fmt.Errorf("start %s: %w", s.Tenant, err))
		}
	}
	return errors.Join(failed...)
}

var versionLine = regexp.MustCompile(`return 200 "([0-9a-f]+)\\n"`)

// serve gives nginx its configuration, tested.
func (d *Dir) serve(ctx context.Context, t *Topology, r Runtime, restart bool) error {
	text, err := t.nginx()
	if err != nil {
		return err
	}
	if err := d.put(nextPath, text); err != nil {
		return err
	}
	if err := r.Test(ctx, path.Base(nextPath)); err != nil {
		return fmt.Errorf("%w: %w", ErrNginx, err)
	}
	if err := os.Rename(d.path(nextPath), d.path(nginxPath)); err != nil {
		return err
	}
	version := versionLine.FindSubmatch(text)
	if version == nil {
		return fmt.Errorf("%w: it has no version", ErrNginx)
	}
	if err := r.Serve(ctx, string(version[1]), restart); err != nil {
		return fmt.Errorf("reload nginx: %w", err)
	}
	return nil
}

// down ends the tenants that are gone, those of a call that failed before included.
func (d *Dir) down(ctx context.Context, r Runtime, plan Plan, o ApplyOptions) error {
	var failed []error
	for _, id := range plan.Kept {
		err := r.Down(ctx, id)
		if err == nil && o.RemoveData {
			err = r.Purge(ctx, id)
		}
		if err == nil && o.RemoveData {
			err = os.RemoveAll(d.path(secretsDir, string(id))) // last: it is what says that there is something to remove
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("end %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

// remember keeps the files as the ones that were applied.
func (d *Dir) remember(t *Topology) error {
	files, err := t.Files()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := d.put(path.Join(appliedDir, name), text); err != nil {
			return err
		}
	}
	return nil
}
