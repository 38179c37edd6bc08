package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

// sparse is a file whose first bytes are zeros that take no room.
type sparse struct {
	zeros int64
	end   []byte
}

func (s sparse) ReadAt(p []byte, at int64) (int, error) {
	for i := range p {
		switch place := at + int64(i) - s.zeros; {
		case place < 0:
			p[i] = 0
		case place >= int64(len(s.end)):
			return i, io.EOF
		default:
			p[i] = s.end[place]
		}
	}
	return len(p), nil
}

// TestLargeDirectory: archives beyond 4 GiB end differently, and so do those of many files, which are too many.
func TestLargeDirectory(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.SetOffset(5 << 30)
	if _, err := z.Create("a"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	large := sparse{5 << 30, b.Bytes()}
	if err := checkDirectory(large, 5<<30+int64(b.Len())); err != nil {
		t.Errorf("5 GiB: %v", err)
	}
	moved := sparse{5<<30 + 1, b.Bytes()}
	if err := checkDirectory(moved, 5<<30+1+int64(b.Len())); !errors.Is(err, ErrMalformed) {
		t.Errorf("moved: %v", err)
	}

	var many bytes.Buffer
	z = zip.NewWriter(&many)
	for i := range 90_000 {
		if _, err := z.Create(fmt.Sprint("file ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := checkDirectory(bytes.NewReader(many.Bytes()), int64(many.Len())); !errors.Is(err, ErrMalformed) {
		t.Errorf("90,000 files: %v", err)
	}
}
