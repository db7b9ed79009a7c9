package kubernetes

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	logLines   = 500 // of a pod, as Skipper
	longestRow = 64 << 10
	logsAtOnce = 8
)

// pods are those of a deployment, by name.
func (d *Deployer) pods(ctx context.Context, id string) ([]*corev1.Pod, error) {
	v, err := d.watched(ctx)
	if err != nil {
		return nil, err
	}
	var out []*corev1.Pod
	for _, pod := range of[*corev1.Pod](v.pods, byApp, id) {
		if d.belongs(pod, id) && pod.Spec.NodeName != "" {
			out = append(out, pod)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Logs joins the last lines of all pods. Kubernetes keeps both streams in one. A pod whose log cannot be read says so in its
// place; an error is when none can.
func (d *Deployer) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	pods, err := d.pods(ctx, h.ID)
	if err != nil {
		return "", err
	}
	texts, errs := make([]string, len(pods)), make([]error, len(pods))
	var group sync.WaitGroup
	slots := make(chan struct{}, logsAtOnce)
	for n, pod := range pods {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			texts[n], errs[n] = d.log(ctx, pod, limit)
		})
	}
	group.Wait()
	var out strings.Builder
	for n, pod := range pods {
		if errs[n] != nil {
			texts[n] = "stderr:\nthe log of pod " + pod.Name + " cannot be read: " + errs[n].Error() + "\n"
		}
		out.WriteString(texts[n])
	}
	failed := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(pods) > 0 && len(failed) == len(pods) {
		return "", errors.Join(failed...)
	}
	return out.String(), nil
}

// log is the end of the log of one pod: of its container before when the one that runs has written nothing yet.
func (d *Deployer) log(ctx context.Context, pod *corev1.Pod, limit int64) (string, error) {
	ctx, done := context.WithTimeout(ctx, d.timeout)
	defer done()
	lines := int64(logLines)
	o := corev1.PodLogOptions{Container: main(pod).Name, TailLines: &lines}
	text, err := d.readLog(ctx, pod.Name, o, limit)
	if err == nil && text == "" && slices.ContainsFunc(pod.Status.ContainerStatuses,
		func(s corev1.ContainerStatus) bool { return s.RestartCount > 0 }) {
		o.Previous = true
		text, err = d.readLog(ctx, pod.Name, o, limit)
	}
	if apierrors.IsNotFound(err) || apierrors.IsBadRequest(err) { // not started, or gone by now
		return "", nil
	} else if err != nil || text == "" {
		return "", fault("read the log of pod "+pod.Name, err)
	}
	return "stdout:\n" + text, nil
}

// readLog gives whole lines of the end of a log, of at most limit bytes.
func (d *Deployer) readLog(ctx context.Context, pod string, o corev1.PodLogOptions, limit int64) (string, error) {
	stream, err := d.logStream(ctx, pod, o)
	if err != nil {
		return "", err
	}
	defer func() { _ = stream.Close() }() // it was only read
	var kept []byte
	buffer := make([]byte, 32<<10)
	for {
		n, err := stream.Read(buffer)
		kept = append(kept, buffer[:n]...)
		if over := int64(len(kept)) - limit; over > 0 && (over > 1<<20 || err != nil) {
			kept = kept[over:]
			if i := slices.Index(kept, '\n'); i >= 0 {
				kept = kept[i+1:]
			}
		}
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
	}
	text := strings.ToValidUTF8(string(kept), "?")
	if strings.TrimSpace(text) == "" {
		return "", nil
	}
	return strings.TrimSuffix(text, "\n") + "\n", nil
}

func (d *Deployer) logStream(ctx context.Context, pod string, o corev1.PodLogOptions) (io.ReadCloser, error) {
	request := d.client.core.Get().Namespace(d.namespace).Resource("pods").Name(pod).SubResource("log").
		Param("container", o.Container)
	if o.Follow {
		request.Param("follow", "true")
	}
	if o.Timestamps {
		request.Param("timestamps", "true")
	}
	if o.Previous {
		request.Param("previous", "true")
	}
	if o.TailLines != nil {
		request.Param("tailLines", strconv.FormatInt(*o.TailLines, 10))
	}
	if o.SinceTime != nil {
		request.Param("sinceTime", o.SinceTime.UTC().Format(time.RFC3339))
	}
	return request.Stream(ctx)
}

