package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/gorm-tenancy/tenancy/example/polls/hosting"
)

// newHealthcheck is for images that have no other program to ask with.
func newHealthcheck() *cobra.Command {
	addr := ""
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask a serving process of this machine whether it is well; exit code 1 if not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return healthy(cmd.Context(), addr) },
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "the address that it listens on")
	return cmd
}

func healthy(ctx context.Context, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+hosting.HealthPath, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}
