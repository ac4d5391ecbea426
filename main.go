// Server is an example of a Go web server on Heroku.
//
//	server [web]         serves HTTP on every interface, port $PORT (8080 when unset)
//	server healthcheck   asks the server on $PORT whether it is healthy, for images that have no shell and no curl
//	server version       prints what is running: what /version answers
//
// It takes its configuration from the environment (package heroku lists the variables), keeps nothing on disk, and
// logs to stdout, one line per event and per request. SIGTERM and SIGINT stop it: it takes no more connections,
// finishes the requests in flight and exits with code 0.
//
// Exit codes: 0 stopped, healthy or printed; 1 cannot listen, not healthy; 2 bad configuration or bad usage.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // The image has no /usr/share/zoneinfo,

	_ "golang.org/x/crypto/x509roots/fallback" // and no /etc/ssl/certs.

	"heroku-go-example/internal/heroku"
	"heroku-go-example/internal/web"
)

// The limits fit what Heroku's router and dyno manager do. There is none for a whole request or answer, which may be a long
// upload or a stream: the router itself ends what makes no progress for 55 s.
const (
	// The router sends a header in one go. Who takes longer wants to hold the connection.
	readHeaderTimeout = 10 * time.Second
	// The router keeps idle connections for 90 s. A server that closes first can lose a request that is on its way (H13).
	idleTimeout = 120 * time.Second
	// A dyno is killed 30 s after SIGTERM.
	shutdownTimeout = 25 * time.Second
)

// configError is the operator's to mend. The program then exits with code 2.
type configError struct{ error }

func main() {
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		if _, ok := errors.AsType[configError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// run is the program. It returns when ctx is done and all requests are answered.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	command := "web"
	if len(args) > 0 {
		command = args[0]
	}
	if len(args) > 1 || (command != "web" && command != "healthcheck" && command != "version") {
		return configError{fmt.Errorf("unknown command %q; usage: server [web | healthcheck | version]", args)}
	}
	dyno, err := heroku.FromEnv(getenv)
	if err != nil {
		return configError{err}
	}
	version := sync.OnceValues(func() (web.Version, error) {
		v, err := web.ReadVersion()
		v.App, v.Release, v.ReleasedAt, v.Commit, v.Dyno = dyno.App, dyno.Release, dyno.ReleasedAt, dyno.Commit, dyno.Name
		return v, err
	})

	switch command {
	case "healthcheck":
		return healthcheck(ctx, dyno.Port)
	case "version":
		v, err := version()
		if err != nil {
			return err
		}
		return v.WriteJSON(stdout)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", dyno.Port))
	if err != nil {
		return fmt.Errorf("PORT=%d: %w", dyno.Port, err)
	}
	log := slog.New(slog.NewTextHandler(stdout, nil))
	return serve(ctx, log, listener, web.New(log, version))
}

func newServer(log *slog.Logger, handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// "OPTIONS *" is answered by the handler, like everything else.
		DisableGeneralOptionsHandler: true,
	}
}

// serve answers requests until ctx is done, then finishes those in flight.
func serve(ctx context.Context, log *slog.Logger, listener net.Listener, handler http.Handler) error {
	server := newServer(log, handler)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info(fmt.Sprintf("serving on http://localhost:%d", listener.Addr().(*net.TCPAddr).Port))

	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	signal.Reset(os.Interrupt) // A second Ctrl-C ends the program at once. A second SIGTERM of the platform changes nothing.
	log.Info("stopping: finishing the requests in flight", "timeout", shutdownTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Warn("requests in flight are cut off", "err", err)
		server.Close()
	}
	log.Info("stopped")
	return nil
}

// healthcheck returns an error unless the server on port says that it is healthy. It writes the one request by hand:
// net/http's client would add 7 % to the image.
func healthcheck(ctx context.Context, port uint16) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf(":%d", port)) // The image has no /etc/hosts to find localhost in.
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return fmt.Errorf("healthcheck: read the answer of port %d: %w", port, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: port %d answers %s", port, response.Status)
	}
	return nil
}
