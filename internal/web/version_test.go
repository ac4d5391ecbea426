package web

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"testing"

	"heroku-go-example/internal/heroku"
)

func TestTheVersionIsThatOfTheRunningExecutable(t *testing.T) {
	executable, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadVersion(heroku.Dyno{Name: "web.1"})
	if want := fmt.Sprintf("%x", sha256.Sum256(executable)); err != nil || got.SHA256 != want || got.Go == "" || len(got.Modules) == 0 || got.Name != "web.1" {
		t.Errorf("got %+v, %v, want the sha256 %s, the version of Go, the modules and the dyno", got, err, want)
	}
}

func TestTheVersionNamesWhatReplacesAModule(t *testing.T) {
	got := modules(&debug.BuildInfo{
		Main: debug.Module{Path: "example.com/shop", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "example.com/old", Version: "v1.8.1", Replace: &debug.Module{Path: "example.com/new", Version: "v1.8.0"}},
			{Path: "example.com/plain", Version: "v2.0.0"},
		},
	})
	want := []Module{{"example.com/shop", "(devel)"}, {"example.com/new", "v1.8.0"}, {"example.com/plain", "v2.0.0"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
