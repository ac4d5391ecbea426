package logs

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// open returns a Writer in an empty environment, and a logger that writes to it.
func open(t *testing.T, out io.Writer) (*Writer, *slog.Logger) {
	t.Helper()
	w, err := Open(func(string) string { return "" }, out)
	if err != nil {
		t.Fatal(err)
	}
	return w, slog.New(w)
}

func TestTheEnvironmentSaysFormAndLevel(t *testing.T) {
	for _, test := range []struct{ level, format, want string }{
		{"", "", "level=INFO msg=hello\n"},
		{"error", "text", ""},
		{"debug", "json", `"level":"DEBUG","msg":"detail"}`},
	} {
		var out bytes.Buffer
		env := map[string]string{"LOG_LEVEL": test.level, "LOG_FORMAT": test.format}
		w, err := Open(func(name string) string { return env[name] }, &out)
		if err != nil {
			t.Fatal(err)
		}
		log := slog.New(w)
		log.Debug("detail")
		log.Info("hello")
		w.Close(time.Minute)
		if got := out.String(); !strings.Contains(got, test.want) || (test.want == "" && got != "") {
			t.Errorf("%v: got %q, want %q", env, got, test.want)
		}
	}
}

func TestABadFormOrLevelIsRefused(t *testing.T) {
	for name, want := range map[string]string{
		"LOG_LEVEL":  `LOG_LEVEL="loud": want debug, info, warn or error`,
		"LOG_FORMAT": `LOG_FORMAT="loud": want text or json`,
	} {
		_, err := Open(func(asked string) string { return map[string]string{name: "loud"}[asked] }, io.Discard)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNothingIsLostAndLinesStayInOrder(t *testing.T) {
	var out bytes.Buffer
	w, log := open(t, &out)
	var all sync.WaitGroup
	for logger := range 10 {
		all.Go(func() {
			for i := range 100 {
				log.Info("line", "logger", logger, "number", i)
			}
		})
	}
	all.Wait()
	w.Close(time.Minute)
	next := make(map[int]int)
	for line := range strings.Lines(out.String()) {
		var logger, number int
		_, text, _ := strings.Cut(line, "msg=line ")
		if _, err := fmt.Sscanf(text, "logger=%d number=%d\n", &logger, &number); err != nil || number != next[logger] {
			t.Fatalf("got %q, want a whole line with the number %d", line, next[logger])
		}
		next[logger]++
	}
	for logger := range 10 {
		if next[logger] != 100 {
			t.Errorf("got %d lines of the logger %d, want 100", next[logger], logger)
		}
	}
}

func TestALineHasTheIdOfTheRequestThatItsContextBelongsTo(t *testing.T) {
	var out bytes.Buffer
	w, log := open(t, &out)
	ctx := WithRequestID(t.Context(), "0123")
	log.InfoContext(ctx, "theirs")
	log.With("k", "v").WithGroup("g").InfoContext(ctx, "theirs, too", "a", 1)
	log.InfoContext(t.Context(), "nobody's")
	w.Close(time.Minute)
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"msg=theirs request_id=0123", `msg="theirs, too" k=v g.a=1 g.request_id=0123`, "msg=nobody's"} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("got the line %q, want %q at its end", lines[i], want)
		}
	}
}

// stalled is a reader's end of a pipe that takes nothing until it is resumed.
type stalled struct {
	bytes.Buffer
	resume chan bool
	writes int
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.resume
	s.writes++
	return s.Buffer.Write(p)
}

func TestLinesLeaveTogetherWhileTheReaderIsBusy(t *testing.T) {
	out := &stalled{resume: make(chan bool)}
	w, log := open(t, out)
	for range 100 {
		log.Info("hello")
	}
	close(out.resume)
	w.Close(time.Minute)
	if got := strings.Count(out.String(), "hello"); got != 100 || out.writes > 3 {
		t.Errorf("got %d lines in %d writes, want 100 in 3 at most", got, out.writes)
	}
}

// lost is the sum of the numbers that the log says of lost lines.
func lost(t *testing.T, log string) (sum int) {
	t.Helper()
	for _, match := range regexp.MustCompile(`(?m)^time=\S+ level=ERROR msg="the log's reader was too slow: lines are lost" lines=(\d+)$`).FindAllStringSubmatch(log, -1) {
		n, _ := strconv.Atoi(match[1])
		sum += n
	}
	return sum
}

func TestAReaderThatStallsHoldsNobodyUpAndHearsLaterHowManyLinesAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{resume: make(chan bool)}
		w, log := open(t, out)
		text, logged := strings.Repeat("x", 1000), 10*maxWaiting/1000
		for range logged {
			log.Info(text)
		}
		synctest.Wait()
		if n := cap(w.waiting); n > 2*maxWaiting {
			t.Errorf("%d bytes wait, want %d at most", n, 2*maxWaiting)
		}
		close(out.resume)
		synctest.Wait()
		log.Info("back again")
		w.Close(time.Minute)
		written := strings.Count(out.String(), text)
		if got := lost(t, out.String()); written == 0 || got != logged-written {
			t.Errorf("%d of %d lines are written, and %d said to be lost", written, logged, got)
		}
		if !strings.HasSuffix(out.String(), "msg=\"back again\"\n") {
			t.Error("after that, lines are lost")
		}
	})
}

func TestALineThatIsTooLongIsSaidToBeLost(t *testing.T) {
	var out bytes.Buffer
	w, log := open(t, &out)
	log.Info(strings.Repeat("x", maxWaiting))
	w.Close(time.Minute)
	if got := lost(t, out.String()); got != 1 || strings.Contains(out.String(), "xxx") {
		t.Errorf("%d lines are said to be lost, want 1", got)
	}
}

// slow takes a while for each write.
type slow struct{ bytes.Buffer }

func (s *slow) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return s.Buffer.Write(p)
}

func TestAReaderThatIsSlowHearsHowManyLinesAreLostAtAnyLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(slow)
		w, err := Open(func(name string) string { return map[string]string{"LOG_LEVEL": "error"}[name] }, out)
		if err != nil {
			t.Fatal(err)
		}
		const logged = 200_000
		for i := range logged {
			slog.New(w).Error("hello")
			if i%20_000 == 0 {
				time.Sleep(time.Second / 2)
			}
		}
		w.Close(time.Hour)
		written := strings.Count(out.String(), "msg=hello")
		if got := lost(t, out.String()); got == 0 || got != logged-written {
			t.Errorf("%d of %d lines are written, and %d said to be lost", written, logged, got)
		}
	})
}

func TestCloseDoesNotWaitForAReaderThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{resume: make(chan bool)}
		w, log := open(t, out)
		log.Info("hello")
		start := time.Now()
		w.Close(time.Second)
		w.Close(0) // A second time does no harm.
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close took %v, want 1 s", took)
		}
		log.Info("too late")
		close(out.resume)
	})
}

// What a line costs the one who logs, beside a write for each.
func BenchmarkLine(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	w, err := Open(func(string) string { return "" }, null)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close(time.Minute)
	for name, handler := range map[string]slog.Handler{"grouped": w, "each": slog.NewTextHandler(null, nil)} {
		b.Run(name, func(b *testing.B) {
			log := slog.New(handler)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					log.Info("hello")
				}
			})
		})
	}
}
