package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// leak is a file for internal/web of a checkout, with a route that keeps memory.
const leak = `package web

import (
	"fmt"
	"net/http"
)

var leaked [][]byte

func leak(get func(path string, handler http.HandlerFunc)) {
	get("/leak", func(w http.ResponseWriter, r *http.Request) {
		for keep := range 4 { // As in most programs, more is garbage than stays.
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1 // Untouched memory costs nothing.
			}
			if keep == 0 {
				leaked = append(leaked, block)
			}
		}
		fmt.Fprintln(w, len(leaked))
	})
}
`

// deploy builds, pushes and releases a checkout.
func (app *testApp) deploy(dir string) {
	app.Helper()
	build(app.T, dir, classic, app.repository, "")
	app.push()
	app.release()
}

// A load is many clients that ask for /version through the router all the time, on connections that they keep.
type load struct {
	app      *testApp
	ended    atomic.Bool
	clients  sync.WaitGroup
	requests atomic.Int64

	mu      sync.Mutex
	oldest  int            // the release that may still answer
	dynos   int            // how many may answer
	answers map[string]int // by release and dyno
	bad     []string
}

func startLoad(app *testApp, release, dynos int) *load {
	l := &load{app: app, oldest: release, dynos: dynos, answers: make(map[string]int)}
	for range 20 {
		l.clients.Go(func() {
			client := app.heroku.Client()
			defer client.CloseIdleConnections()
			for !l.ended.Load() {
				l.ask(client)
			}
		})
	}
	atEnd(app.T, l.stop)
	return l
}

func (l *load) ask(client *http.Client) {
	l.mu.Lock()
	oldest, dynos := l.oldest, l.dynos // They may be replaced while the request is on its way.
	l.mu.Unlock()
	var version struct{ Release, Dyno string }
	response, err := client.Get(l.app.heroku.URL(l.app.name) + "version")
	if err == nil {
		var body []byte
		body, err = io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil && response.StatusCode != 200 {
			err = fmt.Errorf("%s: %s", response.Status, body)
		}
		if err == nil {
			err = json.Unmarshal(body, &version)
		}
	}
	l.requests.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	number, _ := strconv.Atoi(strings.TrimPrefix(version.Release, "v"))
	dyno, _ := strconv.Atoi(strings.TrimPrefix(version.Dyno, "web."))
	switch {
	case err != nil:
		l.bad = append(l.bad, err.Error())
	case number < oldest:
		l.bad = append(l.bad, fmt.Sprintf("an answer from release v%d after v%d was released", number, oldest))
	case dyno > dynos:
		l.bad = append(l.bad, fmt.Sprintf("an answer from web.%d when there were %d dynos", dyno, dynos))
	default:
		l.answers[version.Release+" "+version.Dyno]++
	}
}

// from says that from now on no older release and no more dynos may answer.
func (l *load) from(release, dynos int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.oldest, l.dynos = release, dynos
}

// gone waits until n dynos in all have stopped by themselves. Until then the router may choose them.
func (l *load) gone(n int) {
	l.app.Helper()
	eventually(l.app.T, fmt.Sprint(n, " dynos to be gone"), func() bool {
		return strings.Count(l.app.heroku.Log(l.app.name), "Process exited with status 0") == n
	})
}

// more waits for n more answers.
func (l *load) more(n int64) {
	l.app.Helper()
	start := l.requests.Load()
	eventually(l.app.T, "more answers", func() bool { return l.requests.Load() >= start+n })
}

func (l *load) stop() {
	l.ended.Store(true)
	l.clients.Wait()
}

// check sees that no request has failed so far.
func (l *load) check(after string) {
	l.app.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bad) > 0 {
		l.app.Errorf("%s: %d of %d requests failed, the first one: %s", after, len(l.bad), l.requests.Load(), l.bad[0])
		l.bad = nil
	}
	l.app.Logf("%s: %d requests so far, answered by %v", after, l.requests.Load(), l.answers)
	clear(l.answers)
}

func TestReleasingRestartingAndScalingFailNoRequest(t *testing.T) {
	h := startHeroku(t)
	app := newApp(t, h, "lossless")
	run(t, ".", app.env, "heroku labs:enable runtime-dyno-metadata")
	app.deploy(checkout(t)) // v3
	app.waitForLog(`app\[web\.1\]: time=\S+ level=INFO msg="serving on \S+" memory_limit="460 MiB"`)
	load := startLoad(app, 3, 1)
	load.more(1000)
	load.check("one dyno")

	changed := checkout(t)
	run(t, changed, os.Environ(), "sed -i 's|<h1>.*</h1>|<h1>Another release</h1>|' internal/web/assets/index.html")
	app.deploy(changed) // v4
	load.gone(1)
	load.from(4, 1)
	load.more(1000)
	load.check("a release")

	run(t, ".", app.env, "heroku ps:restart")
	load.gone(2)
	load.more(1000)
	load.check("a restart")

	up := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprint(n, " dynos up"), func() bool {
			return strings.Count(run(t, ".", app.env, "heroku ps"), ": up ") == n
		})
	}
	load.from(4, 3)
	run(t, ".", app.env, "heroku ps:scale web=3:standard-1x")
	up(3)
	load.more(1000)
	load.check("one dyno to three")
	run(t, ".", app.env, "heroku ps:scale web=1:standard-1x")
	load.gone(4)
	up(1)
	load.from(4, 1)
	load.more(1000)
	load.check("three dynos to one")

	run(t, ".", app.env, "heroku rollback") // v5
	load.gone(5)
	load.from(5, 1)
	load.more(1000)
	load.check("a rollback")

	// All dynos have stopped by themselves.
	load.stop()
	if log := h.Log(app.name); strings.Contains(log, "Error R") || strings.Contains(log, "at=error") || strings.Contains(log, "level=ERROR") {
		t.Errorf("errors in the log:\n%s", log)
	}
}

func TestTheMemoryLimitLetsALeakingServerLiveLonger(t *testing.T) {
	const tag = "heroku-go-example-e2e:leaking"
	dir := checkout(t)
	if err := os.WriteFile(filepath.Join(dir, "internal/web/leak.go"), []byte(leak), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, dir, os.Environ(), `sed -i 's|get("/healthz", .*|&\nleak(get)|' internal/web/web.go && grep -q leak internal/web/web.go`)
	build(t, dir, classic, tag, "")
	lives := func(env string) (megabytes int) {
		t.Helper()
		name, address := startContainer(t, "--memory 512m --memory-swap 512m "+env+" "+tag)
		client := http.Client{Timeout: 10 * time.Second} // A container that is killed says no goodbye.
		for {
			response, err := client.Get("http://" + address + "/leak")
			if err != nil {
				break
			}
			fmt.Fscan(response.Body, &megabytes)
			response.Body.Close()
		}
		if status := run(t, ".", os.Environ(), "docker wait "+name); status != "137\n" {
			t.Errorf("%s: the server exited with status %s, want 137: killed", env, status)
		}
		return megabytes
	}
	with, without := lives(""), lives("--env GOMEMLIMIT=off")
	t.Logf("a dyno of 512 MB holds %d MB of live data with the limit and %d MB without", with, without)
	if with < without*5/4 {
		t.Error("want a quarter more")
	}
}
