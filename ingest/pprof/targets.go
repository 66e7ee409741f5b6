package pprof

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Auth is how a target wants to be asked.
type Auth struct {
	Kind     string `json:"kind"` // "", basic or bearer
	Username string `json:"username,omitempty"`
	Secret   string `json:"secret,omitempty"` // password or token
}

// TLS is whom to trust, and who we are, with a target whose address is https.
type TLS struct {
	CA         string `json:"ca,omitempty"`   // PEM; the system's authorities without
	Cert       string `json:"cert,omitempty"` // PEM, of this client
	Key        string `json:"key,omitempty"`  // PEM, secret
	ServerName string `json:"server_name,omitempty"`
	Insecure   bool   `json:"insecure,omitempty"` // any certificate will do
}

// A FieldError says which part of a target cannot be accepted.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return e.Field + " " + e.Reason }

// Errors about targets as a whole.
var (
	ErrNoTarget = errors.New("there is no such target")
	ErrFixed    = errors.New("this target is set by the configuration and cannot be changed here")
)

// Settings is where targets that were added while running are kept, and how secrets among them are encrypted: place is
// where alone a secret can be opened again.
type Settings struct {
	Load   func(ctx context.Context) (map[string]string, error) // by id
	Save   func(ctx context.Context, id, value string) error
	Delete func(ctx context.Context, id string) error
	Seal   func(place, secret string) string
	Open   func(place, sealed string) (string, error)
	Logger *slog.Logger
	Peers  *Peers // processes that may have the same targets; nil: there are none
}

// Where a target comes from.
const (
	SourceAPI           = "api"
	SourceConfiguration = "configuration"
	SourceSelf          = "self"
)

// mostTargets bounds what may be added while running.
const mostTargets = 1000

// reloadEvery is how soon targets that another process has changed are followed.
const reloadEvery = 10 * time.Second

// Targets is the processes that profiles are fetched from: those of the configuration, and those of the settings.
type Targets struct {
	scraper *Scraper
	set     Settings
	fixed   []Target

	mu      sync.Mutex
	stored  map[string]Target // guarded by mu; secrets in the clear
	problem map[string]string // why a stored one cannot be fetched from, guarded by mu
	crew    *crew             // guarded by mu

	stop context.CancelFunc
	done chan struct{}
}

// NewTargets begins to fetch from the targets of the configuration and of the settings.
func NewTargets(ctx context.Context, s *Scraper, fixed []Target, set Settings) (*Targets, error) {
	for i := range fixed {
		fixed[i].Source = SourceConfiguration
	}
	t := &Targets{scraper: s, set: set, fixed: fixed, crew: newCrew(set.Peers), done: make(chan struct{})}
	if err := t.reload(ctx); err != nil {
		return nil, err
	}
	ctx, t.stop = context.WithCancel(context.WithoutCancel(ctx))
	go t.follow(ctx)
	return t, nil
}

// Close stops following the settings, and leaves the targets to other processes. What is being fetched goes on until
// the Scraper is closed.
func (t *Targets) Close(ctx context.Context) error {
	t.stop()
	<-t.done
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.crew.leave(ctx)
}

// follow takes up what other processes change.
func (t *Targets) follow(ctx context.Context) {
	defer close(t.done)
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.reload(ctx); err != nil && ctx.Err() == nil {
				t.set.Logger.Warn("targets of profiles not read", "error", err)
				t.mu.Lock()
				t.apply() // others may take this process for gone
				t.mu.Unlock()
			}
		}
	}
}

func (t *Targets) reload(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	values, err := t.set.Load(ctx)
	if err != nil {
		return err
	}
	t.stored, t.problem = map[string]Target{}, map[string]string{}
	for id, value := range values {
		var x Target
		if err := json.Unmarshal([]byte(value), &x); err != nil {
			return fmt.Errorf("read the target %s: %w", id, err)
		}
		x.ID, x.Source = id, SourceAPI
		for place, secret := range x.secrets() {
			if *secret == "" {
				continue
			}
			if *secret, err = t.set.Open(id+"/"+place, *secret); err != nil {
				t.problem[id] = fmt.Sprintf("%s cannot be read: %v", place, err)
			}
		}
		t.stored[id] = x
	}
	fixed := make([]string, len(t.fixed))
	for i, x := range t.fixed {
		fixed[i] = x.ID
	}
	err = t.crew.exchange(ctx, fixed, t.scraper.progress)
	t.apply()
	return err
}

// secrets are the fields that are encrypted, by name.
func (t *Target) secrets() map[string]*string {
	return map[string]*string{"auth." + t.Auth.field(): &t.Auth.Secret, "tls.key": &t.TLS.Key}
}

