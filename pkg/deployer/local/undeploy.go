package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Undeploy stops all processes of a deployment, whoever started them, and returns when they are gone: SIGTERM, the
// shutdown timeout, then SIGKILL. ErrUnavailable when ctx ends before; called again, it goes on where it was.
func (d *Deployer) Undeploy(ctx context.Context, _ deployer.Owner, h deployer.Handle) error {
	d.begin()
	release, err := d.hold(ctx, h.ID)
	if err != nil {
		return err
	}
	defer release()
	rec, err := d.load(h, sync.OnceValues(processes))
	if err != nil {
		return err
	}
	if err := d.here(h.ID, rec); err != nil {
		return err
	}
	if rec == nil {
		rec = d.newRecord(h.ID, "", d.Settings)
	}
	if err := d.noteStop(rec, 0); err != nil {
		return err
	}
	if err := d.stop(ctx, h.ID, 0, rec.Instances, rec.grace()); err != nil {
		return err
	}
	if err := d.Ports.ReleasePorts(ctx, d.host, d.portOwner(h.ID)); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "release the ports of %s: %w", h.ID, err)
	}
	if err := rec.removeFiles(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "remove the logs of %s: %w", h.ID, err)
	}
	for _, file := range []string{d.launchFile(h.ID), d.file(h.ID)} {
		if err := removeFile(file); err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "forget %s: %w", h.ID, err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.memory, h.ID)
	return nil
}

const (
	firstPoll   = 5 * time.Millisecond
	longestPoll = 200 * time.Millisecond
	killTimeout = 10 * time.Second // a process that SIGKILL does not end hangs in the kernel
)

// stop ends the instances from an index on: every process with their mark, and every process in their sessions.
// The end of the grace period is remembered, so that calls with little time each still come to SIGKILL.
func (d *Deployer) stop(ctx context.Context, id string, from int, leaders []instance, grace time.Duration) error {
	nonces := []string{id}
	for _, i := range leaders {
		nonces = append(nonces, i.Nonce)
	}
	key := strings.Join(nonces, " ")
	deadline := d.graceUntil(key, grace)
	killed := deadline // since when SIGKILL has been sent at the latest, also by a call that comes long after the grace
	if now := d.Clock(); now.After(killed) {
		killed = now
	}
	for {
		left, err := d.members(id, from, leaders)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			d.forget(key, leaders)
			return nil
		}
		force := !d.Clock().Before(deadline)
		signal(left, force)
		if d.Clock().After(killed.Add(killTimeout)) {
			return deployer.Errorf(deployer.ErrUnavailable, "process %d of %s does not end, though killed", left[0].pid, id)
		}
		if err := d.awaitEnd(ctx, left, deadline, force); err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "stop %s: %d processes are still ending: %w", id, len(left), err)
		}
	}
}

func (d *Deployer) graceUntil(key string, grace time.Duration) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, begun := d.deadline[key]; !begun {
		d.deadline[key] = d.Clock().Add(grace)
	}
	return d.deadline[key]
}

func (d *Deployer) forget(key string, gone []instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.deadline, key)
	for _, i := range gone {
		delete(d.runs, i.key())
		d.unlimit(i)
	}
}

// drop forgets the run of an instance that has ended.
func (d *Deployer) drop(i instance) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.runs, i.key())
}

// members lists the live processes of the instances from an index on. The table is read anew each time: between two
// signals a process id may have passed to somebody else.
func (d *Deployer) members(id string, from int, leaders []instance) ([]process, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	sessions := sessionsOf(all, d.boot, leaders)
	var found []process
	for _, p := range all {
		if sessions[p.session] || (d.ours(p.mark, id) && p.mark.index >= from) {
			found = append(found, p)
		}
	}
	return found, nil
}

// sessionsOf are the sessions that instances began, also those whose first process has ended: what it left behind
// belongs to it, with or without a mark. Such a number is given to nobody else while a process of the session lives; it
// is somebody else's when a process of another start has it.
func sessionsOf(all []process, boot string, leaders []instance) map[int]bool {
	sessions := map[int]bool{}
	for _, i := range leaders {
		if i.PID > 0 && i.Boot == boot {
			sessions[i.PID] = !slices.ContainsFunc(all, func(p process) bool { return p.pid == i.PID && p.start != i.Start })
		}
	}
	return sessions
}

func signal(members []process, force bool) {
	signalled := map[int]bool{}
	for _, p := range members {
		if !signalled[p.group] {
			signalled[p.group] = true
			signalGroup(p.group, force)
		}
	}
}

// awaitEnd waits until the processes have ended, or until it is time for the next signal.
func (d *Deployer) awaitEnd(ctx context.Context, members []process, deadline time.Time, force bool) error {
	for pause := firstPoll; ; pause = min(2*pause, longestPoll) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w", context.Cause(ctx))
		case <-time.After(pause):
		}
		ended := true
		for _, m := range members {
			if p, ok := live(m.pid); ok && p.start == m.start {
				ended = false
			}
		}
		if ended || (force && pause == longestPoll) || (!force && !d.Clock().Before(deadline)) {
			return nil
		}
	}
}
