package e2e

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"heroku-go-example/e2e/herokutest"
)

// The README's commands for other engines than the docker that e2e/setup installs.
const (
	dockerOfToday      = `docker build --platform linux/amd64 --provenance=false --output "type=registry,oci-mediatypes=false" --tag registry.heroku.com/my-own-app/web .`
	dockerForBothChips = `docker build --platform linux/amd64,linux/arm64 --tag registry.example.com/me/shop:v1 --push .`
	dockerOfWeb        = `docker build --platform linux/amd64 --provenance=false --output "type=registry,oci-mediatypes=false" --build-arg MAIN=./cmd/web --tag registry.heroku.com/my-own-app/web .`
	dockerOfWorker     = `docker build --platform linux/amd64 --provenance=false --output "type=registry,oci-mediatypes=false" --build-arg MAIN=./cmd/worker --tag registry.heroku.com/my-own-app/worker .`
	podmanLogin        = "heroku auth:token | podman login --username _ --password-stdin registry.heroku.com"
	podmanBuild        = "podman build --platform linux/amd64 --tag registry.heroku.com/my-own-app/web ."
	podmanPush         = "podman push --format v2s2 registry.heroku.com/my-own-app/web"
)

// An engine builds and pushes a checkout as the README says, for an app on a local Heroku.
type engine struct {
	*testApp
	dir, base string // base is the stand-in for the base image.
}

// here is the command of the README for this app.
func (e *engine) here(command string) string {
	command = strings.NewReplacer("registry.heroku.com/my-own-app/web", e.repository, "registry.heroku.com/my-own-app", strings.TrimSuffix(e.repository, "/web"), "registry.heroku.com", "registry."+herokutest.Host).Replace(command)
	if build, ok := strings.CutSuffix(command, " ."); ok {
		command = build + " --build-arg GO_IMAGE=" + e.base + " ."
	}
	return command
}

func (e *engine) runs(command string) string {
	e.Helper()
	return run(e.T, e.dir, e.env, e.here(command))
}

func (e *engine) refuses(command, want string) {
	e.Helper()
	if out, err := try(e.T, e.dir, e.env, e.here(command)); err == nil || !strings.Contains(out, want) {
		e.Errorf("%s: got %v and %s, want an error with %q", command, err, out, want)
	}
}

// answers releases what is pushed, and sees that it is the executable that everybody builds.
func (e *engine) answers() {
	e.Helper()
	e.release()
	run(e.T, e.dir, goEnv(), goBuild)
	sum, _, _ := strings.Cut(run(e.T, e.dir, os.Environ(), "sha256sum result-server"), " ")
	eventually(e.T, "the app to answer", func() bool {
		out, err := try(e.T, e.dir, e.env, "curl --connect-to ::127.0.0.1: --silent --fail "+e.heroku.URL(e.name)+"version")
		return err == nil && strings.Contains(out, sum)
	})
}

// withBuildKit makes `docker build` that of today: buildx, with BuildKit beside the daemon.
func (e *engine) withBuildKit(options ...string) {
	e.Helper()
	dir, err := filepath.Abs(".tools/bin")
	if err != nil {
		e.Fatal(err)
	}
	work := e.TempDir()
	socket, registry := "unix://"+work+"/socket", "registry."+herokutest.Host
	daemon := exec.Command("buildkitd", append(options, "--addr", socket, "--root", work+"/root", "--oci-worker-net", "host", "--oci-worker-gc=false")...)
	daemon.Env = e.env
	log, err := os.Create(work + "/log")
	if err != nil {
		e.Fatal(err)
	}
	daemon.Stdout, daemon.Stderr = log, log
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the end to handle.
	if err := daemon.Start(); err != nil {
		e.Fatal(err)
	}
	atEnd(e.T, func() { daemon.Process.Signal(syscall.SIGTERM); daemon.Wait() })
	// BuildKit takes images from registries only.
	e.base = registry + "/golang/web"
	run(e.T, work, e.env, "docker save --output golang.tar "+goImage+" && skopeo --insecure-policy copy --quiet --dest-creds _:"+e.heroku.Token()+" docker-archive:golang.tar docker://"+e.base)
	plugins := "$HOME/.docker/cli-plugins"
	run(e.T, work, e.env, "mkdir "+plugins+" && ln -s "+dir+"/buildx "+plugins+"/docker-buildx && docker buildx install")
	run(e.T, work, e.env, "docker buildx create --driver remote --name today --use "+socket)
	eventually(e.T, "BuildKit to listen", func() bool {
		_, err := try(e.T, work, e.env, "docker buildx inspect --bootstrap")
		return err == nil
	})
}

