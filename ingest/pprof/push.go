package pprof

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/tidemarkhq/tidemark/ingest"
)

func (r *Receiver) body(q *http.Request) ([]byte, error) {
	var b bytes.Buffer
	if n := q.ContentLength; n > 0 && n <= int64(r.opts.MaxBody) {
		b.Grow(int(n) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(nil, q.Body, int64(r.opts.MaxBody)))
	return b.Bytes(), bodyError(err)
}

func bodyError(err error) error {
	var cut *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &cut):
		return &badRequest{http.StatusRequestEntityTooLarge, fmt.Errorf("the request is larger than %d bytes (max-request-bytes)", cut.Limit)}
	}
	return bad("reading the request: %w", err)
}

// push takes POST /v1/pprof?service=NAME[&type=cpu][&from=UNIX_NS&until=UNIX_NS][&cumulative=BOOL][&label.KEY=VALUE…].
func (r *Receiver) push(q *http.Request) (ingest.Result, error) {
	query := q.URL.Query()
	p := Push{Type: query.Get("type"), Source: "push", Resource: map[string]string{}}
	for name, values := range query {
		if key, ok := strings.CutPrefix(name, "label."); ok && key != "" {
			p.Resource[key] = values[0]
		}
	}
	p.Resource = identify(p.Resource, query.Get("service"))
	var err error
	for name, to := range map[string]*int64{"from": &p.Start, "until": &p.End} {
		if v := query.Get(name); v != "" {
			if *to, err = strconv.ParseInt(v, 10, 64); err != nil || *to <= 0 {
				return ingest.Result{}, bad("%s=%s: want Unix nanoseconds", name, v)
			}
		}
	}
	if p.End != 0 && p.End < p.Start {
		return ingest.Result{}, bad("until lies before from")
	}
	if v := query.Get("cumulative"); v != "" {
		c, err := strconv.ParseBool(v)
		if err != nil {
			return ingest.Result{}, bad("cumulative=%s: want true or false", v)
		}
		p.Cumulative = &c
	}
	if p.Body, err = r.body(q); err != nil {
		return ingest.Result{}, err
	}
	return r.Take(q.Context(), p)
}

// common names of labels, and the attributes of OpenTelemetry that they are.
var attributeOf = map[string]string{
	"version": "service.version", "service_version": "service.version", "service_git_ref": "service.version", "release": "service.version",
	"env": "deployment.environment.name", "environment": "deployment.environment.name",
	"instance": "service.instance.id", "pod": "k8s.pod.name", "namespace": "k8s.namespace.name", "node": "k8s.node.name", "hostname": "host.name", "host": "host.name",
	"service_name": "service.name", "__session_id__": "service.instance.id",
}

// identify turns labels into attributes of a resource. A label that already has an attribute's name wins.
func identify(labels map[string]string, service string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		if to, ok := attributeOf[k]; ok {
			if _, taken := labels[to]; !taken && (k != "__session_id__" || labels["instance"] == "") {
				out[to] = v
			}
			continue
		}
		if !strings.HasPrefix(k, "__") {
			out[k] = v
		}
	}
	if service != "" {
		out["service.name"] = service
	}
	return out
}

// pyroscope takes POST /ingest?name=NAME{k=v,…}&from=…&until=…&format=pprof: multipart, or the profile alone.
func (r *Receiver) pyroscope(q *http.Request) (ingest.Result, error) {
	query := q.URL.Query()
	if f := query.Get("format"); f != "" && f != "pprof" {
		return ingest.Result{}, &badRequest{http.StatusUnsupportedMediaType, fmt.Errorf("format=%s: only pprof is taken", f)}
	}
	name, labels, err := parseName(query.Get("name"))
	if err != nil {
		return ingest.Result{}, err
	}
	p := Push{Source: "pyroscope"}
	if p.Start, err = pyroscopeTime(query, "from"); err != nil {
		return ingest.Result{}, err
	}
	if p.End, err = pyroscopeTime(query, "until"); err != nil {
		return ingest.Result{}, err
	}
	kind, params, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if kind == "multipart/form-data" && params["boundary"] != "" {
		err = r.multipart(q, &p)
	} else {
		p.Body, err = r.body(q)
	}
	if err != nil {
		return ingest.Result{}, err
	}
	p.Resource = identify(labels, name)
	return r.Take(q.Context(), p)
}

