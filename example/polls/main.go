// Command polls serves an application to two customers from one database: thor and potter have users, polls and ids of
// their own and never see each other's rows. The tenant is the subdomain. The application itself is package polls, which
// does not know that there are tenants; what is here puts them under it.
//
//	go run ./example/polls
//
// Then open http://localhost:8080 in a browser.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run serves the application until ctx ends. It returns 0 after a clean stop, 1 for a failure and 2 for wrong usage.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("polls", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on")
	path := flags.String("db", "",
		"SQLite `file` to keep the polls in (default: one in a temporary directory, removed on exit)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintln(stderr, "polls: unexpected argument", flags.Arg(0))
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if err := start(ctx, *addr, *path, stdout, log); err != nil {
		fmt.Fprintln(stderr, "polls:", err)
		return 1
	}
	return 0
}

func start(ctx context.Context, addr, path string, stdout io.Writer, log *slog.Logger) error {
	kept := ""
	if path == "" {
		dir, err := os.MkdirTemp("", "polls-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		path, kept = filepath.Join(dir, "polls.db"), " (removed on exit)"
	}
	db, closeDB, err := openDB(path, log)
	if err != nil {
		return err
	}
	defer closeDB()
	passwords, err := seed(ctx, db)
	if err != nil {
		return err
	}
	handler, err := newServer(db, log, polls.Options{})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "database  %s%s\n", path, kept)
	announce(stdout, listener.Addr().(*net.TCPAddr), passwords)
	return serve(ctx, listener, handler, log)
}

// announce prints where to look, and the password of each superuser that was made just now. The curl line names the host
// in a header because not every resolver knows that names below localhost are this machine.
func announce(w io.Writer, addr *net.TCPAddr, passwords map[tenancy.ID]string) {
	base := baseHosts()[0]
	fmt.Fprintf(w, "tenants   http://%s:%d\n", base, addr.Port)
	tenants := seeds()
	for _, t := range tenants {
		fmt.Fprintf(w, "%-9s http://%s.%s:%d\n", t.id, t.id, base, addr.Port)
		if password := passwords[t.id]; password != "" {
			fmt.Fprintf(w, "%-9s http://%s.%s:%d/admin/ as %s with the password %s\n", "", t.id, base, addr.Port, superuser, password)
		}
	}
	ip := addr.IP.String()
	if addr.IP.IsUnspecified() {
		ip = "127.0.0.1"
	}
	fmt.Fprintf(w, "try       curl -H 'Host: %s.%s:%d' http://%s/\n",
		tenants[0].id, base, addr.Port, net.JoinHostPort(ip, fmt.Sprint(addr.Port)))
}

// serve answers until ctx ends, then lets the requests under way finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := server.Shutdown(ctx)
	<-served
	return err
}
