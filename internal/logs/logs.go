// Package logs writes log lines without waiting for a slow reader. LOG_LEVEL and LOG_FORMAT are described in package main.
package logs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"
)

// maxWaiting is how many bytes wait for the reader, beside those that are being written. Further lines are dropped, and their
// number is logged later.
const maxWaiting = 1 << 20

// A Writer writes lines from a goroutine of its own. Lines that arrive during a write leave together in the next one, which
// takes far fewer system calls than a write for each. The last lines are lost when the process ends without Close: by
// SIGKILL, by a panic outside of a handler, by os.Exit.
type Writer struct {
	slog.Handler // writes to the Writer

	out    io.Writer
	direct slog.Handler  // writes to out
	wake   chan struct{} // holds one when lines wait
	done   chan struct{} // closed when all is written

	mu      sync.Mutex // guards what is below
	waiting []byte
	dropped int // lines
	closed  bool
}

// Open returns a Writer whose Handler has the form and the level that the environment says. The error names the variable, its
// value and what would be right.
func Open(getenv func(string) string, out io.Writer) (*Writer, error) {
	w := &Writer{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmp.Or(getenv("LOG_LEVEL"), "info"))); err != nil {
		return nil, fmt.Errorf("LOG_LEVEL=%q: want debug, info, warn or error", getenv("LOG_LEVEL"))
	}
	options := &slog.HandlerOptions{Level: level}
	switch value := cmp.Or(getenv("LOG_FORMAT"), "text"); value {
	case "text":
		w.Handler, w.direct = slog.NewTextHandler(w, options), slog.NewTextHandler(out, nil)
	case "json":
		w.Handler, w.direct = slog.NewJSONHandler(w, options), slog.NewJSONHandler(out, nil)
	default:
		return nil, fmt.Errorf("LOG_FORMAT=%q: want text or json", value)
	}
	go w.run()
	return w, nil
}

// Write takes one line, and never fails or waits for the reader.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting)+len(line) > maxWaiting {
		w.dropped++
		return len(line), nil
	}
	w.waiting = append(w.waiting, line...)
	if !w.closed {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

func (w *Writer) run() {
	defer close(w.done)
	var lines []byte
	for {
		_, open := <-w.wake
		runtime.Gosched() // Those who are about to log can still join.
		w.mu.Lock()
		dropped := w.dropped
		lines, w.waiting, w.dropped = w.waiting, lines[:0], 0
		w.mu.Unlock()
		if !open && len(lines) == 0 {
			return
		}
		w.out.Write(lines)
		if dropped > 0 {
			record := slog.NewRecord(time.Now(), slog.LevelError, "the log's reader was too slow: lines are lost", 0)
			record.Add("lines", dropped)
			w.direct.Handle(context.Background(), record)
		}
	}
}

// Close waits until all is written, but not longer than the timeout. It may be called again.
func (w *Writer) Close(timeout time.Duration) {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.wake)
	}
	w.mu.Unlock()
	select {
	case <-w.done:
	case <-time.After(timeout):
	}
}
