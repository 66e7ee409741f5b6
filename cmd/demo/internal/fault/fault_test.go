package fault

import (
	"strings"
	"testing"
	"time"
)

func TestBoardSwitchesAndTells(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	board := NewBoard(func() time.Time { return now })
	var told []string
	board.Watch(func(name Name, on bool) {
		if on {
			told = append(told, string(name)+" on")
		} else {
			told = append(told, string(name)+" off")
		}
	})

	for _, step := range []struct {
		name Name
		on   bool
	}{{NPlusOne, true}, {NPlusOne, true}, {SlowQuery, false}, {NPlusOne, false}} {
		if _, err := board.Set(step.name, step.on); err != nil {
			t.Fatal(err)
		}
		if board.On(step.name) != step.on {
			t.Errorf("%s: On = %v after Set(%v)", step.name, !step.on, step.on)
		}
	}

	if got, want := strings.Join(told, ","), "n-plus-one on,n-plus-one off"; got != want {
		t.Errorf("watcher was told %q, want %q: only changes are told", got, want)
	}
	states := board.States()
	if len(states) != len(Names()) {
		t.Fatalf("%d states for %d faults", len(states), len(Names()))
	}
	for _, s := range states {
		if s.Description == "" {
			t.Errorf("%s has no description", s.Name)
		}
		if switched := s.Since != nil; switched != (s.Name == NPlusOne) {
			t.Errorf("%s: since = %v", s.Name, s.Since)
		}
	}
}

func TestBoardRefusesUnknownFault(t *testing.T) {
	board := NewBoard(time.Now)
	_, err := board.Set("bad-weather", true)
	if err == nil || !strings.Contains(err.Error(), "bad-weather") || !strings.Contains(err.Error(), "slow-query") {
		t.Errorf("error %v should name the attempt and what exists", err)
	}
	if board.On("bad-weather") {
		t.Error("an unknown fault is on")
	}
}
