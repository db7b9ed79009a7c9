package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// steadyTick is how often care looks whether anything is due, though nothing woke it.
const steadyTick = time.Second

// begin starts the care of what runs, once: it takes over the processes of an earlier server, looks at all that run,
// notes how they end, starts them again where that is asked for, and keeps their logs small.
func (d *Deployer) begin() {
	d.once.Do(func() {
		d.address = ownAddress(d.life)
		d.readRecords()
		d.watchers.Go(d.care)
	})
}

// poke wakes care before its time.
func (d *Deployer) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *Deployer) care() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-d.stopping:
			return
		case <-d.wake:
		case <-timer.C:
		}
		timer.Reset(d.round())
	}
}

// round does what is due and gives the time to the next round.
func (d *Deployer) round() time.Duration {
	pause := steadyTick
	now := d.Clock()
	for _, r := range d.due(now, &pause) {
		d.watchers.Go(func() { d.look(d.life, r) })
	}
	if !d.inCharge() {
		return pause
	}
	for _, k := range d.deployments() {
		d.mend(k)
	}
	if now.Sub(d.rotated) >= rotatePeriod {
		d.rotated = now
		d.rotateAll()
	}
	return pause
}

// due takes the runs that are to be looked at now; what comes sooner than pause shortens it.
func (d *Deployer) due(now time.Time, pause *time.Duration) []*run {
	d.mu.Lock()
	defer d.mu.Unlock()
	var due []*run
	for _, r := range d.runs {
		if _, over := r.over(); over || r.probing || r.instance.Port < 1 {
			continue
		}
		if wait := r.next.Sub(now); wait > 0 {
			*pause = min(*pause, wait)
			continue
		}
		r.probing = true
		due = append(due, r)
	}
	return due
}

// inCharge says whether this deployer is the one that starts instances again and cuts logs: of several on one data
// folder, the first.
func (d *Deployer) inCharge() bool {
	if d.charge == nil {
		sum := sha256.Sum256([]byte(d.Installation + "/" + d.Account))
		d.charge, _ = lockFile(filepath.Join(d.DataDir, "local", hex.EncodeToString(sum[:8])+".lock"))
	}
	return d.charge != nil
}

// known is a deployment that this server has in memory: its record as it was read last. The record's file is the
// truth: whoever finds it changed reads it again.
type known struct {
	id      string
	busy    chan struct{} // holds one token: of the verb, or the restart, that changes the deployment now
	data    string        // of the handle the record was read with
	stamp   stamp
	rec     *record           // not changed any more; nil: to be read
	request *deployer.Request // as it was deployed or scaled by this server
	blocked int64             // until then, in milliseconds since 1970, it is not tried again
}

// stamp tells one state of a file from another; zero when it is not there.
type stamp struct {
	info os.FileInfo
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info}
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return false
	}
	return os.SameFile(s.info, o.info) && s.info.Size() == o.info.Size() && s.info.ModTime().Equal(o.info.ModTime())
}

func (d *Deployer) known(id string) *known {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.memory[id]
	if k == nil {
		k = &known{id: id, busy: make(chan struct{}, 1)}
		d.memory[id] = k
	}
	return k
}

func (d *Deployer) deployments() []*known {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]*known, 0, len(d.memory))
	for _, k := range d.memory {
		all = append(all, k)
	}
	return all
}

// hold keeps everybody else from changing a deployment until release is called.
func (d *Deployer) hold(ctx context.Context, id string) (release func(), err error) {
	k := d.known(id)
	select {
	case k.busy <- struct{}{}:
		return func() {
			if d.noted(id) { // so that care sees what has become of it
				_, _ = d.view(deployer.Handle{ID: id}, sync.OnceValues(processes))
			}
			d.free(k)
		}, nil
	case <-ctx.Done():
		return nil, deployer.Errorf(deployer.ErrUnavailable, "change %s: %w", id, context.Cause(ctx))
	}
}

// free lets others change a deployment; care may have waited for it.
func (d *Deployer) free(k *known) {
	<-k.busy
	d.poke()
}

// view is the record of a deployment for those who change nothing, read only when its file, or the handle, is another
// one than before. It must not be changed.
func (d *Deployer) view(h deployer.Handle, table func() ([]process, error)) (*record, error) {
	stamp := stampOf(d.file(h.ID))
	d.mu.Lock()
	if k := d.memory[h.ID]; k != nil && k.rec != nil && len(k.rec.idle()) == 0 && (h.Data == nil || k.data == string(h.Data)) && k.stamp.same(stamp) {
		defer d.mu.Unlock()
		return k.rec, nil
	}
	d.mu.Unlock()
	rec, err := d.load(h, table)
	if err == nil {
		err = d.here(h.ID, rec)
	}
	if err == nil && rec != nil {
		err = d.adopt(h.ID, rec, table)
	}
	if err != nil || rec == nil {
		return nil, err
	}
	if stamp.info == nil { // nothing tells when it changes
		return rec, nil
	}
	k := d.known(h.ID)
	d.mu.Lock()
	defer d.mu.Unlock()
	k.rec, k.stamp, k.data = rec, stamp, string(h.Data)
	return rec, nil
}

// readRecords takes over all deployments of which there is a record.
func (d *Deployer) readRecords() {
	files, _ := filepath.Glob(filepath.Join(d.DataDir, "local", "*.json")) // the pattern is a good one
	table := sync.OnceValues(processes)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		rec, err := decode(text)
		if err != nil || rec.ID == "" || d.file(rec.ID) != file || rec.Host != d.host {
			continue // unreadable, an older one, or not ours: whoever asks for it learns more
		}
		if rec, err = d.view(deployer.Handle{ID: rec.ID}, table); err != nil || rec == nil {
			continue
		}
		for _, i := range slices.Clone(rec.Instances) {
			d.settle(rec.ID, rec, &i)
		}
		d.known(rec.ID)
	}
}

// Close lets go of what the deployer holds. Applications keep running, but those that are to end with the server: they
// get the time there is until ctx ends, at most their shutdown timeout.
func (d *Deployer) Close(ctx context.Context) error {
	d.mu.Lock()
	first := !d.closed
	d.closed = true
	d.mu.Unlock()
	if !first {
		return nil
	}
	d.endLife()
	close(d.stopping)
	err := d.stopWithServer(ctx)
	d.mu.Lock()
	for _, r := range d.runs {
		if r.watched != nil {
			r.watched.close()
		}
	}
	d.mu.Unlock()
	d.watchers.Wait()
	d.http.CloseIdleConnections()
	if d.charge != nil {
		err = errors.Join(err, d.charge.Close())
	}
	return err
}
