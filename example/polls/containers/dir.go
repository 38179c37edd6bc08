package containers

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// The files that are rendered.
const (
	composePath    = "compose.yaml"
	dockerfilePath = "Dockerfile"
	ignorePath     = "Dockerfile.dockerignore" // what is not sent to the builder
	nginxPath      = "nginx/" + nginxFile
	nextPath       = nginxPath + ".next" // what nginx tests before it becomes the configuration
	appliedDir     = "applied"           // the files that were applied last
)

// Dir is a directory with what is rendered. Its methods may run in several processes at once: those that write take a lock.
type Dir struct{ root string }

// Open returns the directory, which is made when something is written.
func Open(root string) *Dir { return &Dir{root} }

func (d *Dir) path(elements ...string) string {
	return filepath.Join(append([]string{d.root}, elements...)...)
}

// Files returns what is rendered for the topology, by path: compose.yaml, nginx/nginx.conf, Dockerfile and what of the
// sources it does not see. The same tenants in any order come to the same bytes. No file has a secret.
func (t *Topology) Files() (map[string][]byte, error) {
	compose, err := marshal(t.compose())
	if err != nil {
		return nil, err
	}
	nginx, err := t.nginx()
	if err != nil {
		return nil, err
	}
	dockerfile, err := t.dockerfile()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{composePath: compose, nginxPath: nginx, dockerfilePath: dockerfile, ignorePath: []byte(ignored)}, nil
}

// Render writes the files and makes the secrets that are missing. Each file is replaced at once; secrets that are there
// stay. It fails with [ErrKept]. What runs is not touched: see [Dir.Apply].
func (d *Dir) Render(t *Topology) error {
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.ensureSecrets(t); err != nil {
		return err
	}
	return d.write(t, composePath, dockerfilePath, ignorePath, nginxPath)
}

// write writes some of the files.
func (d *Dir) write(t *Topology, paths ...string) error {
	files, err := t.Files()
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := d.put(path, files[path]); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) put(path string, text []byte) error {
	name := d.path(path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return replace(name, text, 0o644, os.Geteuid())
}

// read returns the text of a file, and nil if there is none.
func (d *Dir) read(elements ...string) ([]byte, error) {
	text, err := os.ReadFile(d.path(elements...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
