package deploy

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const password = "c0ffee"

func loadCompose(t *testing.T, env types.Mapping) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "..",
		ConfigFiles: []types.ConfigFile{{Filename: "../docker-compose.yml"}},
		Environment: env,
	})
}

func readCompose(t *testing.T) *types.Project {
	t.Helper()
	project, err := loadCompose(t, types.Mapping{"CLICKHOUSE_PASSWORD": password})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func environment(service types.ServiceConfig) map[string]string {
	out := map[string]string{}
	for name, value := range service.Environment {
		if value != nil {
			out[name] = *value
		}
	}
	return out
}

func TestComposeAsksForAPassword(t *testing.T) {
	if _, err := loadCompose(t, types.Mapping{}); err == nil || !strings.Contains(err.Error(), ".env") {
		t.Errorf("without a password it says %v; want a refusal that says where to put one", err)
	}
}

func TestComposeServicesAreCheckedAndBounded(t *testing.T) {
	for name, service := range readCompose(t).Services {
		if service.Build == nil && !pinned.MatchString(service.Image) {
			t.Errorf("%s: image %s is not pinned to a version", name, service.Image)
		}
		if service.HealthCheck == nil || len(service.HealthCheck.Test) < 2 || service.HealthCheck.Retries == nil {
			t.Errorf("%s has no complete health check", name)
		}
		if service.Deploy == nil || service.Deploy.Resources.Limits == nil ||
			service.Deploy.Resources.Limits.MemoryBytes == 0 || service.Deploy.Resources.Limits.NanoCPUs == 0 {
			t.Errorf("%s has no limits of memory and CPU", name)
		}
		if service.Restart != "unless-stopped" {
			t.Errorf("%s restarts %q", name, service.Restart)
		}
	}
}

func TestComposePublishesOnThisMachineOnly(t *testing.T) {
	project := readCompose(t)
	var published []string
	for name, service := range project.Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %d on %q: anyone could read it", name, port.Target, port.HostIP)
			}
			published = append(published, fmt.Sprint(port.Target))
		}
	}
	slices.Sort(published)
	exposed := readImage(t).ports
	slices.Sort(exposed)
	if !slices.Equal(published, exposed) {
		t.Errorf("published ports %v, want those of the image %v", published, exposed)
	}
	if !project.Networks["store"].Internal {
		t.Error("the network of ClickHouse is open to the outside")
	}
}

func TestComposeKeepsDataInNamedVolumes(t *testing.T) {
	project := readCompose(t)
	want := map[string]string{"clickhouse": "/var/lib/clickhouse", "tidemark": readImage(t).env["TIDEMARK_DATA_DIR"]}
	for name, target := range want {
		kept := false
		for _, volume := range project.Services[name].Volumes {
			if volume.Type == types.VolumeTypeBind {
				if _, err := os.Stat(volume.Source); err != nil {
					t.Errorf("%s mounts what is not in the checkout: %v", name, err)
				}
				continue
			}
			_, declared := project.Volumes[volume.Source]
			kept = kept || declared && volume.Target == target
		}
		if !kept {
			t.Errorf("%s: no named volume holds %s", name, target)
		}
	}
}

func TestComposeBuildsOurImage(t *testing.T) {
	build := readCompose(t).Services["tidemark"].Build
	if build == nil || build.Dockerfile != "deploy/Dockerfile" {
		t.Fatalf("tidemark is built by %+v", build)
	}
	if _, err := os.Stat("../" + build.Dockerfile); err != nil {
		t.Error(err)
	}
	isStage := func(stage string) bool { return stage == build.Target }
	var stages []string
	for _, stage := range readImage(t).stages {
		stages = append(stages, stage.Name)
	}
	if !slices.ContainsFunc(stages, isStage) {
		t.Errorf("target %s is no stage of the Dockerfile: %v", build.Target, stages)
	}
}

func TestComposeSettingsAreAccepted(t *testing.T) {
	project := readCompose(t)
	tidemark, clickhouse := project.Services["tidemark"], environment(project.Services["clickhouse"])
	env := settings(readImage(t).env)
	maps.Copy(env, settings(environment(tidemark)))
	parsed, err := parseSettings(t, env)
	if err != nil {
		t.Fatalf("Tidemark refuses the environment: %v", err)
	}

	dsn, err := url.Parse(parsed.ClickHouseDSN)
	if err != nil {
		t.Fatal(err)
	}
	if _, known := project.Services[dsn.Hostname()]; !known || dsn.Port() != "9000" || dsn.Scheme != "tcp" {
		t.Errorf("%s is not the native port of a service here", dsn.Redacted())
	}
	for parameter, variable := range map[string]string{
		"username": "CLICKHOUSE_USER", "password": "CLICKHOUSE_PASSWORD", "database": "CLICKHOUSE_DB",
	} {
		if got, want := dsn.Query().Get(parameter), clickhouse[variable]; got != want || got == "" {
			t.Errorf("%s is %q for Tidemark and %q for ClickHouse", parameter, got, want)
		}
	}
	if tidemark.DependsOn["clickhouse"].Condition != types.ServiceConditionHealthy {
		t.Error("tidemark does not wait for a healthy clickhouse")
	}
	if grace := time.Duration(*tidemark.StopGracePeriod); grace <= parsed.StopTimeout {
		t.Errorf("stopped for good after %v, but a stop may take %v", grace, parsed.StopTimeout)
	}
	if want := readImage(t).health; !slices.Equal([]string(tidemark.HealthCheck.Test), want) {
		t.Errorf("health check %q, want the image's %q", tidemark.HealthCheck.Test, want)
	}
}

func TestComposeClickHouseIsNewEnough(t *testing.T) {
	_, tag, _ := strings.Cut(readCompose(t).Services["clickhouse"].Image, ":")
	var year, month, patch int
	if _, err := fmt.Sscanf(tag, "%d.%d.%d", &year, &month, &patch); err != nil {
		t.Fatalf("version of ClickHouse %q: %v", tag, err)
	}
	version := [3]int{year, month, patch}
	lts := year == 26 && month == 3 && patch >= 17
	if !lts && slices.Compare(version[:], []int{26, 7, 2}) < 0 {
		t.Errorf("ClickHouse %s: the floor is 26.3.17 (LTS) or 26.7.2", tag)
	}
}

func TestClickHouseConfigurationIsXML(t *testing.T) {
	file, err := os.Open("clickhouse/tidemark.xml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := xml.NewDecoder(file)
	root := ""
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
	if root != "clickhouse" {
		t.Errorf("root element %q", root)
	}
}
