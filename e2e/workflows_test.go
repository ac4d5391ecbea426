package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A workflow is a file in .github/workflows.
type workflow struct {
	On struct {
		Push struct{ Branches []string }
	}
	Permissions map[string]string
	Concurrency struct {
		Group            string
		CancelInProgress any `json:"cancel-in-progress"`
	}
	Defaults struct{ Run struct{ Shell string } }
	Jobs     map[string]job
}

type job struct {
	If, Uses             string
	Needs                []string
	Permissions, Secrets map[string]string
	Strategy             struct{ Matrix struct{ OS []string } }
	Steps                []struct {
		If, Uses, Run string
		With          map[string]any
	}
}

func readWorkflow(t *testing.T, name string) workflow {
	t.Helper()
	const script = `console.log(JSON.stringify(require("yaml").parse(require("fs").readFileSync(process.argv[1], "utf8"))))`
	var w workflow
	if err := json.Unmarshal([]byte(run(t, ".tools", os.Environ(), "node -e '"+script+"' ../../.github/workflows/"+name)), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// script returns the commands of the job's steps.
func (j job) script() string {
	var all strings.Builder
	for _, step := range j.Steps {
		all.WriteString(step.Run + "\n")
	}
	return all.String()
}

// artifacts returns the files that the job uploads, by the artifact's name.
func (j job) artifacts() map[string][]string {
	all := make(map[string][]string)
	for _, step := range j.Steps {
		if strings.HasPrefix(step.Uses, "actions/upload-artifact@") && step.With["overwrite"] == true && step.With["if-no-files-found"] == "error" {
			for _, os := range append(j.Strategy.Matrix.OS, "")[:max(1, len(j.Strategy.Matrix.OS))] {
				name := strings.ReplaceAll(step.With["name"].(string), "${{ matrix.os }}", os)
				all[name] = strings.Fields(step.With["path"].(string))
			}
		}
	}
	return all
}

// runStep runs a script as GitHub does where the workflow says `shell: bash`.
func runStep(t *testing.T, dir string, env []string, script string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "step")
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return try(t, dir, env, "bash --noprofile --norc -e -o pipefail "+file)
}

func TestTheWorkflowsAreValidAndTheirActionsArePinned(t *testing.T) {
	run(t, checkout(t), os.Environ(), "actionlint")
	for _, name := range []string{"ci.yml", "deploy.yml", "e2e.yml", "vulnerabilities.yml"} {
		w, text := readWorkflow(t, name), read(t, "../.github/workflows/"+name)
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: got the permissions %v, want none by default", name, w.Permissions)
		}
		if name != "e2e.yml" && w.Defaults.Run.Shell != "bash" {
			t.Errorf("%s: a command in the middle of a pipe may fail", name)
		}
		for _, line := range regexp.MustCompile(`uses: .*`).FindAllString(text, -1) {
			if !regexp.MustCompile(`^uses: (\./.*|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`).MatchString(line) {
				t.Errorf("%s: %q: want a commit and its version", name, line)
			}
		}
		if name != "vulnerabilities.yml" && strings.Contains(text, "govulncheck") {
			t.Errorf("%s waits for what only a newer Go may cure", name)
		}
		for job, content := range w.Jobs {
			for _, step := range content.Steps {
				if strings.HasPrefix(step.Uses, "actions/setup-go@") && step.With["go-version-file"] != "go.mod" {
					t.Errorf("%s: %s takes its Go version from elsewhere than go.mod", name, job)
				}
			}
		}
	}
	if !json.Valid([]byte(read(t, "../.github/renovate.json"))) {
		t.Error("renovate.json is no JSON")
	}
}

