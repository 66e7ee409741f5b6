package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func serveNotify(t *testing.T) string {
	t.Helper()
	conn, _ := storetest.DB(t)
	keys, err := notify.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	networks, err := notify.ParseNetworks("loopback")
	if err != nil {
		t.Fatal(err)
	}
	n, err := notify.New(context.Background(), notify.Options{Conn: conn, Keys: keys, Networks: networks, BaseURL: func() string { return "http://tidemark" }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close(context.Background()) })
	s, _ := serve(t, func(o *Options) { o.Notify = n })
	return s.URL
}

func TestChannelsRoutingSilences(t *testing.T) {
	base := serveNotify(t) + "/api/v1"
	var chart string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m notify.Message
		_ = json.NewDecoder(r.Body).Decode(&m)
		chart = m.ChartURL
		_, _ = io.WriteString(w, "hello")
	}))
	defer receiver.Close()
	ask := func(method, path, body string, status int, into any) {
		t.Helper()
		res, b := fetch(t, method, base+path, body)
		if res.StatusCode != status {
			t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, b)
		}
		if into != nil {
			if err := json.Unmarshal(b, into); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, b)
			}
		}
	}
	var c notify.Channel
	ask("POST", "/channels", `{"name":"team","type":"webhook","enabled":true,"fields":{"url":"`+receiver.URL+`/hook-0123456789abcdefgh","secret":"0123456789abcdefghij"}}`, 200, &c)
	var all ChannelsAnswer
	ask("GET", "/channels", "", 200, &all)
	if len(all.Channels) != 1 || len(all.Kinds) != 11 || strings.Contains(all.Channels[0].Fields["url"], "hook-") || all.Channels[0].Fields["secret"] != "…ghij" {
		t.Errorf("%+v", all.Channels)
	}
	ask("PUT", "/channels/"+c.ID, `{"name":"the team","type":"webhook","enabled":true,"fields":{"url":"`+all.Channels[0].Fields["url"]+`"}}`, 200, &c)
	var said notify.Answer
	ask("POST", "/channels/"+c.ID+"/test", "", 200, &said)
	if !said.OK || said.Code != 200 || said.Text != "hello" {
		t.Errorf("%+v", said)
	}
	var told DeliveriesAnswer
	ask("GET", "/deliveries?limit=10", "", 200, &told)
	if len(told.Deliveries) != 1 || told.Deliveries[0].State != notify.StateTest || told.Deliveries[0].Status != notify.StatusDelivered {
		t.Errorf("%+v", told)
	}
	res, png := fetch(t, "GET", strings.TrimSuffix(base, "/api/v1")+strings.TrimPrefix(chart, "http://tidemark"), "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/png" || !strings.HasPrefix(string(png), "\x89PNG") {
		t.Errorf("the chart %s: %d %s", chart, res.StatusCode, res.Header.Get("Content-Type"))
	}

	ask("PUT", "/routing", `{"routes":[{"name":"all","channels":["`+c.ID+`"]}],"inhibit":[],"zone":"Europe/Berlin"}`, 200, nil)
	var r notify.Routing
	ask("GET", "/routing", "", 200, &r)
	if len(r.Routes) != 1 || r.Routes[0].Match.Services == nil || r.Zone != "Europe/Berlin" {
		t.Errorf("%+v", r)
	}
	var s notify.Silence
	ask("POST", "/silences", `{"comment":"maintenance","match":{"services":["payment"]},"every":{"days":["sun"],"from":"02:00","to":"04:00","zone":"Europe/Berlin"}}`, 200, &s)
	ask("PUT", "/silences/"+s.ID, `{"comment":"now","match":{"services":["payment"]}}`, 200, &s)
	if !s.Active || s.Every != nil {
		t.Errorf("%+v", s)
	}
	var silences SilencesAnswer
	ask("GET", "/silences", "", 200, &silences)
	if len(silences.Silences) != 1 || silences.Silences[0].Comment != "now" {
		t.Errorf("%+v", silences)
	}
	ask("DELETE", "/silences/"+s.ID, "", 204, nil)
	ask("DELETE", "/channels/"+c.ID, "", 204, nil)

	for _, tt := range []struct {
		method, path, body string
		status             int
		field              string
	}{
		{"POST", "/channels", `{"name":"x","type":"slack","fields":{"url":"gopher://x"}}`, 400, "fields.url"},
		{"POST", "/channels", `{"nam":"x"}`, 400, "body"},
		{"PUT", "/channels/nobody", `{"name":"x","type":"slack"}`, 404, ""},
		{"DELETE", "/channels/nobody", "", 404, ""},
		{"POST", "/channels/nobody/test", "", 404, ""},
		{"PUT", "/routing", `{"routes":[{"channels":["nobody"]}]}`, 400, "routes[0].channels"},
		{"POST", "/silences", `{"ends_at":"2020-01-01T00:00:00Z"}`, 400, "ends_at"},
		{"GET", "/deliveries?limit=0", "", 400, "limit"},
	} {
		var p Problem
		ask(tt.method, tt.path, tt.body, tt.status, &p)
		if p.Field != tt.field || p.Detail == "" {
			t.Errorf("%s %s: %+v", tt.method, tt.path, p)
		}
	}
}
