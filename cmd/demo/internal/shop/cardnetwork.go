package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
)

const (
	declinedShare    = 0.01 // of authorizations, always
	unavailableShare = 0.30 // of authorizations, under the dependency-errors fault
)

// cardNetwork stands for a company at the other end of the internet: it tells
// nothing of its inside, and takes a while to answer.
type cardNetwork struct {
	faults *fault.Board

	mu  sync.Mutex // guards rng
	rng *rand.Rand
}

func newCardNetwork(faults *fault.Board, seed uint64) http.Handler {
	n := &cardNetwork{faults: faults, rng: rand.New(rand.NewPCG(seed, 3))}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/authorizations", n.authorize)
	return mux
}

func (n *cardNetwork) authorize(w http.ResponseWriter, r *http.Request) {
	mood, distance := n.roll()
	select {
	case <-time.After(distance):
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case n.faults.On(fault.DependencyErrors) && mood < unavailableShare:
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
		w.Write([]byte(`{"error":"authorization host does not respond"}`))
	case mood > 1-declinedShare:
		w.WriteHeader(http.StatusPaymentRequired)
		w.Write([]byte(`{"error":"card declined"}`))
	default:
		w.Write(fmt.Appendf(nil, `{"authorization":"A%06d"}`, int(mood*1e6)))
	}
}

// roll draws a number in [0, 1) and a round trip of about 30 ms with a long tail.
func (n *cardNetwork) roll() (mood float64, distance time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ms := 30 * math.Exp(0.35*n.rng.NormFloat64())
	return n.rng.Float64(), time.Duration(ms * float64(time.Millisecond))
}
