package ingest

import "testing"

// Series of one sender lie together: they have the first bits of their fingerprints in common, and only those.
func TestSeriesOfOneSenderLieTogether(t *testing.T) {
	sender := func(service, instance string) *resource {
		return newResource([]keyValue{{"service.name", service, typeString}, {"service.instance.id", instance, typeString}})
	}
	a, b := sender("cart", "cart-1"), sender("cart", "cart-2")
	x, y := a.placed(0x1234_5678_9abc_def0), a.placed(0xfedc_ba98_7654_3210)
	if x>>(64-placeBits) != y>>(64-placeBits) || x == y {
		t.Errorf("%x and %x of one instance", x, y)
	}
	if z := b.placed(0x1234_5678_9abc_def0); z>>58 != x>>58 || z == x {
		t.Errorf("%x and %x of one service", x, z)
	}
	if x<<placeBits != 0x1234_5678_9abc_def0<<placeBits&(1<<64-1) {
		t.Errorf("%x does not hold the hash", x)
	}
}
