package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	stopsAtOnce = 16
	gonePoll    = 50 * time.Millisecond
	killTimeout = 15 * time.Second // that an engine needs beyond the grace period
)

// Undeploy stops all containers of a deployment and removes them, and returns when they are gone: SIGTERM, the shutdown
// timeout, then SIGKILL. ErrUnavailable when ctx ends before; called again, it goes on where it was. Volumes without a
// name go with their container; those with one stay.
func (d *Deployer) Undeploy(ctx context.Context, _ deployer.Owner, h deployer.Handle) error {
	for {
		found, err := d.find(ctx, h.ID)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
		if err := d.removeAll(ctx, found); err != nil {
			return err
		}
	}
	if d.Ports == nil {
		return nil
	}
	return d.Ports.Release(ctx, d.portOwner(h.ID))
}

// removeAll removes containers at the same time.
func (d *Deployer) removeAll(ctx context.Context, gone []instance) error {
	var group errgroup.Group
	group.SetLimit(stopsAtOnce)
	errs := make([]error, len(gone))
	for n, i := range gone {
		group.Go(func() error {
			errs[n] = d.stopAndRemove(ctx, i)
			return nil
		})
	}
	_ = group.Wait() // each tells for itself
	return errors.Join(errs...)
}

func (d *Deployer) stopAndRemove(ctx context.Context, i instance) error {
	if err := d.stop(ctx, i); err != nil {
		return err
	}
	if i.Labels[labelKeep] == "true" && i.State != container.StateCreated {
		return d.retire(ctx, i)
	}
	return d.remove(ctx, i.ID)
}

// stop ends what runs in a container. The end of the grace period is remembered, so that calls with little time each
// still come to SIGKILL.
func (d *Deployer) stop(ctx context.Context, i instance) error {
	switch i.State {
	case container.StateCreated, container.StateExited, container.StateDead, container.StateRemoving:
		return nil
	case container.StateRunning, container.StatePaused, container.StateRestarting:
	}
	d.mu.Lock()
	deadline, begun := d.deadline[i.ID]
	if !begun {
		deadline = d.Clock().Add(time.Duration(max(i.grace, 1)) * time.Second)
		d.deadline[i.ID] = deadline
	}
	d.mu.Unlock()
	seconds := max(int((deadline.Sub(d.Clock())+time.Second-1)/time.Second), 0)
	inner, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+killTimeout)
	defer cancel()
	_, err := d.client.ContainerStop(inner, i.ID, client.ContainerStopOptions{Timeout: &seconds})
	if err == nil || errdefs.IsNotFound(err) {
		d.Logger.InfoContext(ctx, "instance stopped", "deployment", i.id, "index", i.index, "container", short(i.ID))
		return nil
	}
	if ctx.Err() != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "stop %s: instance %d is still ending: %w", i.id, i.index, ctx.Err())
	}
	err = d.fault(reading, fmt.Sprintf("stop instance %d of %s", i.index, i.id), err)
	if deployer.Retry(err) {
		return err
	}
	return deployer.Errorf(deployer.ErrUnavailable, "%w", err)
}

// remove removes a container and waits until it is gone.
func (d *Deployer) remove(ctx context.Context, id string) error {
	for {
		inner, cancel := context.WithTimeout(ctx, d.Timeout+killTimeout)
		_, err := d.client.ContainerRemove(inner, id, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
		cancel()
		if errdefs.IsNotFound(err) {
			d.forget(id)
			return nil
		}
		if err != nil && !errdefs.IsConflict(err) { // a conflict: it is just being removed
			err = d.fault(reading, "remove the container "+short(id), err)
			if deployer.Retry(err) {
				return err
			}
			return deployer.Errorf(deployer.ErrUnavailable, "%w", err)
		}
		if err == nil {
			_, err = d.inspect(ctx, id)
			if notFound(err) {
				d.forget(id)
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return deployer.Errorf(deployer.ErrUnavailable, "the container %s is still being removed: %w", short(id), ctx.Err())
		case <-time.After(gonePoll):
		}
	}
}

// retire keeps a container that has ended, under another name and without anything that would start it again.
func (d *Deployer) retire(ctx context.Context, i instance) error {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	_, err := d.client.ContainerUpdate(ctx, i.ID, client.ContainerUpdateOptions{
		RestartPolicy: &container.RestartPolicy{Name: container.RestartPolicyDisabled},
	})
	if err == nil {
		name := i.Labels[labelName] + kept + d.Clock().UTC().Format("20060102T150405.000")
		_, err = d.client.ContainerRename(ctx, i.ID, client.ContainerRenameOptions{NewName: name})
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return deployer.Errorf(deployer.ErrUnavailable, "%w", d.fault(reading, "keep the container "+short(i.ID), err))
	}
	d.forget(i.ID)
	return nil
}

func (d *Deployer) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.deadline, id)
	delete(d.started, id)
	delete(d.listened, id)
}
