package shop

import (
	"math"
	"math/rand/v2"
)

// featureCount is the length of the vector that describes a product to recommendation.
const featureCount = 16

type product struct {
	ID         int
	Name       string
	Category   string
	PriceCents int64
	features   [featureCount]float32 // unit length
}

// Words are the vocabulary of product names, and so of what can be searched for.
var Words = struct{ Adjectives, Materials, Things []string }{
	Adjectives: []string{"amber", "brisk", "calm", "coastal", "compact", "dapper", "evening", "feather", "folding", "grand",
		"harbour", "hardy", "little", "lunar", "nordic", "quiet", "rapid", "sturdy", "sunny", "wild"},
	Materials: []string{"bamboo", "brass", "canvas", "ceramic", "copper", "cork", "linen", "oak", "steel", "wool"},
	Things: []string{"backpack", "basket", "blanket", "bottle", "bowl", "chair", "clock", "cushion", "desk", "jacket",
		"kettle", "lamp", "mug", "notebook", "pan", "pillow", "planter", "rug", "scarf", "shelf", "stool", "table", "tent", "towel", "tray"},
}

var categories = []string{"home", "kitchen", "outdoor", "study", "clothing"}

// makeProducts invents one product for each adjective, material and thing: the
// same 5,000 for the same seed.
func makeProducts(seed uint64) []product {
	rng := rand.New(rand.NewPCG(seed, 1))
	var all []product
	for _, adjective := range Words.Adjectives {
		for _, material := range Words.Materials {
			for t, thing := range Words.Things {
				p := product{
					ID:         len(all) + 1,
					Name:       adjective + " " + material + " " + thing,
					Category:   categories[t%len(categories)],
					PriceCents: 500 + rng.Int64N(19_500),
				}
				var norm float64
				for f := range p.features {
					v := rng.NormFloat64()
					p.features[f] = float32(v)
					norm += v * v
				}
				for f := range p.features {
					p.features[f] /= float32(math.Sqrt(norm))
				}
				all = append(all, p)
			}
		}
	}
	return all
}
