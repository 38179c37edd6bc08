package archive_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/archive"
)

// forgery is an archive that a test changes before it is written. Counts and checksums of what it holds are right, unless
// the test says otherwise.
type forgery struct {
	manifest archive.Manifest
	files    map[string]string
	extra    []string // names of more files
	honest   bool     // do not compute counts and checksums anew
}

func unpack(t testing.TB, text []byte) *forgery {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	must(t, err)
	f := &forgery{files: map[string]string{}}
	for _, entry := range z.File {
		in, err := entry.Open()
		must(t, err)
		content, err := io.ReadAll(in)
		must(t, err)
		f.files[entry.Name] = string(content)
	}
	must(t, json.Unmarshal([]byte(f.files["manifest.json"]), &f.manifest))
	delete(f.files, "manifest.json")
	return f
}

func (f *forgery) pack(t testing.TB) []byte {
	t.Helper()
	if !f.honest {
		for i := range f.manifest.Tables {
			table := &f.manifest.Tables[i]
			rows := f.files["tables/"+table.Name+".jsonl"]
			sum := sha256.Sum256([]byte(rows))
			table.Rows, table.SHA256 = int64(strings.Count(rows, "\n")), hex.EncodeToString(sum[:])
		}
		archive.Seal(&f.manifest)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, content string) {
		w, err := z.Create(name)
		must(t, err)
		_, err = io.WriteString(w, content)
		must(t, err)
	}
	for name, content := range f.files {
		add(name, content)
	}
	for _, name := range f.extra {
		add(name, "")
	}
	manifest, err := json.Marshal(f.manifest)
	must(t, err)
	add("manifest.json", string(manifest))
	must(t, z.Close())
	return b.Bytes()
}

func (f *forgery) table(name string) *archive.Table {
	for i := range f.manifest.Tables {
		if f.manifest.Tables[i].Name == name {
			return &f.manifest.Tables[i]
		}
	}
	return nil
}

// row replaces the rows of a table by one.
func (f *forgery) row(table, line string) { f.files["tables/"+table+".jsonl"] = line + "\n" }

// only keeps the rows of the tables named.
func (f *forgery) only(names ...string) {
	for file := range f.files {
		if name := strings.TrimSuffix(strings.TrimPrefix(file, "tables/"), ".jsonl"); !strings.Contains(strings.Join(names, " ")+" ", name+" ") {
			f.files[file] = ""
		}
	}
}

// TestForeign imports archives that were made to reach b, whose ids are 100 and up. Nothing of b changes and nothing is
// left in a.
func TestForeign(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(*forgery)
		want   error
	}{
		{"a label with b's key", func(f *forgery) {
			f.only()
			f.row("labels", `[100,"mine"]`)
		}, archive.ErrKeyTaken},
		{"a choice of b's poll", func(f *forgery) { f.only(); f.row("choices", `[1,100,"mine"]`) }, tenancy.ErrTenantMismatch},
		{"a link to b's label", func(f *forgery) { f.only("polls", "people"); f.row("poll_labels", `[100,1]`) }, tenancy.ErrTenantMismatch},
		{"a comment on b's poll", func(f *forgery) { f.only(); f.row("comments", `[1,100,"polls",null,"mine"]`) }, tenancy.ErrTenantMismatch},
		{"a comment on b's later comment", func(f *forgery) {
			f.only("polls", "people")
			f.row("comments", `[1,1,"polls",103,"mine"]`)
		}, tenancy.ErrTenantMismatch},
		{"a person who likes b's poll", func(f *forgery) { f.only(); f.row("people", `[106,1,"mine"]`) }, tenancy.ErrTenantMismatch},
		{"b in the tenant column", func(f *forgery) {
			f.only()
			f.table("labels").Columns = append(f.table("labels").Columns, archive.Column{Name: "tenant_id", Kind: archive.Text})
			f.row("labels", `[1,"mine","b"]`)
		}, archive.ErrSchema},
		{"a central table", func(f *forgery) {
			f.manifest.Tables = append(f.manifest.Tables, archive.Table{Name: "plans", Columns: []archive.Column{{Name: "id", Kind: archive.Int}}})
			f.row("plans", `[1]`)
		}, archive.ErrSchema},
		{"a column that is SQL", func(f *forgery) {
			f.table("labels").Columns[1].Name = `name") VALUES ('b', 'x'); --`
		}, archive.ErrSchema},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"shared SQLite", "shared PostgreSQL", "row-level security", "shared MariaDB"} {
				b := backends[name](t).fill()
				text, _ := export(t, b.db, "a")
				_, err := archive.Erase(as("a"), b.db)
				must(t, err)
				forged := unpack(t, text)
				tc.change(forged)
				b.unchanged(func() {
					_, err := archive.Import(as("a"), b.db, bytes.NewReader(forged.pack(t)))
					if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "of b") {
						t.Errorf("%s: %v, want %v", name, err, tc.want)
					}
					if rows := b.dump("a"); rows != "" {
						t.Errorf("%s: a has\n%s", name, rows)
					}
					_, err = archive.Import(as("a"), b.db, bytes.NewReader(unpack(t, text).pack(t)))
					must(t, err) // the control
				})
			}
		})
	}
}