// field is what a secret is called in the API.
func (a Auth) field() string {
	if a.Kind == "basic" {
		return "password"
	}
	return "token"
}

// apply hands the targets to the scraper. Called with mu held.
func (t *Targets) apply() {
	all := slices.Clone(t.fixed)
	for id, x := range t.stored {
		if t.problem[id] == "" {
			all = append(all, x)
		}
	}
	t.scraper.Set(t.crew.share(all))
}

// List is every target with its state, those that cannot be fetched from included. Secrets are in the clear.
func (t *Targets) List() []TargetState {
	states := map[string]TargetState{}
	for _, s := range t.scraper.States() {
		states[s.ID] = s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range append(slices.Collect(maps.Values(t.stored)), t.fixed...) {
		s, ok := states[x.ID]
		if !ok {
			s = TargetState{Target: x}
			s.By, s.progress = t.crew.elsewhere(x.ID)
		}
		s.Problem = t.problem[x.ID]
		states[x.ID] = s
	}
	out := slices.Collect(maps.Values(states))
	slices.SortFunc(out, func(a, b TargetState) int { return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Add stores a target and begins to fetch from it.
func (t *Targets) Add(ctx context.Context, x Target) (TargetState, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.stored) >= mostTargets {
		return TargetState{}, &FieldError{"service", fmt.Sprintf("cannot be added: there are %d targets already", mostTargets)}
	}
	x.ID = strings.ToLower(rand.Text()[:12])
	return t.put(ctx, x)
}

// Change replaces a stored target. Secrets that are left empty stay, unless the target is at another host now: whoever
// may change a target but not read its secrets could have them sent there.
func (t *Targets) Change(ctx context.Context, id string, x Target) (TargetState, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old, err := t.find(id)
	if err != nil {
		return TargetState{}, err
	}
	x.ID = id
	if err := keepSecrets(old, &x); err != nil {
		return TargetState{}, err
	}
	return t.put(ctx, x)
}

func keepSecrets(old Target, x *Target) error {
	moved := hostOf(old.URL) != hostOf(x.URL)
	if x.Auth.Kind == old.Auth.Kind && x.Auth.Secret == "" && old.Auth.Secret != "" {
		if moved {
			return &FieldError{"auth." + x.Auth.field(), "must be entered again: the target is at another host now"}
		}
		x.Auth.Secret = old.Auth.Secret
	}
	if x.TLS.Key == "" && x.TLS.Cert != "" && x.TLS.Cert == old.TLS.Cert {
		if moved {
			return &FieldError{"tls.key", "must be entered again: the target is at another host now"}
		}
		x.TLS.Key = old.TLS.Key
	}
	return nil
}

// find is called with mu held.
func (t *Targets) find(id string) (Target, error) {
	if x, ok := t.stored[id]; ok {
		return x, nil
	}
	if id == selfID || slices.ContainsFunc(t.fixed, func(x Target) bool { return x.ID == id }) {
		return Target{}, ErrFixed
	}
	return Target{}, ErrNoTarget
}

// put is called with mu held.
func (t *Targets) put(ctx context.Context, x Target) (TargetState, error) {
	x.Source = SourceAPI
	if err := x.Check(); err != nil {
		return TargetState{}, err
	}
	sealed := x
	for place, secret := range sealed.secrets() {
		if *secret != "" {
			*secret = t.set.Seal(x.ID+"/"+place, *secret)
		}
	}
	value, err := json.Marshal(sealed)
	if err != nil {
		return TargetState{}, fmt.Errorf("store the target: %w", err)
	}
	if err := t.set.Save(ctx, x.ID, string(value)); err != nil {
		return TargetState{}, err
	}
	t.stored[x.ID] = x
	delete(t.problem, x.ID)
	t.apply()
	for _, s := range t.scraper.States() {
		if s.ID == x.ID {
			return s, nil
		}
	}
	return TargetState{Target: x}, nil
}

// Remove forgets a stored target. What was fetched stays.
func (t *Targets) Remove(ctx context.Context, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.find(id); err != nil {
		return err
	}
	if err := t.set.Delete(ctx, id); err != nil {
		return err
	}
	delete(t.stored, id)
	delete(t.problem, id)
	t.apply()
	return nil
}

// Bounds of a target's text.
const (
	longestText = 1 << 10
	longestPEM  = 64 << 10
	mostLabels  = 32
)

// Check completes a target and says what is wrong with it.
func (t *Target) Check() error {
	u, err := url.Parse(t.URL)
	switch {
	case t.Service == "":
		return &FieldError{"service", "is missing"}
	case len(t.Service) > longestText || len(t.URL) > longestText:
		return &FieldError{"url", fmt.Sprintf("and service may have %d bytes", longestText)}
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return &FieldError{"url", fmt.Sprintf("%q: want http://HOST:PORT or https://HOST:PORT", t.URL)}
	case u.User != nil:
		return &FieldError{"url", "has a name or password in it: say them as auth"}
	}
	if !strings.Contains(u.Path, "/debug/pprof") {
		u.Path = strings.TrimSuffix(u.Path, "/") + "/debug/pprof"
	}
	u.Path, u.RawQuery, u.Fragment = strings.TrimSuffix(u.Path, "/"), "", ""
	t.URL = u.String()
	if t.ID == "" {
		t.ID = t.Service + " " + u.Host
	}
	for _, check := range []func(*url.URL) error{t.checkWhat, t.checkTimes, t.checkAuth, t.checkTLS} {
		if err := check(u); err != nil {
			return err
		}
	}
	return nil
}

func (t *Target) checkWhat(*url.URL) error {
	if len(t.Types) == 0 {
		t.Types = slices.Clone(defaultTypes)
	}
	for _, ty := range t.Types {
		if paths[ty] == "" {
			return &FieldError{"types", fmt.Sprintf("%q: there are %s", ty, strings.Join(Types(), ", "))}
		}
	}
	if len(t.Labels) > mostLabels {
		return &FieldError{"labels", fmt.Sprintf("are %d; at most %d", len(t.Labels), mostLabels)}
	}
	for k, v := range t.Labels {
		if k == "" || len(k)+len(v) > longestText {
			return &FieldError{"labels", fmt.Sprintf("%q: a name is missing, or it is too long", k)}
		}
	}
	return nil
}

// Types are what can be asked of a process.
func Types() []string { return slices.Sorted(maps.Keys(paths)) }

func (t *Target) checkTimes(*url.URL) error {
	interval := time.Duration(cmp.Or(t.Interval, Duration(defaultInterval)))
	t.Interval = Duration(interval)
	if interval < leastInterval || interval > mostInterval {
		return &FieldError{"interval_s", fmt.Sprintf("%s: from %s to %s", interval, leastInterval, mostInterval)}
	}
	t.Timeout = cmp.Or(t.Timeout, Duration(scrapePatience))
	if p := time.Duration(t.Timeout); p < time.Second || p > 2*time.Minute {
		return &FieldError{"timeout_s", fmt.Sprintf("%s: from 1s to 2m", p)}
	}
	if t.CPUSeconds == 0 {
		t.CPUSeconds = max(1, min(cpuSeconds, int(interval.Seconds()/2)))
	}
	if t.CPUSeconds < 1 || float64(t.CPUSeconds) > interval.Seconds() {
		return &FieldError{"cpu_s", fmt.Sprintf("%d: from 1 to the interval", t.CPUSeconds)}
	}
	return nil
}

func (t *Target) checkAuth(u *url.URL) error {
	a := &t.Auth
	switch a.Kind {
	case "", "none":
		*a = Auth{}
		return nil
	case "basic":
		if a.Username == "" {
			return &FieldError{"auth.username", "is missing"}
		}
	case "bearer":
		a.Username = ""
	default:
		return &FieldError{"auth.kind", fmt.Sprintf("%q is not none, basic or bearer", a.Kind)}
	}
	switch {
	case a.Secret == "":
		return &FieldError{"auth." + a.field(), "is missing"}
	case len(a.Secret) > longestPEM || strings.ContainsAny(a.Secret+a.Username, "\r\n\x00"):
		return &FieldError{"auth." + a.field(), "has a line break in it or is too long"}
	}
	return nil
}

func (t *Target) checkTLS(u *url.URL) error {
	if t.TLS == (TLS{}) {
		return nil
	}
	if u.Scheme != "https" {
		return &FieldError{"url", "is not https, for which alone tls is"}
	}
	if len(t.TLS.CA)+len(t.TLS.Cert)+len(t.TLS.Key) > longestPEM {
		return &FieldError{"tls.ca", fmt.Sprintf("and the others may have %d bytes", longestPEM)}
	}
	_, err := t.TLS.config()
	return err
}

// config is nil without anything to say.
func (c *TLS) config() (*tls.Config, error) {
	out := &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: c.Insecure, MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM([]byte(c.CA)) {
			return nil, &FieldError{"tls.ca", "holds no certificate in PEM"}
		}
	}
	switch {
	case c.Cert == "" && c.Key != "":
		return nil, &FieldError{"tls.cert", "is missing"}
	case c.Cert != "" && c.Key == "":
		return nil, &FieldError{"tls.key", "is missing"}
	case c.Cert != "":
		pair, err := tls.X509KeyPair([]byte(c.Cert), []byte(c.Key))
		if err != nil {
			return nil, &FieldError{"tls.key", "does not fit the certificate, or is not PEM"}
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
