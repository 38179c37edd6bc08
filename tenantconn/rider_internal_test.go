package tenantconn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// message is a server's message of a type with a body.
func message(kind byte, body string) []byte {
	b := append([]byte{kind}, binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))...)
	return append(b, body...)
}

func stream(messages ...[]byte) []byte { return bytes.Join(messages, nil) }

func newTestRider(in io.Reader, w Wall) (*rider, *bytes.Buffer) {
	var out bytes.Buffer
	w.Settings = []string{"search_path"}
	return newRider(in, &out, w), &out
}

func flush(t *testing.T, messages ...pgproto3.FrontendMessage) []byte {
	t.Helper()
	var b []byte
	for _, m := range messages {
		var err error
		if b, err = m.Encode(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func types(b []byte) string {
	var s []byte
	for len(b) > 5 || (len(b) == 5 && b[4] == 4) {
		s = append(s, b[0])
		b = b[1+binary.BigEndian.Uint32(b[1:]):]
	}
	return string(s)
}

func TestRiderWrites(t *testing.T) {
	t.Parallel()
	parse := flush(t, &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Sync{})
	bindNamed := flush(t, &pgproto3.Bind{PreparedStatement: "x"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	bindUnnamed := flush(t, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	query := flush(t, &pgproto3.Query{String: "select 1"})
	for name, c := range map[string]struct {
		wall  Wall
		arm   func(*rider)
		write []byte
		types string
		text  string
	}{
		"not armed":                {write: parse, types: "PS"},
		"terminate":                {arm: armed, write: flush(t, &pgproto3.Terminate{}), types: "X"},
		"close":                    {arm: armed, write: flush(t, &pgproto3.Close{ObjectType: 'S'}, &pgproto3.Sync{}), types: "CS"},
		"first parse":              {arm: armed, write: parse, types: "CPBEPS"},
		"first bind":               {arm: armed, write: bindNamed, types: "CPBEBES"},
		"prepared":                 {arm: func(r *rider) { r.prepared = true; armed(r) }, write: bindNamed, types: "BEBES"},
		"pooled parse":             {wall: Wall{Pooled: true}, arm: armed, write: parse, types: "PBEPS"},
		"pooled, named bind":       {wall: Wall{Pooled: true}, arm: armed, write: bindNamed, types: "PBEBES"},
		"pooled, unnamed bind":     {wall: Wall{Pooled: true}, arm: armed, write: bindUnnamed, types: "CPBEBES"},
		"simple":                   {arm: armed, write: query, types: "Q", text: "select set_config('search_path', 'it''s', true); select 1"},
		"simple for the session":   {wall: Wall{Session: true}, arm: armed, write: query, types: "Q", text: "select set_config('search_path', 'it''s', false); select 1"},
		"begin":                    {arm: func(r *rider) { r.armBegin([]string{"x"}) }, write: query, types: "Q", text: "select 1; select set_config('search_path', 'x', true)"},
		"begin is never a session": {wall: Wall{Session: true}, arm: func(r *rider) { r.armBegin([]string{"x"}) }, write: query, types: "Q", text: "select 1; select set_config('search_path', 'x', true)"},
		"known for the session":    {wall: Wall{Session: true}, arm: func(r *rider) { r.known = []string{"it's"}; armed(r) }, write: parse, types: "PS"},
		"another for the session":  {wall: Wall{Session: true}, arm: func(r *rider) { r.known = []string{"b"}; armed(r) }, write: parse, types: "CPBEPS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, out := newTestRider(nil, c.wall)
			if c.arm != nil {
				c.arm(r)
			}
			n, err := r.Write(c.write)
			if n != len(c.write) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(c.write), err)
			}
			if got := types(out.Bytes()); got != c.types {
				t.Errorf("sent %s, want %s", got, c.types)
			}
			if c.text != "" && !bytes.Contains(out.Bytes(), append([]byte(c.text), 0)) {
				t.Errorf("sent %q, want %q", out, c.text)
			}
		})
	}
}

func armed(r *rider) { r.arm([]string{"it's"}) }

func TestRiderRefusesWhatItCannotFollow(t *testing.T) {
	t.Parallel()
	parse := flush(t, &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Sync{})
	t.Run("a second flush before the answers", func(t *testing.T) {
		t.Parallel()
		r, _ := newTestRider(nil, Wall{})
		armed(r)
		if _, err := r.Write(parse); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Write(parse); !errors.Is(err, errDesync) {
			t.Error(err)
		}
	})
	t.Run("begin in the extended protocol", func(t *testing.T) {
		t.Parallel()
		r, _ := newTestRider(nil, Wall{})
		r.armBegin([]string{"x"})
		if _, err := r.Write(parse); !errors.Is(err, errDesync) {
			t.Error(err)
		}
	})
	t.Run("a query among others", func(t *testing.T) {
		t.Parallel()
		r, _ := newTestRider(nil, Wall{})
		armed(r)
		if _, err := r.Write(append(flush(t, &pgproto3.Query{String: "x"}), parse...)); !errors.Is(err, errDesync) {
			t.Error(err)
		}
	})
	t.Run("answers that do not fit", func(t *testing.T) {
		t.Parallel()
		r, _ := newTestRider(bytes.NewReader(stream(message('3', ""), message('1', ""), message('D', "x"))), Wall{})
		armed(r)
		if _, err := r.Write(parse); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, errDesync) {
			t.Error(err)
		}
	})
	t.Run("a length that is none", func(t *testing.T) {
		t.Parallel()
		r, _ := newTestRider(bytes.NewReader([]byte{'Z', 0, 0, 0, 3}), Wall{})
		if _, err := io.ReadAll(r); !errors.Is(err, errDesync) {
			t.Error(err)
		}
	})
}

func TestRiderForgetsAfterErrors(t *testing.T) {
	t.Parallel()
	parse := flush(t, &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Sync{})
	r, out := newTestRider(bytes.NewReader(stream(message('3', ""), message('1', ""), message('2', ""), message('D', "x"), message('C', "x"),
		message('1', ""), message('E', "the user's statement failed"), message('Z', "I"))), Wall{Session: true})
	armed(r)
	if _, err := r.Write(parse); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if got := types(rest); got != "1EZ" || err != nil {
		t.Errorf("pgx sees %q, %v", got, err)
	}
	if r.known != nil {
		t.Error("the failed statement took the setting back, and the rider believes in it")
	}
	if !r.prepared {
		t.Error("the statement is prepared all the same")
	}
	out.Reset()
	armed(r)
	if _, err := r.Write(parse); err != nil || types(out.Bytes()) != "BEPS" {
		t.Errorf("sent %s, %v", types(out.Bytes()), err)
	}
}

// trickle gives a reader's bytes in pieces of the sizes in cuts.
type trickle struct {
	data, cuts []byte
	n          int
}

func (r *trickle) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	size := 1
	if len(r.cuts) > 0 {
		size = 1 + int(r.cuts[r.n%len(r.cuts)])
		r.n++
	}
	size = min(size, len(r.data), len(p))
	copy(p, r.data[:size])
	r.data = r.data[size:]
	return size, nil
}

// FuzzRiderReads: however the network cuts the stream and whatever buffers pgx reads with, exactly the answers to the
// rider's own messages are missing from it.
func FuzzRiderReads(f *testing.F) {
	f.Add([]byte{0}, uint16(5), uint16(100))
	f.Add([]byte{1, 2, 200}, uint16(1), uint16(0))
	f.Add([]byte{255}, uint16(8192), uint16(20000))
	f.Fuzz(func(t *testing.T, cuts []byte, buffer, size uint16) {
		big := message('D', string(bytes.Repeat([]byte{'C'}, int(size))))
		notice := message('N', "CEDT123")
		mine := [][]byte{message('3', ""), message('1', ""), message('2', ""), message('D', "\x00\x01"), message('C', "SELECT 1\x00")}
		theirs := [][]byte{message('1', ""), message('2', ""), message('T', "x"), big, message('C', "SELECT 2\x00"), message('Z', "I")}
		in := stream(notice, mine[0], mine[1], notice, mine[2], mine[3], mine[4], theirs[0], theirs[1], theirs[2], theirs[3], notice, theirs[4], theirs[5])
		want := stream(notice, notice, theirs[0], theirs[1], theirs[2], theirs[3], notice, theirs[4], theirs[5])
		r, _ := newTestRider(&trickle{data: in, cuts: cuts}, Wall{})
		armed(r)
		if _, err := r.Write(flush(t, &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Sync{})); err != nil {
			t.Fatal(err)
		}
		var got []byte
		p := make([]byte, 1+int(buffer))
		for {
			n, err := r.Read(p)
			got = append(got, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				t.Fatal("read nothing, and no error")
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
