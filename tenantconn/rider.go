package tenantconn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// rider stands between pgx and the network. When armed it puts the settings in front of the statement that pgx flushes,
// with no Sync between them: both are one implicit transaction, so the settings hold for that statement alone, and when
// they fail the server skips the statement (PostgreSQL manual, "Extended Query" and "Multiple Statements in a Simple
// Query"). The answers to its own messages are taken out of the stream.
//
// It is used by the goroutine that uses the connection. One other writes: pgx closes a cancelled connection in the
// background, with a Terminate message. Write therefore reads no field before it knows the message.
type rider struct {
	in  io.Reader
	out io.Writer

	text    string // SELECT set_config($1, …), … of the wall's settings
	simple  []string
	pooled  bool
	session bool // settings stay on the connection

	armed  bool
	begin  bool // the settings follow a BEGIN
	values []string
	known  []string // of session: what the server has, or nil

	prepared bool
	expected []byte // types of the answers to our messages; lower case ones are pgx's
	answered int    // how many of them came
	named    bool   // they are of the named statement
	buf      []byte

	body  int     // bytes of the server's current message still to come
	drop  bool    // it is not for pgx
	head  [5]byte // the beginning of its header, when the network cut it
	heads int     // how many bytes of head there are
	spill []byte  // read already, for a reader with little room
}

const statementName = "tenancy_settings"

func newRider(r io.Reader, w io.Writer, wall Wall) *rider {
	ri := &rider{in: r, out: w, pooled: wall.Pooled, session: wall.Session}
	var prepared strings.Builder
	for i, name := range wall.Settings {
		lead := ", "
		if i == 0 {
			lead = "select "
		}
		open := lead + "set_config(" + literal(name) + ", "
		fmt.Fprintf(&prepared, "%s$%d, %t)", open, i+1, !wall.Session)
		ri.simple = append(ri.simple, open)
	}
	ri.text = prepared.String()
	return ri
}

// literal quotes a string that holds no backslash.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// arm makes the values ride with every statement until disarm.
func (ri *rider) arm(values []string) {
	if ri.session && slices.Equal(ri.known, values) && ri.known != nil {
		return
	}
	ri.armed, ri.begin, ri.values = true, false, values
}

// armBegin makes the values follow the BEGIN that is sent next, until disarm.
func (ri *rider) armBegin(values []string) { ri.armed, ri.begin, ri.values = true, true, values }

func (ri *rider) disarm() { ri.armed = false }

// Write passes one flush of pgx on.
func (ri *rider) Write(p []byte) (int, error) {
	if len(p) == 0 || !startsStatement(p[0]) || !ri.armed {
		return ri.out.Write(p)
	}
	if ri.answered < len(ri.expected) {
		return 0, errDesync
	}
	ri.expected, ri.answered = ri.expected[:0], 0
	if p[0] == 'Q' {
		return ri.writeSimple(p)
	}
	if ri.begin {
		return 0, errDesync // pgx sends BEGIN as text
	}
	ri.buf = ri.prefix(ri.buf[:0], p)
	return ri.writeBehind(p)
}

// startsStatement tells the messages whose meaning depends on the settings: Parse, Bind and Query.
func startsStatement(kind byte) bool { return kind == 'P' || kind == 'B' || kind == 'Q' }

// prefix appends the messages that set the values in front of p.
func (ri *rider) prefix(buf, p []byte) []byte {
	name := statementName
	if ri.pooled && !bindsUnnamed(p) {
		name = ""
	}
	ri.named = name != ""
	if ri.named && !ri.prepared {
		buf, _ = (&pgproto3.Close{ObjectType: 'S', Name: name}).Encode(buf) // of an unknown earlier attempt
		ri.expected = append(ri.expected, '3')
	}
	if !ri.named || !ri.prepared {
		buf, _ = (&pgproto3.Parse{Name: name, Query: ri.text}).Encode(buf)
		ri.expected = append(ri.expected, '1')
	}
	buf = appendBind(buf, name, ri.values)
	buf = append(buf, 'E', 0, 0, 0, 9, 0, 0, 0, 0, 0) // Execute of the unnamed portal, all rows
	ri.expected = append(ri.expected, '2', 'D', 'C')
	return buf
}

// appendBind appends a Bind of the unnamed portal with text parameters, without allocating.
func appendBind(buf []byte, name string, values []string) []byte {
	start := len(buf)
	buf = append(buf, 'B', 0, 0, 0, 0, 0)
	buf = append(append(buf, name...), 0)
	buf = append(buf, 0, 0) // all parameters are text
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(values)))
	for _, v := range values {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(v)))
		buf = append(buf, v...)
	}
	buf = append(buf, 0, 0) // all results are text
	binary.BigEndian.PutUint32(buf[start+1:], uint32(len(buf)-start-1))
	return buf
}