func TestTodaysDockerPushesWithTheReadmesCommand(t *testing.T) {
	h := startHeroku(t)
	e := &engine{testApp: newApp(t, h, "today"), dir: checkout(t)}
	e.withBuildKit()
	const byDefault = "docker build --platform linux/amd64 --tag registry.heroku.com/my-own-app/web --push ."
	e.refuses(byDefault, "failed to push "+e.repository+": unsupported")
	e.refuses(strings.Replace(dockerOfToday, "--provenance=false ", "", 1), `cannot export attestations with "oci-mediatypes=false"`)
	e.runs(dockerOfToday)
	e.answers()
	// The ID has no date in it: it is the same from another folder, with other times and without a cache.
	id := func() string {
		t.Helper()
		return run(t, ".", e.env, "skopeo inspect --creds _:"+h.Token()+" --config --raw docker://"+e.repository+" | sha256sum")
	}
	first := id()
	e.dir = otherCheckout(t)
	e.runs(strings.Replace(dockerOfToday, "build", "build --no-cache", 1))
	if second := id(); second != first {
		t.Errorf("got the image IDs %s and %s, want one", first, second)
	}
	// A service of two programs.
	e.dir = newService(t, "programs", "").dir
	e.runs(dockerOfWeb)
	e.runs(dockerOfWorker)
	run(t, ".", e.env, "heroku container:release web worker && heroku ps:scale worker=1")
	e.waitForLog(`app\[worker\.1\]: .*working`)
}

// chips are those that images are for.
var chips = []string{"amd64", "arm64"}

// forChip is what `go build` makes of the checkout for a chip.
func forChip(t *testing.T, dir, chip string) string {
	t.Helper()
	run(t, dir, append(goEnv(), "GOARCH="+chip), goBuild)
	return read(t, filepath.Join(dir, "result-server"))
}

func TestEachChipGetsItsImageAndNothingIsCompiledUnderEmulation(t *testing.T) {
	e := &engine{testApp: newApp(t, startHeroku(t), "chips"), dir: checkout(t)}
	e.withBuildKit("--oci-worker-platform", "linux/arm64") // As on a Mac with Apple silicon.
	images := t.TempDir()
	log := e.runs("docker build --platform linux/amd64,linux/arm64 --progress plain --output type=local,dest=" + images + " .")
	steps := regexp.MustCompile(`(?m)^#\d+ \[(\S+).*\] RUN`).FindAllStringSubmatch(log, -1)
	if len(steps) < 6 {
		t.Errorf("got %d steps that run something, want three for each chip: %s", len(steps), log)
	}
	for _, step := range steps {
		if step[1] != "linux/arm64" && step[1] != "linux/arm64->amd64" {
			t.Errorf("got %q, want nothing that runs for another chip than the builder's", step[0])
		}
	}
	nix(t, e.dir, os.Environ(), "nix build .#server --out-link nix-amd64")
	nix(t, e.dir, os.Environ(), "nix build .#image.arm64.server --out-link nix-arm64")
	for _, chip := range chips {
		want := forChip(t, e.dir, chip)
		t.Logf("%x  %s", sha256.Sum256([]byte(want)), chip)
		for way, file := range map[string]string{"BuildKit": images + "/linux_" + chip + "/server", "Nix": filepath.Join(e.dir, "nix-"+chip, "bin/server")} {
			if read(t, file) != want {
				t.Errorf("%s and go build give different executables for %s", way, chip)
			}
		}
	}
	// The one for arm64 runs, and knows itself.
	says := run(t, images, os.Environ(), "qemu-aarch64-static linux_arm64/server version")
	if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, images+"/linux_arm64/server")))); !strings.Contains(says, sum) {
		t.Errorf("got %s, want the sha256 %s", says, sum)
	}
	// By default an image is for the builder's chip, and says so. container:push asks for amd64.
	for platform, want := range map[string]string{"": "arm64", "--platform linux/amd64 ": "amd64"} {
		e.runs("docker build " + platform + "--provenance=false --output type=docker,dest=" + images + "/image.tar .")
		got := run(t, images, os.Environ(), "skopeo inspect --config docker-archive:image.tar | jq --raw-output .architecture")
		if got != want+"\n" {
			t.Errorf("docker build %s: the image is for %s, want %s", platform, got, want)
		}
	}
	registry := serveRegistry(t, t.TempDir())
	e.runs(strings.Replace(dockerForBothChips, "registry.example.com", registry, 1))
	if _, platforms := platformsOf(t, registry, "me/shop", "v1"); !slices.Contains(platforms, "linux/amd64") || !slices.Contains(platforms, "linux/arm64") {
		t.Errorf("%s pushes for %q, want both chips", dockerForBothChips, platforms)
	}
	nix(t, e.dir, os.Environ(), "nix build .#image.arm64 --out-link nix-image")
	if got := run(t, e.dir, os.Environ(), "skopeo inspect --config docker-archive:nix-image | jq --raw-output .architecture"); got != "arm64\n" {
		t.Errorf("Nix's image for arm64 is for %s", got)
	}
}

