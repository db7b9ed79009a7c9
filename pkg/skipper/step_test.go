package skipper_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestSteps_TellHowLongEachStateTook(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Date(2026, 1, 2, 3, 4, s, 0, time.UTC) }
	event := func(s int, from skipper.State, event string, to skipper.State) skipper.OperationEvent {
		return skipper.OperationEvent{Time: at(s), From: from, Event: event, To: to, Message: event + " seen"}
	}
	const rest, deploy, wait, check = skipper.StateInitial, skipper.StateUpgradeDeploy, skipper.StateUpgradeWait, skipper.StateUpgradeCheck
	events := []skipper.OperationEvent{
		event(0, rest, "queued", skipper.StateQueued),
		event(1, skipper.StateQueued, "UPGRADE", deploy),
		event(2, deploy, "RETRY", deploy), event(3, deploy, "DONE", wait),
		event(4, wait, "TICK", check), event(5, check, "PENDING", wait),
		event(6, wait, "TICK", check), event(7, check, "PENDING", wait),
		event(8, wait, "TICK", check), event(9, check, "HEALTHY", skipper.StateUpgradeDelete),
		event(10, skipper.StateUpgradeDelete, "DONE", rest),
	}
	step := func(state skipper.State, began, ended, tries int, last string) skipper.OperationStep {
		return skipper.OperationStep{
			State: state, Began: at(began), Ended: new(at(ended)), Tries: tries, Event: last, Message: last + " seen",
		}
	}
	all := []skipper.OperationStep{
		step(skipper.StateQueued, 0, 1, 1, "UPGRADE"), step(deploy, 1, 3, 2, "DONE"), step(wait, 3, 8, 3, "TICK"),
		step(check, 8, 9, 1, "HEALTHY"), step(skipper.StateUpgradeDelete, 9, 10, 1, "DONE"),
	}
	require.Empty(t, cmp.Diff(all, skipper.Steps(events)))
	waiting := all[2]
	waiting.Ended, waiting.Event, waiting.Message, waiting.Tries = nil, "PENDING", "PENDING seen", 2
	require.Empty(t, cmp.Diff([]skipper.OperationStep{all[0], all[1], waiting}, skipper.Steps(events[:8])))
	require.Empty(t, cmp.Diff([]skipper.OperationStep{}, skipper.Steps(nil)))
}
