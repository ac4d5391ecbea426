// Package herokutest is a local Heroku for tests. The unmodified Heroku CLI talks to it.
//
// It stands for these parts of Heroku, one file each:
//
//	api.go       the Platform API and the CLI's login
//	registry.go  registry.heroku.com: Heroku's rules in front of a real docker-registry
//	dyno.go      the dyno manager, which runs released images with docker
//	router.go    the router in front of the web dynos
//
// It knows what the commands in the README need, and answers 404 to the rest. What it says of Heroku comes from Heroku's
// documentation and from the CLI's source; that Heroku itself does the same cannot be proven here.
//
// It needs root (for port 443, and for its certificate below /etc/docker), docker with a local daemon, and docker-registry in
// PATH. It uses made-up tokens, listens on loopback addresses only, and ends and removes what it made and nothing else.
package herokutest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Host is the value of HEROKU_HOST. The CLI takes no other names than Heroku's own, and goes to the real Heroku for any
// name that it does not like. So /etc/hosts has to send this one to a loopback address, and Start makes sure that it does.
const Host = "box.herokudev.com"

// Names returns the host names that must resolve to one loopback address.
func Names() []string {
	return []string{"api." + Host, "registry." + Host, "cli-auth." + Host, "particleboard." + Host}
}

// Heroku is a local Heroku. Set its fields, then call Start.
type Heroku struct {
	// BootTimeout is how long a web dyno may take to listen on $PORT (R10), 60 s by default.
	BootTimeout time.Duration
	// StopTimeout is the time from SIGTERM to SIGKILL (R12), 30 s by default.
	StopTimeout time.Duration
	// Wrap, when set, puts a handler before the API and the registry: for tests one that refuses, hangs or breaks.
	Wrap func(heroku http.Handler) http.Handler

	dir       string // everything on disk, removed by Close
	token     string // the one user's API token
	servers   []*http.Server
	router    *http.Transport
	routerURL string // with %s for the app
	registry  *registry
	dynos     sync.WaitGroup

	mu      sync.Mutex // guards what is below, and every app
	changed *sync.Cond // a dyno's state or a log has changed
	apps    map[string]*app
	calls   []Call
	closed  bool
}

// A Call is a request to the Platform API, the registry or the login.
type Call struct {
	Method, Host, Path string
	Status             int
}

// Start starts a local Heroku without apps. After an error there is nothing to close.
func (h *Heroku) Start() (err error) {
	ip, err := loopback()
	if err != nil {
		return err
	}
	if h.BootTimeout == 0 {
		h.BootTimeout = 60 * time.Second
	}
	if h.StopTimeout == 0 {
		h.StopTimeout = 30 * time.Second
	}
	// The CLI reaches the registry's name on port 443 only, so there can be one local Heroku.
	front, err := net.Listen("tcp", net.JoinHostPort(ip, "443"))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another local Heroku is running: %w", err)
	}
	if err != nil {
		return err
	}
	h.token = "made-up-" + rand.Text()
	h.changed = sync.NewCond(&h.mu)
	h.apps = make(map[string]*app)
	defer func() {
		if err != nil {
			front.Close()
			h.Close()
		}
	}()
	if h.dir, err = os.MkdirTemp("", "herokutest"); err != nil {
		return err
	}
	for _, folder := range []string{"home/.cache/heroku", "docker"} {
		if err := os.MkdirAll(filepath.Join(h.dir, folder), 0o700); err != nil {
			return err
		}
	}
	// With this file the CLI says nothing about its terms of service.
	if err := os.WriteFile(filepath.Join(h.dir, "home/.cache/heroku/terms-of-service"), nil, 0o600); err != nil {
		return err
	}
	tlsConfig, err := h.makeCertificate()
	if err != nil {
		return fmt.Errorf("make the certificate: %w", err)
	}
	if h.registry, err = startRegistry(h.dir, h.token); err != nil {
		return err
	}
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// Every name below localhost is 127.0.0.1 for browsers and curl.
	h.routerURL = fmt.Sprintf("http://%%s.localhost:%d/", back.Addr().(*net.TCPAddr).Port)
	h.router = newRouterTransport()
	api := h.api()
	if h.Wrap != nil {
		api = h.Wrap(api)
	}
	h.serve(tls.NewListener(front, tlsConfig), h.recordCalls(api))
	h.serve(back, http.HandlerFunc(h.route))
	return nil
}

func (h *Heroku) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler}
	h.servers = append(h.servers, server)
	go server.Serve(listener)
}

// CheckNames returns an error unless all Names resolve to one loopback address.
func CheckNames() error {
	_, err := loopback()
	return err
}

// loopback returns the address that all Names resolve to. A command that went anywhere else would reach the real Heroku.
func loopback() (string, error) {
	var found string
	for _, name := range Names() {
		addresses, err := net.LookupHost(name)
		if err != nil {
			return "", err
		}
		for _, address := range addresses {
			if !net.ParseIP(address).IsLoopback() || (found != "" && address != found) {
				return "", fmt.Errorf("%s is %v, want one loopback address for %v in /etc/hosts", name, addresses, Names())
			}
			found = address
		}
	}
	return found, nil
}

