// Worker is the other program of the module. It listens on no port, and works until SIGTERM.
package main

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"example.com/services/programs/internal/greeting"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log.Print(greeting.From("worker"))
	log.Print("working")
	<-ctx.Done()
}
