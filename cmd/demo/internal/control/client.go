package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
)

// Client speaks to the switchboard of a running demo.
type Client struct {
	Address string // HOST:PORT
}

// Faults lists the switches.
func (c Client) Faults(ctx context.Context) ([]fault.State, error) {
	var states []fault.State
	err := c.call(ctx, http.MethodGet, "/faults", &states)
	return states, err
}

// SetFault turns one switch.
func (c Client) SetFault(ctx context.Context, name string, on bool) (fault.State, error) {
	var state fault.State
	err := c.call(ctx, http.MethodPost, "/faults/"+url.PathEscape(name)+"?on="+strconv.FormatBool(on), &state)
	return state, err
}

func (c Client) call(ctx context.Context, method, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.Address+path, nil)
	if err != nil {
		return fmt.Errorf("ask the demo at %s: %w", c.Address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no demo answers at %s (is it running? --control-addr names another): %w", c.Address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var told problem
		if json.NewDecoder(resp.Body).Decode(&told) != nil || told.Error == "" {
			told.Error = resp.Status
		}
		return fmt.Errorf("the demo at %s refused: %s", c.Address, told.Error)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("understand the demo at %s: %w", c.Address, err)
	}
	return nil
}
