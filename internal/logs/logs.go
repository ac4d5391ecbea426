// Package logs writes log lines without waiting for a slow reader, and with the id of the request that they belong to.
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
	direct *slog.Logger  // writes to out
	wake   chan struct{} // holds one when there is work
	done   chan struct{} // closed when all is written

	mu      sync.Mutex // guards what is below
	waiting []byte
	dropped int // lines
	closed  bool
}

// Open returns a Writer to out. LOG_LEVEL can be debug, info (default), warn or error, and LOG_FORMAT text (default) or json.
// The error names the variable, its value and what would be right.
func Open(getenv func(string) string, out io.Writer) (*Writer, error) {
	w := &Writer{out: out, wake: make(chan struct{}, 1), done: make(chan struct{})}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cmp.Or(getenv("LOG_LEVEL"), "info"))); err != nil {
		return nil, fmt.Errorf("LOG_LEVEL=%q: want debug, info, warn or error", getenv("LOG_LEVEL"))
	}
	options := &slog.HandlerOptions{Level: level}
	switch value := cmp.Or(getenv("LOG_FORMAT"), "text"); value {
	case "text":
		w.Handler, w.direct = Handler{slog.NewTextHandler(w, options)}, slog.New(slog.NewTextHandler(out, nil))
	case "json":
		w.Handler, w.direct = Handler{slog.NewJSONHandler(w, options)}, slog.New(slog.NewJSONHandler(out, nil))
	default:
		return nil, fmt.Errorf("LOG_FORMAT=%q: want text or json", value)
	}
	go w.run()
	return w, nil
}

// Write takes one line. It never fails, and never waits for the reader.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	if len(w.waiting)+len(line) <= maxWaiting {
		w.waiting = append(w.waiting, line...)
	} else {
		w.dropped++
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(line), nil
}

func (w *Writer) run() {
	defer close(w.done)
	var lines []byte
	for closed := false; !closed; {
		<-w.wake
		runtime.Gosched() // Those who are about to log can still join.
		w.mu.Lock()
		dropped := w.dropped
		lines, w.waiting, w.dropped = w.waiting, lines[:0], 0
		closed = w.closed
		w.mu.Unlock()
		w.out.Write(lines) // An error could be reported nowhere else.
		if dropped > 0 {
			w.direct.Error("the log's reader was too slow: lines are lost", "lines", dropped)
		}
	}
}

// Close waits until all is written, but not longer than the timeout. Lines that come later may be lost. It may be called again.
func (w *Writer) Close(timeout time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.Write(nil) // It wakes run.
	select {
	case <-w.done:
	case <-time.After(timeout):
	}
}

type requestIDKey struct{}

// WithRequestID returns a copy of ctx that holds the id. See Handler.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// A Handler adds the id as request_id to each line that is logged with a context of WithRequestID.
type Handler struct{ slog.Handler }

// Handle adds the id, if there is one, and passes the line on.
func (h Handler) Handle(ctx context.Context, record slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs and WithGroup keep the Handler around what they return.
func (h Handler) WithAttrs(a []slog.Attr) slog.Handler { return Handler{h.Handler.WithAttrs(a)} }

func (h Handler) WithGroup(name string) slog.Handler { return Handler{h.Handler.WithGroup(name)} }
