// Package deploy has no code, only the files by which Tidemark is deployed and
// these tests of them: no container engine is needed to know that images are
// pinned, that ports, volumes and health checks fit together, and that every
// TIDEMARK_ variable is a setting that the program really has and accepts.
package deploy

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/tidemarkhq/tidemark/cmd/tidemark/config"
)

// image is what the Dockerfile says about the image that it builds by default,
// with everything inherited from its base stages.
type image struct {
	stages     []instructions.Stage
	final      []instructions.Command
	env        map[string]string
	ports      []string
	user       string
	volumes    []string
	entrypoint []string
	health     []string
}

func readImage(t *testing.T) image {
	t.Helper()
	file, err := os.Open("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	img := image{stages: stages, env: map[string]string{}}
	img.inherit(len(stages) - 1)
	for _, command := range img.final {
		img.take(command)
	}
	return img
}

// inherit collects the commands of a stage behind those of the stages it builds on.
func (img *image) inherit(stage int) {
	for base := range img.stages[:stage] {
		if img.stages[base].Name == img.stages[stage].BaseName {
			img.inherit(base)
		}
	}
	img.final = append(img.final, img.stages[stage].Commands...)
}

func (img *image) take(command instructions.Command) {
	switch c := command.(type) {
	case *instructions.EnvCommand:
		for _, kv := range c.Env {
			img.env[kv.Key] = kv.Value
		}
	case *instructions.ExposeCommand:
		img.ports = append(img.ports, c.Ports...)
	case *instructions.UserCommand:
		img.user = c.User
	case *instructions.VolumeCommand:
		img.volumes = append(img.volumes, c.Volumes...)
	case *instructions.EntrypointCommand:
		if !c.PrependShell {
			img.entrypoint = c.CmdLine
		}
	case *instructions.HealthCheckCommand:
		img.health = c.Health.Test
	}
}

// settings are the TIDEMARK_ variables among some environment.
func settings(env map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range env {
		if strings.HasPrefix(name, config.EnvPrefix+"_") {
			out[name] = value
		}
	}
	return out
}

// parseSettings has the program read an environment as it would at its start,
// after checking that it knows each variable.
func parseSettings(t *testing.T, env map[string]string) (config.Config, error) {
	t.Helper()
	known := map[string]bool{}
	for _, f := range config.Flags() {
		known[config.EnvName(f.Name)] = true
		t.Setenv(config.EnvName(f.Name), "") // what the machine of the test has set
		os.Unsetenv(config.EnvName(f.Name))
	}
	for name, value := range env {
		if !known[name] {
			t.Errorf("%s is no setting of Tidemark", name)
		}
		os.Setenv(name, value)
	}
	return config.Parse(config.All, nil, io.Discard)
}

var pinned = regexp.MustCompile(`:\d+\.\d+(\.\d+)?([.-][a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?$`)

func TestDockerfileBuildsOnPinnedImages(t *testing.T) {
	img := readImage(t)
	var names []string
	for _, stage := range img.stages {
		if !slices.Contains(names, stage.BaseName) && !pinned.MatchString(stage.BaseName) {
			t.Errorf("FROM %s is not pinned to a version", stage.BaseName)
		}
		names = append(names, stage.Name)
	}
	if last := names[len(names)-1]; last != "with-engine" {
		t.Errorf("the default image is %s, want the one that needs nothing else", last)
	}
}

func TestDockerfileUsesTheGoOfTheModule(t *testing.T) {
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(module)
	for _, stage := range readImage(t).stages {
		if version, isGo := strings.CutPrefix(stage.BaseName, "golang:"); isGo && !strings.HasPrefix(version, string(wanted[1])+"-") {
			t.Errorf("FROM %s, but go.mod says go %s", stage.BaseName, wanted[1])
		}
	}
}

func TestDockerfileCopiesWhatIsThere(t *testing.T) {
	for _, stage := range readImage(t).stages {
		for _, command := range stage.Commands {
			c, isCopy := command.(*instructions.CopyCommand)
			if !isCopy || c.From != "" {
				continue
			}
			for _, source := range c.SourcePaths {
				if _, err := os.Stat(filepath.Join("..", source)); err != nil {
					t.Errorf("stage %s copies what is not in the checkout: %v", stage.Name, err)
				}
			}
		}
	}
}

func TestImageRunsUnprivilegedAndIsChecked(t *testing.T) {
	img := readImage(t)
	if uid, _, _ := strings.Cut(img.user, ":"); !regexp.MustCompile(`^[1-9]\d*$`).MatchString(uid) {
		t.Errorf("USER %q: want a number other than 0, by which Kubernetes sees that it is not root", img.user)
	}
	if len(img.entrypoint) != 1 || !strings.HasSuffix(img.entrypoint[0], "/tidemark") {
		t.Fatalf("ENTRYPOINT %q: want the program itself, so that it gets the signals", img.entrypoint)
	}
	if want := []string{"CMD", img.entrypoint[0], "healthcheck"}; !slices.Equal(img.health, want) {
		t.Errorf("HEALTHCHECK %q, want %q", img.health, want)
	}
	if !slices.Equal(img.volumes, []string{img.env["TIDEMARK_DATA_DIR"]}) {
		t.Errorf("VOLUME %q, but data is written to %q", img.volumes, img.env["TIDEMARK_DATA_DIR"])
	}
}

func TestImageExposesThePortsItListensOn(t *testing.T) {
	img := readImage(t)
	var listens []string
	for name, value := range img.env {
		if strings.HasSuffix(name, "_ADDR") {
			_, port, err := net.SplitHostPort(value)
			if err != nil {
				t.Errorf("%s=%s: %v", name, value, err)
			}
			listens = append(listens, port)
		}
	}
	slices.Sort(listens)
	slices.Sort(img.ports)
	if !slices.Equal(listens, img.ports) {
		t.Errorf("EXPOSE %v, but it listens on %v", img.ports, listens)
	}
}

func TestImageIsNotOpenUnlessAsked(t *testing.T) {
	env := settings(readImage(t).env)
	if _, err := parseSettings(t, env); err == nil || !strings.Contains(err.Error(), "allow-open") {
		t.Errorf("started as it is, the image says %v; want a refusal that says how to proceed", err)
	}
	env["TIDEMARK_ALLOW_OPEN"] = "true"
	if _, err := parseSettings(t, env); err != nil {
		t.Errorf("with TIDEMARK_ALLOW_OPEN=true: %v", err)
	}
}
