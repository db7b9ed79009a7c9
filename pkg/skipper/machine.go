package skipper

// MachineState is a state of the machine that walks operations.
type MachineState struct {
	Name    State  `json:"name"`
	Initial bool   `json:"initial"`
	Parent  *State `json:"parent"` // always nil: the machine has no states within states
}

// MachineTransition leads from one state of the machine to the next.
type MachineTransition struct {
	Source State   `json:"source"`
	Event  string  `json:"event"`
	Target State   `json:"target"`
	Guard  *string `json:"guard"`  // name of the guard that lets it happen; nil: the event alone
	Action *string `json:"action"` // name of what is done in the target; nil: nothing
}

// MachineNote is an action or a guard of the machine in one line.
type MachineNote struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// Machine is the machine of one release: where its running operation stands, or INITIAL.
type Machine struct {
	MachineID string `json:"machineId"` // the release name
	State     State  `json:"state"`
}
