//go:build faults

package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/deployer/deployertest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

// faultsVariable says what goes wrong in a server built with the tag faults: instructions, separated by semicolons.
//
//	fake:<account>=<file>  adds a scripted platform (deployertest.Fake) that lives in a file and outlives the server
//	arm:<file>             nothing below counts or happens while the file is not there
//	trace:<file>           appends a line for each failpoint that is passed: its name, what it is about, the time
//	kill:<name>#<n>        SIGKILL to itself at the n-th time the failpoint of the name is passed
//	stop:<name>#<n>        SIGSTOP to itself, likewise
//	chaos:<seed>           platform calls fail in seeded ways; see chaos
//	outage:<file>          while the file is there, every platform call fails
//
// Failpoints are named store.<Method>.before and .after for each write, platform.<Verb>.before and .after for each call
// of a platform, save.before and save.after for the handle that a deployer keeps before its effect.
const faultsVariable = "FAULTS"

// signalAt is a signal that the server sends itself.
type signalAt struct {
	name   string
	hit    int
	signal syscall.Signal
}

// faults is the faultState of a server.
type faults = *faultState

// faultState passes failpoints and disturbs platform calls. It is shared by all parts of one server.
type faultState struct {
	*faultPlan

	mu     sync.Mutex
	hits   map[string]int
	chaos  *chaos
	signal []signalAt
}

// faultPlan is what the instructions say.
type faultPlan struct {
	clock  func() time.Time
	fakes  [][2]string // account and file
	arm    string
	trace  string
	outage string
}

func newFaults(environ []string, clock func() time.Time) (faults, error) {
	f := &faultState{faultPlan: &faultPlan{clock: clock}, hits: map[string]int{}}
	text := ""
	for _, e := range environ {
		if value, ok := strings.CutPrefix(e, faultsVariable+"="); ok {
			text = value
		}
	}
	for instruction := range strings.SplitSeq(text, ";") {
		if err := f.read(instruction); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", faultsVariable, instruction, err)
		}
	}
	return f, nil
}

func (f *faultState) read(instruction string) error {
	verb, rest, _ := strings.Cut(instruction, ":")
	switch verb {
	case "":
	case "fake":
		account, file, ok := strings.Cut(rest, "=")
		if !ok {
			return fmt.Errorf("an account and a file are due")
		}
		f.fakes = append(f.fakes, [2]string{account, file})
	case "arm":
		f.arm = rest
	case "trace":
		f.trace = rest
	case "outage":
		f.outage = rest
	case "chaos":
		seed, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return err
		}
		f.chaos = newChaos(seed)
	case "kill", "stop":
		name, count, _ := strings.Cut(rest, "#")
		n, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		signal := syscall.SIGKILL
		if verb == "stop" {
			signal = syscall.SIGSTOP
		}
		f.signal = append(f.signal, signalAt{name, n, signal})
	default:
		return fmt.Errorf("no such instruction")
	}
	return nil
}

func there(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func (f *faultState) armed() bool { return f.arm == "" || there(f.arm) }

// hit passes a failpoint. It does not return when the server is killed there.
func (f *faultState) hit(name, about string) {
	if !f.armed() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hits[name]++
	f.note(name, about)
	for _, s := range f.signal {
		if s.name == name && s.hit == f.hits[name] {
			f.send(s.signal)
		}
	}
}

func (f *faultState) send(signal syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), signal); err == nil && signal == syscall.SIGKILL {
		select {} // the signal may take a moment; nothing may happen meanwhile
	}
	// A stopped process stops at some moment soon: it must not get on before.
	for end := f.clock().Add(20 * time.Millisecond); signal == syscall.SIGSTOP && f.clock().Before(end); {
	}
}

func (f *faultState) note(name, about string) {
	if f.trace == "" {
		return
	}
	file, err := os.OpenFile(f.trace, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(file, "%s\t%s\t%d\n", name, about, f.clock().UnixMicro())
	_ = file.Close()
}

func (f *faultState) store(s *repository.Store) storage { return &faultyStore{Store: s, faults: f} }

// accounts adds the fake platforms and puts failpoints around all.
func (f *faultState) accounts(as deployer.Accounts, installation string) deployer.Accounts {
	for _, fake := range f.fakes {
		as = append(as, deployer.Account{Name: fake[0], Deployer: deployertest.NewFake(deployertest.FakeConfig{
			Account: fake[0], Installation: installation, File: fake[1], Clock: f.clock,
		})})
	}
	out := make(deployer.Accounts, 0, len(as))
	for _, a := range as {
		out = append(out, deployer.Account{Name: a.Name, Deployer: faulty(a.Deployer, f)})
	}
	return out
}

// aboutOf says what a write is about, from what it is given.
func aboutOf(args ...any) string {
	for _, a := range args {
		switch a := a.(type) {
		case skipper.Advance:
			from := skipper.StateInitial
			if a.Event != nil {
				from = a.Event.From
			}
			return string(from) + " to " + string(a.Operation.State)
		case skipper.Operation:
			return string(a.Kind)
		case skipper.Deployment:
			return a.DeploymentID
		case skipper.PackageMetadata:
			return a.Name
		}
	}
	return ""
}
