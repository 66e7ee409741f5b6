package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"
)

// answerTime is how long a test waits for one answer.
const answerTime = 30 * time.Second

// exchange makes one request, headers being pairs, and reads the whole answer.
func exchange(t testing.TB, method, url string, body []byte, headers ...string) (int, http.Header, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, answer
}

// fetch gets a path of the product's port.
func (p *product) fetch(t testing.TB, path string) (status int, body []byte) {
	t.Helper()
	status, _, body = exchange(t, http.MethodGet, "http://"+p.http+path, nil)
	return status, body
}

// get reads an answer of the HTTP API, or of another path on the same port, and decodes its JSON into answer.
func (p *product) get(t testing.TB, path string, answer any) {
	t.Helper()
	status, body := p.fetch(t, path)
	decode(t, "GET "+path, status, body, answer)
}

// post sends JSON to the HTTP API and decodes its answer.
func (p *product) post(t testing.TB, path, body string, answer any) {
	t.Helper()
	status, said := p.ask(t, http.MethodPost, path, body)
	decode(t, "POST "+path, status, []byte(said), answer)
}

// ask makes a request with JSON of the HTTP API and tells the answer's status, and its body.
func (p *product) ask(t testing.TB, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	status, _, answer := exchange(t, method, "http://"+p.http+path, []byte(body), append([]string{"Content-Type", "application/json"}, headers...)...)
	return status, string(answer)
}

func decode(t testing.TB, what string, status int, body []byte, answer any) {
	t.Helper()
	if status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", what, status, body)
	}
	if err := json.Unmarshal(body, answer); err != nil {
		t.Fatalf("%s: %v in %s", what, err, body)
	}
}
