// Bump moves the project to the newest stable Go: the version, the checksums of its archives and the digest of its Docker
// image, in every place where they stand.
//
//	go run ./internal/bump -n   shows what it would change
//	go run ./internal/bump      changes it
//
// Version and checksums come from the Go team's list, the digest from Docker Hub. It has all of them before it changes a file.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

func main() {
	dryRun := flag.Bool("n", false, "show what would change, and change nothing")
	flag.Parse()
	if err := bump(".", "https://go.dev/dl/?mode=json", "https://registry-1.docker.io", *dryRun, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bump:", err)
		os.Exit(1)
	}
}

// release is an entry of the Go team's list.
type release struct {
	Version string // like "go1.27.2"
	Stable  bool
	Files   []struct{ OS, Arch, Kind, SHA256 string }
}

// bump changes the project in the folder dir, unless dryRun, and prints what it changes.
func bump(dir, list, registry string, dryRun bool, out io.Writer) error {
	newest, err := newestStable(list)
	if err != nil {
		return fmt.Errorf("find the newest Go: %w", err)
	}
	version := strings.TrimPrefix(newest.Version, "go")
	image := "golang:" + version + "-alpine"
	digest, err := imageDigest(registry, "library/golang", version+"-alpine")
	if err != nil {
		return fmt.Errorf("find the digest of %s: %w", image, err)
	}
	checksums := make(map[string]string)
	for _, file := range newest.Files {
		if file.Kind == "archive" {
			checksums[file.OS+"-"+file.Arch] = file.SHA256
		}
	}

	// The last group of each pattern is what is replaced.
	places := []struct {
		file, pattern string
		value         func(match []string) string
	}{
		{"Dockerfile", `ARG GO_IMAGE=(golang:\S+)`, func([]string) string { return image + "@" + digest }},
		{"README.md", `GOTOOLCHAIN=(go[0-9.]+)`, func([]string) string { return newest.Version }},
		{"nix/toolchain.nix", `version = "([0-9.]+)"`, func([]string) string { return version }},
		{"nix/toolchain.nix", `platform = "(\S+)";\s+sha256 = "([0-9a-f]+)"`, func(m []string) string { return checksums[m[1]] }},
	}
	texts := make(map[string]string)
	for _, place := range places {
		text, ok := texts[place.file]
		if !ok {
			content, err := os.ReadFile(filepath.Join(dir, place.file))
			if err != nil {
				return err
			}
			text = string(content)
		}
		pattern := regexp.MustCompile(place.pattern)
		matches := pattern.FindAllStringSubmatchIndex(text, -1)
		if matches == nil && place.file != "README.md" { // Somebody's own may not say it.
			return fmt.Errorf("%s: nothing matches %s", place.file, place.pattern)
		}
		for _, at := range slices.Backward(matches) { // From the end, so that what comes before stays where it is.
			begin, end := at[len(at)-2], at[len(at)-1]
			old, new := text[begin:end], place.value(pattern.FindStringSubmatch(text[at[0]:at[1]]))
			if new == "" {
				return fmt.Errorf("%s: %s has no archive for what stands there: %s", place.file, newest.Version, text[at[0]:at[1]])
			}
			if new != old {
				fmt.Fprintf(out, "%s\n  - %s\n  + %s\n", place.file, old, new)
				text = text[:begin] + new + text[end:]
				texts[place.file] = text
			}
		}
	}
	if len(texts) == 0 {
		fmt.Fprintf(out, "%s is the newest, and all is as it should be.\n", newest.Version)
	}
	if dryRun {
		return nil
	}
	for file, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// newestStable returns the first stable release of the list, which begins with the newest.
func newestStable(list string) (release, error) {
	response, err := get(list, nil)
	if err != nil {
		return release{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return release{}, fmt.Errorf("%s answers %s", list, response.Status)
	}
	var releases []release
	if err := json.NewDecoder(response.Body).Decode(&releases); err != nil {
		return release{}, fmt.Errorf("read %s: %w", list, err)
	}
	i := slices.IndexFunc(releases, func(r release) bool { return r.Stable })
	if i < 0 {
		return release{}, fmt.Errorf("%s names no stable release", list)
	}
	return releases[i], nil
}

// imageDigest returns the digest of an image's index, which names the image of each platform.
func imageDigest(registry, repository, tag string) (string, error) {
	manifest := registry + "/v2/" + repository + "/manifests/" + tag
	header := http.Header{"Accept": {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}}
	response, err := get(manifest, header)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized { // The registry says where it gives tokens to anybody.
		token, err := anonymousToken(response.Header.Get("Www-Authenticate"))
		if err != nil {
			return "", fmt.Errorf("get a token for %s: %w", registry, err)
		}
		header.Set("Authorization", "Bearer "+token)
		if response, err = get(manifest, header); err != nil {
			return "", err
		}
		defer response.Body.Close()
	}
	if response.StatusCode == http.StatusNotFound {
		return "", fmt.Errorf("there is no such image yet; try again in a day")
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers %s", manifest, response.Status)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, response.Body); err != nil {
		return "", fmt.Errorf("read %s: %w", manifest, err)
	}
	return fmt.Sprintf("sha256:%x", hash.Sum(nil)), nil
}

// anonymousToken asks for the token that a challenge like `Bearer realm="https://...",service="...",scope="..."` wants.
func anonymousToken(challenge string) (string, error) {
	values := make(url.Values)
	for _, pair := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(challenge, -1) {
		values.Set(pair[1], pair[2])
	}
	realm := values.Get("realm")
	values.Del("realm")
	response, err := get(realm+"?"+values.Encode(), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("%s answers %s without a token", realm, response.Status)
	}
	return answer.Token, nil
}

func get(url string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		request.Header = header
	}
	return client.Do(request)
}

var client = http.Client{Timeout: 30 * time.Second}
