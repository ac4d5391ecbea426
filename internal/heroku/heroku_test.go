package heroku

import (
	"maps"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func env(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestPortIsANumberFrom0To65535And8080WhenUnset(t *testing.T) {
	for value, want := range map[string]uint16{"": 8080, "0": 0, "5000": 5000, "65535": 65535} {
		dyno, err := FromEnv(env(map[string]string{"PORT": value}))
		if err != nil || dyno.Port != want {
			t.Errorf("PORT=%q: got %d, %v, want %d", value, dyno.Port, err, want)
		}
	}
}

func TestAnyOtherPortIsAnErrorThatNamesTheVariableAndTheValue(t *testing.T) {
	for _, value := range []string{"abc", "65536", "70000", "-1", "+80", "80 ", "1e3", "0x50", "8_0", ":80", "http"} {
		dyno, err := FromEnv(env(map[string]string{"PORT": value}))
		want := `PORT="` + value + `": want a number from 0 to 65535`
		if err == nil || err.Error() != want {
			t.Errorf("PORT=%q: got %v, %v, want the error %q", value, dyno, err, want)
		}
	}
}

func TestTheReleaseComesFromTheDynoMetadata(t *testing.T) {
	metadata := map[string]string{
		"DYNO":                      "web.1",
		"HEROKU_APP_NAME":           "fern",
		"HEROKU_RELEASE_VERSION":    "v7",
		"HEROKU_RELEASE_CREATED_AT": "2026-10-02T12:00:00Z",
	}
	want := Dyno{Port: 8080, Name: "web.1", App: "fern", Release: "v7", ReleasedAt: "2026-10-02T12:00:00Z", Commit: "c0ffee"}
	for _, commit := range []string{"HEROKU_SLUG_COMMIT", "HEROKU_BUILD_COMMIT"} {
		variables := maps.Clone(metadata)
		variables[commit] = "c0ffee"
		got, err := FromEnv(env(variables))
		if err != nil || got != want {
			t.Errorf("with %s: got %+v, %v, want %+v", commit, got, err, want)
		}
	}
}

func TestTheMemoryIsWhereADynoHasIt(t *testing.T) {
	const dyno, v2 = "memory/memory.limit_in_bytes", "memory.max"
	for _, test := range []struct {
		files map[string]string
		want  int64
	}{
		{map[string]string{dyno: "536870912\n"}, 512 << 20},
		{map[string]string{v2: "1073741824\n"}, 1 << 30},
		{map[string]string{dyno: "9223372036854771712\n", v2: "1024"}, 1024},
		{map[string]string{v2: "max\n"}, 0},
		{map[string]string{dyno: ""}, 0},
		{nil, 0},
	} {
		files := make(fstest.MapFS)
		for name, content := range test.files {
			files[name] = &fstest.MapFile{Data: []byte(content)}
		}
		if got := memory(files); got != test.want {
			t.Errorf("%v: got %d, want %d", test.files, got, test.want)
		}
	}
}

func TestTheRuntimeKeepsToNineTenthsUnlessTheUserSaysOtherwise(t *testing.T) {
	none, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer debug.SetMemoryLimit(none)
	defer debug.SetGCPercent(percent)
	dyno := fstest.MapFS{"memory/memory.limit_in_bytes": &fstest.MapFile{Data: []byte("536870912\n")}}
	for _, test := range []struct {
		sys         fstest.MapFS
		variables   map[string]string
		wantLimit   int64
		wantPercent int
	}{
		{dyno, nil, 483183819, 400},
		{dyno, map[string]string{"GOMEMLIMIT": "off"}, none, 100},
		{dyno, map[string]string{"GOGC": "50"}, 483183819, 100},
		{nil, nil, none, 100},
	} {
		debug.SetMemoryLimit(none) // As the Go runtime has it from the environment.
		debug.SetGCPercent(100)
		LimitMemory(test.sys, env(test.variables))
		limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
		if limit/10 != test.wantLimit/10 || percent != test.wantPercent {
			t.Errorf("%v: got the limit %d and GOGC %d, want %d and %d", test, limit, percent, test.wantLimit, test.wantPercent)
		}
	}
}