// ReadLogs reads all pods at once. With Follow it looks every second for pods that are new, and for whether any are left.
func (d *Deployer) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions,
	emit func(deployer.LogLine) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &reader{deployer: d, options: o, cancel: cancel, reading: map[string]bool{}, emit: emit}
	defer func() {
		cancel(nil)
		r.group.Wait()
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for first := true; ; first = false {
		pods, err := d.pods(ctx, h.ID)
		if err != nil {
			return err
		}
		chosen := slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool {
			return o.Instance != "" && o.Instance != p.Name && o.Instance != string(p.UID)
		})
		if first && o.Instance != "" && len(chosen) == 0 {
			return deployer.Errorf(deployer.ErrNotFound, "instance %s is not one of %s", o.Instance, h.ID)
		}
		for _, pod := range chosen {
			r.start(ctx, pod, !first)
		}
		if !o.Follow {
			r.group.Wait()
			return cause(ctx)
		}
		if len(chosen) == 0 && !first {
			return cause(ctx)
		}
		select {
		case <-ctx.Done():
			return cause(ctx)
		case <-tick.C:
		}
	}
}

// cause is the error that ended the reading; that the caller wanted no more is none.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// reader hands lines of several pods to one function, one after the other.
type reader struct {
	deployer *Deployer
	options  deployer.LogOptions
	cancel   context.CancelCauseFunc
	group    sync.WaitGroup

	mu      sync.Mutex
	reading map[string]bool // by uid
	refused bool            // the caller wants no more
	emit    func(deployer.LogLine) error
}

// start reads a pod unless it is read already; one that is new is read from its beginning.
func (r *reader) start(ctx context.Context, pod *corev1.Pod, isNew bool) {
	r.mu.Lock()
	known := r.reading[string(pod.UID)]
	r.reading[string(pod.UID)] = true
	r.mu.Unlock()
	if known {
		return
	}
	o := corev1.PodLogOptions{Container: main(pod).Name, Timestamps: true, Follow: r.options.Follow}
	switch tail := int64(r.options.Tail); {
	case isNew || tail == 0:
	case tail < 0:
		none := int64(0)
		o.TailLines = &none
	default:
		o.TailLines = &tail
	}
	if !r.options.Since.IsZero() {
		o.SinceTime = &metav1.Time{Time: r.options.Since}
	}
	r.group.Go(func() {
		err := r.read(ctx, pod, o)
		if apierrors.IsBadRequest(err) { // its container has not started
			r.mu.Lock()
			delete(r.reading, string(pod.UID))
			r.mu.Unlock()
		} else if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			r.cancel(fault("read the log of pod "+pod.Name, err))
		}
	})
}

// hand gives a line to the caller, unless one before was refused; false when there is to be no more.
func (r *reader) hand(line deployer.LogLine) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused {
		return false
	}
	if err := r.emit(line); err != nil {
		r.refused = true
		r.cancel(err)
	}
	return !r.refused
}

func (r *reader) read(ctx context.Context, pod *corev1.Pod, o corev1.PodLogOptions) error {
	stream, err := r.deployer.logStream(ctx, pod.Name, o)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }() // it was only read
	lines := bufio.NewReaderSize(stream, longestRow)
	for {
		text, _, err := lines.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		line := deployer.LogLine{Instance: pod.Name, Stream: "stdout"}
		stamp, rest, _ := strings.Cut(strings.ToValidUTF8(string(text), "?"), " ")
		if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			line.Time, line.Text = at, rest
		} else {
			line.Text = strings.TrimSuffix(stamp+" "+rest, " ")
		}
		if line.Time.Before(r.options.Since) && !line.Time.IsZero() {
			continue
		}
		if !r.hand(line) {
			return nil
		}
	}
}
