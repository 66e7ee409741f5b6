package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/shop"
)

// step is one entry request of a visit, after a while of thinking.
type step struct {
	think  time.Duration
	method string
	path   string // "{order}" stands for the id that the checkout before answered
	body   string
}

// journey is what one customer does in one visit.
type journey struct {
	kind  string
	user  string
	tier  string
	steps []step
}

const (
	customers   = 500
	maxQuantity = 2
	// Carts are large enough that loading each product by itself is felt.
	minCart, maxCart = 6, 12
	// missingProduct is a stale link from outside: nothing is sold under it.
	missingProduct = 999_999
)

// planner draws journeys. It is deterministic and not safe for concurrent use.
type planner struct {
	rng      *rand.Rand
	popular  *rand.Zipf
	products int
}

func newPlanner(rng *rand.Rand, products int) *planner {
	return &planner{rng: rng, popular: rand.NewZipf(rng, 1.2, 40, uint64(products-1)), products: products}
}

// kinds are the journeys with their shares of all visits.
var kinds = []struct {
	name  string
	share float64
	plan  func(*planner) []step
}{
	{"browse", 0.38, (*planner).browse},
	{"search", 0.28, (*planner).search},
	{"cart", 0.16, (*planner).cart},
	{"checkout", 0.16, (*planner).checkout},
	{"lost", 0.02, (*planner).lost},
}

func (p *planner) journey() journey {
	id := p.rng.IntN(customers)
	tier := "standard"
	if id%5 == 0 {
		tier = "plus"
	}
	j := journey{user: fmt.Sprintf("user-%d", id), tier: tier}
	lot := p.rng.Float64()
	for _, kind := range kinds {
		if lot -= kind.share; lot < 0 || kind.name == "lost" {
			j.kind, j.steps = kind.name, kind.plan(p)
			break
		}
	}
	for n := range j.steps {
		if n > 0 {
			j.steps[n].think = time.Duration(200+p.rng.IntN(2000)) * time.Millisecond
		}
	}
	return j
}

func get(path string) step { return step{method: http.MethodGet, path: path} }

func (p *planner) product() int { return 1 + int(p.popular.Uint64()) }

func (p *planner) productPage() step { return get(fmt.Sprintf("/products/%d", p.product())) }

func (p *planner) browse() []step {
	steps := []step{get("/")}
	for range 1 + p.rng.IntN(3) {
		steps = append(steps, p.productPage())
	}
	return steps
}

func (p *planner) search() []step {
	words := shop.Words.Things
	if p.rng.IntN(3) == 0 {
		words = shop.Words.Adjectives
	}
	q := words[p.rng.IntN(len(words))]
	if p.rng.IntN(25) == 0 {
		q = "hovercraft" // what the shop does not have
	}
	return []step{get("/products?q=" + url.QueryEscape(q)), p.productPage()}
}

func (p *planner) fill() step {
	type item struct {
		ProductID int `json:"product_id"`
		Quantity  int `json:"quantity"`
	}
	wish := map[string][]item{}
	chosen := map[int]bool{}
	for size := minCart + p.rng.IntN(maxCart-minCart+1); len(chosen) < min(size, p.products); {
		if id := p.product(); !chosen[id] {
			chosen[id] = true
			wish["items"] = append(wish["items"], item{id, 1 + p.rng.IntN(maxQuantity)})
		}
	}
	body, err := json.Marshal(wish)
	if err != nil {
		panic(err) // a map of integers always has a JSON form
	}
	return step{method: http.MethodPost, path: "/cart/items", body: string(body)}
}

func (p *planner) cart() []step {
	steps := []step{p.productPage(), p.fill(), get("/cart")}
	if p.rng.IntN(2) == 0 {
		steps = append(steps, step{method: http.MethodDelete, path: "/cart"})
	}
	return steps
}

func (p *planner) checkout() []step {
	return []step{p.fill(), get("/cart"), {method: http.MethodPost, path: "/checkout"}, get("/orders/{order}")}
}

func (p *planner) lost() []step {
	return []step{get(fmt.Sprintf("/products/%d", missingProduct)), get("/")}
}
