package notify

import (
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// Silence keeps incidents from being told for a time: once, or, as a maintenance window, again every week. What is
// still open when it ends is told then.
type Silence struct {
	ID        string     `json:"id"`
	Comment   string     `json:"comment"`
	Match     Match      `json:"match"`     // by the likely origin
	Incidents []string   `json:"incidents"` // only these; empty: all that match
	StartsAt  time.Time  `json:"starts_at"` // zero: now
	EndsAt    *time.Time `json:"ends_at"`   // null: until it is deleted
	Every     *Window    `json:"every"`     // only in these hours, every week; null: all the time
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`

	Active bool `json:"active"` // it holds something back at the moment of the answer
}

// maxSilences is how many there may be.
const maxSilences = 500

func (s *Silence) check(now time.Time) error {
	s.Incidents = listed(s.Incidents)
	if s.Comment = strings.TrimSpace(s.Comment); len(s.Comment) > 1000 {
		return &InputError{"comment", "has more than 1000 bytes"}
	}
	if len(s.Incidents) > maxPatterns {
		return &InputError{"incidents", "has too many entries"}
	}
	if s.StartsAt.IsZero() {
		s.StartsAt = now.UTC().Truncate(time.Millisecond)
	}
	if s.EndsAt != nil && !s.EndsAt.After(s.StartsAt) {
		return &InputError{"ends_at", "must be after starts_at"}
	}
	if s.EndsAt != nil && !s.EndsAt.After(now) {
		return &InputError{"ends_at", "is past"}
	}
	if s.Every != nil {
		if err := s.Every.check("every"); err != nil {
			return err
		}
	}
	return s.Match.check("match")
}

// active reports whether it holds at a time.
func (s *Silence) active(t time.Time) bool {
	return !t.Before(s.StartsAt) && (s.EndsAt == nil || t.Before(*s.EndsAt)) && (s.Every == nil || s.Every.contains(t))
}

// holds reports whether an incident is not to be told now.
func (s *Silence) holds(inc *anomaly.Incident, now time.Time) bool {
	return s.active(now) && (len(s.Incidents) == 0 || slices.Contains(s.Incidents, inc.ID)) && s.Match.covers(inc)
}

func (s *Silence) title() string {
	if s.Comment != "" {
		return shorten(s.Comment, 100)
	}
	return s.ID
}
