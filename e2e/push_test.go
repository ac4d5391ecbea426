package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const index = "application/vnd.oci.image.index.v1+json"

// pushed runs the push of a flake, and returns the digests that it prints by name.
func pushed(t *testing.T, dir, flake, arguments string) map[string]string {
	t.Helper()
	out := nix(t, dir, os.Environ(), "nix run "+flake+"#push -- "+arguments)
	digests := make(map[string]string)
	for _, line := range regexp.MustCompile(`(?m)^image: (\S+)@(sha256:[0-9a-f]{64})$`).FindAllStringSubmatch(out, -1) {
		digests[line[1]] = line[2]
	}
	return digests
}

// platformsOf asks a registry for an index, and returns its digest and the platforms in it.
func platformsOf(t *testing.T, registry, name, tag string) (digest string, platforms []string) {
	t.Helper()
	request, err := http.NewRequest("GET", "http://"+registry+"/v2/"+name+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", index)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s:%s: got %v, %s and %s", name, tag, err, response.Status, body)
	}
	var list struct {
		MediaType string
		Manifests []struct {
			Platform struct{ OS, Architecture string }
		}
	}
	if err := json.Unmarshal(body, &list); err != nil || list.MediaType != index {
		t.Errorf("%s:%s: got %v and %s, want an index", name, tag, err, body)
	}
	for _, manifest := range list.Manifests {
		platforms = append(platforms, manifest.Platform.OS+"/"+manifest.Platform.Architecture)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(body)), platforms
}

func TestAnyRegistryGetsOneIndexOfBothChipsWithTheSameDigestFromEverywhere(t *testing.T) {
	one, two, registry := checkout(t), otherCheckout(t), serveRegistry(t, t.TempDir())
	name := registry + "/me/shop"
	want := pushed(t, one, ".", name+":v1")[name]
	t.Log(want)
	for tag, got := range map[string]string{"v1": pushed(t, one, ".", name+":v1")[name], "latest": pushed(t, two, "path:.", name)[name]} {
		digest, platforms := platformsOf(t, registry, "me/shop", tag)
		if got != want || digest != want || !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
			t.Errorf("%s: the push says %s, the registry has %s for %q, want %s for both chips", tag, got, digest, platforms, want)
		}
	}

	// A registry may have the layer already, but not compressed.
	image := nix(t, one, os.Environ(), "nix build --no-link --print-out-paths .#image 2>/dev/null")
	archive := untar(t, []byte(read(t, strings.TrimSpace(image))))
	for header, content := range archive {
		if strings.HasSuffix(header.Name, "/layer.tar") {
			upload(t, "http://"+registry+"/v2/plain/shop/blobs/uploads/", content)
		}
	}
	if got := pushed(t, one, ".", registry+"/plain/shop:v1")[registry+"/plain/shop"]; got != want {
		t.Errorf("beside the plain layer: got %s, want %s", got, want)
	}

	work, env := podmanEnv(t)
	env = append(os.Environ(), env...)
	for _, chip := range chips {
		run(t, work, env, fmt.Sprintf("podman pull --quiet --tls-verify=false --platform linux/%[1]s %[2]s/plain/shop@%[3]s && podman create --name %[1]s %[2]s/plain/shop@%[3]s && podman cp %[1]s:/server %[1]s && podman rm %[1]s && podman rmi --all", chip, registry, want))
		if read(t, filepath.Join(work, chip)) != forChip(t, one, chip) {
			t.Errorf("podman pulls another executable for %s than go build makes", chip)
		}
	}
	if says := run(t, work, env, "qemu-aarch64-static ./arm64 version"); !strings.Contains(says, fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, filepath.Join(work, "arm64")))))) {
		t.Errorf("the executable for arm64 says %s", says)
	}
}

