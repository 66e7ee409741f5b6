package control

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
)

func request(handler http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestFaultsAreSwitchedOverTheAPI(t *testing.T) {
	board := fault.NewBoard(time.Now)
	handler := Handler(func() State { return State{} }, board)

	w := request(handler, "POST", "http://127.0.0.1:8090/faults/slow-query?on=true")
	var state fault.State
	if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil || w.Code != 200 || !state.On || !board.On(fault.SlowQuery) {
		t.Errorf("on=true answered %d %s", w.Code, w.Body)
	}
	w = request(handler, "GET", "http://localhost:8090/faults")
	var states []fault.State
	if err := json.Unmarshal(w.Body.Bytes(), &states); err != nil || len(states) != len(fault.Names()) {
		t.Errorf("GET /faults answered %d %s", w.Code, w.Body)
	}

	for target, want := range map[string]int{
		"/faults/slow-query?on=perhaps": 400,
		"/faults/slow-query":            400,
		"/faults/bad-weather?on=true":   404,
	} {
		if w := request(handler, "POST", "http://127.0.0.1:8090"+target); w.Code != want || !strings.Contains(w.Body.String(), `"error"`) {
			t.Errorf("POST %s answered %d %s, want %d", target, w.Code, w.Body, want)
		}
	}
}

func TestOtherSitesCannotSwitchFaults(t *testing.T) {
	board := fault.NewBoard(time.Now)
	handler := Handler(func() State { return State{} }, board)
	for what, w := range map[string]*httptest.ResponseRecorder{
		"another site":  request(handler, "POST", "http://127.0.0.1:8090/faults/slow-query?on=true", "Sec-Fetch-Site", "cross-site"),
		"other origin":  request(handler, "POST", "http://127.0.0.1:8090/faults/slow-query?on=true", "Origin", "https://evil.example"),
		"rebound name":  request(handler, "POST", "http://evil.example:8090/faults/slow-query?on=true"),
		"reading state": request(handler, "GET", "http://evil.example:8090/state"),
	} {
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: answered %d %s", what, w.Code, w.Body)
		}
	}
	if board.On(fault.SlowQuery) {
		t.Error("the fault was switched")
	}
}

func TestThePageIsComplete(t *testing.T) {
	handler := Handler(func() State { return State{} }, fault.NewBoard(time.Now))
	w := request(handler, "GET", "http://127.0.0.1:8090/")
	if w.Code != 200 || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'self'") {
		t.Fatalf("GET / answered %d with policy %q", w.Code, w.Header().Get("Content-Security-Policy"))
	}
	if body := w.Body.String(); strings.Contains(body, "<style") || strings.Contains(body, "style=") || strings.Contains(body, "onclick") {
		t.Error("the page has inline style or script, which its policy forbids")
	}
	for _, name := range []string{"page.css", "page.js", "icon.svg"} {
		if !strings.Contains(w.Body.String(), name) || request(handler, "GET", "http://127.0.0.1:8090/"+name).Code != 200 {
			t.Errorf("%s is not linked or not served", name)
		}
	}
}
