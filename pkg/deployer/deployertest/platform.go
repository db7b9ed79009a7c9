package deployertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// FakeDeployment is a deployment on a fake platform.
type FakeDeployment struct {
	Owner      deployer.Owner
	SpecHash   string
	Since      time.Time
	Count      int
	Properties map[string]string // as the application got them
	Deployment map[string]string
	Gone       *time.Time // when it will be, after Undeploy
}

// Call is one changing call of a Fake.
type Call struct {
	Verb  string // deploy, undeploy, scale or maintain
	ID    string
	At    time.Time
	Ended bool // false while it runs, and for ever when its server was killed
	Error string
}

// state is all there is of a fake platform.
type state struct {
	Deployments map[string]*FakeDeployment
	Calls       []Call
	Violations  []string
	Tries       map[string]int // calls that a script counts, by verb and id
	Reached     map[string]int // calls that came to a gate
	Open        map[string]bool
}

// platform keeps a state: in memory, or in a file that several processes share.
type platform struct {
	mu   *sync.Mutex
	file string
	kept *state
}

func newPlatform(file string) platform {
	return platform{mu: &sync.Mutex{}, file: file, kept: newState()}
}

func newState() *state {
	return &state{
		Deployments: map[string]*FakeDeployment{}, Tries: map[string]int{}, Reached: map[string]int{}, Open: map[string]bool{},
	}
}

// change looks at the state and changes it, alone. The change is kept also with an error.
func (p platform) change(do func(*state) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == "" {
		return do(p.kept)
	}
	unlock, err := lock(p.file + ".lock")
	if err != nil {
		return fmt.Errorf("lock the fake platform: %w", err)
	}
	defer unlock()
	s := newState()
	before, err := os.ReadFile(p.file)
	if err == nil {
		err = json.Unmarshal(before, s)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the fake platform: %w", err)
	}
	return errors.Join(do(s), p.write(s, before))
}

// write replaces the file at once: its writer may be killed at any moment.
func (p platform) write(s *state, before []byte) error {
	after, err := json.Marshal(s)
	if err != nil || string(after) == string(before) {
		return err
	}
	if err := os.WriteFile(p.file+".new", after, 0o600); err != nil {
		return fmt.Errorf("write the fake platform: %w", err)
	}
	return os.Rename(p.file+".new", p.file)
}

// scripted is the error that a script has in place of a call; done says that its effect happens all the same.
func (s *state) scripted(verb, id string, script map[string]string) (done bool, err error) {
	kind, count := script[verb+"-error"], script[verb+"-errors"]
	if kind == "" && count == "" {
		return false, nil
	}
	s.Tries[verb+" "+id]++
	if n, err := strconv.Atoi(count); err == nil && s.Tries[verb+" "+id] > n {
		return false, nil
	}
	if kind == "" {
		kind = "unavailable"
	}
	name, done := strings.CutSuffix(kind, "-done")
	sentinel, ok := kinds()[name]
	if !ok {
		return false, fmt.Errorf("the script of %s says %s, which is no kind of error", id, kind)
	}
	return done, deployer.Errorf(sentinel, "scripted: %s", kind)
}

func kinds() map[string]error {
	return map[string]error{
		"invalid": deployer.ErrInvalid, "exists": deployer.ErrExists, "not-found": deployer.ErrNotFound,
		"quota": deployer.ErrQuota, "denied": deployer.ErrDenied, "unsupported": deployer.ErrUnsupported,
		"unavailable": deployer.ErrUnavailable, "rate-limited": deployer.ErrRateLimited, "ambiguous": deployer.ErrAmbiguous,
	}
}

// scriptOf collects the properties of a script, without prefix; never nil.
func scriptOf(application, deployment map[string]string) map[string]string {
	script := map[string]string{}
	for _, properties := range []map[string]string{application, deployment} {
		for name, value := range properties {
			if rest, ok := strings.CutPrefix(name, "fake."); ok {
				script[rest] = value
			}
		}
	}
	return script
}

func (d *FakeDeployment) script() map[string]string { return scriptOf(d.Properties, d.Deployment) }

// state is that of one instance at an age.
func (d *FakeDeployment) state(index int, age time.Duration) skipper.DeploymentState {
	script := d.script()
	fail, after := script["fail"], script["healthy-after"]
	failAfter := duration(script["fail-after"])
	switch {
	case fail == "true" || fail == strconv.Itoa(index) || (failAfter > 0 && age >= failAfter):
		return skipper.StateFailed
	case after == "never" || age < duration(after):
		return skipper.StateDeploying
	default:
		return skipper.StateDeployed
	}
}

// attributes are those of one instance: what has failed says why.
func (d *FakeDeployment) attributes(guid string, state skipper.DeploymentState) map[string]string {
	attributes, script := map[string]string{"guid": guid}, d.script()
	if state != skipper.StateFailed {
		return attributes
	}
	attributes[deployer.AttributeReason] = "scripted to fail"
	if reason := script["reason"]; reason != "" {
		attributes[deployer.AttributeReason] = reason
	}
	if code := script["exit-code"]; code != "" {
		attributes[deployer.AttributeExitCode] = code
	}
	if script["recovers"] != "true" {
		attributes[deployer.AttributeFinal] = "true"
	}
	return attributes
}

// duration reads a time of a script; none, or none that can be read, is 0.
func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}
