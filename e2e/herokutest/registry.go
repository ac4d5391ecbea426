package herokutest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
}

func startRegistry(dir, token string) (*registry, error) {
	socket := filepath.Join(dir, "registry.sock")
	config := fmt.Sprintf("version: 0.1\nlog: {accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}}\n"+
		"http: {net: unix, addr: %q, relativeurls: true}\n", filepath.Join(dir, "registry"), socket)
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
	exited := make(chan error, 1)
	go func() { exited <- server.Wait() }()
	deadline := time.After(10 * time.Second)
	for {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
			return g, nil
		}
		select {
		case err := <-exited:
			return nil, fmt.Errorf("docker-registry: %w: %s", err, &log)
		case <-deadline:
			server.Process.Kill()
			return nil, fmt.Errorf("docker-registry does not listen: %v: %s", <-exited, &log)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ServeHTTP holds requests to Heroku's rules and hands them on.
func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The password is the API token. docker's user is "_"; the CLI's is empty.
	if _, password, ok := r.BasicAuth(); !ok || password != g.token {
		w.Header().Set("WWW-Authenticate", `Basic realm="Heroku"`)
		registryError(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	// OCI manifests, image indexes and attestations are refused.
	isManifest := r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
	if isManifest && r.Header.Get("Content-Type") != schema2 {
		registryError(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "The operation is unsupported.")
		return
	}
	g.proxy.ServeHTTP(w, r)
}

func registryError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(object{"errors": []object{{"code": code, "message": message}}})
}

// image is what the platform knows of an image that is released.
type image struct {
	id     string // the digest of its config, as docker shows it
	ref    string // the name to pull it by
	Config struct{ Entrypoint, Cmd []string }
}

// latest returns the image that was last pushed to the repository, which is nil when there is none.
func (g *registry) latest(repository string) (*image, error) {
	var manifest struct{ Config struct{ Digest string } }
	header, err := g.get(repository+"/manifests/latest", &manifest)
	if header == nil || err != nil {
		return nil, err
	}
	found := &image{id: manifest.Config.Digest, ref: "registry." + Host + "/" + repository + "@" + header.Get("Docker-Content-Digest")}
	_, err = g.get(repository+"/blobs/"+found.id, found)
	return found, err
}

// get reads JSON from the registry and returns the answer's header, which is nil when there is no such thing.
func (g *registry) get(path string, into any) (http.Header, error) {
	request, err := http.NewRequest(http.MethodGet, "http://registry/v2/"+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", schema2)
	response, err := g.proxy.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	return response.Header, json.NewDecoder(response.Body).Decode(into)
}