// TestMalformed imports what is no archive, or no longer one.
func TestMalformed(t *testing.T) {
	t.Parallel()
	source := backends["shared SQLite"](t).fill()
	text, _ := export(t, source.db, "a")
	_, err := archive.Erase(as("a"), source.db)
	must(t, err)
	forge := func(change func(*forgery)) []byte {
		f := unpack(t, text)
		change(f)
		return f.pack(t)
	}
	bomb := bytes.Clone(text)
	binary.LittleEndian.PutUint32(bomb[len(bomb)-10:], 1<<30)
	short := bytes.Clone(text)
	binary.LittleEndian.PutUint32(short[len(short)-10:], 100)
	for name, tc := range map[string]struct {
		text []byte
		want error
		opts []archive.Option
	}{
		"nothing":                         {nil, archive.ErrMalformed, nil},
		"text":                            {[]byte("hello, this is no archive at all"), archive.ErrMalformed, nil},
		"cut off":                         {text[:len(text)/2], archive.ErrMalformed, nil},
		"one byte less":                   {text[:len(text)-1], archive.ErrMalformed, nil},
		"a huge directory":                {bomb, archive.ErrMalformed, nil},
		"a directory longer than it says": {short, archive.ErrMalformed, nil},
		"version":                         {forge(func(f *forgery) { f.manifest.Format = 2 }), archive.ErrVersion, nil},
		"another manifest":                {forge(func(f *forgery) { f.honest, f.manifest.Tables[0].Rows = true, 99 }), archive.ErrChecksum, nil},
		"another row":                     {forge(func(f *forgery) { f.honest = true; f.row("labels", `[1,"x"]`) }), archive.ErrMalformed, nil},
		"another value": {forge(func(f *forgery) {
			f.honest = true
			f.files["tables/labels.jsonl"] = strings.Replace(f.files["tables/labels.jsonl"], "red", "RED", 1)
		}), archive.ErrChecksum, nil},
		"more rows than said": {forge(func(f *forgery) {
			f.honest = true
			f.files["tables/labels.jsonl"] += f.files["tables/labels.jsonl"]
		}), archive.ErrMalformed, nil},
		"a huge count": {forge(func(f *forgery) {
			f.honest = true
			f.table("labels").Rows = 1 << 60
			archive.Seal(&f.manifest)
		}), archive.ErrMalformed, nil},
		"a negative count": {forge(func(f *forgery) {
			f.honest = true
			f.table("labels").Rows = -1
			archive.Seal(&f.manifest)
		}), archive.ErrMalformed, nil},
		"a file outside":     {forge(func(f *forgery) { f.extra = []string{"../../etc/passwd"} }), archive.ErrMalformed, nil},
		"a file twice":       {forge(func(f *forgery) { f.extra = []string{"tables/labels.jsonl"} }), archive.ErrMalformed, nil},
		"a table twice":      {forge(func(f *forgery) { f.manifest.Tables[0].Name = f.manifest.Tables[1].Name }), archive.ErrMalformed, nil},
		"a table of no file": {forge(func(f *forgery) { f.manifest.Tables[0].Name = "../labels" }), archive.ErrMalformed, nil},
		"an unknown kind":    {forge(func(f *forgery) { f.table("labels").Columns[0].Kind = "x" }), archive.ErrMalformed, nil},
		"a row cut off":      {forge(func(f *forgery) { f.files["tables/labels.jsonl"] += `[3,"x"` }), archive.ErrMalformed, nil},
		"no row":             {forge(func(f *forgery) { f.row("labels", `{"id":1}`) }), archive.ErrMalformed, nil},
		"too few values":     {forge(func(f *forgery) { f.row("labels", `[1]`) }), archive.ErrMalformed, nil},
		"another kind":       {forge(func(f *forgery) { f.row("labels", `["1","x"]`) }), archive.ErrMalformed, nil},
		"white space":        {forge(func(f *forgery) { f.row("labels", `[1, "x"]`) }), archive.ErrMalformed, nil},
		"not UTF-8":          {forge(func(f *forgery) { f.row("labels", "[1,\"\xff\"]") }), archive.ErrMalformed, nil},
		"a key that is NULL": {forge(func(f *forgery) { f.row("labels", `[null,"x"]`) }), archive.ErrMalformed, nil},
		"the same key twice": {forge(func(f *forgery) { f.row("labels", "[1,\"x\"]\n[1,\"y\"]") }), archive.ErrKeyTaken, nil},
		"in no order": {
			forge(func(f *forgery) { f.row("labels", "[2,\"x\"]\n[1,\"y\"]") }), archive.ErrMalformed, []archive.Option{archive.Renumber()},
		},
		"a long row": {text, archive.ErrTooLarge, []archive.Option{archive.MaxRowBytes(100)}},
		"many bytes": {text, archive.ErrTooLarge, []archive.Option{archive.MaxBytes(300)}},
		"dangling key": {
			forge(func(f *forgery) { f.only(); f.row("choices", `[1,1,"x"]`) }), archive.ErrReference, []archive.Option{archive.Renumber()},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{bytes.NewReader(tc.text), io.MultiReader(bytes.NewReader(tc.text))} {
				if _, err := archive.Import(as("a"), source.db, in, tc.opts...); !errors.Is(err, tc.want) {
					t.Errorf("%v, want %v", err, tc.want)
				}
				if rows := source.dump("a"); rows != "" {
					t.Errorf("a has\n%s", rows)
				}
			}
		})
	}
	_, err = archive.Import(as("a"), source.db, bytes.NewReader(forge(func(*forgery) {})))
	must(t, err) // the control
}

