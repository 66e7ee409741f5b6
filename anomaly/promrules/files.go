package promrules

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// File is one file of rules.
type File struct {
	Name    string `json:"name"`
	Source  string `json:"source"` // file, which is changed on disk only, or api
	Content string `json:"content"`
	Error   string `json:"error"` // why what was read last is not in force
}

// What a file of the API may be at most.
const (
	maxFiles   = 200
	maxContent = 1 << 20 // bytes
)

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Files are all files of rules, by name.
func (e *Engine) Files() []File {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := map[string]bool{}
	for name := range e.sources {
		names[name] = true
	}
	for name := range e.broken {
		names[name] = true
	}
	out := make([]File, 0, len(names))
	for name := range names {
		f := File{Name: name, Source: "file", Content: e.sources[name], Error: e.broken[name]}
		if stored, ok := strings.CutPrefix(name, keyPrefix); ok {
			f.Name, f.Source = stored, "api"
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Source+a.Name, b.Source+b.Name) })
	return out
}

// SetFile stores a file of rules; it is in force at once.
func (e *Engine) SetFile(ctx context.Context, name, content string) (File, error) {
	if !fileName.MatchString(name) {
		return File{}, &query.InputError{Field: "name", Reason: "is letters, digits, dots, dashes and underscores, at most 100"}
	}
	if len(content) > maxContent {
		return File{}, &query.InputError{Field: "content", Reason: fmt.Sprintf("has more than %d bytes", maxContent)}
	}
	if fault := e.Check(content).fault(); fault != "" {
		return File{}, &query.InputError{Field: "content", Reason: fault}
	}
	stored, others := false, 0
	for _, f := range e.Files() {
		if f.Source == "api" {
			others++
			stored = stored || f.Name == name
		}
	}
	if !stored && others >= maxFiles {
		return File{}, &query.InputError{Field: "name", Reason: fmt.Sprintf("would be one of more than %d files", maxFiles)}
	}
	if err := store.SetSetting(ctx, e.o.Conn, keyPrefix+name, content); err != nil {
		return File{}, err
	}
	return File{Name: name, Source: "api", Content: content}, e.reload(ctx)
}

// DeleteFile removes a file of rules that the API stored; its alerts are over.
func (e *Engine) DeleteFile(ctx context.Context, name string) error {
	for _, f := range e.Files() {
		if f.Source == "api" && f.Name == name {
			if err := store.DeleteSetting(ctx, e.o.Conn, keyPrefix+name); err != nil {
				return err
			}
			return e.reload(ctx)
		}
	}
	return fmt.Errorf("rule file %q: %w", name, query.ErrNotFound)
}
