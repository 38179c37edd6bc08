package servers

import "sync"

// templates are a server's databases to be cloned, by key. The zero value is ready.
type templates struct {
	mu   sync.Mutex // guards made; not held while a template is filled
	made map[string]func() (string, error)
}

// get creates and fills the database of the key at the first call. A failure stays.
func (t *templates) get(key string, create func() (string, error), fill func(database string) error) (string, error) {
	t.mu.Lock()
	if t.made == nil {
		t.made = map[string]func() (string, error){}
	}
	if t.made[key] == nil {
		t.made[key] = sync.OnceValues(func() (string, error) {
			name, err := create()
			if err != nil {
				return "", err
			}
			return name, fill(name)
		})
	}
	made := t.made[key]
	t.mu.Unlock()
	return made()
}
