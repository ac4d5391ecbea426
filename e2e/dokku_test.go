package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Dokku itself does not run here. These tests do what its sources of version 0.38.27 do, in plugins/: builder-dockerfile,
// scheduler-docker-local and nginx-vhosts.

// The commands of elsewhere/README.md.
const (
	dokkuRemote = "git remote add dokku dokku@dokku.example.com:my-own-app"
	dokkuPush   = "git push dokku main"
)

const onDokku = "heroku-go-example-e2e:dokku"

// dokkuBuild pushes a checkout, and builds what arrives as Dokku does.
func dokkuBuild(t *testing.T) {
	t.Helper()
	dir, server, tree := checkout(t), t.TempDir(), t.TempDir()
	run(t, server, os.Environ(), "git init --quiet --bare")
	run(t, dir, os.Environ(), commit+" && "+strings.Replace(dokkuRemote, "dokku@dokku.example.com:my-own-app", server, 1)+" && "+dokkuPush)
	run(t, tree, os.Environ(), "git clone --quiet --branch main "+server+" . && rm -r .git")
	for _, name := range []string{".buildpacks", ".env", "project.toml", "nixpacks.toml", "railpack.json", "lambda.yml"} {
		if _, err := os.Lstat(filepath.Join(tree, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("because of %s, Dokku may not build the Dockerfile: %v", name, err)
		}
	}
	build(t, tree, buildKit, onDokku, "--label=com.dokku.app-name=my-own-app --label=com.dokku.image-stage=build")
	run(t, tree, os.Environ(), "printf 'ARG APP_IMAGE\nFROM $APP_IMAGE\n' | "+
		"docker build --label=com.dokku.image-stage=release --build-arg APP_IMAGE="+onDokku+" --tag "+onDokku+" -")
	if ports := run(t, tree, os.Environ(), "docker image inspect --format '{{len .Config.ExposedPorts}}' "+onDokku); ports != "0\n" {
		t.Errorf("the image exposes %s ports: then Dokku does not set PORT=5000", ports)
	}
}

// dokkuStart starts a container of the app.
func dokkuStart(t *testing.T, options string) (name, address string) {
	t.Helper()
	return startContainer(t, "--user 10001:10001 --init --restart on-failure:10 --memory 512m --env DYNO=web.1 --env LOG_LEVEL=info "+options+" "+onDokku)
}

// An nginx stands for Dokku's. It takes a connection of its own for each request, and sends none again.
type nginx struct {
	scheme, port string
	servers      atomic.Pointer[[]string]
	requests     atomic.Int64
}

func (n *nginx) sendTo(servers ...string) { n.servers.Store(&servers) }

// start returns a balancer in front of the servers.
func (n *nginx) start(t *testing.T) *balancer {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "nginx")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext},
		Rewrite: func(r *httputil.ProxyRequest) {
			servers := *n.servers.Load()
			r.SetURL(&url.URL{Scheme: "http", Host: servers[int(n.requests.Add(1))%len(servers)]})
			r.Out.Host = r.In.Host
			r.Out.Header.Set("X-Forwarded-For", "203.0.113.7")
			r.Out.Header.Set("X-Forwarded-Port", n.port)
			r.Out.Header.Set("X-Forwarded-Proto", n.scheme)
			r.Out.Header.Set("X-Request-Start", fmt.Sprintf("%.3f", float64(time.Now().UnixMilli())/1000))
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	server := &http.Server{Handler: proxy}
	go server.Serve(listener)
	atEnd(t, func() { server.Close() })
	return &balancer{socket: socket}
}

