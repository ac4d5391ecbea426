// Database keeps notes in a Postgres database.
//
//	server serve     serves HTTP on port $PORT, or 8080
//	server migrate   brings the database up to date
//
// DATABASE_URL says where the database is. Exit codes: 0 stopped or migrated, 1 failed, 2 bad usage.
package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

var errUsage = errors.New("usage: server serve | migrate")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	if err == nil {
		return
	}
	// Fields: pgx writes a line for each address that it has tried.
	fmt.Fprintln(os.Stderr, "server:", strings.Join(strings.Fields(err.Error()), " "))
	code := 1
	if errors.Is(err, errUsage) {
		code = 2
	}
	if strings.HasPrefix(os.Getenv("DYNO"), "run.") { // The Heroku CLI takes the exit code of a task from its output.
		fmt.Printf("\uFFFF heroku-command-exit-status: %d\n", code)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 || args[0] != "serve" && args[0] != "migrate" {
		return errUsage
	}
	db, err := open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	defer db.Close()
	if args[0] == "migrate" {
		return migrate(ctx, db)
	}
	return serve(ctx, db)
}

// open returns a database that answers.
func open(ctx context.Context, url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil || url == "" { // The error may quote the password.
		return nil, errors.New("want a Postgres database, like postgres://user:password@host/name")
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(8) // Heroku's smallest database takes 20, and a release has two dynos for a moment.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// serve serves until ctx is done. Then it finishes the requests in flight.
func serve(ctx context.Context, db *sql.DB) error {
	server := &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           newHandler(db),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // Heroku's router keeps connections for 90 s.
	}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Print("stopping")
	time.Sleep(3 * time.Second) // The router still sends requests.
	// Heroku kills a dyno 30 s after SIGTERM.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 25*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}
