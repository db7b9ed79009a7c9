package local

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
//
// The file is ahead of the handle while instances are started: it has a line more for each of them, with what came of
// it. That is the promise that nothing which has run is started again, dead or alive, whenever the server is killed;
// only the one instance that was started and ended before its line was written cannot be told from one never started.
type record struct {
	Format    int        `json:"format"`
	ID        string     `json:"id,omitempty"`  // deployment id; older records have none
	Rev       int        `json:"rev,omitempty"` // grows with each Deploy and Scale that changes what is asked for
	Host      string     `json:"host"`
	Boot      string     `json:"boot"`
	Dir       string     `json:"dir"` // working directory of all instances, relative to the data folder when below it
	Hash      string     `json:"hash"`
	Instances []instance `json:"instances"`       // by index, without gaps
	Spare     []int      `json:"spare,omitempty"` // ports of instances that were scaled away
	// Stop is the index from which on instances are being stopped: nobody starts them again meanwhile.
	Stop *int `json:"stop,omitempty"`

	// Settings of the application that count after it was started.
	ShutdownTimeout int    `json:"shutdownTimeout"`
	KeepFiles       bool   `json:"keepFiles,omitempty"`
	InheritLogging  bool   `json:"inheritLogging,omitempty"`
	Hostname        string `json:"hostname,omitempty"`
	StartupProbe    string `json:"startupProbe,omitempty"`
	HealthProbe     string `json:"healthProbe,omitempty"`
	Care

	dataDir string
	partial bool // made from marks: instances that have ended are not known
}

// instance is one process, or what is to become one: without PID and Failed it was not started, as far as we know.
// A restart is a new run of the same instance.
type instance struct {
	Index   int    `json:"index"`
	Nonce   string `json:"nonce"`
	Run     int    `json:"run,omitempty"` // how often it was started again
	Port    int    `json:"port"`          // below 1: not known to us
	PID     int    `json:"pid,omitempty"`
	Start   int64  `json:"start,omitempty"` // clock ticks since the boot
	Boot    string `json:"boot,omitempty"`
	Started int64  `json:"started,omitempty"` // milliseconds since 1970
	Failed  string `json:"failed,omitempty"`  // why it could not be started
	Exit    *exit  `json:"exit,omitempty"`    // how it ended; nil while it runs, and when nobody has noted it
	Last    *exit  `json:"last,omitempty"`    // how the run before ended
	Quick   int    `json:"quick,omitempty"`   // runs in a row that ended soon, up to now
	Due     int64  `json:"due,omitempty"`     // when it starts again, in milliseconds since 1970
	Limits  string `json:"limits,omitempty"`  // why limits that were asked for do not hold
}

// exit is how a process ended.
type exit struct {
	Code   *int   `json:"code,omitempty"` // nil after a signal, and when it is not known
	Reason string `json:"reason"`
	At     int64  `json:"at,omitempty"`   // milliseconds since 1970; 0: not known
	Lost   bool   `json:"lost,omitempty"` // it ended while no server watched it
	Stop   bool   `json:"stop,omitempty"` // it was stopped together with the server
}

// key names a run for ever, in marks and in memory.
func (i instance) key() string {
	if i.Run == 0 {
		return i.Nonce
	}
	return i.Nonce + "-" + strconv.Itoa(i.Run)
}

func (i instance) idle() bool { return i.PID == 0 && i.Failed == "" }

// newer says whether another account of the same instance knows more.
func (i instance) newer(other instance) bool {
	switch {
	case i.Nonce != other.Nonce || i.Index != other.Index:
		return false
	case i.Run != other.Run:
		return other.Run > i.Run
	case i.idle() != other.idle():
		return i.idle()
	}
	return (i.Exit == nil && other.Exit != nil) || (i.Due == 0 && other.Due != 0)
}

const recordFormat = 1

func (d *Deployer) newRecord(id, hash string, s Settings) *record {
	millis := strconv.FormatInt(d.Clock().UnixMilli(), 10)
	name := strings.NewReplacer("/", "_", "\x00", "_").Replace(id)
	dir := filepath.Join(s.WorkingDirectoriesRoot, millis, name)
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	if below, err := filepath.Rel(d.DataDir, dir); err == nil && filepath.IsLocal(below) { // moves with the data folder
		dir = below
	}
	return &record{
		Format: recordFormat, ID: id, Host: d.host, Boot: d.boot, Hash: hash, Dir: dir, dataDir: d.DataDir,
		ShutdownTimeout: s.ShutdownTimeout, KeepFiles: !s.DeleteFilesOnExit, InheritLogging: s.InheritLogging,
		Hostname: s.Hostname, StartupProbe: s.StartupProbePath, HealthProbe: s.HealthProbePath,
		Care: s.Care,
	}
}

// dir is where the working directory is now.
func (r *record) dir() string {
	if filepath.IsAbs(r.Dir) {
		return r.Dir
	}
	return filepath.Join(r.dataDir, r.Dir)
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
		if r.Instances[i].idle() {
			idle = append(idle, &r.Instances[i])
		}
	}
	return idle
}

// learn takes over what came of instances.
func (r *record) learn(known ...instance) {
	for n := range r.Instances {
		for _, k := range known {
			if r.Instances[n].newer(k) {
				r.Instances[n] = k
			}
		}
	}
}

