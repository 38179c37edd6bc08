package containers

import (
	"fmt"
	"os"
	"syscall"
)

// lock waits until nobody else writes to the directory.
func (d *Dir) lock() (unlock func(), err error) {
	if err := os.MkdirAll(d.root, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.path(".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("containers: lock: %w", err)
	}
	return func() { _ = f.Close() }, nil // closing gives the lock up
}