// upload puts a blob into a registry.
func upload(t *testing.T, url string, blob []byte) {
	t.Helper()
	response, err := http.Post(url, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	location, err := response.Location()
	if err != nil {
		t.Fatal(err)
	}
	query := location.Query()
	query.Set("digest", fmt.Sprintf("sha256:%x", sha256.Sum256(blob)))
	location.RawQuery = query.Encode()
	put(t, location.String(), "application/octet-stream", string(blob))
}

// put puts something into a registry.
func put(t *testing.T, url, mediaType, content string) {
	t.Helper()
	request, err := http.NewRequest("PUT", url, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", mediaType)
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %v, %v", url, err, response)
	}
	response.Body.Close()
}

func TestEachProcessTypeHasANameInARegistry(t *testing.T) {
	s, registry := newService(t, "programs", twoPrograms), serveRegistry(t, t.TempDir())
	name := registry + "/me/shop"
	all := pushed(t, s.dir, ".", name+":v1")
	if len(all) != 2 || all[name] == "" || all[name+"-worker"] == "" || all[name] == all[name+"-worker"] {
		t.Errorf("got %q, want web as shop and worker as shop-worker", all)
	}
	if one := pushed(t, s.dir, ".", name+":v2 worker"); len(one) != 1 || one[name+"-worker"] != all[name+"-worker"] {
		t.Errorf("got %q, want worker alone", one)
	}
	// All is built before anything is sent.
	run(t, s.dir, os.Environ(), "printf 'package main\n\nvar broken = missing\n' >cmd/worker/broken_arm64.go && git add --all")
	out, err := s.tryNix(t, "nix run .#push -- "+name+":v3")
	if err == nil || !strings.HasSuffix(out, "push: cannot build worker for arm64; nothing is pushed\n") {
		t.Errorf("a worker that cannot be built for arm64: got %v and %s", err, out)
	}
	if response, err := http.Get("http://" + registry + "/v2/me/shop/manifests/v3"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("web is pushed without worker: %v, %v", err, response)
	}
}

func TestOnlyThePushToAnyRegistryBuildsForArm64(t *testing.T) {
	dir := checkout(t)
	var out string
	for _, program := range []string{"push", "deploy", "verify"} {
		path := nix(t, dir, os.Environ(), "nix build --no-link --print-out-paths .#"+program+" 2>/dev/null")
		out += run(t, dir, os.Environ(), "nix path-info --recursive "+path)
	}
	if images := regexp.MustCompile(`(?m)^\S+-docker-image-\S+[.]tar$`).FindAllString(out, -1); len(images) != 3 || images[0] != images[1] || images[1] != images[2] {
		t.Errorf("push, deploy and verify take the images %q, want one", images)
	}
}

func TestThePushToAnyRegistrySaysWhatIsWrongAndLeavesTheTagAlone(t *testing.T) {
	target, err := url.Parse("http://" + serveRegistry(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	behind := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host }}
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="locked"`)
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}`)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	defer locked.Close()
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == index {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errors": [{"code": "MANIFEST_INVALID", "message": "no index"}]}`)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	defer old.Close()

	// A token service may answer this where nobody is logged in.
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token"`)
		w.WriteHeader(map[bool]int{true: http.StatusForbidden, false: http.StatusUnauthorized}[r.URL.Path == "/token"])
	}))
	defer gate.Close()
	put(t, "http://"+target.Host+"/v2/me/shop/manifests/v1", index, `{"schemaVersion": 2, "mediaType": "`+index+`", "manifests": []}`)
	before, _ := platformsOf(t, target.Host, "me/shop", "v1")

	dir, home := checkout(t), t.TempDir()
	program := strings.TrimSpace(nix(t, dir, os.Environ(), "nix build --no-link --print-out-paths .#push 2>/dev/null")) + "/bin/heroku-go-example-push"
	env := append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR=", "REGISTRY_AUTH_FILE=")
	push := func(name string) (string, error) {
		command := exec.Command(program, strings.Fields(name)...)
		command.Env = env
		out, err := command.CombinedOutput()
		return string(out), err
	}
	host := strings.TrimPrefix(locked.URL, "http://")
	for name, want := range map[string]string{
		"":                                "push: usage: nix run .#push -- APP [PROCESS_TYPE], or -- REGISTRY/NAME:TAG [PROCESS_TYPE]\n",
		"shop:v1":                         "push: usage:",
		host + "/me/shop@sha256:0":        "push: usage:",
		host + "/me/Shop:v1":              "push: usage:",
		"https://" + host + "/me/shop:v1": "push: usage:",
		host + "/me/shop:v1":              "is as it was, or this index; log in by docker, podman or skopeo\n",
		strings.TrimPrefix(gate.URL, "http://") + "/me/shop:v1": "log in by docker, podman or skopeo\n",
		strings.TrimPrefix(old.URL, "http://") + "/me/shop:v1":  "no index)\"; " + strings.TrimPrefix(old.URL, "http://") + "/me/shop:v1 is as it was, or this index\n",
		"registry.invalid/me/shop:v1":                           "no such host\"; registry.invalid/me/shop:v1 is as it was, or this index\n",
	} {
		out, err := push(name)
		if out = strings.TrimPrefix(out, "Pushing web to "+name+"\n"); err == nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: got %v and %q, want one line with %q", name, err, out, want)
		}
	}
	if after, _ := platformsOf(t, target.Host, "me/shop", "v1"); after != before {
		t.Errorf("the tag is %s, want %s as before", after, before)
	}
	without := exec.Command(program, host+"/me/shop:v1")
	without.Env = []string{"PATH=/usr/bin:/bin"}
	if out, err := without.CombinedOutput(); err == nil || string(out) != "push: nix builds the image for arm64: want it in PATH\n" {
		t.Errorf("without nix: got %v and %s", err, out)
	}

	login := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, host, base64.StdEncoding.EncodeToString([]byte("me:secret")))
	for _, file := range []string{".docker/config.json", "auth.json"} {
		file = filepath.Join(home, file)
		os.MkdirAll(filepath.Dir(file), 0o700)
		if err := os.WriteFile(file, []byte(login), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := push(host + "/me/shop:v1"); err != nil {
			t.Errorf("with the login in %s: got %v and %s", file, err, out)
		}
		os.Remove(file)
		env = append(env, "REGISTRY_AUTH_FILE="+filepath.Join(home, "auth.json"))
	}
}
