package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
	"github.com/gorm-tenancy/tenancy/example/polls/operator"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/migrate"
)

func newServe(s *settings) *cobra.Command {
	cmd := &cobra.Command{Use: "serve", Short: "Serve the polls; what the program does without a command, too", Args: cobra.NoArgs}
	serving(cmd, s)
	return cmd
}

// serving makes a command one that serves.
func serving(cmd *cobra.Command, s *settings) {
	var v server
	cmd.Flags().StringVar(&v.addr, "addr", "127.0.0.1:8080", "address to listen on")
	cmd.Flags().BoolVar(&v.demo, "demo", false,
		"make the tables and the tenants thor and potter; always without --dsn and --data, in a directory that is removed on exit")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v.settings, v.stdout = s, cmd.OutOrStdout()
		return v.run(cmd)
	}
}

// server is one run of the command.
type server struct {
	*settings
	addr   string
	demo   bool
	stdout io.Writer
}

// run serves until the command's context ends.
func (v *server) run(cmd *cobra.Command) error {
	ctx, kept := cmd.Context(), ""
	if v.DSN == "" && v.Data == "" {
		dir, err := os.MkdirTemp("", "polls-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		v.Data, v.demo, kept = dir, true, " (removed on exit)"
	}
	service, err := v.open(cmd)
	if err != nil {
		return err
	}
	defer service.Close()
	var made hosting.Passwords
	if v.demo {
		if err := service.Prepare(ctx); err != nil {
			return err
		}
		if made, err = service.Seed(ctx); err != nil {
			return err
		}
	}
	if err := ready(ctx, service); err != nil {
		return err
	}
	pages, err := service.Operator(operator.Options{Public: v.demo})
	if err != nil {
		return err
	}
	handler, err := service.Handler(polls.Options{}, pages)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", v.addr)
	if err != nil {
		return err
	}
	v.announce(service, listener.Addr().(*net.TCPAddr), made, kept)
	if pages != nil {
		background, stop := context.WithCancel(ctx)
		var launching sync.WaitGroup
		launching.Go(func() { pages.Run(background) })
		defer launching.Wait()
		defer stop()
	}
	return serve(ctx, listener, handler, v.Logger)
}

// ready turns away from tables that are not there.
func ready(ctx context.Context, service *hosting.Service) error {
	err := service.Ready(ctx)
	if errors.Is(err, migrate.ErrBehind) {
		return fmt.Errorf("the tables are missing or old, run polls migrate up: %w", err)
	}
	return err
}

// announce prints where to look, and the password of each superuser that was made just now. The curl line names the host
// in a header because not every resolver knows that names below localhost are this machine.
func (v *server) announce(service *hosting.Service, addr *net.TCPAddr, made hosting.Passwords, kept string) {
	base, w := service.BaseDomains()[0], v.stdout
	if v.Data != "" {
		fmt.Fprintf(w, "database  %s%s\n", v.Data, kept)
	}
	fmt.Fprintf(w, "tenants   http://%s:%d\n", base, addr.Port)
	if !v.demo {
		return
	}
	samples := service.Samples()
	for _, sample := range samples {
		id := sample.Tenant.ID
		fmt.Fprintf(w, "%-9s http://%s.%s:%d\n", id, id, base, addr.Port)
		if password := made.Superusers[id]; password != "" {
			fmt.Fprintf(w, "%-9s http://%s.%s:%d/admin/ as %s with the password %s\n", "", id, base, addr.Port, hosting.Superuser, password)
		}
	}
	if made.Operator != "" {
		fmt.Fprintf(w, "operator  http://%s:%d/operator/ as %s with the password %s\n", base, addr.Port, hosting.Superuser, made.Operator)
	}
	ip := addr.IP.String()
	if addr.IP.IsUnspecified() {
		ip = "127.0.0.1"
	}
	fmt.Fprintf(w, "try       curl -H 'Host: %s.%s:%d' http://%s/\n",
		samples[0].Tenant.ID, base, addr.Port, net.JoinHostPort(ip, fmt.Sprint(addr.Port)))
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
