package dashboards

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// Where dashboards lie among the settings: dashboard/ID is the newest, dashboard-version/ID/00000007 an older one.
const (
	path        = "dashboard/"
	versionPath = "dashboard-version/"
)

// What is kept.
const (
	KeptVersions   = 50 // of a dashboard; older ones are forgotten
	mostDashboards = 2000
)

// ErrConflict is a save over what somebody else has saved meanwhile.
var ErrConflict = errors.New("somebody has saved this dashboard meanwhile")

// Library reads and writes dashboards.
type Library struct {
	conn  driver.Conn
	now   func() time.Time
	ready map[string]Dashboard

	mu sync.Mutex // one change at a time: a version is read, compared and replaced
}

// New is a library over the store that conn leads to, which it changes.
func New(conn driver.Conn) (*Library, error) {
	ready, err := readyMade()
	if err != nil {
		return nil, err
	}
	return &Library{conn: conn, now: time.Now, ready: ready}, nil
}

// Summary is a dashboard in a list.
type Summary struct {
	ID          string    `json:"id"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Tags        []string  `json:"tags"`
	ReadyMade   bool      `json:"ready_made"`
	Version     int       `json:"version"`
	UpdatedAt   time.Time `json:"updated_at"`
	Panels      int       `json:"panels"`
}

// Version is one save of a dashboard.
type Version struct {
	Version int       `json:"version"`
	SavedAt time.Time `json:"saved_at"`
	Message string    `json:"message"`
	Title   string    `json:"title"`
	Panels  int       `json:"panels"`
}

// saved is a version as it is stored.
type saved struct {
	Message   string    `json:"message"`
	Dashboard Dashboard `json:"dashboard"`
}

func summary(d Dashboard) Summary {
	panels := 0
	for _, p := range d.Panels {
		if p.Type != "row" {
			panels++
		}
	}
	return Summary{d.ID, d.Title, d.Description, filled(d.Tags), d.ReadyMade, d.Version, d.UpdatedAt, panels}
}

// List is all dashboards by title.
func (l *Library) List(ctx context.Context) ([]Summary, error) {
	stored, err := store.Settings(ctx, l.conn, path)
	if err != nil {
		return nil, err
	}
	list := []Summary{}
	for id, d := range l.ready {
		if _, changed := stored[path+id]; !changed {
			list = append(list, summary(d))
		}
	}
	for key, value := range stored {
		d, err := l.decode(strings.TrimPrefix(key, path), value)
		if err != nil {
			return nil, err
		}
		list = append(list, summary(d))
	}
	slices.SortFunc(list, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

func (l *Library) decode(id, value string) (Dashboard, error) {
	var d Dashboard
	if err := json.Unmarshal([]byte(value), &d); err != nil {
		return d, fmt.Errorf("read dashboard %s: %w", id, err)
	}
	d.ID = id
	_, d.ReadyMade = l.ready[id]
	return d, nil
}

// Get is the newest version of a dashboard.
func (l *Library) Get(ctx context.Context, id string) (Dashboard, error) {
	value, ok, err := store.Setting(ctx, l.conn, path+id)
	if err != nil {
		return Dashboard{}, err
	}
	if ok {
		return l.decode(id, value)
	}
	if d, ok := l.ready[id]; ok {
		return d, nil
	}
	return Dashboard{}, fmt.Errorf("dashboard %q: %w", id, query.ErrNotFound)
}

// Add stores a new dashboard under an id of its own.
func (l *Library) Add(ctx context.Context, d Dashboard, message string) (Dashboard, error) {
	if err := d.Check(); err != nil {
		return d, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all, err := store.Settings(ctx, l.conn, path)
	if err != nil {
		return d, err
	}
	if len(all) >= mostDashboards {
		return d, &query.InputError{Field: "title", Reason: fmt.Sprintf("is one too many: there are %d dashboards; delete some", len(all))}
	}
	d.ID = strings.ToLower(rand.Text()[:10])
	d.ReadyMade, d.Version = false, 0
	return l.write(ctx, d, cmp.Or(message, "Created"))
}

// Set stores a new version over the one that d names.
func (l *Library) Set(ctx context.Context, id string, d Dashboard, message string) (Dashboard, error) {
	if err := d.Check(); err != nil {
		return d, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := l.Get(ctx, id)
	if err != nil {
		return d, err
	}
	if now.Version != d.Version {
		return d, fmt.Errorf("%w: it is at version %d, and this change was made to version %d", ErrConflict, now.Version, d.Version)
	}
	d.ID = id
	return l.write(ctx, d, message)
}

// write stores the version after d's. The version comes first: what the newest says always can be restored.
func (l *Library) write(ctx context.Context, d Dashboard, message string) (Dashboard, error) {
	d.Version++
	d.UpdatedAt = l.now().UTC().Truncate(time.Millisecond)
	_, d.ReadyMade = l.ready[d.ID]
	if len(message) > mostTitle {
		return d, &query.InputError{Field: "message", Reason: fmt.Sprintf("is longer than %d bytes", mostTitle)}
	}
	version, err := json.Marshal(saved{message, d})
	if err != nil {
		return d, fmt.Errorf("store dashboard %s: %w", d.ID, err)
	}
	newest, err := json.Marshal(d)
	if err != nil {
		return d, fmt.Errorf("store dashboard %s: %w", d.ID, err)
	}
	if err := store.SetSetting(ctx, l.conn, versionKey(d.ID, d.Version), string(version)); err != nil {
		return d, err
	}
	if err := store.SetSetting(ctx, l.conn, path+d.ID, string(newest)); err != nil {
		return d, err
	}
	if d.Version > KeptVersions {
		return d, store.DeleteSetting(ctx, l.conn, versionKey(d.ID, d.Version-KeptVersions))
	}
	return d, nil
}

func versionKey(id string, version int) string {
	return fmt.Sprintf("%s%s/%08d", versionPath, id, version)
}

// Delete removes a dashboard and its versions; of a ready-made one, what was changed.
func (l *Library) Delete(ctx context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok, err := store.Setting(ctx, l.conn, path+id); err != nil {
		return err
	} else if !ok {
		if _, ready := l.ready[id]; ready {
			return &query.InputError{Field: "id", Reason: "comes with the product and cannot be deleted"}
		}
		return fmt.Errorf("dashboard %q: %w", id, query.ErrNotFound)
	}
	versions, err := store.Settings(ctx, l.conn, versionPath+id+"/")
	if err != nil {
		return err
	}
	if err := store.DeleteSetting(ctx, l.conn, path+id); err != nil {
		return err
	}
	for key := range versions {
		if err := store.DeleteSetting(ctx, l.conn, key); err != nil {
			return err
		}
	}
	return nil
}

// Versions are the saves of a dashboard, the newest first.
func (l *Library) Versions(ctx context.Context, id string) ([]Version, error) {
	d, err := l.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	stored, err := store.Settings(ctx, l.conn, versionPath+id+"/")
	if err != nil {
		return nil, err
	}
	list := []Version{}
	for key, value := range stored {
		var s saved
		if err := json.Unmarshal([]byte(value), &s); err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		list = append(list, Version{s.Dashboard.Version, s.Dashboard.UpdatedAt, s.Message, s.Dashboard.Title, summary(s.Dashboard).Panels})
	}
	if original, ok := l.ready[d.ID]; ok {
		list = append(list, Version{0, original.UpdatedAt, "As it comes with Tidemark", original.Title, summary(original).Panels})
	}
	slices.SortFunc(list, func(a, b Version) int { return b.Version - a.Version })
	return list, nil
}

// At is a dashboard as it was saved.
func (l *Library) At(ctx context.Context, id string, version int) (Dashboard, error) {
	if original, ok := l.ready[id]; ok && version == 0 {
		return original, nil
	}
	value, ok, err := store.Setting(ctx, l.conn, versionKey(id, version))
	if err != nil {
		return Dashboard{}, err
	}
	if !ok {
		return Dashboard{}, fmt.Errorf("version %d of dashboard %q: %w", version, id, query.ErrNotFound)
	}
	var s saved
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return Dashboard{}, fmt.Errorf("read version %d of dashboard %s: %w", version, id, err)
	}
	s.Dashboard.ID = id
	return s.Dashboard, nil
}

// Restore makes an older version the newest again, as a version of its own.
func (l *Library) Restore(ctx context.Context, id string, version int) (Dashboard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := l.Get(ctx, id)
	if err != nil {
		return now, err
	}
	old, err := l.At(ctx, id, version)
	if err != nil {
		return now, err
	}
	if err := old.Check(); err != nil {
		return now, err
	}
	old.ID, old.Version = id, now.Version
	return l.write(ctx, old, fmt.Sprintf("Restored version %d", version))
}
