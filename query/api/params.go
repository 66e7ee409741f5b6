package api

import (
	"crypto/rand"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
)

func newRequestID() string { return strings.ToLower(rand.Text()[:12]) }

// window reads from and to.
func window(c *gin.Context) (query.Window, error) {
	return query.ParseWindow(c.Query("from"), c.Query("to"), time.Now())
}

func selection(c *gin.Context) query.Selection {
	return query.Selection{Service: c.Query("service"), Operation: c.Query("operation"), Kind: c.Query("kind"), Env: c.Query("env"),
		Version: c.Query("version"), Instance: c.Query("instance")}
}

// integer reads a whole number within bounds; absent, it is def.
func integer(c *gin.Context, name string, def, low, high int) (int, error) {
	s := c.Query(name)
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		return 0, &query.InputError{Field: name, Reason: fmt.Sprintf("%q is not a whole number from %d to %d", s, low, high)}
	}
	return n, nil
}

// nanoseconds reads a duration in nanoseconds; absent, it is def.
func nanoseconds(c *gin.Context, name string, def uint64) (uint64, error) {
	s := c.Query(name)
	if s == "" {
		return def, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 0 || f > math.MaxUint64/2 {
		return 0, &query.InputError{Field: name, Reason: fmt.Sprintf("%q is not a number of nanoseconds", s)}
	}
	return uint64(f), nil
}

// step reads the width of a point: 10s, 1m, or milliseconds.
func step(c *gin.Context) (time.Duration, error) {
	s := c.Query("step")
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if ms, e := strconv.ParseInt(s, 10, 64); e == nil {
		d, err = time.Duration(ms)*time.Millisecond, nil
	}
	if err != nil || d < 10*time.Second || d%(10*time.Second) != 0 {
		return 0, &query.InputError{Field: "step", Reason: fmt.Sprintf("%q is not a multiple of 10 s", s)}
	}
	return d, nil
}

// list reads values separated by commas.
func list(s string) []string {
	var out []string
	for _, e := range strings.Split(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}
