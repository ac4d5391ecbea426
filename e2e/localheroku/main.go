// Localheroku runs a local Heroku until it is interrupted. It prints, as shell commands, the environment in which the
// Heroku CLI uses it, with the user logged in.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"heroku-go-example/e2e/herokutest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	heroku := new(herokutest.Heroku)
	if err := heroku.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "localheroku:", err)
		os.Exit(1)
	}
	var script strings.Builder
	for _, variable := range append(heroku.Env(), "HEROKU_API_KEY="+heroku.Token()) {
		name, value, _ := strings.Cut(variable, "=")
		fmt.Fprintf(&script, "export %s='%s'\n", name, value)
	}
	fmt.Print(script.String()) // In one write: a reader that waits for it gets all.
	<-ctx.Done()
	if err := heroku.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "localheroku:", err)
		os.Exit(1)
	}
}
