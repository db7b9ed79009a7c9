package operation

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// States lists the states of the machine, the initial one first.
func (r *Reader) States() []skipper.MachineState {
	var out []skipper.MachineState
	for _, s := range states() {
		out = append(out, skipper.MachineState{Name: s, Initial: s == skipper.StateInitial})
	}
	return out
}

// states gives every state in the order in which the table comes to them.
func states() []skipper.State {
	var out []skipper.State
	for _, t := range machine.Table() {
		if !slices.Contains(out, t.From) {
			out = append(out, t.From)
		}
	}
	return out
}

// Transitions lists what is legal in each state.
func (r *Reader) Transitions() []skipper.MachineTransition {
	order := states()
	table := machine.Table()
	slices.SortStableFunc(table, func(a, b machine.Transition) int {
		return cmp.Compare(slices.Index(order, a.From), slices.Index(order, b.From))
	})
	var out []skipper.MachineTransition
	for _, t := range table {
		out = append(out, skipper.MachineTransition{
			Source: t.From, Event: string(t.Event), Target: t.To, Guard: named(guardOf(t)), Action: named(actionOf(t.To)),
		})
	}
	return out
}

// Actions lists what is done in the states.
func (r *Reader) Actions() []skipper.MachineNote {
	var out []skipper.MachineNote
	for _, s := range states() {
		out = added(out, actionOf(s))
	}
	return out
}

// Guards lists what transitions depend on beside their event.
func (r *Reader) Guards() []skipper.MachineNote {
	var out []skipper.MachineNote
	for _, t := range machine.Table() {
		out = added(out, guardOf(t))
	}
	return out
}

func added(notes []skipper.MachineNote, n skipper.MachineNote) []skipper.MachineNote {
	if n.Name == "" || slices.Contains(notes, n) {
		return notes
	}
	return append(notes, n)
}

func named(n skipper.MachineNote) *string {
	if n.Name == "" {
		return nil
	}
	return &n.Name
}

// actionOf says what the step in a state does; nothing where the machine only passes through or waits.
func actionOf(s skipper.State) skipper.MachineNote {
	switch s {
	case skipper.StateInstall:
		return skipper.MachineNote{Name: "installApps", Description: "hands all applications to the platform"}
	case skipper.StateInstallWait:
		return skipper.MachineNote{Name: "checkInstalledApps", Description: "asks the platform whether the release is healthy"}
	case skipper.StateCompensate:
		return skipper.MachineNote{Name: "removeInstalledApps", Description: "removes what an install left that did not succeed"}
	case skipper.StateRollbackStart:
		return skipper.MachineNote{Name: "startRollback", Description: "turns the rollback into an upgrade or an install"}
	case skipper.StateUpgradeDeploy:
		return skipper.MachineNote{Name: "deployTargetApps", Description: "hands the new applications to the platform"}
	case skipper.StateUpgradeCheck:
		return skipper.MachineNote{Name: "checkTargetApps", Description: "asks the platform whether the new version is healthy"}
	case skipper.StateUpgradeSucceed:
		return skipper.MachineNote{Name: "acceptTarget", Description: "makes the new version the one that stands"}
	case skipper.StateUpgradeDelete:
		return skipper.MachineNote{Name: "removeSourceApps", Description: "removes the applications that were replaced"}
	case skipper.StateUpgradeCancel:
		return skipper.MachineNote{Name: "removeTargetApps", Description: "removes the new applications; the old ones stay"}
	case skipper.StateDelete:
		return skipper.MachineNote{Name: "removeApps", Description: "removes all applications of the release"}
	case skipper.StateScale:
		return skipper.MachineNote{Name: "scaleApps", Description: "sets the numbers of instances"}
	case skipper.StateRenew:
		return skipper.MachineNote{Name: "renewApps", Description: "lets the platform look after the applications"}
	case skipper.StateInitial, skipper.StateQueued, skipper.StateUpgradeStart, skipper.StateUpgradeWait,
		skipper.StateUpgradeFailed:
	}
	return skipper.MachineNote{}
}