// Close stops the dynos and removes everything that Start and the apps made, the pushed images included.
func (h *Heroku) Close() error {
	h.mu.Lock()
	h.closed = true
	for _, app := range h.apps {
		h.stop(app, app.dynos...)
		app.dynos = nil
	}
	h.mu.Unlock()
	h.dynos.Wait()
	for _, server := range h.servers {
		server.Close()
	}
	if h.router != nil {
		h.router.CloseIdleConnections()
	}
	if h.registry != nil {
		h.registry.server.Process.Kill()
		h.removeImages()
	}
	err := errors.Join(os.RemoveAll(certificates), os.RemoveAll(h.dir))
	os.Remove(filepath.Dir(certificates)) // If it is empty.
	return err
}

func (h *Heroku) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// removeImages removes docker's copies of all images that were pushed here. Nothing else pushes to a registry of this name.
func (h *Heroku) removeImages() {
	names, _ := h.docker("images", "--digests", "--filter", "reference=registry."+Host+"/*/*", "--format",
		"{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}")
	for _, name := range strings.Fields(names) {
		if !strings.Contains(name, "<none>") {
			h.docker("rmi", name)
		}
	}
}

// Env returns what to add to the environment for the CLI, and for curl and skopeo. The user has yet to log in.
func (h *Heroku) Env() []string {
	env := []string{
		"HOME=" + filepath.Join(h.dir, "home"),
		"HEROKU_HOST=" + Host,
		"HEROKU_LOGIN_HOST=https://cli-auth." + Host,
		// Every look at the account asks there too, and tries for seconds.
		"HEROKU_PARTICLEBOARD_URL=https://particleboard." + Host,
		"NODE_EXTRA_CA_CERTS=" + h.CAFile(),
		// The same for curl, for skopeo, and for both where they come from Nix.
		"CURL_CA_BUNDLE=" + h.CAFile(),
		"SSL_CERT_FILE=" + h.CAFile(),
		"NIX_SSL_CERT_FILE=" + h.CAFile(),
		// Nothing may leave this machine.
		"DISABLE_TELEMETRY=true",
		"HEROKU_SKIP_NEW_VERSION_CHECK=true",
		"HEROKU_DISABLE_AUTOUPDATE=true",
		// The token goes to ~/.netrc, even where the desktop has a keyring.
		"HEROKU_NETRC_WRITE=true",
	}
	// Nothing of the user's own may lead the CLI elsewhere.
	for _, name := range []string{"HEROKU_API_KEY", "HEROKU_APP", "HEROKU_HEADERS", "HEROKU_DEBUG", "DEBUG", "DOCKER_CONFIG",
		"BUILDX_BUILDER", "DOCKER_BUILDKIT", "DOCKER_CONTENT_TRUST", "DOCKER_CONTEXT", "DOCKER_DEFAULT_PLATFORM", "DOCKER_HOST",
		"DOCKER_TLS_VERIFY", "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
		"SSL_CERT_DIR"} {
		env = append(env, name+"=")
	}
	return env
}

// CAFile is the certificate authority made for this run, in PEM.
func (h *Heroku) CAFile() string { return filepath.Join(h.dir, "ca.pem") }

// Token is the user's API token, for HEROKU_API_KEY in place of a login.
func (h *Heroku) Token() string { return h.token }

// URL is the address of the app behind the router.
func (h *Heroku) URL(app string) string { return fmt.Sprintf(h.routerURL, app) }

// Client returns an HTTP client that reaches every app's URL, wherever the system sends names below localhost.
func (h *Heroku) Client() *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}}
}

// Calls returns all calls so far.
func (h *Heroku) Calls() []Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Call(nil), h.calls...)
}

// Log returns what `heroku logs` shows of the app, all of it.
func (h *Heroku) Log(app string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.apps[app].log, "\n") + "\n"
}

func (h *Heroku) recordCalls(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.calls = append(h.calls, Call{r.Method, r.Host, r.URL.Path, answer.status})
		}()
		next.ServeHTTP(answer, r)
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// docker runs a docker command as the platform and returns its output without the last newline.
func (h *Heroku) docker(args ...string) (string, error) {
	out, err := h.dockerCommand(args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("docker %s: %w: %s", args[0], err, text)
	}
	return text, nil
}

// dockerCommand is a docker command with the platform's own configuration, with which it may read the registry. It always
// goes to the local daemon: another one would take the registry's name for Heroku's.
func (h *Heroku) dockerCommand(args ...string) *exec.Cmd {
	command := exec.Command("docker", args...)
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+filepath.Join(h.dir, "docker"), "DOCKER_CONTEXT=", "DOCKER_HOST=")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for Close to handle.
	return command
}
