// Server is an example of a Go web server on Heroku.
//
//	server [web]         serves HTTP on every interface, port $PORT (8080 when unset); so do -- and an empty argument
//	server healthcheck   asks the server on $PORT whether it is healthy, for images that have no shell and no curl
//	server version       prints what is running: what /version answers
//
// It keeps nothing on disk, logs to stdout, one line per event and per request, and takes its configuration from the
// environment. An answer 200 on /healthz is logged at level debug. Package heroku lists what Heroku sets. The rest is yours:
//
//	LOG_LEVEL       debug, info (default), warn or error
//	LOG_FORMAT      text (default: key=value) or json
//	HTTPS_REDIRECT  on or off: whether X-Forwarded-Proto is trusted (default: of Heroku's router alone)
//	DRAIN_TIME      how long the server still takes requests after SIGTERM, from 0s to 25s (default 3s)
//	GOMEMLIMIT      the Go runtime's own; by default 90 % of the dyno's memory
//	GOGC            the Go runtime's own; by default 400 where there is a memory limit
//
// SIGTERM stops it. For DRAIN_TIME it still takes requests, which Heroku's router may send, but says on /healthz and by
// closing connections that it wants no more. Then it finishes the requests in flight and exits with code 0, 28 s after the
// signal at most. SIGINT, a terminal's Ctrl-C, leaves out DRAIN_TIME; a second one kills it.
//
// Exit codes: 0 stopped, healthy or printed; 1 cannot listen, not healthy, cannot read what is running; 2 bad configuration
// or bad usage. A closed stdout ends it by SIGPIPE, as any Go program.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
	_ "time/tzdata" // The image has no /usr/share/zoneinfo.

	"github.com/heroku/x/hmetrics"
	_ "golang.org/x/crypto/x509roots/fallback" // The image has no /etc/ssl/certs.

	"heroku-go-example/internal/heroku"
	"heroku-go-example/internal/logs"
	"heroku-go-example/internal/web"
)

// stopTime is what the requests in flight have after a signal. The log has one second more. A dyno is killed 30 s after SIGTERM
// (https://devcenter.heroku.com/articles/dyno-shutdown-behavior).
const stopTime = 27 * time.Second

func main() {
	if code, err := run(os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		if strings.HasPrefix(os.Getenv("DYNO"), "run.") { // Heroku's CLI takes the exit code of a task from its output.
			fmt.Printf("\uFFFF heroku-command-exit-status: %d\n", code)
		}
		os.Exit(code)
	}
}

// run is the program. As a server it returns after a signal, when all requests are answered. With an error, code is the exit
// code.
func run(args []string, getenv func(string) string, stdout io.Writer) (code int, err error) {
	dyno, err := heroku.FromEnv(getenv)
	if err != nil {
		return 2, err
	}
	version := sync.OnceValues(func() (web.Version, error) { return web.ReadVersion(dyno) })
	switch strings.Join(args, " ") {
	case "web", "", "--": // Other images have "--" as CMD, and `heroku container:run web` gives an empty argument.
	case "healthcheck":
		return 1, healthcheck(dyno.Port)
	case "version":
		v, err := version()
		if err != nil {
			return 1, err
		}
		return 1, v.WriteJSON(stdout)
	default:
		return 2, fmt.Errorf("unknown command %q; usage: server [web | healthcheck | version]", args)
	}

	drainTime, err := time.ParseDuration(cmp.Or(getenv("DRAIN_TIME"), "3s"))
	if err != nil || drainTime < 0 || drainTime > 25*time.Second {
		return 2, fmt.Errorf("DRAIN_TIME=%q: want a duration from 0s to 25s", getenv("DRAIN_TIME"))
	}
	redirect := getenv("HTTPS_REDIRECT")
	if redirect != "" && redirect != "on" && redirect != "off" {
		return 2, fmt.Errorf("HTTPS_REDIRECT=%q: want on or off", redirect)
	}
	fromProxy := func(r *http.Request) bool {
		return redirect == "on" || redirect == "" && dyno.Name != "" && heroku.Routed(r)
	}
	out, err := logs.Open(getenv, stdout)
	if err != nil {
		return 2, err
	}
	defer out.Close(time.Second)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", dyno.Port))
	if err != nil {
		return 1, fmt.Errorf("PORT=%d: %w", dyno.Port, err)
	}
	heroku.LimitMemory(os.DirFS("/sys/fs/cgroup"), getenv)
	if dyno.MetricsURL != "" {
		go hmetrics.Report(context.Background(), dyno.MetricsURL, nil) // Without a handler it is silent about errors.
	}
	return 1, serve(stop, listener, &web.Server{Log: slog.New(out), Version: version, FromProxy: fromProxy}, drainTime)
}

// serve answers requests until a signal comes, then finishes those in flight.
func serve(stop <-chan os.Signal, listener net.Listener, handler *web.Server, drainTime time.Duration) error {
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
	signal.Reset(os.Interrupt) // A second Ctrl-C kills the program. A second SIGTERM of the platform changes nothing.
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if received == syscall.SIGTERM {
		handler.Drain()
		log.Info("stopping: still taking requests", "for", drainTime.String())
		time.Sleep(drainTime)
	}
	log.Info("stopping: finishing the requests in flight")
	listener.Close()
	time.Sleep(200 * time.Millisecond) // Shutdown drops requests that are read but not yet handed to the handler (golang/go#75591).
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
