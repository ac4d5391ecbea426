// Server is an example of a Go web server on Heroku.
//
//	server [web]         serves HTTP on every interface, port $PORT (8080 when unset)
//	server healthcheck   asks the server on $PORT whether it is healthy, for images that have no shell and no curl
//	server version       prints what is running: what /version answers
//
// It keeps nothing on disk, logs to stdout, one line per event and per request, and takes its configuration from the
// environment. What Heroku sets is in package heroku. The rest is yours:
//
//	LOG_LEVEL    debug, info (default), warn or error
//	LOG_FORMAT   text (default: key=value) or json
//	GOMEMLIMIT   the Go runtime's own; by default 90 % of the dyno's memory
//	GOGC         the Go runtime's own; by default 400 where there is a memory limit
//
// SIGTERM stops it. For 3 s it still takes requests, for Heroku's router may still send some, but says on /healthz and by
// closing connections that it wants no more. Then it finishes the requests in flight, for up to 25 s, and exits with
// code 0. SIGINT, a terminal's Ctrl-C, leaves out the 3 s; a second one ends it at once.
//
// Exit codes: 0 stopped, healthy or printed; 1 cannot listen, not healthy, cannot read what is running; 2 bad configuration
// or bad usage; 130 ended by Ctrl-C when it was stopping already.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
	_ "time/tzdata" // The image has no /usr/share/zoneinfo,

	"github.com/heroku/x/hmetrics"
	_ "golang.org/x/crypto/x509roots/fallback" // and no /etc/ssl/certs.

	"heroku-go-example/internal/heroku"
	"heroku-go-example/internal/web"
)

// A dyno is killed 30 s after SIGTERM.
const (
	drainTime       = 3 * time.Second
	shutdownTimeout = 25 * time.Second
)

// configError is the operator's to mend. The program then exits with code 2.
type configError struct{ error }

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		if _, ok := errors.AsType[configError](err); ok {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// run is the program. As a server it returns after a signal, when all requests are answered.
func run(args []string, getenv func(string) string, stdout io.Writer) error {
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
	var known atomic.Pointer[web.Version]
	version := func() (web.Version, error) {
		if v := known.Load(); v != nil {
			return *v, nil
		}
		v, err := web.ReadVersion()
		if err != nil {
			return v, err // Not to be remembered: too many open files may be fewer next time.
		}
		v.App, v.Release, v.ReleasedAt, v.Commit, v.Dyno = dyno.App, dyno.Release, dyno.ReleasedAt, dyno.Commit, dyno.Name
		known.Store(&v)
		return v, nil
	}

	switch command {
	case "healthcheck":
		return healthcheck(dyno.Port)
	case "version":
		v, err := version()
		if err != nil {
			return err
		}
		return v.WriteJSON(stdout)
	}
	log, err := newLogger(getenv, dyno.Name != "", stdout)
	if err != nil {
		return configError{err}
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", dyno.Port))
	if err != nil {
		return fmt.Errorf("PORT=%d: %w", dyno.Port, err)
	}
	limitMemory(heroku.MemoryLimit(os.DirFS("/sys/fs/cgroup")), getenv)
	if dyno.MetricsURL != "" {
		go hmetrics.Report(context.Background(), dyno.MetricsURL, nil) // Without a handler it is silent about errors.
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	return serve(stop, listener, &web.Server{Log: log, Version: version, BehindRouter: dyno.Name != ""})
}

// limitMemory makes the Go runtime keep to a limit in bytes, 0 for none, unless the environment says otherwise.
func limitMemory(limit int64, getenv func(string) string) {
	if limit > 0 && getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9) // The rest is for what the Go runtime does not count.
	}
	if debug.SetMemoryLimit(-1) < math.MaxInt64 && getenv("GOGC") == "" {
		debug.SetGCPercent(400) // The limit makes it safe to collect garbage less often, which saves a fifth of the CPU time.
	}
}

// newLogger returns a logger in the form and from the level that the environment says.
func newLogger(getenv func(string) string, onHeroku bool, stdout io.Writer) (*slog.Logger, error) {
	var options slog.HandlerOptions
	if value := getenv("LOG_LEVEL"); value != "" {
		var level slog.Level
		if err := level.UnmarshalText([]byte(value)); err != nil {
			return nil, fmt.Errorf("LOG_LEVEL=%q: want debug, info, warn or error", value)
		}
		options.Level = level
	}
	var handler slog.Handler
	switch value := cmp.Or(getenv("LOG_FORMAT"), "text"); value {
	case "text":
		handler = slog.NewTextHandler(stdout, &options)
	case "json":
		handler = slog.NewJSONHandler(stdout, &options)
	default:
		return nil, fmt.Errorf("LOG_FORMAT=%q: want text or json", value)
	}
	return slog.New(web.LogHandler{Handler: handler, WithoutTime: onHeroku}), nil
}

// serve answers requests until a signal comes, then finishes those in flight.
func serve(stop <-chan os.Signal, listener net.Listener, handler *web.Server) error {
	log := handler.Log
	server := handler.HTTPServer()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	memory := "none"
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		memory = fmt.Sprintf("%d MiB", limit>>20)
	}
	log.Info(fmt.Sprintf("serving on http://localhost:%d", listener.Addr().(*net.TCPAddr).Port), "memory_limit", memory)

	var received os.Signal
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case received = <-stop:
	}
	go func() {
		for again := range stop { // A second SIGTERM of the platform changes nothing.
			if again == os.Interrupt {
				os.Exit(130)
			}
		}
	}()
	if received == syscall.SIGTERM {
		handler.Drain()
		log.Info("stopping: still taking requests", "for", drainTime)
		time.Sleep(drainTime)
	}
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

// healthcheck returns an error unless the server on port says that it is healthy.
func healthcheck(port uint16) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port)) // The image has no /etc/hosts to find localhost in.
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: port %d answers %s", port, response.Status)
	}
	return nil
}
