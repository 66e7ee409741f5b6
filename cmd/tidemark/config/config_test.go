package config

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

// reference is docs/configuration.md, made from the flags themselves.
func reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Every setting is a command-line flag, an environment variable and a key of the YAML file given with ` + "`--config`" + `. The command line wins over the environment, which wins over the file.

` + "```yaml" + `
# tidemark.yaml
data-dir: /var/lib/tidemark
log-format: json
limit-attributes: 64
` + "```" + `

| flag | environment | default | meaning |
|---|---|---|---|
`)
	for _, f := range Flags() {
		def := f.DefValue
		if def == "" {
			def = " "
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | `%s` | %s |\n", f.Name, EnvName(f.Name), def, f.Usage)
	}
	return b.String()
}

func TestReferenceIsTrue(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(file, []byte(reference()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != reference() {
		t.Error("docs/configuration.md differs from the flags: run go test ./cmd/tidemark/config -update")
	}
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tidemark.yaml")
	if err := os.WriteFile(file, []byte("data-dir: from-file\nlog-level: warn\nlimit-attributes: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TIDEMARK_LOG_LEVEL", "error")
	t.Setenv("TIDEMARK_DATA_DIR", "from-environment")
	c, err := Parse(All, []string{"--config", file, "--data-dir", "from-flag"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "from-flag" || c.LogLevel != "error" || c.Ingest.Limits.Attributes != 7 {
		t.Errorf("data-dir %q, log-level %q, limit-attributes %d", c.DataDir, c.LogLevel, c.Ingest.Limits.Attributes)
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		role Role
		args []string
		want string
	}{
		"open address":     {All, []string{"--http-addr", "0.0.0.0:8080"}, "which other machines can reach"},
		"any address":      {All, []string{"--http-addr", ":8080"}, "which other machines can reach"},
		"senders":          {All, []string{"--otlp-grpc-addr", ":4317", "--ingest-keys", "optional"}, "other machines can reach --otlp-grpc-addr :4317"},
		"keys":             {All, []string{"--ingest-keys", "maybe"}, "use auto, required or optional"},
		"half of TLS":      {All, []string{"--otlp-tls-cert", "c.pem"}, "--otlp-tls-cert and --otlp-tls-key belong together"},
		"clients only":     {All, []string{"--http-tls-client-ca", "c.pem"}, "--http-tls-client-ca needs --http-tls-cert"},
		"origin":           {All, []string{"--otlp-allow-origins", "shop.example"}, "use origins such as https://shop.example.com"},
		"no port":          {All, []string{"--http-addr", "localhost"}, "use HOST:PORT"},
		"role without dsn": {Query, nil, "needs --clickhouse-dsn"},
		"level":            {All, []string{"--log-level", "loud"}, "use debug, info, warn or error"},
		"memory":           {All, []string{"--engine-memory-ratio", "2"}, "between 0.05 and 0.95"},
		"limit":            {All, []string{"--limit-attributes", "0"}, "--limit-attributes is 0: it must be at least 1"},
		"public address":   {All, []string{"--public-url", "tidemark.example.com"}, "use an address such as https://tidemark.example.com"},
		"receivers":        {All, []string{"--notify-allow", "public,intranet"}, `--notify-allow: "intranet" is neither`},
		"argument":         {All, []string{"start"}, `unexpected argument "start"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(test.role, test.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Parse: %v, want … %s …", err, test.want)
			}
		})
	}
	if _, err := Parse(All, []string{"--http-addr", "0.0.0.0:80", "--allow-open"}, io.Discard); err != nil {
		t.Errorf("--allow-open: %v", err)
	}
}

// Who needs a key, and which port must not open before there is one.
func TestWhenKeysAreRequired(t *testing.T) {
	open := []string{"--otlp-http-addr", "0.0.0.0:4318"}
	mutual := []string{"--otlp-tls-cert", "a", "--otlp-tls-key", "b", "--otlp-tls-client-ca", "c"}
	for name, test := range map[string]struct {
		args     []string
		required bool
		first    string
	}{
		"loopback":                  {nil, false, ""},
		"IPv6 loopback":             {[]string{"--otlp-grpc-addr", "[::1]:4317"}, false, ""},
		"loopback on wish":          {[]string{"--ingest-keys", "required"}, true, ""},
		"other machines":            {open, true, "--otlp-http-addr 0.0.0.0:4318"},
		"a name":                    {[]string{"--otlp-grpc-addr", "collector:4317"}, true, "--otlp-grpc-addr collector:4317"},
		"with certificates":         {append(open, mutual...), false, ""},
		"certificates and keys":     {append(append(open, mutual...), "--ingest-keys", "required"), true, ""},
		"behind a proxy":            {append(open, "--allow-open"), false, ""},
		"behind a proxy, with keys": {append(open, "--allow-open", "--ingest-keys", "required"), true, ""},
	} {
		c, err := Parse(All, test.args, io.Discard)
		if err != nil || c.KeysRequired() != test.required || c.FirstKeyNeeded() != test.first {
			t.Errorf("%s: required %v, first %q, %v", name, c.KeysRequired(), c.FirstKeyNeeded(), err)
		}
	}
	web := []string{"--http-addr", "0.0.0.0:8080", "--http-tls-cert", "a", "--http-tls-key", "b", "--http-tls-client-ca", "c"}
	if _, err := Parse(All, web, io.Discard); err != nil {
		t.Errorf("browsers with certificates: %v", err)
	}
}
