package store_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestSettingsByPrefix(t *testing.T) {
	conn, _ := storetest.DB(t)
	ctx := context.Background()
	for _, kv := range [][2]string{{"channel/a", "1"}, {"channel/b", "2"}, {"channels", "x"}, {"rule/a", "3"}} {
		if err := store.SetSetting(ctx, conn, kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Millisecond) // rows are told apart by the millisecond
	if err := store.DeleteSetting(ctx, conn, "channel/a"); err != nil {
		t.Fatal(err)
	}
	got, err := store.Settings(ctx, conn, "channel/")
	if want := map[string]string{"channel/b": "2"}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if _, ok, err := store.Setting(ctx, conn, "channel/a"); ok || err != nil {
		t.Errorf("a deleted setting is there: %v", err)
	}
}
