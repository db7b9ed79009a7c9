package local

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// limits are what one instance may use at most; zero: as much as there is.
type limits struct {
	memory int64 // bytes
	cpu    int64 // thousandths of a core
}

// limits reads limits.memory (as 512m or 1g) and limits.cpu (as 1.5 or 500m).
func (s *Settings) limits() (limits, error) {
	var l limits
	if s.LimitMemory != "" {
		n, err := deployer.Megabytes(s.LimitMemory)
		if err != nil || n == 0 {
			return l, fmt.Errorf("limits.memory is %q; a size as 512m or 1g is due", s.LimitMemory)
		}
		l.memory = int64(n) << 20
	}
	if s.LimitCPU != "" {
		text, thousandths := strings.CutSuffix(s.LimitCPU, "m")
		cores, err := strconv.ParseFloat(text, 64)
		if thousandths {
			cores /= 1000
		}
		if err != nil || !(cores >= 0.01 && cores <= 10_000) {
			return l, fmt.Errorf("limits.cpu is %q; a number of cores as 1.5 or 500m is due, from 10m", s.LimitCPU)
		}
		l.cpu = int64(cores * 1000)
	}
	return l, nil
}

// cgroups is the control group below which each limited instance has its own. The server needs one whose parent is
// its to manage: under systemd a unit with Delegate=yes and DelegateSubgroup=server.
type cgroups struct{ base string }

const cpuPeriod = 100_000 // microseconds

// findCgroups finds the parent of the server's own control group (version 2).
func findCgroups(proc string) (cgroups, error) {
	text, err := os.ReadFile(filepath.Join(proc, "self", "cgroup"))
	if err != nil {
		return cgroups{}, errors.New("this machine has no control groups")
	}
	own := ""
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path
		}
	}
	mounts, err := os.ReadFile(filepath.Join(proc, "self", "mountinfo"))
	if err != nil || own == "" {
		return cgroups{}, errors.New("this machine has no control groups of version 2")
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !strings.HasPrefix(after, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		if own == "/" {
			return cgroups{}, errors.New("the server is in the topmost control group; run it as a unit with Delegate=yes and " +
				"DelegateSubgroup=server")
		}
		return cgroups{base: filepath.Join(fields[4], filepath.Dir(own))}, nil
	}
	return cgroups{}, errors.New("this machine has no control groups of version 2")
}

// place makes the control group of an instance, with its limits.
func (g cgroups) place(name string, l limits) (string, error) {
	wanted := map[string]string{}
	if l.memory > 0 {
		wanted["memory"] = strconv.FormatInt(l.memory, 10)
	}
	if l.cpu > 0 {
		wanted["cpu"] = fmt.Sprintf("%d %d", l.cpu*cpuPeriod/1000, cpuPeriod)
	}
	for _, controller := range slices.Sorted(maps.Keys(wanted)) {
		if err := g.enable(controller); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(g.base, name)
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the control group: %w", err)
	}
	for controller, value := range wanted {
		if err := os.WriteFile(filepath.Join(dir, controller+".max"), []byte(value), 0o600); err != nil {
			return "", fmt.Errorf("set %s.max: %w", controller, err)
		}
	}
	return dir, nil
}

// enable lets groups below the base have a controller.
func (g cgroups) enable(controller string) error {
	has := func(file string) bool {
		text, err := os.ReadFile(filepath.Join(g.base, file))
		return err == nil && strings.Contains(" "+strings.TrimSpace(string(text))+" ", " "+controller+" ")
	}
	if has("cgroup.subtree_control") {
		return nil
	}
	if !has("cgroup.controllers") {
		return fmt.Errorf("the controller %s is not delegated to the server", controller)
	}
	if err := os.WriteFile(filepath.Join(g.base, "cgroup.subtree_control"), []byte("+"+controller), 0o600); err != nil {
		return fmt.Errorf("the controller %s cannot be passed on: %w", controller, err)
	}
	return nil
}

// limit puts an instance that is about to start into a control group with its limits. Where that cannot be, the instance
// starts all the same, and its status says why the limits do not hold.
func (d *Deployer) limit(cmd *exec.Cmd, p plan, i *instance) (release func()) {
	i.Limits = ""
	l, err := p.settings.limits()
	if err == nil && l == (limits{}) {
		return func() {}
	}
	var g cgroups
	var dir string
	if err == nil {
		g, err = findCgroups("/proc")
	}
	if err == nil {
		dir, err = g.place(groupName(*i), l)
	}
	if err == nil {
		if release, err = inGroup(cmd, dir); err == nil {
			return release
		}
	}
	i.Limits = "do not hold: " + err.Error()
	d.Logger.Warn("limits do not hold", "deployment", p.id, "index", i.Index, "reason", err)
	return func() {}
}

func groupName(i instance) string { return "skiff-" + i.key() }

// unlimit removes the control group of an instance that is gone.
func (d *Deployer) unlimit(i instance) {
	if g, err := findCgroups("/proc"); err == nil {
		_ = os.Remove(filepath.Join(g.base, groupName(i))) // most have none
	}
}
