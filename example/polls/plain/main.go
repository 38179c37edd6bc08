// Command plain serves the polls to one group of people, on GORM without the plugin: what the application is before anybody
// thinks of tenants. It is there to compare with.
//
//	POLLS_PASSWORD=… go run ./example/polls/plain --dsn polls.db --addr 127.0.0.1:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "plain:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dsn := flag.String("dsn", "polls.db", "postgres:// URL or path of a SQLite file")
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	db, err := open(*dsn)
	if err != nil {
		return err
	}
	if err := fill(ctx, db, os.Getenv("POLLS_PASSWORD")); err != nil {
		return err
	}
	app, err := polls.New(db, polls.Options{})
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	app.Mount(e)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Println("polls http://" + listener.Addr().String())
	server := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return server.Serve(listener)
}

func open(dsn string) (*gorm.DB, error) {
	dialector, most := sqlite.Open(dsn+"?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=10000&_txlock=immediate"), 4
	if strings.HasPrefix(dsn, "postgres") {
		dialector, most = postgres.Open(dsn), 20
	}
	db, err := gorm.Open(dialector, &gorm.Config{TranslateError: true, Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(most)
	return db, nil
}

// fill makes the tables and, with a password, the superuser shabda with one poll.
func fill(ctx context.Context, db *gorm.DB, password string) error {
	if err := db.WithContext(ctx).AutoMigrate(polls.Models()...); err != nil || password == "" {
		return err
	}
	user, err := polls.CreateSuperuser(ctx, db, "shabda", "", password)
	if err != nil {
		return err
	}
	return polls.Seed(ctx, db, user.ID, polls.Sample{Question: "poll of plain", Choices: []string{"Yes", "No"}})
}
