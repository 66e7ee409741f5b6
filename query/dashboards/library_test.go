package dashboards

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func library(t *testing.T) *Library {
	t.Helper()
	conn, _ := storetest.DB(t)
	l, err := New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func sample(title string) Dashboard {
	return Dashboard{Title: title, Panels: []Panel{{ID: "a", Type: "timeseries", W: 12, H: 8, Queries: []Query{{Expr: "up"}}}}}
}

func TestEverySaveIsAVersionThatCanBeRestored(t *testing.T) {
	l, ctx := library(t), t.Context()
	first, err := l.Add(ctx, sample("First"), "")
	if err != nil || first.Version != 1 || first.ID == "" {
		t.Fatalf("added %+v, %v", first, err)
	}
	second := first
	second.Title = "Second"
	if second, err = l.Set(ctx, first.ID, second, "another title"); err != nil || second.Version != 2 {
		t.Fatalf("saved %+v, %v", second, err)
	}
	if _, err := l.Set(ctx, first.ID, first, ""); !errors.Is(err, ErrConflict) {
		t.Errorf("a save over a newer version: %v, want a conflict", err)
	}
	restored, err := l.Restore(ctx, first.ID, 1)
	if err != nil || restored.Version != 3 || restored.Title != "First" {
		t.Errorf("restored %+v, %v", restored, err)
	}
	versions, err := l.Versions(ctx, first.ID)
	if err != nil || len(versions) != 3 || versions[0].Message != "Restored version 1" || versions[1].Message != "another title" {
		t.Errorf("versions %+v, %v", versions, err)
	}
	if err := l.Delete(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Get(ctx, first.ID); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("deleted, and still there: %v", err)
	}
	if _, err := l.At(ctx, first.ID, 1); !errors.Is(err, query.ErrNotFound) {
		t.Errorf("its version is still there: %v", err)
	}
}

func TestOldVersionsAreForgotten(t *testing.T) {
	l, ctx := library(t), t.Context()
	d, err := l.Add(ctx, sample("Often saved"), "")
	for i := 0; err == nil && i < KeptVersions+2; i++ {
		d, err = l.Set(ctx, d.ID, d, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	versions, err := l.Versions(ctx, d.ID)
	if err != nil || len(versions) != KeptVersions || versions[len(versions)-1].Version != d.Version-KeptVersions+1 {
		t.Errorf("%d versions down to %d, %v", len(versions), versions[len(versions)-1].Version, err)
	}
}

func TestAReadyMadeDashboardCanBeChangedAndHadBack(t *testing.T) {
	l, ctx := library(t), t.Context()
	list, err := l.List(ctx)
	if err != nil || len(list) != len(l.ready) || len(list) < 10 {
		t.Fatalf("%d ready-made dashboards, %v", len(list), err)
	}
	d, err := l.Get(ctx, "tidemark")
	if err != nil || !d.ReadyMade || d.Version != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	original := d.Title
	d.Title = "Ours"
	if d, err = l.Set(ctx, "tidemark", d, ""); err != nil || d.Version != 1 || !d.ReadyMade {
		t.Fatalf("%+v, %v", d, err)
	}
	if list, err = l.List(ctx); err != nil || len(list) != len(l.ready) {
		t.Errorf("%d dashboards, want the changed one once; %v", len(list), err)
	}
	if err := l.Delete(ctx, "tidemark"); err != nil {
		t.Fatal(err)
	}
	if d, err = l.Get(ctx, "tidemark"); err != nil || d.Title != original {
		t.Errorf("%q, %v, want it as it came", d.Title, err)
	}
	var input *query.InputError
	if err := l.Delete(ctx, "tidemark"); !errors.As(err, &input) {
		t.Errorf("deleting what came with the product: %v", err)
	}
}

func TestWhatCannotBeDrawnIsRefused(t *testing.T) {
	change := map[string]func(*Dashboard){
		"title":               func(d *Dashboard) { d.Title = "" },
		"panels[0].type":      func(d *Dashboard) { d.Panels[0].Type = "hologram" },
		"panels[0].x":         func(d *Dashboard) { d.Panels[0].W = 25 },
		"panels[1].id":        func(d *Dashboard) { d.Panels = append(d.Panels, d.Panels[0]) },
		"links[0].url":        func(d *Dashboard) { d.Links = []Link{{"x", "javascript:alert(1)", false}} },
		"panels[0].links[0]":  func(d *Dashboard) { d.Panels[0].Links = []Link{{"x", "//evil.example", false}} },
		"variables[0].name":   func(d *Dashboard) { d.Variables = []Variable{{Name: "a-b"}} },
		"variables[0].regex":  func(d *Dashboard) { d.Variables = []Variable{{Name: "a", Regex: "("}} },
		"panels[0].threshold": func(d *Dashboard) { d.Panels[0].Thresholds = []Threshold{{nil, "loud"}} },
		"range":               func(d *Dashboard) { d.Range = "yesterday" },
	}
	for field, f := range change {
		d := sample("ok")
		f(&d)
		var input *query.InputError
		if err := d.Check(); !errors.As(err, &input) || !strings.HasPrefix(input.Field, field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestWhatWasExportedCanBeImported(t *testing.T) {
	for id, d := range must(readyMade()) {
		b, _ := json.Marshal(d)
		in, err := Read(b)
		if err != nil || in.From != "tidemark" || len(in.Dashboard.Panels) != len(d.Panels) || in.Dashboard.ID != "" {
			t.Errorf("%s: %v, %v", id, in.From, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