func TestWhatIsPushedToDokkuAnswersByHTTPAndHTTPS(t *testing.T) {
	dokkuBuild(t)
	name, address := dokkuStart(t, "")
	for scheme, port := range map[string]string{"http": "80", "https": "443"} {
		n := &nginx{scheme: scheme, port: port}
		n.sendTo(address)
		client := n.start(t).client()
		for path, want := range map[string]int{"/": 200, "/version": 200, "/healthz": 200, "/nothing": 404} {
			response, err := client.Get("http://my-own-app.dokku.example.com" + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want || response.Request.Response != nil {
				t.Errorf("%s by %s: got %s, want %d and no redirect", path, scheme, response.Status, want)
			}
			if hsts := response.Header.Get("Strict-Transport-Security"); hsts != "" {
				t.Errorf("%s by %s: got %q, which is for Dokku's nginx to say", path, scheme, hsts)
			}
		}
	}

	// Where another proxy has ended TLS, nginx says http.
	_, address = dokkuStart(t, "--env HTTPS_REDIRECT=on")
	for scheme, want := range map[string]int{"http": http.StatusPermanentRedirect, "https": http.StatusOK} {
		n := &nginx{scheme: scheme, port: "80"}
		n.sendTo(address)
		client := n.start(t).client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		response, err := client.Get("http://my-own-app.dokku.example.com/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("with HTTPS_REDIRECT=on, by %s: got %s, want %d", scheme, response.Status, want)
		}
	}

	// As `dokku logs` has it: docker's time, then the server's line.
	log := run(t, ".", os.Environ(), "docker logs --timestamps "+name+" 2>&1")
	for line := range strings.Lines(log) {
		if !regexp.MustCompile(`^[^Z]+Z time=\S+ level=INFO msg=`).MatchString(line) {
			t.Errorf("got the line %q in the log", line)
		}
	}
	for _, want := range []string{`msg="serving on http://localhost:5000" memory_limit="460 MiB"`, "msg=request method=GET path=/version status=200 "} {
		if !strings.Contains(log, want) {
			t.Errorf("got the log %s, want %q", log, want)
		}
	}

	// `dokku enter my-own-app web /server healthcheck`, and `dokku run my-own-app` with these words.
	run(t, ".", os.Environ(), "docker container exec "+name+" /server healthcheck")
	for _, task := range []struct {
		words, want string
		code        int
	}{
		{"version", `"sha256": "`, 0},
		{"migrate", `server: unknown command ["migrate"]`, 2},
		{"/bin/bash", `server: unknown command ["/bin/bash"]`, 2}, // What `dokku run my-own-app` alone becomes.
	} {
		out, err := try(t, ".", os.Environ(), "docker run --rm --env DYNO=run.12345 "+onDokku+" "+task.words)
		code := 0
		if err != nil {
			code = err.(*exec.ExitError).ExitCode()
		}
		if code != task.code || !strings.Contains(out, task.want) {
			t.Errorf("dokku run my-own-app %s: got the exit code %d and %s, want %d and %q", task.words, code, out, task.code, task.want)
		}
	}
}

// dokkuReplace replaces a container under load. For a second after SIGTERM, workers of nginx that have not yet read where the new one
// is still send requests to the old one.
func dokkuReplace(t *testing.T, options string) (answered int, failed []string, log string) {
	t.Helper()
	oldName, oldAddress := dokkuStart(t, options)
	n := &nginx{scheme: "https", port: "443"}
	n.sendTo(oldAddress)
	b := n.start(t)
	stop, done := make(chan struct{}), make(chan struct{})
	end := sync.OnceFunc(func() { close(stop) })
	defer end()
	go func() {
		defer close(done)
		answered, failed = b.load(stop)
	}()
	more := func() {
		t.Helper()
		start := n.requests.Load()
		eventually(t, "more requests", func() bool { return n.requests.Load() > start+300 })
	}
	more()
	_, newAddress := dokkuStart(t, options)
	n.sendTo(oldAddress, newAddress)
	sigterm := "docker container kill --signal=SIGTERM " + oldName
	run(t, ".", os.Environ(), sigterm)
	stopped := time.Now()
	time.Sleep(time.Second)
	n.sendTo(newAddress)
	try(t, ".", os.Environ(), sigterm) // Dokku's second one comes after a minute. It would change nothing before.
	if status := run(t, ".", os.Environ(), "docker container wait "+oldName); status != "0\n" {
		t.Errorf("the old container exits with the status %s", status)
	}
	t.Logf("the old container has stopped after %.1f s", time.Since(stopped).Seconds())
	more()
	if state := run(t, ".", os.Environ(), "docker container inspect --format '{{.State.Status}} {{.RestartCount}}' "+oldName); state != "exited 0\n" {
		t.Errorf("got %s, want a container that stays as it is until Dokku removes it", state)
	}
	end()
	<-done
	return answered, failed, run(t, ".", os.Environ(), "docker logs "+oldName)
}

func TestADeployToDokkuLosesNoRequest(t *testing.T) {
	dokkuBuild(t)
	answered, failed, log := dokkuReplace(t, "")
	t.Logf("%d requests answered", answered)
	if len(failed) > 0 || answered < 1000 {
		t.Errorf("%d requests failed and %d did not: %q", len(failed), answered, failed[:min(1, len(failed))])
	}
	_, after, _ := strings.Cut(log, "stopping: still taking requests")
	if taken := strings.Count(after, "msg=request"); taken < 50 || strings.Count(after, "stopping: ") != 1 || strings.Count(after, "msg=stopped") != 1 {
		t.Errorf("the old container has taken %d requests after SIGTERM, want 50 and more, and one stop:\n%s", taken, after)
	}
	if answered, failed, _ := dokkuReplace(t, "--env DRAIN_TIME=0s"); len(failed) == 0 {
		t.Errorf("a server that stops at once loses none of %d requests: would this test notice?", answered)
	} else {
		t.Logf("of a server that stops at once: %d answered, %d failed, the first one: %s", answered, len(failed), failed[0])
	}
}
