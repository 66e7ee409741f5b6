package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// manifest has the fields of Kubernetes objects that these tests look at.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Resources  []string // of a kustomization
	Images     []struct{ Name string }
	Spec       struct {
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		VolumeClaimTemplates []manifest `yaml:"volumeClaimTemplates"`
	}
}

type pod struct {
	TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
		RunAsUser    int  `yaml:"runAsUser"`
		RunAsGroup   int  `yaml:"runAsGroup"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct{ Name string }
}

type container struct {
	Name, Image string
	Env         []struct{ Name, Value string }
	Ports       []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe   probe `yaml:"startupProbe"`
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Resources      struct{ Requests, Limits map[string]string }
	VolumeMounts   []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
}

func readManifest(t *testing.T, name string) (m manifest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var more manifest
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		t.Errorf("%s holds more than one object", name)
	}
	return m
}

func TestKustomizationNamesEveryManifest(t *testing.T) {
	kustomization := readManifest(t, "kustomization.yaml")
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, file := range files {
		if name := filepath.Base(file); name != "kustomization.yaml" {
			there = append(there, name)
			if m := readManifest(t, name); m.Kind == "" || m.APIVersion == "" || m.Metadata.Name != "tidemark" {
				t.Errorf("%s: %s %s %q", name, m.APIVersion, m.Kind, m.Metadata.Name)
			}
		}
	}
	named := slices.Sorted(slices.Values(kustomization.Resources))
	if !slices.Equal(named, there) {
		t.Errorf("the kustomization names %v, the folder has %v", named, there)
	}
	image, _, _ := strings.Cut(readManifest(t, "statefulset.yaml").Spec.Template.Spec.Containers[0].Image, ":")
	if len(kustomization.Images) != 1 || kustomization.Images[0].Name != image {
		t.Errorf("images %v cannot replace %s", kustomization.Images, image)
	}
}

func TestStatefulSetFitsTheImage(t *testing.T) {
	img := readImage(t)
	set := readManifest(t, "statefulset.yaml")
	p := set.Spec.Template.Spec
	c := p.Containers[0]

	env := settings(img.env)
	given := map[string]string{}
	for _, variable := range c.Env {
		given[variable.Name] = variable.Value
	}
	maps.Copy(env, given)
	parsed, err := parseSettings(t, env)
	if err != nil {
		t.Fatalf("Tidemark refuses the environment: %v", err)
	}
	if float64(p.TerminationGracePeriodSeconds) <= parsed.StopTimeout.Seconds() {
		t.Errorf("killed after %d s, but a stop may take %v", p.TerminationGracePeriodSeconds, parsed.StopTimeout)
	}
	if user := fmt.Sprintf("%d:%d", p.SecurityContext.RunAsUser, p.SecurityContext.RunAsGroup); user != img.user || !p.SecurityContext.RunAsNonRoot {
		t.Errorf("runs as %s, the image as %s", user, img.user)
	}
	var ports []string
	for _, port := range c.Ports {
		ports = append(ports, fmt.Sprint(port.ContainerPort))
	}
	slices.Sort(ports)
	slices.Sort(img.ports)
	if !slices.Equal(ports, img.ports) {
		t.Errorf("ports %v, the image has %v", ports, img.ports)
	}
	if !maps.Equal(set.Spec.Selector.MatchLabels, set.Spec.Template.Metadata.Labels) {
		t.Errorf("selects %v, makes %v", set.Spec.Selector.MatchLabels, set.Spec.Template.Metadata.Labels)
	}
}

func TestStatefulSetIsProbedBoundedAndDurable(t *testing.T) {
	set := readManifest(t, "statefulset.yaml")
	p := set.Spec.Template.Spec
	c := p.Containers[0]
	for what, check := range map[string]struct {
		probe probe
		path  string
	}{
		"startup":   {c.StartupProbe, "/readyz"},
		"liveness":  {c.LivenessProbe, "/healthz"},
		"readiness": {c.ReadinessProbe, "/readyz"},
	} {
		if check.probe.HTTPGet.Path != check.path || check.probe.HTTPGet.Port != "http" {
			t.Errorf("%s probe asks %+v, want %s", what, check.probe.HTTPGet, check.path)
		}
	}
	if c.Resources.Limits["memory"] == "" || c.Resources.Requests["cpu"] == "" {
		t.Errorf("resources %+v", c.Resources)
	}
	var volumes []string
	for _, v := range p.Volumes {
		volumes = append(volumes, v.Name)
	}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		volumes = append(volumes, claim.Metadata.Name)
	}
	durable := false
	for _, mount := range c.VolumeMounts {
		if !slices.Contains(volumes, mount.Name) {
			t.Errorf("mounts %s, which is no volume", mount.Name)
		}
		durable = durable || mount.MountPath == readImage(t).env["TIDEMARK_DATA_DIR"] && mount.Name == set.Spec.VolumeClaimTemplates[0].Metadata.Name
	}
	if !durable {
		t.Error("data does not lie on a persistent volume")
	}
}
