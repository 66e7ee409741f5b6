package auth

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// ring is a Keyring with one key.
func ring(t testing.TB, w Wish, required bool) (*Keyring, string) {
	t.Helper()
	k, token, err := New(w, noon)
	if err != nil {
		t.Fatal(err)
	}
	r := NewKeyring(nil, Options{Required: required})
	r.replace([]Key{k}, noon)
	return r, token
}

func TestAdmit(t *testing.T) {
	soon := noon.Add(time.Minute)
	r, token := ring(t, Wish{Name: "shop", Signals: []string{"logs", "traces"}, ExpiresAt: &soon}, true)
	flip := func(i int) string { // another character at i
		b := []byte(token)
		b[i] = 'a' + (b[i]-'a'+1)%26
		return string(b)
	}
	for name, test := range map[string]struct {
		token, signal string
		at            time.Time
		want          string // reason
	}{
		"good":              {token, "traces", noon, ""},
		"any signal":        {token, "", noon, ""},
		"scope":             {token, "metrics", noon, Scope},
		"none":              {"", "traces", noon, Missing},
		"another system's":  {"Basic Zm9v", "traces", noon, Unknown},
		"cut short":         {token[:len(token)-1], "traces", noon, Unknown},
		"longer":            {token + "a", "traces", noon, Unknown},
		"another id":        {flip(len(prefix)), "traces", noon, Unknown},
		"another secret":    {flip(len(token) - 2), "traces", noon, Unknown},
		"just before":       {token, "logs", soon.Add(-time.Nanosecond), ""},
		"expired":           {token, "logs", soon, Expired},
		"expired and scope": {token, "metrics", soon, Expired},
	} {
		s, err := r.Admit(test.token, test.signal, test.at)
		if got := reasonOf(err); got != test.want || (s == nil) != (test.want != "") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func reasonOf(err *Refusal) string {
	if err == nil {
		return ""
	}
	return err.Reason
}

func TestWhereNobodyNeedsAKey(t *testing.T) {
	r, token := ring(t, Wish{Name: "shop", Signals: []string{"logs"}}, false)
	for _, foreign := range []string{"", "Basic Zm9v", "dd-api-key"} {
		if s, err := r.Admit(foreign, "traces", noon); s != nil || err != nil {
			t.Errorf("%q: %v, %v: want to pass without a sender", foreign, s, err)
		}
	}
	if _, err := r.Admit(token, "traces", noon); reasonOf(err) != Scope {
		t.Errorf("a key that is sent must be held to its scope, got %v", err)
	}
	if _, err := r.Admit(token[:20], "logs", noon); reasonOf(err) != Unknown {
		t.Errorf("a broken key of ours passes: %v", err)
	}
	var nobody *Sender
	nobody.Charge(1, 1) // must not panic
}

func TestRate(t *testing.T) {
	r, token := ring(t, Wish{Name: "shop", ItemsPerSecond: 100}, true)
	s, err := r.Admit(token, "traces", noon)
	if err != nil {
		t.Fatal(err)
	}
	s.items.charge(100*burst+500, noon) // one batch may be larger than the bucket
	_, err = r.Admit(token, "traces", noon)
	if reasonOf(err) != Limited || err.RetryAfter != 5*time.Second || !err.Known {
		t.Fatalf("in debt by 5 s: %+v", err)
	}
	if _, err := r.Admit(token, "traces", noon.Add(4999*time.Millisecond)); reasonOf(err) != Limited {
		t.Errorf("admitted before the debt was paid: %v", err)
	}
	if _, err := r.Admit(token, "traces", noon.Add(5001*time.Millisecond)); err != nil {
		t.Errorf("not admitted when the debt was paid: %v", err)
	}
	if got := s.use.snapshot().Refused[Limited]; got != 2 {
		t.Errorf("%d refusals counted, want 2", got)
	}
	// What was read from the store again changes nothing about the debt.
	k := *s.key.Load()
	s.items.charge(1e6, noon.Add(6*time.Second))
	r.replace([]Key{k}, noon.Add(6*time.Second))
	if _, err := r.Admit(token, "traces", noon.Add(6*time.Second)); reasonOf(err) != Limited {
		t.Error("reading the keys again forgave a debt")
	}
}

// Over a long time the mean is the rate, whatever the batches.
func TestRateOverTime(t *testing.T) {
	var b bucket
	b.set(1000, noon)
	sent := 0.0
	for at := noon; at.Before(noon.Add(10 * time.Minute)); at = at.Add(37 * time.Millisecond) {
		if b.wait(at) == 0 {
			b.charge(512, at)
			sent += 512
		}
	}
	if mean := sent / 600; mean < 1000 || mean > 1000*(1+float64(burst)/600)+2 {
		t.Errorf("%.0f a second, want 1000", mean)
	}
}

func TestWishes(t *testing.T) {
	past := noon.Add(-time.Second)
	for field, w := range map[string]Wish{
		"name":             {Name: "  "},
		"signals":          {Name: "a", Signals: []string{"spans"}},
		"items_per_second": {Name: "a", ItemsPerSecond: -1},
		"bytes_per_second": {Name: "a", BytesPerSecond: 1e13},
		"expires_at":       {Name: "a", ExpiresAt: &past},
	} {
		_, _, err := New(w, noon)
		var input *InputError
		if !errors.As(err, &input) || input.Field != field {
			t.Errorf("%+v: %v, want one about %s", w, err, field)
		}
	}
	if _, _, err := New(Wish{Name: strings.Repeat("é", maxName)}, noon); err != nil {
		t.Error(err)
	}
}

func TestLifeOfAKey(t *testing.T) {
	conn, _ := storetest.DB(t)
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "new")
	open := func(instance string) *Keyring {
		return NewKeyring(conn, Options{Required: true, Instance: instance, NewDir: dir})
	}
	here, there := open("here"), open("there")
	k, token, err := here.Create(ctx, Wish{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(r *Keyring, want string) {
		t.Helper()
		if err := r.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Admit(token, "traces", time.Now()); reasonOf(err) != want {
			t.Errorf("%s: %q, want %q", r.instance, reasonOf(err), want)
		}
	}
	expect(there, "")
	stored, _, err := store.Setting(ctx, conn, keyPath+k.ID)
	if err != nil || strings.Contains(stored, token[len(prefix)+idLen+1:]) {
		t.Errorf("the store holds the secret: %s, %v", stored, err)
	}
	if _, err := here.Revoke(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Admit(token, "traces", time.Now()); reasonOf(err) != Revoked {
		t.Errorf("not revoked at once: %v", err)
	}
	expect(there, Revoked)
	if _, err := there.Restore(ctx, k.ID); err != nil {
		t.Fatal(err)
	}
	expect(here, "")
	if _, err := Revoke(ctx, conn, k.ID, time.Now().Add(-2*undoWithin)); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Restore(ctx, k.ID); !errors.Is(err, ErrFinal) {
		t.Errorf("an old revocation was undone: %v", err)
	}
	if _, err := here.Revoke(ctx, "nonsense"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoked what is not there: %v", err)
	}
}

func TestUsesAreAddedUp(t *testing.T) {
	conn, _ := storetest.DB(t)
	ctx := context.Background()
	here, there := NewKeyring(conn, Options{Instance: "here"}), NewKeyring(conn, Options{Instance: "there"})
	_, token, err := here.Create(ctx, Wish{Name: "shop", Signals: []string{"traces"}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(r *Keyring, items int) {
		t.Helper()
		if err := r.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		s, refused := r.Admit(token, "traces", time.Now())
		if refused != nil {
			t.Fatal(refused)
		}
		s.Charge(10*items, items)
		_, _ = r.Admit(token, "logs", time.Now())
		if err := r.SaveUses(ctx); err != nil {
			t.Fatal(err)
		}
	}
	send(here, 1)
	send(there, 20)
	again := NewKeyring(conn, Options{Instance: "here"}) // restarted
	send(again, 300)
	for _, r := range []*Keyring{again, there} {
		list, err := r.List(ctx, time.Now())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		u := list[0].Use
		if u.Items != 321 || u.Bytes != 3210 || u.Requests != 3 || u.Refused[Scope] != 3 || u.LastMS == 0 {
			t.Errorf("%s: %+v", r.instance, u)
		}
	}
}

func TestAKeyMadeBeforeTheStore(t *testing.T) {
	conn, _ := storetest.DB(t)
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "new")
	k, token, err := New(Wish{Name: "first"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := Leave(dir, k); err != nil {
		t.Fatal(err)
	}
	r := NewKeyring(conn, Options{Required: true, NewDir: dir})
	for range 2 {
		if err := r.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, refused := r.Admit(token, "logs", time.Now()); refused != nil || r.Usable(time.Now()) != 1 {
		t.Errorf("%v, %d usable", refused, r.Usable(time.Now()))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAdmitAllocatesNothing(t *testing.T) {
	r, token := ring(t, Wish{Name: "shop", ItemsPerSecond: 1e9, BytesPerSecond: 1e12}, true)
	if n := testing.AllocsPerRun(1000, func() {
		s, refused := r.Admit(token, "traces", noon)
		if refused != nil {
			t.Fatal(refused)
		}
		s.Charge(4096, 0)
		s.Charge(0, 10)
	}); n != 0 {
		t.Errorf("%v allocations a request, want none", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	r, token := ring(b, Wish{Name: "shop", ItemsPerSecond: 1e12}, true)
	b.ReportAllocs()
	for b.Loop() {
		s, _ := r.Admit(token, "traces", noon)
		s.Charge(4096, 0)
		s.Charge(0, 10)
	}
}