// podmanEnv gives podman a store of its own, in the folder.
func podmanEnv(t *testing.T) (work string, env []string) {
	t.Helper()
	work = t.TempDir()
	for name, content := range map[string]string{
		"storage.conf": fmt.Sprintf("[storage]\ndriver = \"overlay\"\nrunroot = \"%[1]s/run\"\ngraphroot = \"%[1]s/root\"\n[storage.options.overlay]\nskip_mount_home = \"true\"\n", work),
		// Otherwise podman leaves a bridge and locks on this machine.
		"containers.conf": fmt.Sprintf("[containers]\nnetns = \"host\"\n[engine]\ntmp_dir = %q\nlock_type = \"file\"\n", work+"/tmp"),
		"auth.json":       "{}",
	} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return work, []string{"CONTAINERS_STORAGE_CONF=" + work + "/storage.conf", "CONTAINERS_CONF=" + work + "/containers.conf", "REGISTRY_AUTH_FILE=" + work + "/auth.json"}
}

func TestPodmanPushesWithTheReadmesCommands(t *testing.T) {
	e := &engine{testApp: newApp(t, startHeroku(t), "podman"), dir: checkout(t), base: goImage}
	work, env := podmanEnv(t)
	e.env = append(e.env, env...)
	e.runs("docker save --output " + work + "/golang.tar " + goImage + " && podman load --quiet --input " + work + "/golang.tar")
	e.runs(podmanLogin)
	e.runs(podmanBuild)
	e.refuses(strings.Replace(podmanPush, "--format v2s2 ", "", 1), "writing manifest: uploading manifest latest to "+e.repository+": unsupported")
	e.runs(podmanPush)
	e.answers()
	for _, chip := range chips {
		e.runs("podman build --platform linux/" + chip + " --output " + work + "/" + chip + " .")
		if read(t, work+"/"+chip+"/server") != forChip(t, e.dir, chip) {
			t.Errorf("podman and go build give different executables for %s", chip)
		}
	}
}

func TestTheReadmeHasTheCommandsOfTheseEngines(t *testing.T) {
	commands := readmeCommands(t)
	if options, _, _ := strings.Cut(strings.ReplaceAll(dockerOfToday, `"`, ""), " --tag"); !strings.Contains(read(t, "try"), options+" ") {
		t.Errorf("e2e/try does not say %q", options)
	}
	for _, command := range []string{dockerOfToday, dockerForBothChips, podmanLogin, podmanBuild, podmanPush} {
		if !slices.Contains(commands, command) {
			t.Errorf("the README does not say %q", command)
		}
	}
}
