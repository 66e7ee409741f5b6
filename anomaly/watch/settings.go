package watch

import (
	"errors"
	"fmt"
)

// DefaultBudget is how many false alarms a day are put up with, over all series together.
const DefaultBudget = 0.1

// Settings say how sensitive detection is.
type Settings struct {
	Default   float64    `json:"default"` // false alarms a day expected, all series together
	Overrides []Override `json:"overrides"`
}

// Override is another budget for a service or one of its operations.
type Override struct {
	Service   string  `json:"service"`
	Operation string  `json:"operation,omitempty"`
	Budget    float64 `json:"budget"`
}

// The least and the most that a budget may be: below, nothing short of an outage is told; above, everything is.
const (
	leastBudget = 1e-6
	mostBudget  = 1000
)

// Check says what is wrong with the settings.
func (s Settings) Check() error {
	if !(s.Default >= leastBudget && s.Default <= mostBudget) {
		return fmt.Errorf("a default of %g false alarms a day: want %g to %g", s.Default, leastBudget, float64(mostBudget))
	}
	for _, o := range s.Overrides {
		if o.Service == "" {
			return errors.New("an override names no service")
		}
		if !(o.Budget >= leastBudget && o.Budget <= mostBudget) {
			return fmt.Errorf("an override of %g false alarms a day for %s: want %g to %g", o.Budget, o.Service, leastBudget, float64(mostBudget))
		}
	}
	return nil
}

// budget is the one that applies to a series.
func (s Settings) budget(service, operation string) float64 {
	out, named := s.Default, false
	for _, o := range s.Overrides {
		if o.Service != service || o.Operation != "" && o.Operation != operation || named && o.Operation == "" {
			continue
		}
		out, named = o.Budget, o.Operation != ""
	}
	return out
}
