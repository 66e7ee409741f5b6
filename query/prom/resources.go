package prom

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/labels"
)

// resource is who sent a series.
type resource struct {
	fingerprint  uint64
	keys, values []string
	instance     string // service.instance.id, else the pod or host and process
	first, last  int64  // ms
}

func (r *resource) attribute(key string) string {
	for i, k := range r.keys {
		if k == key {
			return r.values[i]
		}
	}
	return ""
}

// job is service.namespace/service.name.
func (r *resource) job() string {
	name := r.attribute("service.name")
	if ns := r.attribute("service.namespace"); ns != "" && name != "" {
		return ns + "/" + name
	}
	return name
}

// targetInfo are the labels of the series target_info of a resource; ok is false where there is nothing to tell or
// nobody to tell it of.
func (t *translator) targetInfo(b *labels.ScratchBuilder, r *resource) (ls labels.Labels, ok bool) {
	keys, values := make([]string, 0, len(r.keys)), make([]string, 0, len(r.keys))
	for i, k := range r.keys {
		switch k {
		case "service.name", "service.namespace", "service.instance.id":
		default:
			if r.values[i] != "" {
				keys, values = append(keys, k), append(values, r.values[i])
			}
		}
	}
	if len(keys) == 0 || r.job() == "" && r.instance == "" {
		return ls, false
	}
	return t.labelsOf(b, keys, values, r, false), true
}

// resources is a copy of the table of the same name, read again when a fingerprint is not in it or it is old.
type resources struct {
	mu     sync.Mutex
	all    map[uint64]*resource
	loaded time.Time
}

// maxResources bounds the copy; series of resources beyond it have no job and instance.
const maxResources = 200_000

// get is the copy, at most ttl old.
func (x *index) resources(ctx context.Context) (map[uint64]*resource, error) {
	x.senders.mu.Lock()
	defer x.senders.mu.Unlock()
	if x.senders.all != nil && time.Since(x.senders.loaded) < x.ttl {
		return x.senders.all, nil
	}
	all := make(map[uint64]*resource, len(x.senders.all))
	var fingerprint proto.ColUInt64
	var instance proto.ColStr
	var first, last proto.ColUInt32
	keys, values := new(proto.ColStr).Array(), new(proto.ColStr).Array()
	err := x.columns.run(ctx, statement{
		sql: fmt.Sprintf(`SELECT fingerprint, CAST(instance, 'String') AS instance, mapKeys(attributes) AS keys, mapValues(attributes) AS values,
toUnixTimestamp(first_seen) AS first, toUnixTimestamp(last_seen) AS last FROM {{resources}} ORDER BY last_seen DESC LIMIT %d`, maxResources),
		result: proto.Results{{Name: "fingerprint", Data: &fingerprint}, {Name: "instance", Data: &instance}, {Name: "keys", Data: keys}, {Name: "values", Data: values},
			{Name: "first", Data: &first}, {Name: "last", Data: &last}},
		block: func() error {
			for i, fp := range fingerprint {
				r := all[fp]
				if r == nil {
					if r = x.senders.all[fp]; r == nil {
						r = &resource{fingerprint: fp, instance: instance.Row(i), keys: keys.Row(i), values: values.Row(i), first: int64(first[i]) * 1000}
					} else {
						r = &resource{fp, r.keys, r.values, r.instance, r.first, r.last}
					}
					all[fp] = r
				}
				r.first, r.last = min(r.first, int64(first[i])*1000), max(r.last, int64(last[i])*1000)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	x.senders.all, x.senders.loaded = all, time.Now()
	return all, nil
}