// multipart reads the parts profile, prev_profile and sample_type_config.
func (r *Receiver) multipart(q *http.Request, p *Push) error {
	q.Body = http.MaxBytesReader(nil, q.Body, int64(r.opts.MaxBody))
	parts, err := q.MultipartReader()
	if err != nil {
		return bad("reading the form: %w", err)
	}
	var previous []byte
	var config map[string]sampleTypeConfig
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return bodyError(err)
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return bodyError(err)
		}
		switch part.FormName() {
		case "profile":
			p.Body = content
		case "prev_profile":
			previous = content
		case "sample_type_config":
			if err := json.Unmarshal(content, &config); err != nil {
				return bad("sample_type_config: %w", err)
			}
		}
	}
	if len(p.Body) == 0 {
		return bad("the form has no part named profile")
	}
	if p.Type, p.Cumulative = configured(config); len(previous) > 0 {
		return r.subtract(p, previous)
	}
	return nil
}

// sampleTypeConfig is what Pyroscope's SDKs say of a sample type.
type sampleTypeConfig struct {
	DisplayName string `json:"display-name"`
	Cumulative  bool   `json:"cumulative"`
}

// configured is what the configuration of the sample types tells: mutex and block profiles, which have the same
// sample types, and whether values are cumulative. An SDK that says nothing has taken differences itself.
func configured(config map[string]sampleTypeConfig) (kind string, cumulative *bool) {
	if len(config) == 0 {
		return "", nil
	}
	var c bool
	for _, t := range config {
		c = c || t.Cumulative
		for _, name := range []string{"mutex", "block"} {
			if strings.HasPrefix(t.DisplayName, name) {
				kind = name
			}
		}
	}
	return kind, &c
}

// subtract takes the profile before from a cumulative one, as older SDKs send both.
func (r *Receiver) subtract(p *Push, previous []byte) error {
	var both [2]*profile.Profile
	for i, b := range [][]byte{p.Body, previous} {
		raw, err := gunzip(b, r.opts.MaxBody)
		if err != nil {
			return err
		}
		if both[i], err = parse(raw); err != nil {
			return err
		}
	}
	start, duration := both[0].TimeNanos, both[0].DurationNanos
	both[1].Scale(-1)
	diff, err := profile.Merge(both[:])
	if err != nil {
		return bad("prev_profile does not fit the profile: %w", err)
	}
	diff.TimeNanos, diff.DurationNanos = start, duration
	if p.Body, err = encode(diff); err != nil {
		return err
	}
	no := false
	p.Cumulative = &no
	return nil
}

// parseName reads app.name{key=value,…}.
func parseName(s string) (string, map[string]string, error) {
	name, rest, has := strings.Cut(s, "{")
	labels := map[string]string{}
	if name = strings.TrimSpace(name); name == "" {
		return "", nil, bad("name is missing: want name=SERVICE{key=value,…}")
	}
	if !has {
		return name, labels, nil
	}
	rest, ok := strings.CutSuffix(strings.TrimSpace(rest), "}")
	if !ok {
		return "", nil, bad("name=%s: the brace is not closed", s)
	}
	for pair := range strings.SplitSeq(rest, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		k, v, ok := strings.Cut(pair, "=")
		if !ok {
			return "", nil, bad("name=%s: %q is not key=value", s, pair)
		}
		labels[strings.TrimSpace(k)] = strings.Trim(strings.TrimSpace(v), `"`)
	}
	return name, labels, nil
}

// pyroscopeTime reads seconds, milliseconds, microseconds or nanoseconds since 1970: which one is plain from its size.
func pyroscopeTime(query url.Values, name string) (int64, error) {
	s := query.Get(name)
	if s == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 0 {
		return 0, bad("%s=%s: want a Unix time", name, s)
	}
	for _, u := range []struct{ below, unit int64 }{{1e11, 1e9}, {1e14, 1e6}, {1e17, 1e3}} {
		if v < u.below {
			return v * u.unit, nil
		}
	}
	return v, nil
}
