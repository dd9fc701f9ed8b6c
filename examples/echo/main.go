// Command echo is a small HTTP service to try goc and goc-watchdog on: it answers pings and
// mirrors what it is sent. Nothing in it knows of coverage; "goc build" adds that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"example.com/echo/handlers"
)

// shutdownGrace is how long requests in flight may take once the service is told to stop.
const shutdownGrace = 5 * time.Second

func main() {
	// In a goc build the coverage agent takes these signals too, and ends the process as soon
	// as it has left the center. A plain build shuts down at its leisure.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and says on out where it listens.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	if err := flags.Parse(args); err != nil {
		return err
	}

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "echo: listening on http://%s\n", listener.Addr())

	server := &http.Server{
		Handler:           handlers.New(time.Now()),
		ReadHeaderTimeout: 5 * time.Second,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		deadline, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		return server.Shutdown(deadline)
	}
}
