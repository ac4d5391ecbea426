package herokutest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// schema2 is the one kind of manifest that Heroku's registry takes.
const schema2 = "application/vnd.docker.distribution.manifest.v2+json"

// registry is a real docker-registry. It listens on a Unix socket; only what follows Heroku's rules gets there.
type registry struct {
	token  string
	server *exec.Cmd
	proxy  *httputil.ReverseProxy

	mu     sync.Mutex
	pushed []push
}

// A push is an image that was pushed: its repository, like "fern/web", and the digests of its manifest and config.
type push struct{ repository, manifest, config string }

func startRegistry(dir, token string) (*registry, error) {
	socket := filepath.Join(dir, "registry.sock")
	config := fmt.Sprintf("version: 0.1\nlog: {accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\n"+
		"http: {net: unix, addr: %s, relativeurls: true}\n", filepath.Join(dir, "registry"), socket)
	configFile := filepath.Join(dir, "registry.yml")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		return nil, err
	}
	// The platform's own docker pulls from the registry with the same token.
	auth := base64.StdEncoding.EncodeToString([]byte("_:" + token))
	dockerConfig := fmt.Sprintf(`{"auths": {"registry.%s": {"auth": %q}}}`, Host, auth)
	if err := os.WriteFile(filepath.Join(dir, "docker/config.json"), []byte(dockerConfig), 0o600); err != nil {
		return nil, err
	}

	server := exec.Command("docker-registry", "serve", configFile)
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for Close to handle.
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start docker-registry: %w", err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	g := &registry{token: token, server: server, proxy: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", "registry", r.In.Host
		},
		Transport: &http.Transport{DialContext: dial},
	}}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return g, nil
		}
		if time.Now().After(deadline) {
			g.close()
			return nil, fmt.Errorf("docker-registry does not answer: %s", &log)
		}
	}
}

func (g *registry) close() error {
	g.server.Process.Kill()
	g.server.Wait()
	return nil
}

// refs returns all names by which docker may know the images that were pushed.
func (g *registry) refs() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var refs []string
	for _, p := range g.pushed {
		refs = append(refs, p.ref(), "registry."+Host+"/"+p.repository+":latest")
	}
	return refs
}

func (p push) ref() string { return "registry." + Host + "/" + p.repository + "@" + p.manifest }

// ServeHTTP holds requests to Heroku's rules and hands them on.
func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The password is the API token. docker's user is "_"; the CLI's is empty.
	if _, password, ok := r.BasicAuth(); !ok || password != g.token {
		w.Header().Set("WWW-Authenticate", `Basic realm="Heroku"`)
		registryError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	repository, reference, isManifest := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/manifests/")
	if r.Method != http.MethodPut || !isManifest {
		g.proxy.ServeHTTP(w, r)
		return
	}
	// OCI manifests, image indexes and attestations are refused.
	if got := r.Header.Get("Content-Type"); got != schema2 {
		registryError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var manifest struct{ Config struct{ Digest string } }
	if err = errors.Join(err, json.Unmarshal(body, &manifest)); err != nil || reference == "" {
		registryError(w, http.StatusBadRequest, "MANIFEST_INVALID", "manifest invalid")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.proxy.ServeHTTP(w, r)
	if digest := w.Header().Get("Docker-Content-Digest"); digest != "" {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.pushed = append(g.pushed, push{repository, digest, manifest.Config.Digest})
	}
}

func registryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(object{"errors": []object{{"code": code, "message": message}}})
}

// image is what the platform knows of an image that is released.
type image struct {
	push
	Config struct {
		Entrypoint, Cmd []string
	}
}

// image returns the image with the ID, the digest of its config, that was pushed to the repository.
func (g *registry) image(repository, id string) (*image, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pushed {
		if p.repository == repository && p.config == id {
			client := http.Client{Transport: g.proxy.Transport}
			response, err := client.Get("http://registry/v2/" + repository + "/blobs/" + id)
			if err != nil {
				return nil, err
			}
			defer response.Body.Close()
			found := &image{push: p}
			return found, json.NewDecoder(response.Body).Decode(found)
		}
	}
	return nil, nil
}
