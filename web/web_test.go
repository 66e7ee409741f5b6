package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

var build = fstest.MapFS{
	".keep":                 {},
	"index.html":            {Data: []byte("<!doctype html><title>Tidemark</title>")},
	"index.html.gz":         {Data: []byte("gz:index")},
	"favicon.svg":           {Data: []byte("<svg/>")},
	"assets/app-1a2b.js":    {Data: []byte("let a = 1")},
	"assets/app-1a2b.js.br": {Data: []byte("br:app")},
	"assets/app-1a2b.js.gz": {Data: []byte("gz:app")},
	"assets/inter.woff2":    {Data: []byte("font")},
}

func ask(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	handler(build).ServeHTTP(rec, req)
	return rec.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	buf := make([]byte, 1024)
	for {
		n, err := res.Body.Read(buf)
		b.Write(buf[:n])
		if err != nil {
			return b.String()
		}
	}
}

func TestPaths(t *testing.T) {
	const page = "<!doctype html><title>Tidemark</title>"
	for _, c := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, page},
		{"/index.html", 200, page},
		{"/services", 200, page},
		{"/services/cart%2Fv2?from=now-1h", 200, page},
		{"/services/shop.example", 200, page}, // a dot in a service's name is no file extension
		{"/../../etc/passwd", 200, page},
		{"/favicon.svg", 200, "<svg/>"},
		{"/assets/app-1a2b.js", 200, "let a = 1"},
		{"/assets/gone-9f.js", 404, ""},
		{"/api/v1/nothing", 404, ""},
		{"/api", 404, ""},
		{"/prometheus/api/v1/nothing", 404, ""},
	} {
		res := ask(t, "GET", c.path)
		if res.StatusCode != c.status {
			t.Errorf("GET %s: status %d, want %d", c.path, res.StatusCode, c.status)
		}
		if got := body(t, res); c.body != "" && got != c.body {
			t.Errorf("GET %s: body %q, want %q", c.path, got, c.body)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") {
			t.Errorf("GET %s: policy %q", c.path, csp)
		}
		if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("GET %s: X-Content-Type-Options %q", c.path, got)
		}
	}
}

func TestEncodings(t *testing.T) {
	for _, c := range []struct{ path, accept, encoding, body string }{
		{"/assets/app-1a2b.js", "gzip, deflate, br", "br", "br:app"},
		{"/assets/app-1a2b.js", "gzip", "gzip", "gz:app"},
		{"/assets/app-1a2b.js", "br;q=0, gzip", "gzip", "gz:app"},
		{"/assets/app-1a2b.js", "*", "br", "br:app"},
		{"/assets/app-1a2b.js", "identity", "", "let a = 1"},
		{"/assets/app-1a2b.js", "", "", "let a = 1"},
		{"/services", "br, gzip", "gzip", "gz:index"},
		{"/assets/inter.woff2", "br, gzip", "", "font"},
	} {
		res := ask(t, "GET", c.path, "Accept-Encoding", c.accept)
		if got := res.Header.Get("Content-Encoding"); got != c.encoding {
			t.Errorf("GET %s accepting %q: encoding %q, want %q", c.path, c.accept, got, c.encoding)
		}
		if got := body(t, res); got != c.body {
			t.Errorf("GET %s accepting %q: body %q, want %q", c.path, c.accept, got, c.body)
		}
	}
}

func TestCaching(t *testing.T) {
	if got := ask(t, "GET", "/assets/app-1a2b.js").Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("hashed asset: Cache-Control %q", got)
	}
	page := ask(t, "GET", "/services")
	if got := page.Header.Get("Cache-Control"); got != "no-cache" {
		t.Errorf("page: Cache-Control %q", got)
	}
	tag := page.Header.Get("ETag")
	res := ask(t, "GET", "/map", "If-None-Match", `"other", W/`+tag)
	if res.StatusCode != http.StatusNotModified || body(t, res) != "" {
		t.Errorf("revalidation: status %d, want 304 and no body", res.StatusCode)
	}
	// Another encoding is other bytes: its tag must not validate this one.
	if gz := ask(t, "GET", "/services", "Accept-Encoding", "gzip", "If-None-Match", tag); gz.StatusCode != http.StatusOK {
		t.Errorf("gzip with the identity's tag: status %d, want 200", gz.StatusCode)
	}
}

func TestMethods(t *testing.T) {
	head := ask(t, "HEAD", "/services")
	if head.StatusCode != 200 || body(t, head) != "" || head.Header.Get("Content-Length") != "38" {
		t.Errorf("HEAD: status %d, length %s", head.StatusCode, head.Header.Get("Content-Length"))
	}
	if post := ask(t, "POST", "/services"); post.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d, want 405", post.StatusCode)
	}
}

func TestWithoutBuild(t *testing.T) {
	rec := httptest.NewRecorder()
	handler(fstest.MapFS{".keep": {}}).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "make build") {
		t.Errorf("without a build: status %d, body %q", rec.Code, rec.Body.String())
	}
}

func TestEmbedded(t *testing.T) {
	rec := httptest.NewRecorder()
	Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/.keep", nil))
	if rec.Body.Len() != 0 && rec.Code == http.StatusOK && !strings.Contains(rec.Body.String(), "<html") {
		t.Errorf("the placeholder of the build folder is served: %q", rec.Body.String())
	}
}