// doubles is a folder for PATH whose nix and docker take the doubles of nixpkgs and of the base image.
func doubles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	inPath := func(name string) string { return strings.TrimSpace(run(t, ".", os.Environ(), "command -v "+name)) }
	double, err := filepath.Abs("nixpkgs")
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range map[string]string{
		"nix":    fmt.Sprintf("verb=$1; shift\nif [ $verb = flake ]; then verb=\"flake $1\"; shift; fi\nexec %s $verb --override-input nixpkgs path:%s \"$@\"", inPath("nix"), double),
		"docker": fmt.Sprintf("if [ $1 = build ]; then shift; set -- build --build-arg GO_IMAGE=%s \"$@\"; fi\nexec %s \"$@\"", goImage, inPath("docker")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryStepOfCIRunsAndUnequalBuildsAreRefused(t *testing.T) {
	ci, dir, legs := readWorkflow(t, "ci.yml"), checkout(t), t.TempDir()
	run(t, dir, os.Environ(), "rm -r e2e && git add --all") // Nothing there needs this folder.
	env := append(userEnv(), "PATH="+doubles(t)+":"+os.Getenv("PATH"), buildKit, "GOTOOLCHAIN=go"+goVersion())
	govulncheck := regexp.MustCompile(`govulncheck@v[0-9.]+`)
	script := readWorkflow(t, "vulnerabilities.yml").Jobs["govulncheck"].script()
	if out, err := runStep(t, dir, env, govulncheck.ReplaceAllString(script, "$0 -db file://"+noVulnerabilities(t))); err != nil {
		t.Fatalf("vulnerabilities.yml: %v: %s", err, out)
	}
	for _, name := range []string{"test", "nix", "docker", "go"} {
		if out, err := runStep(t, dir, env, ci.Jobs[name].script()); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		for artifact, files := range ci.Jobs[name].artifacts() { // What other systems would build is taken for the same.
			run(t, dir, os.Environ(), fmt.Sprintf("mkdir %s/%s && cp %s %[1]s/%[2]s", legs, artifact, strings.Join(files, " ")))
		}
		run(t, dir, os.Environ(), "git clean --quiet --force -d -x")
	}

	same := func() error {
		out, err := runStep(t, legs, os.Environ(), ci.Jobs["same"].script())
		t.Log(out)
		return err
	}
	if err := same(); err != nil {
		t.Errorf("equal builds: %v", err)
	}
	for _, tampering := range []string{
		"echo >>docker/server",
		"rm go-macos-15/result-server",
		"rm -r nix-macos-15",
		"rm nix-ubuntu-24.04-arm/image-id",
		"echo sha256:0 >nix-ubuntu-24.04-arm/image-id",
		"echo >>nix-macos-15/image-id",
		"mkdir seventh && cp docker/server seventh",
		"for server in */*server; do : >$server; done",
		"for leg in nix-*; do : >$leg/image-id; done",
	} {
		run(t, legs, os.Environ(), "rm -f sums; cp -r . ../kept; "+tampering)
		if same() == nil {
			t.Errorf("%s: want it refused", tampering)
		}
		run(t, legs, os.Environ(), "rm -r * && cp -r ../kept/. . && rm -r ../kept")
	}
}

// noVulnerabilities is a database for govulncheck, which cannot ask the real one from here.
func noVulnerabilities(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	run(t, dir, os.Environ(), `mkdir index && echo '{"modified": "2026-01-01T00:00:00Z"}' >index/db.json && echo '[]' >index/modules.json`)
	return dir
}

func TestARunOfCIThatIsNewerIsDeployedLast(t *testing.T) {
	ci := readWorkflow(t, "ci.yml")
	if ci.Concurrency.Group != "${{ github.workflow }}-${{ github.ref }}" || ci.Concurrency.CancelInProgress != "${{ github.event_name == 'pull_request' }}" {
		t.Errorf("got the concurrency %+v, want one run after the other, and none cancelled on a branch", ci.Concurrency)
	}
	if want := []string{"main", "master"}; !slices.Equal(ci.On.Push.Branches, want) {
		t.Errorf("got the branches %q, want %q", ci.On.Push.Branches, want)
	}
	got := ci.Jobs["deploy"]
	want := job{
		If:          "github.event_name == 'push' && github.ref_name == github.event.repository.default_branch",
		Needs:       []string{"test", "same"},
		Permissions: map[string]string{"contents": "read", "actions": "read"},
		Uses:        "./.github/workflows/deploy.yml",
		Secrets:     map[string]string{"HEROKU_API_KEY": "${{ secrets.HEROKU_API_KEY }}"},
	}
	if !reflect.DeepEqual(got, want) || !maps.Equal(readWorkflow(t, "deploy.yml").Jobs["deploy"].Permissions, want.Permissions) {
		t.Errorf("got the job %+v, want %+v", got, want)
	}
}

func TestWhatEveryBuildAgreesOnIsAttestedInPublicRepositoriesAlone(t *testing.T) {
	ci := readWorkflow(t, "ci.yml")
	attest := ci.Jobs["attest"]
	if want := "github.event_name == 'push' && github.ref_name == github.event.repository.default_branch && !github.event.repository.private"; attest.If != want {
		t.Errorf("the condition is %q, want %q", attest.If, want)
	}
	if want := map[string]string{"id-token": "write", "attestations": "write"}; !slices.Equal(attest.Needs, []string{"same"}) || !maps.Equal(attest.Permissions, want) {
		t.Errorf("it needs %q and may %v, want the job same and %v", attest.Needs, attest.Permissions, want)
	}
	download, sign := attest.Steps[0], attest.Steps[1]
	uploaded := ci.Jobs["nix"].artifacts()[fmt.Sprint(download.With["name"])]
	if !strings.HasPrefix(sign.Uses, "actions/attest@") {
		t.Errorf("the second step is %s", sign.Uses)
	}
	for subject := range strings.FieldsSeq(fmt.Sprint(sign.With["subject-path"])) {
		if !slices.Contains(uploaded, subject) {
			t.Errorf("it attests %s, but downloads %q", subject, uploaded)
		}
	}
}

func TestDeployYmlDeploysOrSaysWhyNot(t *testing.T) {
	steps := readWorkflow(t, "deploy.yml").Jobs["deploy"].Steps
	bin := t.TempDir()
	for name, script := range map[string]string{
		// GitHub's API, as gh asks it: the newest run first.
		"gh": `[ "$1 $2 $3" = "api repos/you/app/actions/workflows/ci.yml/runs?branch=main&event=push&status=success&per_page=1 --jq" ] &&
			[ -n "$RUNS" ] && echo "{\"workflow_runs\": $RUNS}" | jq "$4"`,
		"nix": `echo "nix $*"`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat("../.github/workflows/ci.yml"); err != nil {
		t.Error(err) // deploy.yml names it.
	}
	for _, test := range []struct {
		what, app, key, runs string
		want                 string
		passes, deploys      bool
	}{
		{"no app", "", "", "[]", "::notice::Nothing is deployed: the variable HEROKU_APP is not set.", true, false},
		{"no app, but a token", "", "t0ken", "[]", "::notice::Nothing is deployed: the variable HEROKU_APP is not set.", true, false},
		{"no token", "my-own-app", "", "[]", "::error::Nothing is deployed: the secret HEROKU_API_KEY is not set.", false, false},
		{"the first run ever", "my-own-app", "t0ken", "[]", "", true, true},
		{"the newest run", "my-own-app", "t0ken", `[{"run_number": 6}]`, "", true, true},
		{"the newest run, again", "my-own-app", "t0ken", `[{"run_number": 7}]`, "", true, true},
		{"an older run, again", "my-own-app", "t0ken", `[{"run_number": 8}]`, "::notice::Nothing is deployed: a newer commit is.", true, false},
		{"GitHub does not answer", "my-own-app", "t0ken", "", "", false, false},
		{"GitHub answers something else", "my-own-app", "t0ken", `[{"run_number": "x"}]`, "", false, false},
	} {
		output := filepath.Join(t.TempDir(), "output")
		env := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HEROKU_APP="+test.app, "HEROKU_API_KEY="+test.key, "RUNS="+test.runs,
			"GITHUB_OUTPUT="+output, "GITHUB_RUN_NUMBER=7", "GITHUB_REPOSITORY=you/app", "GITHUB_REF_NAME=main")
		out, err := runStep(t, ".", env, steps[0].Run)
		wanted, _ := os.ReadFile(output)
		if !strings.HasPrefix(out, test.want) || (err == nil) != test.passes || (string(wanted) == "wanted=true\n") != test.deploys {
			t.Errorf("%s: got %q, %v and the output %q", test.what, out, err, wanted)
		}
	}
	for _, step := range steps[1:] {
		if step.If != "steps.deploy.outputs.wanted" {
			t.Errorf("got the step %+v, want it to depend on the first one", step)
		}
	}
	out, err := runStep(t, ".", append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HEROKU_APP=my-own-app"), steps[len(steps)-1].Run)
	if err != nil || out != "nix run .#deploy -- my-own-app\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

// The last step would run these tests again.
func TestTheEndToEndWorkflowRunsTheGateWhereThisFolderIs(t *testing.T) {
	bin, etc := t.TempDir(), t.TempDir()
	sudo := "#!/bin/sh\ncase $1 in tee) cat >" + etc + "/daemon.json;; *) echo \"$@\";; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(sudo), 0o755); err != nil {
		t.Fatal(err)
	}
	steps := readWorkflow(t, "e2e.yml").Jobs["e2e"].Steps
	for _, step := range steps[1:] {
		if step.If != "hashFiles('e2e/go.mod') != ''" {
			t.Errorf("without this folder runs %s%s", step.Uses, step.Run)
		}
	}
	path := bin + ":" + os.Getenv("PATH")
	out, err := runStep(t, "..", append(os.Environ(), "PATH="+path), readWorkflow(t, "e2e.yml").Jobs["e2e"].script())
	if want := "systemctl restart docker\nenv PATH=" + path + " HOME=/root bash .ci/run\n"; err != nil || out != want {
		t.Errorf("got %v, %q, want %q", err, out, want)
	}
	if config := read(t, filepath.Join(etc, "daemon.json")); !json.Valid([]byte(config)) {
		t.Errorf("docker gets the configuration %s", config)
	}
	if _, err := os.Stat("../.ci/run"); err != nil {
		t.Error(err)
	}
}

// The README's and the workflow's build command are one.
func TestTheWorkflowBuildsAsTheReadmeSays(t *testing.T) {
	want := strings.Split(goSettings, "GOENV")[0] + goBuild
	if script := readWorkflow(t, "ci.yml").Jobs["go"].script(); !strings.HasSuffix(strings.TrimSpace(script), want) {
		t.Errorf("ci.yml runs %q, want %q", script, want)
	}
}
