package skipper

import "time"

// OperationDetail is an operation with its steps so far.
type OperationDetail struct {
	Operation
	// WaitsFor says what an unfinished operation waits for; empty while it works.
	WaitsFor string          `json:"waitsFor,omitempty"`
	Steps    []OperationStep `json:"steps"`
	Behind   string          `json:"-"` // while it is queued: the id of the operation whose end it waits for; may be empty
}

// OperationStep is the time an operation spent in one state. Health checks in a row are one step.
type OperationStep struct {
	State   State      `json:"state"`
	Began   time.Time  `json:"began"`
	Ended   *time.Time `json:"ended"`             // nil: it is the present one
	Tries   int        `json:"tries"`             // how often it was worked on so far
	Event   string     `json:"event,omitempty"`   // what it came to last, as DONE, FAILED or RETRY
	Message string     `json:"message,omitempty"` // what was seen last, for people
}

// Steps tells from the events of an operation, which are in order, where it was and how long.
func Steps(events []OperationEvent) []OperationStep {
	steps := []OperationStep{}
	for _, e := range events {
		if n := len(steps); n > 0 {
			now := &steps[n-1]
			now.Event, now.Message = e.Event, e.Message
			now.Tries++
			if e.To == now.State {
				continue
			}
			// A check that has to wait for the next one goes back: both are one step.
			if n > 1 && steps[n-2].State == e.To {
				steps = steps[:n-1]
				back := &steps[n-2]
				back.Ended, back.Event, back.Message = nil, e.Event, e.Message
				continue
			}
			now.Ended = &e.Time
		}
		if e.To != StateInitial {
			steps = append(steps, OperationStep{State: e.To, Began: e.Time})
		}
	}
	return steps
}
