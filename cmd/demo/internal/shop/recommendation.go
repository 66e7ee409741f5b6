package shop

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
)

const (
	recommendation = "recommendation"
	steadyRelease  = "1.4.2"
	slowRelease    = "1.5.0"

	recommendLimit = 12
	// diverseCandidates is how many products the slow release compares pair by
	// pair: about 30 ms of one core.
	diverseCandidates = 1600
)

// ranking finds products that go with one, best first.
type ranking func(goods []product, to product, limit int) []product

// rankings maps each release of recommendation to its ranking.
var rankings = map[string]ranking{
	steadyRelease: mostSimilar,
	slowRelease:   mostDiverse,
}

type recommender struct {
	*mesh.Instance
	goods []product
	rank  ranking
	took  metric.Float64Histogram
}

func (s *Shop) recommendation(_ context.Context, inst *mesh.Instance) error {
	took, err := inst.Meter.Float64Histogram("shop.recommendation.rank.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to rank products"))
	if err != nil {
		return fmt.Errorf("create recommendation metrics: %w", err)
	}
	r := &recommender{inst, s.goods, rankings[inst.Version], took}
	inst.Handle("GET /recommendations", r.recommend)
	return nil
}

func (c *recommender) recommend(r *http.Request) (any, error) {
	ctx := r.Context()
	id, err := strconv.Atoi(r.URL.Query().Get("product"))
	if err != nil || id < 1 || id > len(c.goods) {
		return nil, mesh.Fail(http.StatusNotFound, "there is no product %q to recommend others for", r.URL.Query().Get("product"))
	}
	to := c.goods[id-1]
	_, span := c.Tracer.Start(ctx, "rank products")
	span.SetAttributes(attribute.Int("shop.recommendation.candidates", len(c.goods)))
	start := time.Now()
	best := c.rank(c.goods, to, recommendLimit)
	c.took.Record(ctx, time.Since(start).Seconds(), metric.WithAttributes(attribute.String("shop.product.category", to.Category)))
	span.End()

	found := make([]catalogProduct, 0, len(best))
	for _, p := range best {
		found = append(found, catalogProduct{ID: p.ID, Name: p.Name, Category: p.Category, PriceCents: p.PriceCents})
	}
	return found, nil
}

type candidate struct {
	at    int // index into the products
	score float32
}

func similarity(a, b *[featureCount]float32) (dot float32) {
	for n := range a {
		dot += a[n] * b[n]
	}
	return dot
}

// nearest lists the n products most similar to one, without itself.
func nearest(goods []product, to product, n int) []candidate {
	all := make([]candidate, 0, len(goods))
	for at := range goods {
		if goods[at].ID != to.ID {
			all = append(all, candidate{at, similarity(&goods[at].features, &to.features)})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return all[:min(n, len(all))]
}

// mostSimilar takes the nearest products as they come.
func mostSimilar(goods []product, to product, limit int) []product {
	return pick(goods, nearest(goods, to, limit))
}

// mostDiverse lowers the score of each near product by its likeness to every
// other near product. It compares all pairs, which nobody noticed in review.
func mostDiverse(goods []product, to product, limit int) []product {
	near := nearest(goods, to, diverseCandidates)
	for n := range near {
		var alike float32
		for m := range near {
			alike += similarity(&goods[near[n].at].features, &goods[near[m].at].features)
		}
		near[n].score -= alike / float32(len(near))
	}
	slices.SortFunc(near, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	return pick(goods, near[:min(limit, len(near))])
}

func pick(goods []product, from []candidate) []product {
	out := make([]product, 0, len(from))
	for _, c := range from {
		out = append(out, goods[c.at])
	}
	return out
}
