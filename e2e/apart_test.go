package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// isWhole does what a user would with a project.
func isWhole(t *testing.T, dir string) {
	t.Helper()
	run(t, dir, userEnv(), "go vet ./... && go test ./...")
	run(t, dir, os.Environ(), "actionlint")
	for _, broken := range brokenLinks(t, dir) {
		t.Error(broken)
	}
	nix(t, dir, os.Environ(), "nix flake check")
	nix(t, dir, os.Environ(), "nix build .#server")
	const tag = "heroku-go-example-e2e:whole"
	build(t, dir, classic, tag, "--network none")
	if read(t, filepath.Join(dir, "result/bin/server")) != string(server(t, tag)) {
		t.Error("Nix and Docker give different executables")
	}
}

func TestWithoutThisFolderTheProjectIsWhole(t *testing.T) {
	dir := checkout(t)
	run(t, dir, os.Environ(), "rm -r e2e && git add --all")
	isWhole(t, dir)

	// Lists of what to leave out, steps that only run where the folder is, and one paragraph of the README.
	want := []string{".ci/run", ".dockerignore", ".github/workflows/e2e.yml", "README.md", "templates/default.nix"}
	if got := strings.Fields(run(t, dir, os.Environ(), "git grep --files-with-matches --word-regexp e2e -- :!vendor")); !slices.Equal(got, want) {
		t.Errorf("%q name this folder, want %q", got, want)
	}
	marked := regexp.MustCompile(`(?s)<!-- Without e2e/, delete from here -->.*<!-- to here. -->`)
	if rest := marked.ReplaceAllString(read(t, filepath.Join(dir, "README.md")), ""); strings.Contains(rest, "e2e") {
		t.Error("the README names this folder outside of the marked paragraph")
	}
}

func TestTheTemplateIsTheProjectWithoutWhatConcernsItAlone(t *testing.T) {
	origin, fromNix, fromGitHub := checkout(t), t.TempDir(), checkout(t)
	welcome := run(t, fromNix, os.Environ(), "nix flake init --template git+file://"+origin)
	run(t, fromNix, os.Environ(), regexp.MustCompile("cp .* main").FindString(welcome)+" && git add --all")
	commands := regexp.MustCompile("(?m)^(cp -r templates/new/|git rm ).*$").FindAllString(read(t, "../README.md"), -1)
	run(t, fromGitHub, os.Environ(), commit+" && "+strings.Join(commands, " && ")+" && find . -type d -empty -delete")
	run(t, ".", os.Environ(), "diff -r --no-dereference --exclude .git "+fromNix+" "+fromGitHub)
	for _, dir := range []string{origin, fromNix} {
		nix(t, dir, os.Environ(), "nix build .#image.id")
	}
	if got, want := read(t, filepath.Join(fromNix, "result")), read(t, filepath.Join(origin, "result")); got != want {
		t.Errorf("the new project's image is %s, the template's %s", got, want)
	}
}

// A new page, README, package and dependency break nothing.
func TestANewProjectThatHasChangedIsWhole(t *testing.T) {
	origin, dir := checkout(t), t.TempDir()
	run(t, dir, os.Environ(), "nix flake init --template git+file://"+origin+" && cp -r templates/new/. . && rm -r templates && git init --quiet && rm -r elsewhere internal/web/assets")
	module := filepath.Join("vendor", "example.com", "mixed")
	for name, content := range map[string]string{
		"README.md": "# My app\n",
		"internal/web/assets/index.html": `<!doctype html><title>My app</title><link rel="stylesheet" href="/assets/own.css">
			<h1>My app</h1><a href="https://example.com/">Elsewhere</a> <a href="#top">Up</a>`,
		"internal/web/assets/own.css": "h1 { color: red }\n",
		"docs/docs.go":                "package docs\n\nimport _ \"embed\"\n\n//go:embed README.md\nvar Text string\n",
		"docs/README.md":              "# A file that is part of the executable\n",
		"docs/nix/nix.go":             "package nix\n",
		"internal/web/mine.go":        "package web\n\nimport (\n\t_ \"example.com/mixed\"\n\n\t_ \"heroku-go-example/docs\"\n\t_ \"heroku-go-example/docs/nix\"\n)\n",
		"go.mod":                      read(t, filepath.Join(dir, "go.mod")) + "\nrequire example.com/mixed v1.0.0\n",
		"vendor/modules.txt": read(t, filepath.Join(dir, "vendor/modules.txt")) +
			"# example.com/mixed v1.0.0\n## explicit\nexample.com/mixed\nexample.com/mixed/win\nexample.com/mixed/broken\n",
		filepath.Join(module, "mixed.go"):         "package mixed\n",
		filepath.Join(module, "mixed_windows.go"): "package mixed\n\nimport _ \"example.com/mixed/win\"\n",
		filepath.Join(module, "win/windows.go"):   "//go:build windows\n\npackage win\n",
		filepath.Join(module, "broken/broken.go"): "package broken\n\nvar broken = missing\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, os.Environ(), "git add --all")
	isWhole(t, dir)
	nix(t, dir, userEnv(), "nix develop --command staticcheck ./...")
}

// brokenLinks returns what is wrong with the links of the project's Markdown.
func brokenLinks(t *testing.T, dir string) (broken []string) {
	t.Helper()
	for file := range strings.FieldsSeq(run(t, dir, os.Environ(), "git ls-files '*.md' ':!vendor'")) {
		text := read(t, filepath.Join(dir, file))
		anchors := make(map[string]bool)
		for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
			anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
			anchors["#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
		links := regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`).FindAllStringSubmatch(text, -1)
		for _, match := range links {
			link := match[1] + match[2]
			u, err := url.Parse(link)
			if err != nil {
				broken = append(broken, file+": "+err.Error())
				continue
			}
			if u.Scheme != "" {
				continue
			}
			if strings.HasPrefix(link, "#") && !anchors[link] {
				broken = append(broken, file+": there is no heading for "+link)
			}
			if _, err := os.Stat(filepath.Join(dir, filepath.Dir(file), u.Path)); err != nil {
				broken = append(broken, file+": "+err.Error())
			}
		}
	}
	return broken
}

func TestLinksLeadSomewhere(t *testing.T) {
	dir := checkout(t)
	for _, broken := range brokenLinks(t, dir) {
		t.Error(broken)
	}
	run(t, dir, os.Environ(), "echo '[nowhere](nowhere.md) [neither](#neither)' >>README.md")
	if broken := brokenLinks(t, dir); len(broken) != 2 {
		t.Errorf("found %q, want the two that lead nowhere", broken)
	}
}
