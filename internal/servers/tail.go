package servers

import (
	"bytes"
	"sync"
)

// tailSize is how much of a log is kept for an error's text, in bytes.
const tailSize = 4 << 10

// tail is the end of a server's log. It is safe for concurrent use.
type tail struct {
	mark []byte
	seen chan struct{} // closed when mark was written

	mu   sync.Mutex // guards what follows
	text []byte
	done bool
}

func newTail(mark string) *tail { return &tail{mark: []byte(mark), seen: make(chan struct{})} }

func (t *tail) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, text...)
	if !t.done && bytes.Contains(t.text, t.mark) {
		t.done = true
		close(t.seen)
	}
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(text), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
