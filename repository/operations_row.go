package repository

import (
	"cmp"
	"encoding/json"

	"github.com/skiff-project/skiff/pkg/skipper"
)

type operationRow struct {
	ID              string `gorm:"primaryKey"`
	Kind            skipper.Kind
	ReleaseName     string
	SourceVersion   int
	TargetVersion   int
	State           skipper.State
	Outcome         skipper.Outcome
	Plan            skipper.Plan `gorm:"serializer:json"`
	Deadline        int64
	Due             int64
	CancelRequested bool
	Attempt         int
	Error           *skipper.OperationError `gorm:"serializer:json"`
	Created         int64
	Updated         int64
	Ended           *int64
	LeaseOwner      string
	LeaseUntil      int64
	Token           int64
	Account         string
	IdempotencyKey  *string
	Request         *string
	Retriable       bool `gorm:"->"` // computed: a request is kept
	TakenOver       bool `gorm:"-"`  // by the lease just made
}

// shownOperation is what an operation is read with: all but its request, which may be large and is needed rarely.
const shownOperation = `id, kind, release_name, source_version, target_version, state, outcome, plan, deadline, due,
	cancel_requested, attempt, error, created, updated, ended, lease_owner, lease_until, token, account, idempotency_key,
	request IS NOT NULL AS retriable`

// wholeOperation is an operation with its request.
const wholeOperation = shownOperation + ", request"

// TableName is for gorm.
func (operationRow) TableName() string { return "operations" }

func newOperationRow(o skipper.Operation) operationRow {
	return operationRow{
		ID: o.ID, Kind: o.Kind, ReleaseName: o.ReleaseName,
		SourceVersion: o.SourceVersion, TargetVersion: o.TargetVersion,
		State: o.State, Outcome: o.Outcome, Plan: o.Plan,
		Deadline: micros(o.Deadline), Due: micros(o.Due), CancelRequested: o.Cancel, Attempt: o.Attempt, Error: o.Error,
		Created: micros(o.Created), Updated: micros(o.Updated), Ended: optionalMicros(o.Ended),
		LeaseOwner: o.LeaseOwner, LeaseUntil: micros(o.LeaseUntil), Token: o.Token,
		Account: cmp.Or(o.Plan.Account, o.Account), IdempotencyKey: optionalText(o.IdempotencyKey),
		Request: textOf(o.Request), Retriable: o.Request != nil,
	}
}

func (r operationRow) domain() skipper.Operation {
	return skipper.Operation{
		ID: r.ID, Kind: r.Kind, ReleaseName: r.ReleaseName,
		SourceVersion: r.SourceVersion, TargetVersion: r.TargetVersion,
		State: r.State, Outcome: r.Outcome, Plan: r.Plan,
		Deadline: moment(r.Deadline), Due: moment(r.Due), Cancel: r.CancelRequested, Attempt: r.Attempt, Error: r.Error,
		Created: moment(r.Created), Updated: moment(r.Updated), Ended: optionalMoment(r.Ended),
		LeaseOwner: r.LeaseOwner, LeaseUntil: moment(r.LeaseUntil), Token: r.Token,
		Account: r.Account, IdempotencyKey: textIn(r.IdempotencyKey), Request: jsonIn(r.Request), Retriable: r.Retriable,
		TakenOver: r.TakenOver,
	}
}

func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func textIn(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func jsonIn(s *string) json.RawMessage {
	if s == nil {
		return nil
	}
	return json.RawMessage(*s)
}

// operationColumns are what operations can be sorted by, as in JSON.
func operationColumns() map[string]column {
	return map[string]column{
		"id":              {name: "id", text: true},
		"kind":            {name: "kind", text: true},
		"releaseName":     {name: "release_name", text: true},
		"sourceVersion":   {name: "source_version"},
		"targetVersion":   {name: "target_version"},
		"state":           {name: "state", text: true},
		"outcome":         {name: "outcome", text: true},
		"deadline":        {name: "deadline"},
		"due":             {name: "due"},
		"cancelRequested": {name: "cancel_requested"},
		"attempt":         {name: "attempt"},
		"created":         {name: "created"},
		"updated":         {name: "updated"},
		"ended":           {name: "ended", nullable: true},
	}
}

type eventRow struct {
	ID          int64 `gorm:"primaryKey"`
	OperationID string
	Time        int64
	FromState   skipper.State
	Event       string
	ToState     skipper.State
	Message     string
}

// TableName is for gorm.
func (eventRow) TableName() string { return "operation_events" }

func newEventRow(e skipper.OperationEvent) eventRow {
	return eventRow{
		ID: e.ID, OperationID: e.OperationID, Time: micros(e.Time),
		FromState: e.From, Event: e.Event, ToState: e.To, Message: e.Message,
	}
}

func (r eventRow) domain() skipper.OperationEvent {
	return skipper.OperationEvent{
		ID: r.ID, OperationID: r.OperationID, Time: moment(r.Time),
		From: r.FromState, Event: r.Event, To: r.ToState, Message: r.Message,
	}
}
