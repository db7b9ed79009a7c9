package local

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// record is what is known of a deployment: the data of its handle, and a file in the data folder, which stands for the
// deployment from the moment before its first process starts until it is undeployed. It holds no properties.
type record struct {
	Format    int        `json:"format"`
	Host      string     `json:"host"`
	Boot      string     `json:"boot"`
	Dir       string     `json:"dir"` // working directory of all instances
	Hash      string     `json:"hash"`
	Instances []instance `json:"instances"`       // by index, without gaps
	Spare     []int      `json:"spare,omitempty"` // ports of instances that were scaled away

	// Settings of the application that count after it was started.
	ShutdownTimeout int    `json:"shutdownTimeout"`
	KeepFiles       bool   `json:"keepFiles,omitempty"`
	InheritLogging  bool   `json:"inheritLogging,omitempty"`
	Hostname        string `json:"hostname,omitempty"`
	StartupProbe    string `json:"startupProbe,omitempty"`
	HealthProbe     string `json:"healthProbe,omitempty"`

	partial bool // made from marks: instances that have ended are not known
}

// instance is one process, or what is to become one: without PID and Failed it was not started, as far as we know.
type instance struct {
	Index  int    `json:"index"`
	Nonce  string `json:"nonce"`
	Port   int    `json:"port"` // below 1: not known to us
	PID    int    `json:"pid,omitempty"`
	Start  int64  `json:"start,omitempty"`
	Boot   string `json:"boot,omitempty"`
	Failed string `json:"failed,omitempty"` // why it could not be started
}

const recordFormat = 1

func (d *Deployer) newRecord(id, hash string, s Settings) *record {
	millis := strconv.FormatInt(d.Clock().UnixMilli(), 10)
	name := strings.NewReplacer("/", "_", "\x00", "_").Replace(id)
	dir := filepath.Join(s.WorkingDirectoriesRoot, millis, name)
	if absolute, err := filepath.Abs(dir); err == nil { // a later server may be started in another folder
		dir = absolute
	}
	return &record{
		Format: recordFormat, Host: d.host, Boot: d.boot, Hash: hash, Dir: dir,
		ShutdownTimeout: s.ShutdownTimeout, KeepFiles: !s.DeleteFilesOnExit, InheritLogging: s.InheritLogging,
		Hostname: s.Hostname, StartupProbe: s.StartupProbePath, HealthProbe: s.HealthProbePath,
	}
}

// grow adds the instances that are missing up to a count. Their ports are chosen when they are about to start.
func (r *record) grow(count int) {
	for index := range count {
		if !slices.ContainsFunc(r.Instances, func(i instance) bool { return i.Index == index }) {
			r.Instances = append(r.Instances, instance{Index: index, Nonce: rand.Text()})
		}
	}
	r.sort()
}

func (r *record) sort() {
	slices.SortFunc(r.Instances, func(a, b instance) int { return a.Index - b.Index })
}

// idle are the instances that were not started.
func (r *record) idle() []*instance {
	var idle []*instance
	for i := range r.Instances {
		if r.Instances[i].PID == 0 && r.Instances[i].Failed == "" {
			idle = append(idle, &r.Instances[i])
		}
	}
	return idle
}

// load finds what is known of a deployment: from its handle, else from the data folder, else from the marks of its
// processes; nil when nothing is.
func (d *Deployer) load(h deployer.Handle, table func() ([]process, error)) (*record, error) {
	data := []byte(h.Data)
	if data == nil {
		var err error
		if data, err = os.ReadFile(d.file(h.ID)); errors.Is(err, fs.ErrNotExist) {
			return d.fromMarks(h.ID, table)
		} else if err != nil {
			return nil, deployer.Errorf(deployer.ErrUnavailable, "read the record of %s: %w", h.ID, err)
		}
	}
	rec := &record{}
	if err := json.Unmarshal(data, rec); err != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the record of %s cannot be read: %w", h.ID, err)
	}
	if rec.Format != recordFormat {
		return nil, deployer.Errorf(deployer.ErrInvalid,
			"the record of %s has format %d, this server knows %d: use the server that made it", h.ID, rec.Format, recordFormat)
	}
	return rec, nil
}

func (d *Deployer) fromMarks(id string, table func() ([]process, error)) (*record, error) {
	all, err := table()
	if err != nil {
		return nil, err
	}
	var rec *record
	for _, p := range all {
		if !p.leads() || !d.ours(p.mark, id) {
			continue
		}
		if rec == nil {
			rec = d.newRecord(id, p.mark.hash, d.Settings)
			rec.Dir, rec.partial = p.mark.dir, true
		}
		rec.Instances = append(rec.Instances, d.instanceOf(p))
	}
	if rec != nil {
		rec.sort()
	}
	return rec, nil
}

func (d *Deployer) instanceOf(p process) instance {
	return instance{
		Index: p.mark.index, Nonce: p.mark.nonce, Port: p.mark.port, PID: p.pid, Start: p.start, Boot: d.boot,
	}
}

// handle puts the record into a handle.
func (r *record) handle(h deployer.Handle) deployer.Handle {
	data, err := json.Marshal(r)
	if err == nil { // numbers and strings always marshal
		h.Data = data
	}
	return h
}

// file is where the record of a deployment lies; ids may be too odd or too long for a file name.
func (d *Deployer) file(id string) string {
	sum := sha256.Sum256([]byte(d.Account + "/" + id))
	return filepath.Join(d.DataDir, "local", hex.EncodeToString(sum[:16])+".json")
}

// note writes the record of a deployment into the data folder.
func (d *Deployer) note(h deployer.Handle) error {
	if err := writeFile(d.file(h.ID), h.Data); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "note the deployment %s: %w", h.ID, err)
	}
	return nil
}

// noted says whether the deployment exists, be all its processes dead.
func (d *Deployer) noted(id string) bool {
	_, err := os.Stat(d.file(id))
	return err == nil
}

// writeFile puts a whole file in place at once.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	return nil
}

// removeFiles removes log files and, where nothing else is in them, the directories of a deployment.
func (r *record) removeFiles() error {
	if r.KeepFiles {
		return nil
	}
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	others := false
	for _, e := range entries {
		if !logFile(e.Name()) {
			others = true
		} else if err := os.Remove(filepath.Join(r.Dir, e.Name())); err != nil {
			return err
		}
	}
	if others { // what the application wrote is not ours to delete
		return nil
	}
	if err := os.Remove(r.Dir); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(r.Dir)) // stays while another deployment of that moment is in it
	return nil
}