// load finds what is known of a deployment: its record in the data folder and what its handle tells, the one that was
// made later first; without them, the marks of its processes. It is nil when nothing is known.
func (d *Deployer) load(h deployer.Handle, table func() ([]process, error)) (*record, error) {
	file, err := d.read(h.ID)
	if h.Data == nil {
		if file == nil && err == nil {
			return d.fromMarks(h.ID, table)
		}
		return file, err
	}
	rec, wrong := d.parse(h.ID, h.Data)
	switch {
	case wrong != nil:
		return nil, wrong
	case err != nil && len(rec.idle()) > 0:
		return nil, err
	case err != nil || (file != nil && file.Host != rec.Host):
		return rec, nil //nolint:nilerr // the handle alone is enough
	case file == nil: // instances may have been started again since
		marks, err := d.fromMarks(h.ID, table)
		if marks != nil {
			rec.learn(marks.Instances...)
		}
		return rec, err
	case file.Rev >= rec.Rev:
		file.learn(rec.Instances...)
		return file, nil
	}
	rec.learn(file.Instances...)
	return rec, nil
}

// read reads the record in the data folder; nil when there is none.
func (d *Deployer) read(id string) (*record, error) {
	text, err := os.ReadFile(d.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no record is a common answer, see load
	} else if err != nil {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "read the record of %s: %w", id, err)
	}
	return d.parse(id, text)
}

func (d *Deployer) parse(id string, text []byte) (*record, error) {
	rec, err := decode(text)
	if err != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "the record of %s cannot be read: %w", id, err)
	}
	if rec.Format != recordFormat {
		return nil, deployer.Errorf(deployer.ErrInvalid,
			"the record of %s has format %d, this server knows %d: use the server that made it", id, rec.Format, recordFormat)
	}
	rec.dataDir, rec.ID = d.DataDir, id
	return rec, nil
}

// decode reads a record and the instances noted behind it; what a killed server wrote half ends them.
func decode(text []byte) (*record, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	rec := &record{}
	if err := decoder.Decode(rec); err != nil {
		return nil, err
	}
	var noted []instance
	for i := (instance{}); decoder.Decode(&i) == nil; i = (instance{}) {
		noted = append(noted, i)
	}
	rec.learn(noted...)
	return rec, nil
}

func (d *Deployer) fromMarks(id string, table func() ([]process, error)) (*record, error) {
	all, err := table()
	if err != nil {
		return nil, err
	}
	var rec *record
	for _, p := range slices.SortedFunc(slices.Values(all), func(a, b process) int { return cmp.Compare(a.start, b.start) }) {
		if !p.leads() || !d.ours(p.mark, id) {
			continue
		}
		if rec == nil {
			rec = d.newRecord(id, p.mark.hash, d.Settings)
			rec.Dir, rec.partial = p.mark.dir, true
		}
		// What else has its index was started by it, in a session of its own.
		if !slices.ContainsFunc(rec.Instances, func(i instance) bool { return i.Index == p.mark.index }) {
			rec.Instances = append(rec.Instances, d.instanceOf(p))
		}
	}
	if rec != nil {
		rec.sort()
	}
	return rec, nil
}

func (d *Deployer) instanceOf(p process) instance {
	nonce, text, _ := strings.Cut(p.mark.nonce, "-")
	run, err := strconv.Atoi(text)
	if err != nil {
		run = 0
	}
	return instance{
		Index: p.mark.index, Nonce: nonce, Run: run, Port: p.mark.port, PID: p.pid, Start: p.start, Boot: d.boot,
		Started: startTime(p).UnixMilli(),
	}
}

// handle puts the record into a handle, without how instances ended: the data folder has that.
func (r *record) handle(h deployer.Handle) deployer.Handle {
	short := *r
	short.Instances = slices.Clone(r.Instances)
	for n := range short.Instances {
		i := &short.Instances[n]
		i.Exit, i.Last, i.Limits = nil, nil, ""
	}
	data, err := json.Marshal(short)
	if err == nil { // numbers and strings always marshal
		h.Data = data
	}
	return h
}

// file is where the record of a deployment lies; ids may be too odd or too long for a file name. Another installation
// in the same folder, as after its store was made anew, has other files.
func (d *Deployer) file(id string) string {
	sum := sha256.Sum256([]byte(d.Installation + "/" + d.Account + "/" + id))
	return filepath.Join(d.DataDir, "local", hex.EncodeToString(sum[:16])+".json")
}

// note writes the record of a deployment into the data folder.
func (d *Deployer) note(rec *record) error {
	text, err := json.Marshal(rec)
	if err == nil {
		err = writeFile(d.file(rec.ID), append(text, '\n'))
	}
	if err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "note the deployment %s: %w", rec.ID, err)
	}
	return nil
}

// noteStop writes down from which index on instances are being stopped, where anybody would start them again.
func (d *Deployer) noteStop(rec *record, from int) error {
	if !rec.mayRestart() || !d.noted(rec.ID) {
		return nil
	}
	rec.Stop = &from
	return d.note(rec)
}

// noteStart adds a line to the record: what came of the start of an instance, or how it ended.
func (d *Deployer) noteStart(id string, i instance) error {
	line, err := json.Marshal(i)
	if err == nil {
		err = putDown(d.file(id), os.O_APPEND, append(line, '\n'))
	}
	if err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "note instance %d of %s: %w", i.Index, id, err)
	}
	return nil
}

// noted says whether the deployment exists, be all its processes dead.
func (d *Deployer) noted(id string) bool {
	_, err := os.Stat(d.file(id))
	return err == nil
}

// removeFiles removes log files and, where nothing else is in them, the directories of a deployment.
func (r *record) removeFiles() error {
	if r.KeepFiles {
		return nil
	}
	entries, err := os.ReadDir(r.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	others := false
	for _, e := range entries {
		if !logFile(e.Name()) {
			others = true
		} else if err := os.Remove(filepath.Join(r.dir(), e.Name())); err != nil {
			return err
		}
	}
	if others { // what the application wrote is not ours to delete
		return nil
	}
	if err := os.Remove(r.dir()); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(r.dir())) // stays while another deployment of that moment is in it
	return nil
}
