package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"heroku-go-example/internal/heroku"
)

// Version says what is running.
type Version struct {
	// Go is the version of the toolchain, like "go1.27.4".
	Go string `json:"go"`
	// SHA256 is the checksum of the executable, in hex. Everyone who builds the same source gets the same.
	SHA256 string `json:"sha256"`
	// Modules are the modules that the executable is made from, the main one first. For one that go.mod replaces, it is the
	// replacement.
	Modules []Module `json:"modules"`

	heroku.Dyno // that answers
}

// A Module is a Go module and its version.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
}

// ReadVersion returns what the executable says of itself, and the dyno. It reads the whole file, a few milliseconds' work.
func ReadVersion(dyno heroku.Dyno) (Version, error) {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return Version{}, errors.New("the executable holds no build information")
	}
	file, err := os.Open("/proc/self/exe") // On Linux the running file, even when another one has taken its path.
	if path, pathErr := os.Executable(); err != nil && pathErr == nil {
		file, err = os.Open(path)
	}
	if err != nil {
		return Version{}, fmt.Errorf("read the running executable: %w", err)
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return Version{}, fmt.Errorf("read the running executable: %w", err)
	}
	return Version{Go: build.GoVersion, SHA256: fmt.Sprintf("%x", hash.Sum(nil)), Modules: modules(build), Dyno: dyno}, nil
}

func modules(build *debug.BuildInfo) (all []Module) {
	for _, module := range append([]*debug.Module{&build.Main}, build.Deps...) {
		module = cmp.Or(module.Replace, module)
		all = append(all, Module{module.Path, module.Version})
	}
	return all
}

// WriteJSON writes v as /version shows it.
func (v Version) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}
