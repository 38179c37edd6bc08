package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// container is an archive that is open for reading. Nothing of it is believed before it is checked: names are compared with
// those that the manifest implies and never become paths, and sizes are counted, not read.
type container struct {
	manifest Manifest
	entries  map[string]*zip.File
	left     int64 // how many bytes may still be unpacked
	maxRow   int
	close    func()
}

// openContainer reads the manifest of an archive. r is copied to a temporary file, unless it can be read at any place.
// Close it.
func openContainer(r io.Reader, o *options) (*container, error) {
	at, size, closeAll, err := readerAt(r, o.maxBytes)
	if err != nil {
		return nil, err
	}
	c := &container{entries: map[string]*zip.File{}, left: o.maxBytes, maxRow: o.maxRow, close: closeAll}
	if err := c.open(at, size); err != nil {
		closeAll()
		return nil, err
	}
	return c, nil
}

func (c *container) open(at io.ReaderAt, size int64) error {
	if err := checkDirectory(at, size); err != nil {
		return err
	}
	z, err := zip.NewReader(at, size)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for _, f := range z.File {
		if c.entries[f.Name] != nil {
			return fmt.Errorf("%w: it holds a file twice", ErrMalformed)
		}
		c.entries[f.Name] = f
	}
	return c.readManifest()
}

// readerAt returns r as something that can be read at any place.
func readerAt(r io.Reader, most int64) (at io.ReaderAt, size int64, closeAll func(), err error) {
	if in, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	}); ok {
		if size, err = in.Seek(0, io.SeekEnd); err == nil {
			return in, size, func() {}, nil
		}
	}
	f, err := os.CreateTemp("", "tenancy-archive-*")
	if err != nil {
		return nil, 0, nil, err
	}
	closeAll = func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	size, err = io.Copy(f, io.LimitReader(r, most+1))
	if err == nil && size > most {
		err = fmt.Errorf("%w: the archive has more bytes than archive.MaxBytes allows", ErrTooLarge)
	}
	if err != nil {
		closeAll()
		return nil, 0, nil, err
	}
	return f, size, closeAll, nil
}

// maxDirectory bounds the list of files, of which archive/zip makes structs before anybody can count them.
const maxDirectory = 4 << 20

// checkDirectory looks at the end of a ZIP file for its directory, which must fill the place between the files and the end:
// archive/zip reads on as long as there are entries, whatever length is given.
func checkDirectory(at io.ReaderAt, size int64) error {
	const end, locator, end64 = 22, 20, 56
	tail := make([]byte, min(size, end64+locator+end))
	if _, err := at.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(tail) < end || !bytes.HasPrefix(tail[len(tail)-end:], []byte("PK\x05\x06")) {
		return fmt.Errorf("%w: it does not end as an archive does", ErrMalformed)
	}
	last, ends := tail[len(tail)-end:], int64(end)
	directory, offset := uint64(binary.LittleEndian.Uint32(last[12:])), uint64(binary.LittleEndian.Uint32(last[16:]))
	if len(tail) == end64+locator+end && bytes.HasPrefix(tail[end64:], []byte("PK\x06\x07")) { // more than 4 GiB
		if !bytes.HasPrefix(tail, []byte("PK\x06\x06")) || binary.LittleEndian.Uint64(tail[end64+8:]) != uint64(size)-uint64(len(tail)) {
			return fmt.Errorf("%w: it does not end as an archive does", ErrMalformed)
		}
		ends = int64(len(tail))
		directory, offset = binary.LittleEndian.Uint64(tail[40:]), binary.LittleEndian.Uint64(tail[48:])
	}
	if directory > maxDirectory || offset > uint64(size) || offset+directory+uint64(ends) != uint64(size) {
		return fmt.Errorf("%w: its directory is too long, or not at its place", ErrMalformed)
	}
	return nil
}

func (c *container) readManifest() error {
	f := c.entries[manifestName]
	if f == nil {
		return fmt.Errorf("%w: it has no manifest", ErrMalformed)
	}
	in, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err != nil || len(text) > maxManifest {
		return fmt.Errorf("%w: its manifest cannot be read", ErrMalformed)
	}
	if err := json.Unmarshal(text, &c.manifest); err != nil {
		return fmt.Errorf("%w: its manifest is not JSON", ErrMalformed)
	}
	if err := c.manifest.validate(); err != nil {
		return err
	}
	if len(c.entries) != len(c.manifest.Tables)+1 {
		return fmt.Errorf("%w: it holds other files than its manifest lists", ErrMalformed)
	}
	for _, t := range c.manifest.Tables {
		if c.entries[entryName(t.Name)] == nil {
			return fmt.Errorf("%w: the rows of a table are missing", ErrMalformed)
		}
	}
	return nil
}

// rows calls each for the rows of a table, and fails unless they are those that were exported. line is valid during the
// call.
func (c *container) rows(t Table, each func(line []byte) error) error {
	in, err := c.entries[entryName(t.Name)].Open()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	defer in.Close()
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(&metered{in, &c.left}, sum))
	lines.Buffer(make([]byte, 0, 64<<10), c.maxRow)
	lines.Split(wholeLines)
	count := int64(0)
	for ; lines.Scan(); count++ {
		if count == t.Rows {
			return fmt.Errorf("%w: a table has more rows than its manifest says", ErrMalformed)
		}
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("%w: a row has more bytes than archive.MaxRowBytes allows", ErrTooLarge)
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrMalformed):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	case count != t.Rows:
		return fmt.Errorf("%w: a table has fewer rows than its manifest says", ErrMalformed)
	case hex.EncodeToString(sum.Sum(nil)) != t.SHA256:
		return ErrChecksum
	}
	return nil
}

// wholeLines splits at line feeds, and nowhere else.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, fmt.Errorf("%w: a row is cut off", ErrMalformed)
	}
	return 0, nil, nil
}

// metered fails when too much is read.
type metered struct {
	in   io.Reader
	left *int64
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.in.Read(p)
	if *m.left -= int64(n); *m.left < 0 {
		return n, fmt.Errorf("%w: the archive has more bytes than archive.MaxBytes allows", ErrTooLarge)
	}
	return n, err
}
