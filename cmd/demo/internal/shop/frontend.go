package shop

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
)

// The headers by which a customer is known to the frontend.
const (
	UserHeader = "X-User-Id"
	TierHeader = "X-Customer-Tier"
)

type frontend struct{ *mesh.Instance }

func (s *Shop) frontend(_ context.Context, inst *mesh.Instance) error {
	f := frontend{inst}
	f.serve("GET /{$}", f.home)
	f.serve("GET /products", f.search)
	f.serve("GET /products/{id}", f.product)
	f.serve("GET /cart", f.cart)
	f.serve("POST /cart/items", f.addToCart)
	f.serve("DELETE /cart", f.emptyCart)
	f.serve("POST /checkout", f.checkout)
	f.serve("GET /orders/{id}", f.order)
	return nil
}

// serve adds to a route what every page of the shop does: it notes the
// customer on the span and writes an access log.
func (f frontend) serve(pattern string, page func(r *http.Request) (any, error)) {
	f.Handle(pattern, func(r *http.Request) (any, error) {
		ctx, start := r.Context(), time.Now()
		trace.SpanFromContext(ctx).SetAttributes(
			semconv.UserID(user(r)),
			attribute.String("shop.customer.tier", tier(r)))
		answer, err := page(r)
		if err == nil {
			f.Log.InfoContext(ctx, "page served", "route", r.Pattern, "user", user(r),
				"duration_ms", float64(time.Since(start).Microseconds())/1000)
		}
		return answer, err
	})
}

func user(r *http.Request) string {
	if id := r.Header.Get(UserHeader); id != "" {
		return id
	}
	return "anonymous"
}

func tier(r *http.Request) string {
	if t := r.Header.Get(TierHeader); t != "" {
		return t
	}
	return "guest"
}

type homePage struct {
	Featured    []catalogProduct `json:"featured"`
	Recommended []catalogProduct `json:"recommended"`
}

func (f frontend) home(r *http.Request) (any, error) {
	var page homePage
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() error {
		category := categories[time.Now().Minute()%len(categories)]
		return f.Do(ctx, mesh.Call{Service: "catalog", Route: "/products", Query: url.Values{"category": {category}}}, &page.Featured)
	})
	group.Go(func() error {
		page.Recommended = f.recommended(ctx, 1+int(time.Now().Unix())%1000)
		return nil
	})
	return &page, group.Wait()
}

// recommended leaves the place empty when recommendation does not help: the
// page is worth showing without.
func (f frontend) recommended(ctx context.Context, product int) []catalogProduct {
	var found []catalogProduct
	err := f.Do(ctx, mesh.Call{
		Service: recommendation, Route: "/recommendations", Query: url.Values{"product": {strconv.Itoa(product)}},
	}, &found)
	if err != nil && ctx.Err() == nil {
		f.Log.WarnContext(ctx, "page without recommendations", "product", product, "error", err.Error())
	}
	return found
}

func (f frontend) search(r *http.Request) (any, error) {
	q := r.URL.Query().Get("q")
	if q == "" {
		return nil, mesh.Fail(http.StatusBadRequest, "search needs words in q")
	}
	trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("shop.search.query", q))
	var found []catalogProduct
	err := f.Do(r.Context(), mesh.Call{Service: "catalog", Route: "/products", Query: url.Values{"q": {q}}}, &found)
	return found, err
}

type productPage struct {
	Product     catalogProduct   `json:"product"`
	Quantity    int              `json:"quantity"`
	Recommended []catalogProduct `json:"recommended"`
}

func (f frontend) product(r *http.Request) (any, error) {
	id, err := mesh.PathInt(r, "id")
	if err != nil {
		return nil, err
	}
	trace.SpanFromContext(r.Context()).SetAttributes(attribute.Int("shop.product.id", id))
	var page productPage
	if err := f.Do(r.Context(), mesh.Call{Service: "catalog", Route: "/products/{id}", Path: []any{id}}, &page.Product); err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() error {
		var stock struct {
			Quantity int `json:"quantity"`
		}
		err := f.Do(ctx, mesh.Call{Service: "inventory", Route: "/stock/{id}", Path: []any{id}}, &stock)
		page.Quantity = stock.Quantity
		return err
	})
	group.Go(func() error {
		page.Recommended = f.recommended(ctx, id)
		return nil
	})
	return &page, group.Wait()
}

func (f frontend) cart(r *http.Request) (any, error) {
	var content cartContent
	err := f.Do(r.Context(), mesh.Call{Service: "cart", Route: "/carts/{id}", Path: []any{user(r)}}, &content)
	return content, err
}

func (f frontend) addToCart(r *http.Request) (any, error) {
	var wish map[string][]cartItem
	if err := mesh.Decode(r, &wish); err != nil {
		return nil, err
	}
	var added map[string]int64
	err := f.Do(r.Context(), mesh.Call{
		Service: "cart", Method: http.MethodPost, Route: "/carts/{id}/items", Path: []any{user(r)}, Body: wish,
	}, &added)
	return added, err
}

func (f frontend) emptyCart(r *http.Request) (any, error) {
	var removed map[string]int64
	err := f.Do(r.Context(), mesh.Call{Service: "cart", Method: http.MethodDelete, Route: "/carts/{id}", Path: []any{user(r)}}, &removed)
	return removed, err
}

func (f frontend) checkout(r *http.Request) (any, error) {
	var placed order
	err := f.Do(r.Context(), mesh.Call{
		Service: "checkout", Method: http.MethodPost, Route: "/orders",
		Body: map[string]string{"cart_id": user(r), "tier": tier(r)},
	}, &placed)
	return placed, err
}

type orderPage struct {
	Order    order     `json:"order"`
	Shipment *shipment `json:"shipment"` // nil until shipping has heard of the order
}

func (f frontend) order(r *http.Request) (any, error) {
	var page orderPage
	if err := f.Do(r.Context(), mesh.Call{Service: "checkout", Route: "/orders/{id}", Path: []any{r.PathValue("id")}}, &page.Order); err != nil {
		return nil, err
	}
	var sent shipment
	err := f.Do(r.Context(), mesh.Call{Service: "shipping", Route: "/shipments/{order}", Path: []any{page.Order.ID}}, &sent)
	var refused *mesh.Error
	switch {
	case err == nil:
		page.Shipment = &sent
	case !errors.As(err, &refused) || refused.Status != http.StatusNotFound:
		return nil, err
	}
	return page, nil
}
