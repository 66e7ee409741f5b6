// Package web embeds the built browser application and serves it. Handler is the
// whole of it: a file of the build is served as it is, precompressed where the
// client accepts that, and every other path outside the API gets index.html so
// that the application's own router can show it. Invariant: an answer is always
// the embedded bytes under a strict content security policy; nothing is read from
// disk or computed per request. The build writes dist/ (see package.json); without
// it the program still compiles and says how to build.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// policy allows scripts, styles, fonts and connections from our own origin only:
// no inline script or style, no eval, no framing.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Vite puts a hash of the content into the names below this folder.
const hashed = "assets/"

const missing = "The browser application is not part of this build. Run `make build` in the checkout, which builds it before the program.\n"

// asset is one file of the build in the encodings it exists in.
type asset struct {
	contentType string
	cache       string
	identity    encoded
	br, gzip    encoded // empty when the build made none
}

type encoded struct {
	body []byte
	etag string // a strong validator for exactly these bytes
}

// Handler serves the embedded application.
func Handler() http.Handler {
	build, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("web: embedded dist: " + err.Error()) // cannot happen: the folder is part of the package
	}
	return handler(build)
}

func handler(build fs.FS) http.Handler {
	assets := load(build)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the browser application is only read", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		a, ok := assets[name]
		if !ok && isPage(name) {
			if a, ok = assets["index.html"]; !ok {
				http.Error(w, missing, http.StatusServiceUnavailable)
				return
			}
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		a.serve(w, r)
	})
}

// isPage tells addresses of the application's router from missing files and API
// paths, which must not be answered with a page.
func isPage(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	switch first {
	case "api", "prometheus", "assets":
		return false
	}
	return true
}

func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
}

func load(build fs.FS) map[string]*asset {
	assets := map[string]*asset{}
	_ = fs.WalkDir(build, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return nil
		}
		if ext := path.Ext(name); ext == ".br" || ext == ".gz" {
			return nil
		}
		assets[name] = &asset{
			contentType: contentType(name),
			cache:       cacheControl(name),
			identity:    read(build, name),
			br:          read(build, name+".br"),
			gzip:        read(build, name+".gz"),
		}
		return nil
	})
	return assets
}

func read(build fs.FS, name string) encoded {
	body, err := fs.ReadFile(build, name)
	if err != nil {
		return encoded{}
	}
	sum := sha256.Sum256(body)
	return encoded{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

func contentType(name string) string {
	switch path.Ext(name) { // not left to the machine's mime.types
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "application/octet-stream"
}

func cacheControl(name string) string {
	if strings.HasPrefix(name, hashed) {
		return "public, max-age=31536000, immutable"
	}
	return "no-cache" // revalidated by ETag, so that an upgrade is seen at the next load
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", a.cache)
	e := a.identity
	if a.br.body != nil || a.gzip.body != nil {
		h.Set("Vary", "Accept-Encoding")
		accept := r.Header.Get("Accept-Encoding")
		switch {
		case a.br.body != nil && accepts(accept, "br"):
			e = a.br
			h.Set("Content-Encoding", "br")
		case a.gzip.body != nil && accepts(accept, "gzip"):
			e = a.gzip
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", e.etag)
	if match(r.Header.Get("If-None-Match"), e.etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(e.body)))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, _ = w.Write(e.body) // a client that went away is nobody's error
	}
}
