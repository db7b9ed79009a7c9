// Package machine says which step of an operation is legal next. It is one table and knows nothing of stores, platforms
// or time: rollout decides what a step comes to, operation keeps the state.
//
//	next, err := machine.Next(ctx, skipper.StateUpgradeWait, machine.Tick) // UPGRADE_CHECK_TARGET_APPS
package machine

import (
	"context"
	"errors"

	"github.com/looplab/fsm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Event is what a step came to, or the command that starts an operation.
type Event string

// The events. Those in the first two groups are spelled as Skipper's, the others are ours.
const (
	Install  Event = "INSTALL"
	Upgrade  Event = "UPGRADE"
	Rollback Event = "ROLLBACK"
	Delete   Event = "DELETE"
	Scale    Event = "SCALE"
	Renew    Event = "RENEW" // ours: the server itself begins it

	UpgradeAccept Event = "UPGRADE_ACCEPT" // the new version becomes the one that stands
	UpgradeCancel Event = "UPGRADE_CANCEL" // somebody asked to cancel

	Queue   Event = "QUEUE"   // a command came while another operation runs on the release
	Done    Event = "DONE"    // the step did all it had to
	More    Event = "MORE"    // the step did a part; it goes on at once
	Retry   Event = "RETRY"   // the step could not do it now; it is tried again later
	Failed  Event = "FAILED"  // the step cannot do it
	Cancel  Event = "CANCEL"  // somebody asked to cancel an install, or what has not begun
	Stop    Event = "STOP"    // somebody asked to cancel what has no way back: it ends where it stands
	Wait    Event = "WAIT"    // all applications are installed, and must become healthy
	Tick    Event = "TICK"    // the time for the next health check has come
	Healthy Event = "HEALTHY" // all new applications are deployed
	Pending Event = "PENDING" // not all of them yet
	Timeout Event = "TIMEOUT" // not all of them in time
)

// Transition leads from a state to the next one.
type Transition struct {
	From  skipper.State
	Event Event
	To    skipper.State
}

// Table lists every legal transition. A machine at rest is INITIAL.
func Table() []Transition {
	return append([]Transition{
		{skipper.StateInitial, Install, skipper.StateInstall},
		{skipper.StateInitial, Upgrade, skipper.StateUpgradeStart},
		{skipper.StateInitial, Rollback, skipper.StateRollbackStart},
		{skipper.StateInitial, Delete, skipper.StateDelete},
		{skipper.StateInitial, Scale, skipper.StateScale},
		{skipper.StateInitial, Renew, skipper.StateRenew},

		{skipper.StateInitial, Queue, skipper.StateQueued},
		{skipper.StateQueued, Install, skipper.StateInstall},
		{skipper.StateQueued, Upgrade, skipper.StateUpgradeStart},
		{skipper.StateQueued, Rollback, skipper.StateRollbackStart},
		{skipper.StateQueued, Delete, skipper.StateDelete},
		{skipper.StateQueued, Scale, skipper.StateScale},
		{skipper.StateQueued, Cancel, skipper.StateInitial},

		{skipper.StateInstall, More, skipper.StateInstall},
		{skipper.StateInstall, Done, skipper.StateInitial},
		{skipper.StateInstall, Wait, skipper.StateInstallWait},
		{skipper.StateInstall, Cancel, skipper.StateCompensate},
		{skipper.StateInstallWait, Healthy, skipper.StateInitial},
		{skipper.StateInstallWait, Pending, skipper.StateInstallWait},
		{skipper.StateInstallWait, Timeout, skipper.StateCompensate},
		{skipper.StateInstallWait, Cancel, skipper.StateCompensate},
		{skipper.StateCompensate, More, skipper.StateCompensate},
		{skipper.StateCompensate, Done, skipper.StateInitial},

		{skipper.StateRollbackStart, Upgrade, skipper.StateUpgradeStart},
		{skipper.StateRollbackStart, Install, skipper.StateInstall},

		{skipper.StateUpgradeStart, Done, skipper.StateUpgradeDeploy},
		{skipper.StateUpgradeStart, UpgradeCancel, skipper.StateUpgradeCancel},
		{skipper.StateUpgradeDeploy, More, skipper.StateUpgradeDeploy},
		{skipper.StateUpgradeDeploy, Done, skipper.StateUpgradeWait},
		{skipper.StateUpgradeDeploy, UpgradeCancel, skipper.StateUpgradeCancel},
		{skipper.StateUpgradeWait, Tick, skipper.StateUpgradeCheck},
		{skipper.StateUpgradeWait, UpgradeCancel, skipper.StateUpgradeCancel},
		{skipper.StateUpgradeCheck, Healthy, skipper.StateUpgradeSucceed},
		{skipper.StateUpgradeCheck, Pending, skipper.StateUpgradeWait},
		{skipper.StateUpgradeCheck, Timeout, skipper.StateUpgradeFailed},
		{skipper.StateUpgradeSucceed, UpgradeAccept, skipper.StateUpgradeDelete},
		{skipper.StateUpgradeSucceed, UpgradeCancel, skipper.StateUpgradeCancel},
		{skipper.StateUpgradeFailed, Done, skipper.StateUpgradeCancel},
		{skipper.StateUpgradeDelete, More, skipper.StateUpgradeDelete},
		{skipper.StateUpgradeDelete, Done, skipper.StateInitial},
		{skipper.StateUpgradeCancel, More, skipper.StateUpgradeCancel},
		{skipper.StateUpgradeCancel, Done, skipper.StateInitial},

		{skipper.StateDelete, More, skipper.StateDelete},
		{skipper.StateDelete, Done, skipper.StateInitial},
		{skipper.StateDelete, Stop, skipper.StateInitial},
		{skipper.StateScale, Done, skipper.StateInitial},
		{skipper.StateScale, Stop, skipper.StateInitial},
		{skipper.StateRenew, More, skipper.StateRenew},
		{skipper.StateRenew, Done, skipper.StateInitial},
		{skipper.StateRenew, Stop, skipper.StateInitial},
	}, exits()...)
}

// exits gives every running state a second try and a way out, so that nothing can hold an operation for ever.
func exits() []Transition {
	var out []Transition
	for from, to := range map[skipper.State]skipper.State{
		skipper.StateQueued:         skipper.StateInitial,
		skipper.StateInstall:        skipper.StateCompensate,
		skipper.StateInstallWait:    skipper.StateCompensate,
		skipper.StateCompensate:     skipper.StateInitial,
		skipper.StateRollbackStart:  skipper.StateInitial,
		skipper.StateUpgradeStart:   skipper.StateUpgradeFailed,
		skipper.StateUpgradeDeploy:  skipper.StateUpgradeFailed,
		skipper.StateUpgradeWait:    skipper.StateUpgradeFailed,
		skipper.StateUpgradeCheck:   skipper.StateUpgradeFailed,
		skipper.StateUpgradeSucceed: skipper.StateUpgradeFailed,
		skipper.StateUpgradeFailed:  skipper.StateUpgradeCancel,
		skipper.StateUpgradeCancel:  skipper.StateInitial,
		skipper.StateUpgradeDelete:  skipper.StateInitial,
		skipper.StateDelete:         skipper.StateInitial,
		skipper.StateScale:          skipper.StateInitial,
		skipper.StateRenew:          skipper.StateInitial,
	} {
		out = append(out, Transition{from, Retry, from}, Transition{from, Failed, to})
	}
	return out
}

// Command gives the event that starts an operation of a kind.
func Command(kind skipper.Kind) Event {
	switch kind {
	case skipper.KindInstall:
		return Install
	case skipper.KindUpgrade:
		return Upgrade
	case skipper.KindRollback:
		return Rollback
	case skipper.KindScale:
		return Scale
	case skipper.KindDelete:
		return Delete
	case skipper.KindRenew:
		return Renew
	}
	return ""
}

// Start gives the first state of an operation of a kind.
func Start(ctx context.Context, kind skipper.Kind) (skipper.State, error) {
	return Next(ctx, skipper.StateInitial, Command(kind))
}

// Next gives the state that follows; CodeInternal when the event is not legal there.
func Next(ctx context.Context, from skipper.State, event Event) (skipper.State, error) {
	f := fsm.NewFSM(string(from), events(), nil)
	// A cancelled context would wedge looplab's machine; ours lives for one event and has no callbacks to cancel.
	err := f.Event(context.WithoutCancel(ctx), string(event))
	if _, same := errors.AsType[fsm.NoTransitionError](err); err != nil && !same {
		return "", skipper.Errorf(skipper.CodeInternal, "event %s in state %s: %w", event, from, err)
	}
	return skipper.State(f.Current()), nil
}

// CancelEvent gives the event by which a cancel leaves a state; none where a cancel cannot be acted on.
func CancelEvent(state skipper.State) (Event, bool) {
	for _, t := range Table() {
		if t.From == state && (t.Event == UpgradeCancel || t.Event == Cancel) {
			return t.Event, true
		}
	}
	return "", false
}

// Cancellable lists the states in which a cancel is accepted: those with a cancel event, and the two that always lead
// to one of them.
func Cancellable() []skipper.State {
	out := []skipper.State{skipper.StateRollbackStart, skipper.StateUpgradeCheck}
	for _, t := range Table() {
		if t.Event == UpgradeCancel || t.Event == Cancel {
			out = append(out, t.From)
		}
	}
	return out
}

// Mermaid draws the table.
func Mermaid() (string, error) {
	return fsm.VisualizeForMermaidWithGraphType(fsm.NewFSM(string(skipper.StateInitial), events(), nil), fsm.StateDiagram)
}

func events() fsm.Events {
	var out fsm.Events
	for _, t := range Table() {
		out = append(out, fsm.EventDesc{Name: string(t.Event), Src: []string{string(t.From)}, Dst: string(t.To)})
	}
	return out
}
