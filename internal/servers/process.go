package servers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// startTimeout is how long a server may take to get ready, or to end.
const startTimeout = time.Minute

// guardScript waits until its standard input ends, ends all of its process group, to which the server belongs, and removes
// the directory given to it. PostgreSQL obeys QUIT without waiting for its clients, the others TERM.
const guardScript = `trap '' HUP INT QUIT TERM
read -r _
kill -TERM 0
kill -QUIT 0
until rm -rf "$0" 2>/dev/null; do :; done`

// process is a server's program with a directory and a guard.
type process struct {
	dir        string
	credential *syscall.Credential // nil is the user of the test
	guard      *exec.Cmd
	leash      io.Closer // what the guard waits at

	boot func() error   // starts the server where it was before
	stop syscall.Signal // ends it in good order
	own  bool           // it belongs to one test

	server *exec.Cmd // nil if none was started
	ended  chan struct{}
	log    *tail
}

// newProcess makes the directory and the guard. If the test runs as root, the server is going to run as the user named.
func newProcess(userName string) (*process, error) {
	p := &process{}
	if os.Geteuid() == 0 {
		credential, err := credentialOf(userName)
		if err != nil {
			return nil, err
		}
		p.credential = credential
	}
	dir, err := os.MkdirTemp(place(), "tenancy-"+userName+"-")
	if err != nil {
		return nil, err
	}
	p.dir = dir
	p.guard = exec.Command("/bin/sh", "-c", guardScript, dir)
	p.guard.Dir = "/"
	p.guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	leash, err := p.guard.StdinPipe()
	if err == nil {
		p.leash = leash
		err = p.guard.Start()
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if p.credential != nil {
		err = os.Chown(dir, int(p.credential.Uid), int(p.credential.Gid))
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// memory is a file system in memory, where copying a database takes a tenth of the time. Containers often have a tiny one.
const (
	memory     = "/dev/shm"
	memoryNeed = 2 << 30 // bytes
)

// place is the directory for the servers' files: TMPDIR if set, else memory if there is enough.
func place() string {
	var free syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(memory, &free) == nil && free.Bavail*uint64(free.Bsize) >= memoryNeed {
		return memory
	}
	return os.TempDir()
}

func credentialOf(userName string) (*syscall.Credential, error) {
	u, err := user.Lookup(userName)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// command joins the guard's group before the program begins, so that there is no moment in which nobody would end it.
func (p *process) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.Dir = p.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/usr/bin:/bin", "HOME=" + p.dir, "TMPDIR=" + p.dir, "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: p.guard.Process.Pid, Credential: p.credential}
	return c
}

// run waits for a program that prepares the directory.
func (p *process) run(program string, args ...string) error {
	log := newTail("")
	c := p.command(program, args...)
	c.Stdout, c.Stderr = log, log
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, log)
	}
	return nil
}

// start returns when the server has written ready to its log.
func (p *process) start(ready, program string, args ...string) error {
	p.log = newTail(ready)
	p.server = p.command(program, args...)
	p.server.Stdout, p.server.Stderr = p.log, p.log
	if err := p.server.Start(); err != nil {
		p.server = nil
		return err
	}
	p.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan<- struct{}) {
		_ = c.Wait() // returns when the last process of the server has closed the log
		close(ended)
	}(p.server, p.ended)
	select {
	case <-p.log.seen:
		return nil
	case <-p.ended:
		return fmt.Errorf("%s ended: %s", program, p.log)
	case <-time.After(startTimeout):
		return errors.Join(fmt.Errorf("%s does not get ready: %s", program, p.log), p.end(syscall.SIGKILL))
	}
}

// end sends the signal and returns when no process of the server is left.
func (p *process) end(signal syscall.Signal) error {
	if p.server == nil {
		return nil
	}
	_ = p.server.Process.Signal(signal)
	select {
	case <-p.ended:
		return nil
	case <-time.After(startTimeout):
		return fmt.Errorf("process %d does not end after %s: %s", p.server.Process.Pid, signal, p.log)
	}
}

// close lets the guard end the server and waits for both.
func (p *process) close() {
	_ = p.leash.Close()
	_ = p.guard.Wait()
	if p.server != nil {
		<-p.ended
	}
}

// ownedBy ends the server with the test.
func (p *process) ownedBy(tb testing.TB) {
	p.own = true
	tb.Cleanup(func() {
		_ = p.end(p.stop) // the guard would not wait for it
		p.close()
	})
}

// retryPorts calls start with free ports until one is not taken by somebody else meanwhile.
func retryPorts(start func(port int) error) error {
	var failed error
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return err
		}
		if failed = start(port); failed == nil {
			return nil
		}
	}
	return failed
}
