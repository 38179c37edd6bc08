package containers

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
)

//go:embed Dockerfile.tmpl
var dockerfileText string

// ignored keeps secrets out of the builder and its cache, wherever below the sources the directory is.
const ignored = header + "**/secrets\n**/.git\n"

// build is how the static binary is built.
type build struct {
	Cgo   int
	Flags string // of go build, for the shell
}

// build returns the environment and the flags with which "go build" makes a binary that needs no library of the system.
// SQLite is C: with it, libc is linked in as well; without it there is no C in the binary, and SQLite fails when it is opened.
func (o Options) build() build {
	if o.SQLite {
		return build{1, `-tags netgo,osusergo,sqlite_omit_load_extension -ldflags '-s -w -linkmode external -extldflags "-static"'`}
	}
	return build{0, `-ldflags '-s -w'`}
}

func (t *Topology) dockerfile() ([]byte, error) {
	page, err := template.New("Dockerfile").Parse(dockerfileText)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.WriteString(header)
	err = page.Execute(&text, struct {
		build
		User   int
		SQLite bool
	}{t.options.build(), appUser, t.options.SQLite})
	if err != nil {
		return nil, fmt.Errorf("containers: Dockerfile: %w", err)
	}
	return text.Bytes(), nil
}
