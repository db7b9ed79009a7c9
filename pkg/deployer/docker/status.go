package docker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/moby/moby/api/types/container"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const probesAtOnce = 32

// Status lists all containers of the account at once, and looks at the same time at those that run or say little.
func (d *Deployer) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	only := ""
	if len(handles) == 1 {
		only = handles[0].ID
	}
	all, err := d.listAll(ctx, only)
	if err != nil {
		return nil, err
	}
	slots := make(chan struct{}, probesAtOnce)
	statuses, errs := make([]skipper.AppStatus, len(handles)), make([]error, len(handles))
	var group sync.WaitGroup
	for n, h := range handles {
		group.Go(func() { statuses[n], errs[n] = d.status(ctx, h, all[h.ID], slots) })
	}
	group.Wait()
	out := map[string]skipper.AppStatus{}
	for n, s := range statuses {
		if errs[n] != nil {
			return nil, errs[n]
		}
		out[s.DeploymentID] = s
	}
	if err := ctx.Err(); err != nil { // probes that were cut short say nothing
		return nil, deployer.Errorf(deployer.ErrUnavailable, "look at %d deployments: %w", len(handles), err)
	}
	return out, nil
}

// status of one deployment is error, for it alone, when its record is not readable.
func (d *Deployer) status(ctx context.Context, h deployer.Handle, found []instance, slots chan struct{},
) (skipper.AppStatus, error) {
	status := skipper.AppStatus{
		DeploymentID: h.ID, Instances: map[string]skipper.AppInstanceStatus{}, State: skipper.StateUnknown,
	}
	rec, err := load(h)
	if err != nil {
		d.Logger.WarnContext(ctx, "status not known", "deployment", h.ID, "error", err)
		status.State = skipper.StateError
		return status, nil
	}
	if len(found) == 0 {
		return status, nil
	}
	seen, errs := make([]*skipper.AppInstanceStatus, len(found)), make([]error, len(found))
	var group sync.WaitGroup
	for n, i := range found {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			seen[n], errs[n] = d.look(ctx, i, rec)
		})
	}
	group.Wait()
	for n, i := range seen {
		if errs[n] != nil {
			return status, errs[n]
		}
		if i != nil {
			status.Instances[i.ID] = *i
		}
	}
	if rec != nil {
		addMissing(status, h.ID, rec)
	}
	status.State = skipper.Aggregate(status.Instances)
	return status, nil
}

// addMissing adds the instances that have no container: not made yet, or removed by others.
func addMissing(status skipper.AppStatus, id string, rec *record) {
	for index := range rec.Count {
		guid := deployer.InstanceID(id, index)
		if _, ok := status.Instances[guid]; ok {
			continue
		}
		i := skipper.AppInstanceStatus{ID: guid, State: skipper.StateDeploying, Attributes: map[string]string{"guid": guid}}
		if made := rec.Containers[index]; made != "" {
			i.State = skipper.StateFailed
			i.Attributes[deployer.AttributeFinal] = "true"
			i.Attributes[deployer.AttributeReason] = "its container " + short(made) + " was removed, but not by this server"
		}
		status.Instances[guid] = i
	}
}

// look finds the state of one instance; nil when its container is just going away.
func (d *Deployer) look(ctx context.Context, i instance, rec *record) (*skipper.AppInstanceStatus, error) {
	out := &skipper.AppInstanceStatus{ID: i.guid(), State: skipper.StateDeploying, Attributes: i.attributes()}
	place := d.placeOf(ctx, i)
	if place.port > 0 {
		out.Attributes["port"], out.Attributes["url"] = strconv.Itoa(place.port), place.url()
	}
	health := healthOf(i.Summary)
	switch {
	case i.State == container.StateRemoving:
		return nil, nil //nolint:nilnil // see above
	case i.State == container.StateRunning && health != container.Unhealthy:
		if health != container.Starting {
			d.probeAll(ctx, i, place, out)
		}
		return out, nil
	}
	seen, err := d.inspect(ctx, i.ID)
	if notFound(err) {
		return nil, nil //nolint:nilnil // see above
	} else if err != nil || seen.State == nil {
		return nil, err
	}
	tell(out, seen, rec)
	return out, nil
}

// attributes are those that do not depend on how an instance is.
func (i instance) attributes() map[string]string {
	a := map[string]string{
		"guid": i.guid(), "container.id": short(i.ID), "container.name": i.name(), "image": i.Labels[labelImage],
	}
	if digest := i.Labels[labelDigest]; digest != "" {
		a["image.digest"] = digest
	}
	return a
}

// healthOf is what the health check of the image says, which older engines tell in words only.
func healthOf(c container.Summary) container.HealthStatus {
	switch {
	case c.Health != nil:
		return c.Health.Status
	case strings.HasSuffix(c.Status, "(unhealthy)"):
		return container.Unhealthy
	case strings.HasSuffix(c.Status, "(health: starting)"), strings.HasSuffix(c.Status, "(starting)"):
		return container.Starting
	default:
		return container.NoHealthcheck
	}
}

// tell says how a container is that does not run well.
func tell(out *skipper.AppInstanceStatus, seen container.InspectResponse, rec *record) {
	s, a := seen.State, out.Attributes
	fail := func(format string, args ...any) {
		out.State, a[deployer.AttributeReason] = skipper.StateFailed, oneLine(fmt.Sprintf(format, args...))
	}
	switch s.Status {
	case container.StateCreated:
		why := s.Error
		if rec != nil && why == "" {
			why = rec.Failed[seen.ID]
		}
		if why != "" {
			fail("it cannot be started: %s", why)
			a[deployer.AttributeFinal] = "true"
		}
	case container.StateRestarting:
		fail("%s; it was started again %d times", ended(seen), seen.RestartCount)
		a[deployer.AttributeExitCode] = strconv.Itoa(s.ExitCode)
	case container.StatePaused:
		a[deployer.AttributeReason] = "it is paused"
	case container.StateRunning:
		if s.Health != nil && s.Health.Status == container.Unhealthy {
			fail("its health check fails: %s", lastCheck(s.Health))
		}
	default: // exited or dead
		fail("%s", ended(seen))
		a[deployer.AttributeFinal] = "true"
		a[deployer.AttributeExitCode] = strconv.Itoa(s.ExitCode)
	}
}

// ended says how a container ended.
func ended(seen container.InspectResponse) string {
	s := seen.State
	text := "exited with code " + strconv.Itoa(s.ExitCode)
	if s.OOMKilled {
		text += ": it ran out of memory"
		if seen.HostConfig != nil && seen.HostConfig.Memory > 0 {
			text += fmt.Sprintf(" (limit %dm)", seen.HostConfig.Memory>>20)
		}
	}
	if s.Error != "" {
		text += ": " + s.Error
	}
	return text
}

func lastCheck(h *container.Health) string {
	if len(h.Log) == 0 || h.Log[len(h.Log)-1] == nil {
		return "it says nothing"
	}
	last := h.Log[len(h.Log)-1]
	if strings.TrimSpace(last.Output) == "" {
		return "exit code " + strconv.Itoa(last.ExitCode)
	}
	return last.Output
}
