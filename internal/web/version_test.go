package web

import (
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
)

func TestTheVersionIsThatOfTheRunningExecutable(t *testing.T) {
	executable, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadVersion()
	if want := fmt.Sprintf("%x", sha256.Sum256(executable)); err != nil || got.SHA256 != want || got.Go == "" || len(got.Modules) == 0 {
		t.Errorf("got %+v, %v, want the sha256 %s, the version of Go and the modules", got, err, want)
	}
}
