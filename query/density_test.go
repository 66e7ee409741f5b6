package query

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestSlicesFollowTheRows(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }
	d := density{{at(90), at(100), 1000}, {at(80), at(90), 500}, {at(0), at(60), 600}}
	for _, c := range []struct {
		to, rows, want float64
	}{
		{200, 500, 95}, {200, 1000, 90}, {200, 1250, 85}, {200, 1500, 80}, {200, 1600, 50}, {95, 500, 90}, {85, 250, 80}, {200, 0.001, 99.9},
	} {
		if got, ok := d.back(at(c.to), c.rows); !ok || !got.Equal(at(c.want)) {
			t.Errorf("%g rows back of %g: %s, want %s", c.rows, c.to, got, at(c.want))
		}
	}
	if _, ok := d.back(at(200), 5000); ok {
		t.Error("more rows than there are")
	}
}

// The newest spans are found in the first slice, wherever they lie in the window.
func TestDensityOfAShop(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	exec(t, conn, fmt.Sprintf(`INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls) VALUES ('service', toDateTime(%d), 'old', '', 'unspecified', '', '', '', 60)`, noon.Add(-30*time.Hour).Unix()))
	d, err := db.density(context.Background(), noon.Add(-48*time.Hour), noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if len(d) != 61 || d[0].rows != 20 || !d[0].to.Equal(noon) || d[60].rows != 60 {
		t.Fatalf("%d bins, %+v … %+v", len(d), d[0], d[len(d)-1])
	}
	if from, ok := d.back(noon.Add(time.Hour), 20); !ok || !from.Equal(noon.Add(-10*time.Second)) {
		t.Errorf("20 rows lie after %s", from)
	}
}
