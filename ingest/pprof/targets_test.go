package pprof

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// memory is settings that a test can look into. Sealed secrets are base64 behind their place.
type memory struct {
	mu     sync.Mutex
	values map[string]string
}

func (m *memory) settings() Settings {
	return Settings{
		Load: func(context.Context) (map[string]string, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			out := map[string]string{}
			for k, v := range m.values {
				out[k] = v
			}
			return out, nil
		},
		Save: func(_ context.Context, id, value string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.values[id] = value
			return nil
		},
		Delete: func(_ context.Context, id string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.values, id)
			return nil
		},
		Seal: func(place, secret string) string {
			return place + ":" + base64.StdEncoding.EncodeToString([]byte(secret))
		},
		Open: func(place, sealed string) (string, error) {
			text, ok := strings.CutPrefix(sealed, place+":")
			b, err := base64.StdEncoding.DecodeString(text)
			if !ok || err != nil {
				return "", errors.New("it was encrypted with another key")
			}
			return string(b), nil
		},
		Logger: slog.Default(),
	}
}

// program serves profiles over TLS to who knows the password.
func program(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "scraper" || password != "s3cret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		httppprof.Index(w, r)
	})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestTargetsOfTheSettings(t *testing.T) {
	server := program(t)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	k, m, ctx := &taken{}, &memory{values: map[string]string{}}, context.Background()
	r, _ := serve(t, k, nil)
	everywhere := func(netip.Addr) error { return nil }
	begin := func() (*Targets, func()) {
		s := NewScraper(r, everywhere)
		targets, err := NewTargets(ctx, s, nil, m.settings())
		if err != nil {
			t.Fatal(err)
		}
		return targets, func() { targets.Close(ctx); s.Close(ctx) }
	}
	targets, end := begin()
	wish := Target{Service: "shop", URL: server.URL, Types: []string{"heap"}, Interval: Duration(mostInterval), Auth: Auth{Kind: "basic", Username: "scraper", Secret: "s3cret"}, TLS: TLS{CA: ca}}
	made, err := targets.Add(ctx, wish)
	if err != nil {
		t.Fatal(err)
	}
	fetched := func(of *Targets, profiles int64) func() bool {
		return func() bool {
			list := of.List()
			return len(list) == 1 && list[0].Profiles == profiles && list[0].LastError == "" && list[0].LastBytes > 0 && !list[0].NextAt.IsZero()
		}
	}
	wait(t, "profile over TLS with a password", fetched(targets, 1))
	if v := m.values[made.ID]; strings.Contains(v, "s3cret") || !strings.Contains(v, "shop") {
		t.Errorf("stored as %s", v)
	}

	t.Run("survives a restart", func(t *testing.T) {
		end()
		targets, end = begin()
		wait(t, "profile after a restart", fetched(targets, 1))
	})
	t.Run("a secret left empty stays", func(t *testing.T) {
		x := wish
		x.Auth.Secret, x.Labels = "", map[string]string{"service.version": "2"}
		if _, err := targets.Change(ctx, made.ID, x); err != nil {
			t.Fatal(err)
		}
		wait(t, "profile with the secret of before", fetched(targets, 1))
		if !k.has("service.version") {
			t.Error("the new label is not in what was fetched")
		}
	})
	t.Run("but does not follow to another host", func(t *testing.T) {
		x := wish
		x.Auth.Secret, x.URL = "", "https://203.0.113.7:6060"
		var field *FieldError
		if _, err := targets.Change(ctx, made.ID, x); !errors.As(err, &field) || field.Field != "auth.password" {
			t.Errorf("%v", err)
		}
	})
	t.Run("a wrong password is the state", func(t *testing.T) {
		x := wish
		x.Auth.Secret = "guess"
		if _, err := targets.Change(ctx, made.ID, x); err != nil {
			t.Fatal(err)
		}
		wait(t, "refusal", func() bool {
			list := targets.List()
			return len(list) == 1 && strings.Contains(list[0].LastError, "401") && list[0].Failures == 1
		})
	})
	t.Run("a secret of another key is told", func(t *testing.T) {
		end()
		m.values[made.ID] = strings.Replace(m.values[made.ID], "auth.password:", "auth.other:", 1)
		targets, end = begin()
		if list := targets.List(); len(list) != 1 || !strings.Contains(list[0].Problem, "another key") {
			t.Errorf("%+v", list)
		}
	})
	t.Run("is gone when removed", func(t *testing.T) {
		if err := targets.Remove(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
		if list := targets.List(); len(list) != 0 || len(m.values) != 0 {
			t.Errorf("%+v %v", list, m.values)
		}
		if err := targets.Remove(ctx, made.ID); !errors.Is(err, ErrNoTarget) {
			t.Errorf("removed twice: %v", err)
		}
	})
	end()
}

func TestConfiguredTargetsStayAsTheyAre(t *testing.T) {
	ctx := context.Background()
	r, _ := serve(t, &taken{}, nil)
	s := NewScraper(r, func(netip.Addr) error { return errors.New("not there") })
	defer s.Close(ctx)
	fixed, err := ParseTargets("shop=http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	targets, err := NewTargets(ctx, s, fixed, (&memory{values: map[string]string{}}).settings())
	if err != nil {
		t.Fatal(err)
	}
	defer targets.Close(ctx)
	list := targets.List()
	if len(list) != 1 || list[0].Source != SourceConfiguration {
		t.Fatalf("%+v", list)
	}
	if err := targets.Remove(ctx, list[0].ID); !errors.Is(err, ErrFixed) {
		t.Errorf("removed: %v", err)
	}
	if _, err := targets.Change(ctx, list[0].ID, fixed[0]); !errors.Is(err, ErrFixed) {
		t.Errorf("changed: %v", err)
	}
	paused, err := targets.Add(ctx, Target{Service: "shop", URL: "http://127.0.0.1:2", Paused: true})
	if err != nil || !paused.NextAt.IsZero() {
		t.Errorf("%+v %v", paused, err)
	}
}

func TestTargetsNameTheFieldThatIsWrong(t *testing.T) {
	good := Target{Service: "shop", URL: "https://10.0.0.7:6060"}
	for field, change := range map[string]func(*Target){
		"service":       func(x *Target) { x.Service = "" },
		"url":           func(x *Target) { x.URL = "https://me:secret@10.0.0.7" },
		"types":         func(x *Target) { x.Types = []string{"blood"} },
		"labels":        func(x *Target) { x.Labels = map[string]string{"": "x"} },
		"interval_s":    func(x *Target) { x.Interval = 1 },
		"timeout_s":     func(x *Target) { x.Timeout = 1 },
		"cpu_s":         func(x *Target) { x.CPUSeconds = 1000 },
		"auth.kind":     func(x *Target) { x.Auth.Kind = "digest" },
		"auth.username": func(x *Target) { x.Auth = Auth{Kind: "basic", Secret: "x"} },
		"auth.password": func(x *Target) { x.Auth = Auth{Kind: "basic", Username: "x"} },
		"auth.token":    func(x *Target) { x.Auth = Auth{Kind: "bearer", Secret: "a\r\nb"} },
		"tls.ca":        func(x *Target) { x.TLS.CA = "nonsense" },
		"tls.cert":      func(x *Target) { x.TLS.Key = "nonsense" },
		"tls.key":       func(x *Target) { x.TLS.Cert = "nonsense" },
	} {
		x := good
		change(&x)
		var wrong *FieldError
		if err := x.Check(); !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := good.Check(); err != nil || good.CPUSeconds != 10 || len(good.Types) != 5 {
		t.Errorf("%+v %v", good, err)
	}
}