// FuzzImport imports anything: into a only, and never without an error or the whole archive.
func FuzzImport(f *testing.F) {
	b := backends["shared SQLite"](f).fill()
	text, _ := export(f, b.db, "a")
	f.Add(text)
	f.Add(text[:len(text)-30])
	forged := unpack(f, text)
	forged.row("labels", `[1,{"base64":"/w=="}]`)
	f.Add(forged.pack(f))
	f.Fuzz(func(t *testing.T, text []byte) {
		b := b.in(t)
		before := b.dump("a")
		b.unchanged(func() {
			_, err := archive.Import(as("a"), b.db, bytes.NewReader(text), archive.Replace(), archive.MaxBytes(1<<22))
			if err != nil && b.dump("a") != before {
				t.Errorf("a failed import changed rows: %v", err)
			}
		})
	})
}

// FuzzRows imports rows that are anything in an archive that is otherwise right: they are refused, or come out again as they
// were.
func FuzzRows(f *testing.F) {
	b := backends["shared SQLite"](f)
	fill(f, b.db, "a", 1)
	fill(f, b.db, "b", 100)
	text, _ := export(f, b.db, "a")
	f.Add("labels", unpack(f, text).files["tables/labels.jsonl"])
	f.Add("notes", unpack(f, text).files["tables/notes.jsonl"])
	f.Add("polls", unpack(f, text).files["tables/polls.jsonl"])
	f.Fuzz(func(t *testing.T, table, rows string) {
		b := b.in(t)
		forged := unpack(t, text)
		forged.only()
		if forged.table(table) == nil {
			return
		}
		forged.files["tables/"+table+".jsonl"] = rows
		b.unchanged(func() {
			if _, err := archive.Import(as("a"), b.db, bytes.NewReader(forged.pack(t)), archive.Replace()); err != nil {
				return
			}
			again, _ := export(t, b.db, "a")
			if got := unpack(t, again).files["tables/"+table+".jsonl"]; got != rows {
				t.Errorf("%q became %q", rows, got)
			}
		})
	})
}
