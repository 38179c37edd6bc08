package docstest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Command is one simple command of a shell block: what the shell would hand to the program.
type Command struct {
	// Line is the line of the file the command starts on.
	Line int
	// Words are the program and its arguments, without their quotes.
	Words []string
}

// String returns the words with spaces between them.
func (c Command) String() string { return strings.Join(c.Words, " ") }

// Commands returns the commands of a shell block. It knows words, quotes, comments, lines continued by a backslash and
// a final &; anything else a shell can do is an error, because the tests could not do it.
func Commands(b Block) ([]Command, error) {
	l := &shell{text: b.Text, line: b.Line}
	for l.pos < len(l.text) {
		if err := l.step(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", b.File, l.line, err)
		}
	}
	l.endCommand()
	return l.commands, nil
}

type shell struct {
	text     string
	pos      int
	line     int
	word     strings.Builder
	inWord   bool
	commands []Command
	current  Command
}

func (l *shell) step() error {
	c := l.text[l.pos]
	l.pos++
	switch {
	case c == '\n':
		l.endCommand()
		l.line++
	case c == ' ' || c == '\t':
		l.endWord()
	case c == '#' && !l.inWord:
		for l.pos < len(l.text) && l.text[l.pos] != '\n' {
			l.pos++
		}
	case c == '\\' && l.pos < len(l.text) && l.text[l.pos] == '\n':
		l.pos++
		l.line++
	case c == '\\' && l.pos < len(l.text):
		l.write(l.text[l.pos : l.pos+1])
		l.pos++
	case c == '\'' || c == '"':
		return l.quoted(c)
	case c == '&' && strings.HasPrefix(l.text[l.pos:], "\n"):
		l.endCommand()
	case strings.ContainsRune("|&;<>()$`*?[{~", rune(c)):
		return fmt.Errorf("%q: write simple commands, one a line", c)
	default:
		l.write(l.text[l.pos-1 : l.pos])
	}
	return nil
}

func (l *shell) quoted(mark byte) error {
	end := strings.IndexByte(l.text[l.pos:], mark)
	if end < 0 {
		return fmt.Errorf("the quote %c never ends", mark)
	}
	text := l.text[l.pos : l.pos+end]
	if mark == '"' && strings.ContainsAny(text, "$`\\") {
		return fmt.Errorf("%q: use single quotes", text)
	}
	l.write(text)
	l.line += strings.Count(text, "\n")
	l.pos += end + 1
	return nil
}

func (l *shell) write(s string) {
	if !l.inWord && len(l.current.Words) == 0 {
		l.current.Line = l.line
	}
	l.inWord = true
	l.word.WriteString(s)
}

func (l *shell) endWord() {
	if l.inWord {
		l.current.Words = append(l.current.Words, l.word.String())
	}
	l.word.Reset()
	l.inWord = false
}

func (l *shell) endCommand() {
	l.endWord()
	if len(l.current.Words) > 0 {
		l.commands = append(l.commands, l.current)
	}
	l.current = Command{}
}

// Curl returns the request that a curl command sends. An option it does not know is an error.
func Curl(c Command) (*http.Request, error) {
	var method, url, body string
	header := http.Header{}
	for args := c.Words[1:]; len(args) > 0; {
		arg := args[0]
		args = args[1:]
		if strings.Trim(arg, "fiSsv") == "-" || !strings.HasPrefix(arg, "-") {
			if !strings.HasPrefix(arg, "-") {
				url = arg
			}
			continue
		}
		if len(args) == 0 {
			return nil, fmt.Errorf("curl: %s lacks its value, or is unknown", arg)
		}
		value := args[0]
		args = args[1:]
		switch arg {
		case "-X", "--request":
			method = value
		case "-H", "--header":
			name, text, _ := strings.Cut(value, ":")
			header.Add(name, strings.TrimSpace(text))
		case "-d", "--data":
			body = value
			setDefault(header, "Content-Type", "application/x-www-form-urlencoded")
		case "--json":
			body = value
			setDefault(header, "Content-Type", "application/json")
			setDefault(header, "Accept", "application/json")
		default:
			return nil, fmt.Errorf("curl: unknown option %s", arg)
		}
	}
	return newRequest(method, url, body, header)
}

func newRequest(method, url, body string, header http.Header) (*http.Request, error) {
	if url == "" {
		return nil, errors.New("curl: no address")
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = header
	if host := header.Get("Host"); host != "" {
		r.Host = host
		header.Del("Host")
	}
	return r, nil
}

func setDefault(h http.Header, name, value string) {
	if h.Get(name) == "" {
		h.Set(name, value)
	}
}
