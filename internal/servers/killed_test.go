package servers_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

// childKey is set in the environment of the test process that is going to be killed.
const childKey = "TENANCY_SERVERS_CHILD"

// TestKilledProcess kills a test process that has every kind of server, and looks for what it left behind.
func TestKilledProcess(t *testing.T) {
	if os.Getenv(childKey) != "" {
		child(t)
		return
	}
	t.Parallel()
	servers.Postgres(t) // skips this test where the child would skip
	servers.MariaDB(t)
	dir, err := os.MkdirTemp("", "killed-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the servers' users pass through it
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilledProcess$")
	c.Env = append(os.Environ(), childKey+"=1", "TMPDIR="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) < 4 && lines.Scan(); {
		var pid int
		if _, err := fmt.Sscanf(lines.Text(), "server %d", &pid); err != nil || !alive(pid) {
			t.Fatalf("%q of the child: %v", lines.Text(), err)
		}
		pids = append(pids, pid)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if len(pids) != 4 {
		t.Fatalf("%d servers", len(pids))
	}
	deadline := time.Now().Add(30 * time.Second)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("the server's process %d is alive", pid)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	for left := []os.DirEntry{nil}; len(left) > 0; <-time.After(10 * time.Millisecond) {
		if left, err = os.ReadDir(dir); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d directories are left: %v", len(left), err)
		}
	}
}

// child starts servers, tells their processes, and waits for its end.
func child(t *testing.T) {
	s := servers.Postgres(t)
	db := open(t, "pgx", s.DSN(servers.App, s.Database(t)))
	backend := value[int](t, db, "SELECT pg_backend_pid()")
	for _, pid := range []int{s.Pid(), backend, servers.NewPostgres(t).Pid(), servers.MariaDB(t).Pid()} {
		fmt.Printf("server %d\n", pid)
	}
	select {}
}

// alive is false for a process that has ended, also if nobody has asked for its exit code.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return string(fields[0]) != "Z"
}
