package prom

import (
	"context"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// virtual is a metric that is made from other tables when it is asked for.
type virtual struct {
	metric
	names []string
	read  func(ctx context.Context, q *querier, v virtualQuestion) ([]*series, error)
}

// virtualQuestion is what is asked of a virtual metric.
type virtualQuestion struct {
	name     string
	w        window
	hints    *storage.SelectHints
	matchers []*labels.Matcher
}

func (e *Engine) virtuals() []*virtual { return nil }
