//go:build mutation

package mutation_test

import (
	"io/fs"
	"strings"
)

// sources are the files of the module without what does not belong to it: hidden directories such as .git.
type sources struct{ fs.FS }

func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	var kept []fs.DirEntry
	for _, e := range all {
		if !strings.HasPrefix(e.Name(), ".") {
			kept = append(kept, e)
		}
	}
	return kept, err
}