// guardOf says what has to be so for a transition to be taken.
func guardOf(t machine.Transition) skipper.MachineNote {
	switch t.Event {
	case machine.Install, machine.Upgrade, machine.Rollback, machine.Delete, machine.Scale:
		return commandGuard(t)
	case machine.UpgradeCancel, machine.Cancel, machine.Stop:
		return skipper.MachineNote{Name: "cancelRequested", Description: "somebody asked to cancel the operation"}
	case machine.Renew:
		return skipper.MachineNote{Name: "careDue", Description: "the platform wants to look after the applications now"}
	case machine.Queue:
		return skipper.MachineNote{Name: "busy", Description: "another operation runs on the release"}
	case machine.Wait:
		return skipper.MachineNote{Name: "healthGate", Description: "the install was asked to wait until all is healthy"}
	case machine.Tick:
		return skipper.MachineNote{Name: "checkDue", Description: "the time of the next health check has come"}
	case machine.Healthy:
		return skipper.MachineNote{Name: "targetHealthy", Description: "all applications of the new version are deployed"}
	case machine.Pending:
		return skipper.MachineNote{Name: "targetPending", Description: "not all of them are, and there is time left"}
	case machine.Timeout:
		return skipper.MachineNote{Name: "targetLate", Description: "not all of them are, and their time is over"}
	case machine.More:
		return skipper.MachineNote{Name: "partDone", Description: "a part of the action is done, and the rest can go on"}
	case machine.Retry:
		return skipper.MachineNote{Name: "mayPass", Description: "the action failed, but may succeed before its deadline"}
	case machine.Failed:
		return skipper.MachineNote{Name: "cannotBeDone", Description: "the action failed for good, or its deadline has come"}
	case machine.UpgradeAccept, machine.Done:
	}
	return skipper.MachineNote{}
}

func commandGuard(t machine.Transition) skipper.MachineNote {
	switch {
	case t.From == skipper.StateInitial, t.From == skipper.StateQueued:
		return skipper.MachineNote{Name: "idle", Description: "no other operation runs on the release"}
	case t.Event == machine.Install:
		return skipper.MachineNote{Name: "releaseDeleted", Description: "the release is deleted: nothing of it runs"}
	default:
		return skipper.MachineNote{Name: "releaseDeployed", Description: "a version of the release is deployed"}
	}
}

// Machines gives a page of the machines of all releases, by name.
func (r *Reader) Machines(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Machine], error) {
	names, err := r.store.ReleaseNames(ctx, page)
	if err != nil {
		return skipper.Page[skipper.Machine]{}, fmt.Errorf("list releases: %w", err)
	}
	running, err := r.store.RunningOperations(ctx, names.Items)
	if err != nil {
		return skipper.Page[skipper.Machine]{}, fmt.Errorf("look for running operations: %w", err)
	}
	out := skipper.Page[skipper.Machine]{Total: names.Total}
	for _, name := range names.Items {
		out.Items = append(out.Items, machineOf(name, running))
	}
	return out, nil
}

// Machine gives the machine of one release; CodeReleaseNotFound when there is no such release.
func (r *Reader) Machine(ctx context.Context, releaseName string) (skipper.Machine, error) {
	if _, err := r.store.LatestRelease(ctx, releaseName); err != nil {
		return skipper.Machine{}, fmt.Errorf("look for release %q: %w", releaseName, err)
	}
	running, err := r.store.RunningOperations(ctx, []string{releaseName})
	if err != nil {
		return skipper.Machine{}, fmt.Errorf("look for running operations: %w", err)
	}
	return machineOf(releaseName, running), nil
}

// machineOf is at rest where no operation runs.
func machineOf(name string, running map[string]skipper.Operation) skipper.Machine {
	m := skipper.Machine{MachineID: name, State: skipper.StateInitial}
	if op, found := running[name]; found {
		m.State = op.State
	}
	return m
}
