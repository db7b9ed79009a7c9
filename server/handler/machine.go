package handler

import (
	"context"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// machineRoutes serve the machine that walks operations as five lists, which Skipper's guide shows under these names.
func (h *Handler) machineRoutes() []route {
	return slices.Concat(
		dataset(h, "jpaRepositoryActions", func() []skipper.MachineNote { return h.machine.Actions() }, noteName).routes(),
		dataset(h, "jpaRepositoryGuards", func() []skipper.MachineNote { return h.machine.Guards() }, noteName).routes(),
		dataset(h, "jpaRepositoryStates", func() []skipper.MachineState { return h.machine.States() },
			func(s skipper.MachineState) string { return string(s.Name) }).routes(),
		dataset(h, "jpaRepositoryTransitions", func() []skipper.MachineTransition { return h.machine.Transitions() },
			func(t skipper.MachineTransition) string { return string(t.Source) + "-" + t.Event }).routes(),
		h.machinesResource().routes(),
	)
}

func noteName(n skipper.MachineNote) string { return n.Name }

// dataset is a resource whose items are known by name and never change.
func dataset[T any](h *Handler, rel string, all func() []T, name func(T) string) resource[T] {
	s := resource[T]{
		h: h, rel: rel, item: strings.TrimSuffix(rel, "s"), class: machineClass(rel), unpaged: true,
		page: func(_ context.Context, page skipper.PageRequest) (skipper.Page[T], error) {
			items := all()
			from := min(page.Page*page.Size, len(items))
			return skipper.Page[T]{Items: items[from:min(from+page.Size, len(items))], Total: len(items)}, nil
		},
		one: func(_ context.Context, id string) (T, error) {
			for _, item := range all() {
				if name(item) == id {
					return item, nil
				}
			}
			return *new(T), skipper.Errorf(skipper.CodeNotFound, "the machine has no %q", id)
		},
	}
	s.body = s.named(name)
	return s
}

// machinesResource has the machine of each release.
func (h *Handler) machinesResource() resource[skipper.Machine] {
	const rel = "jpaRepositoryStateMachines"
	s := resource[skipper.Machine]{
		h: h, rel: rel, item: strings.TrimSuffix(rel, "s"), class: machineClass(rel), unpaged: true,
		page: func(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Machine], error) {
			return h.machine.Machines(ctx, page)
		},
		one: func(ctx context.Context, name string) (skipper.Machine, error) { return h.machine.Machine(ctx, name) },
	}
	s.body = s.named(func(m skipper.Machine) string { return m.MachineID })
	return s
}

// machineClass names the entity behind a list in Skipper.
func machineClass(rel string) string {
	return "org.springframework.statemachine.data.jpa.J" + strings.TrimSuffix(rel[1:], "s")
}
