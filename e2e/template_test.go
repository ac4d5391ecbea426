package e2e

import (
	"encoding/json"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheWorkflowsAreValidAndTheirActionsArePinned(t *testing.T) {
	run(t, checkout(t), os.Environ(), "actionlint")
	for _, name := range []string{"ci.yml", "deploy.yml"} {
		text := read(t, "../.github/workflows/"+name)
		if !strings.Contains(text, "\npermissions: {}\n") {
			t.Errorf("%s: want no permissions by default", name)
		}
		for _, line := range regexp.MustCompile(`uses: .*`).FindAllString(text, -1) {
			if !regexp.MustCompile(`^uses: (\./.*|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`).MatchString(line) {
				t.Errorf("%s: %q: want a commit and its version", name, line)
			}
		}
	}
	if !json.Valid([]byte(read(t, "../.github/renovate.json"))) {
		t.Error("renovate.json is no JSON")
	}
	if ci := read(t, "../.github/workflows/ci.yml"); !strings.Contains(ci, "\nconcurrency:\n") {
		t.Error("ci.yml goes on with a pull request's older commits")
	}
}

// The README's and the workflow's build command are one.
func TestTheWorkflowBuildsAsTheReadmeSays(t *testing.T) {
	if !strings.Contains(read(t, "../.github/workflows/ci.yml"), "run: "+goBuild+"\n") {
		t.Errorf("ci.yml does not run %s", goBuild)
	}
}

// The last step of deploy.yml, as GitHub runs it.
func TestNothingIsDeployedWithoutAnAppAndAToken(t *testing.T) {
	text := read(t, "../.github/workflows/deploy.yml")
	script := filepath.Join(t.TempDir(), "step")
	if err := os.WriteFile(script, []byte(text[strings.LastIndex(text, "run: |\n")+len("run: |\n"):]), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "nix"), []byte("#!/bin/sh\necho \"nix $*\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{
		"HEROKU_APP= HEROKU_API_KEY=":                "::error::Nothing is deployed.",
		"HEROKU_APP=my-own-app HEROKU_API_KEY=":      "::error::Nothing is deployed.",
		"HEROKU_APP= HEROKU_API_KEY=t0ken":           "::error::Nothing is deployed.",
		"HEROKU_APP=my-own-app HEROKU_API_KEY=t0ken": "nix run .#deploy -- my-own-app\n",
	} {
		out, err := try(t, ".", os.Environ(), env+" PATH="+bin+":$PATH bash -e "+script)
		if !strings.HasPrefix(out, want) || (err == nil) != strings.HasPrefix(want, "nix") {
			t.Errorf("%s: got %q, %v, want %q", env, out, err, want)
		}
	}
	if condition := "if: github.event.workflow_run.conclusion == 'success' && github.event.workflow_run.event == 'push' && github.event.workflow_run.head_sha == github.sha\n"; !strings.Contains(text, condition) {
		t.Errorf("deploy.yml does not say %s", condition)
	}
}

func TestTheButtonMakesAnAppThatRuns(t *testing.T) {
	var app struct {
		Stack     string
		Formation map[string]struct{ Quantity int }
		Env       map[string]struct{ Value string }
	}
	if err := json.Unmarshal([]byte(read(t, "../app.json")), &app); err != nil {
		t.Fatal(err)
	}
	if app.Stack != "container" || app.Formation["web"].Quantity < 1 {
		t.Errorf("got the stack %q and the formation %v, want container and a web dyno", app.Stack, app.Formation)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(app.Env["LOG_LEVEL"].Value)); err != nil {
		t.Errorf("LOG_LEVEL: %v", err)
	}
}

func TestAppJSONFollowsHerokusSchema(t *testing.T) {
	const script = `
		const Ajv = require("ajv"), fs = require("fs")
		const schema = JSON.parse(fs.readFileSync("app-json.schema.json"))
		schema.definitions.stack.enum.push("container") // The schema does not know it; the documentation does.
		const ajv = new Ajv()
		require("ajv-formats").default(ajv)
		const validate = ajv.compile(schema)
		if (!validate(JSON.parse(fs.readFileSync(process.argv[1])))) throw validate.errors`
	const node = "node -e '" + script + "' "
	run(t, ".tools", os.Environ(), node+"../../app.json")
	wrong := filepath.Join(t.TempDir(), "app.json")
	if err := os.WriteFile(wrong, []byte(`{"formation": {"web": {"quantity": 1, "size": "tiny"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, ".tools", os.Environ(), node+wrong); err == nil {
		t.Errorf("a size that there is not is taken: %s", out)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text := read(t, file)
		anchors := make(map[string]bool)
		for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
			anchor := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
			anchors["#"+strings.ReplaceAll(anchor, " ", "-")] = true
		}
		links := regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`).FindAllStringSubmatch(text, -1)
		for _, match := range links {
			link := match[1] + match[2]
			switch u, err := url.Parse(link); {
			case err != nil:
				t.Errorf("%s: %v", file, err)
			case u.Scheme != "":
			case strings.HasPrefix(link, "#"):
				if !anchors[link] {
					t.Errorf("%s: there is no heading for %s", file, link)
				}
			default:
				if _, err := os.Stat(filepath.Join("..", u.Path)); err != nil {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
}