// bindsUnnamed reports whether p begins with a Bind of the unnamed statement, which a Parse of ours would replace.
func bindsUnnamed(p []byte) bool {
	if p[0] != 'B' || len(p) < 6 {
		return false
	}
	portal := slices.Index(p[5:], 0)
	return portal < 0 || 5+portal+1 >= len(p) || p[5+portal+1] == 0
}

// writeBehind writes buf and p, in one piece where that is cheap.
func (ri *rider) writeBehind(p []byte) (int, error) {
	lead := len(ri.buf)
	if len(p) <= 16<<10 {
		n, err := ri.out.Write(append(ri.buf, p...))
		return max(0, n-lead), err
	}
	if _, err := ri.out.Write(ri.buf); err != nil {
		return 0, err
	}
	return ri.out.Write(p)
}

// writeSimple adds the settings to the text of a Query message.
func (ri *rider) writeSimple(p []byte) (int, error) {
	end := len(p) - 1 // the closing NUL
	if len(p) < 6 || p[end] != 0 || int(binary.BigEndian.Uint32(p[1:])) != len(p)-1 {
		return 0, errDesync // more than one message
	}
	var set strings.Builder
	for i, v := range ri.values {
		set.WriteString(ri.simple[i])
		set.WriteString(literal(v))
		fmt.Fprintf(&set, ", %t)", !ri.session || ri.begin)
	}
	text := set.String() + "; " + string(p[5:end])
	ri.named = false
	if ri.begin {
		text = string(p[5:end]) + "; " + set.String()
		ri.expected = append(ri.expected, 'c')
	}
	ri.expected = append(ri.expected, 'T', 'D', 'C')
	ri.buf, _ = (&pgproto3.Query{String: text}).Encode(ri.buf[:0])
	if n, err := ri.out.Write(ri.buf); err != nil {
		return min(n, len(p)-1), err
	}
	return len(p), nil
}

var errDesync = errors.New("tenantconn: the server's answers do not match what was sent")

// Read hands pgx the server's messages without the answers to our own.
func (ri *rider) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(ri.spill) > 0 {
		n := copy(p, ri.spill)
		ri.spill = ri.spill[n:]
		return n, nil
	}
	room := p
	if len(p) < 64 { // too little for a header that was cut: pgx never asks so
		room = make([]byte, 512)
	}
	for {
		had := copy(room, ri.head[:ri.heads])
		ri.heads = 0
		n, err := ri.in.Read(room[had:])
		kept, wrong := ri.pass(room[:had+n])
		if wrong != nil {
			err = wrong
		}
		if kept == 0 && err == nil {
			continue
		}
		if len(p) < 64 {
			n := copy(p, room[:kept])
			ri.spill = room[n:kept]
			return n, err
		}
		return kept, err
	}
}

// pass closes the gaps that the answers to our own messages leave in b, and returns how much is for pgx. The beginning of
// a header at the end of b waits for the rest.
func (ri *rider) pass(b []byte) (kept int, err error) {
	for i := 0; i < len(b); {
		if ri.body > 0 {
			n := min(ri.body, len(b)-i)
			if !ri.drop {
				if kept != i {
					copy(b[kept:], b[i:i+n])
				}
				kept += n
			}
			i, ri.body = i+n, ri.body-n
			continue
		}
		if len(b)-i < len(ri.head) {
			ri.heads = copy(ri.head[:], b[i:])
			return kept, nil
		}
		size := 1 + int(binary.BigEndian.Uint32(b[i+1:]))
		if size < len(ri.head) {
			return kept, errDesync
		}
		ri.body, ri.drop = size, false
		if kind := b[i]; kind == 'E' || ri.answered < len(ri.expected) {
			if ri.drop, err = ri.answer(kind); err != nil {
				return kept, err
			}
		}
	}
	return kept, nil
}

// answer looks at the type of the server's next message and says whether it answers one of ours.
func (ri *rider) answer(kind byte) (drop bool, err error) {
	switch kind {
	case 'N', 'A', 'S': // notices, notifications and parameters come at any time
		return false, nil
	case 'E':
		if ri.answered < len(ri.expected) && ri.named {
			ri.prepared = false
		}
		ri.answered, ri.known = len(ri.expected), nil // an error undoes the settings with the statement
		return false, nil
	}
	want := ri.expected[ri.answered]
	ri.answered++
	if want == 'c' && kind == 'C' {
		return false, nil
	}
	if want != kind {
		return false, errDesync
	}
	switch {
	case kind == '1' && ri.named:
		ri.prepared = true
	case kind == 'C' && ri.session && !ri.begin:
		ri.known = ri.values
	}
	return true, nil
}
