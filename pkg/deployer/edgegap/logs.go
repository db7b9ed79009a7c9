package edgegap

import (
	"context"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Logs joins the logs of all instances. Those of one that has ended are gone with it; what is known of its end is told
// in their place.
func (d *Deployer) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	statuses, err := d.Status(ctx, []deployer.Handle{h})
	if err != nil {
		return "", err
	}
	rec, err := load(h)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	slots := d.slots(h.ID, rec)
	d.mu.Unlock()
	texts, errs := make([]string, len(slots)), make([]error, len(slots))
	inParallel(len(slots), callsAtOnce, func(n int) {
		if slots[n].Request != "" {
			texts[n], errs[n] = d.log(ctx, slots[n].Request, limit)
		}
	})
	var out strings.Builder
	for n, s := range slots {
		if errs[n] != nil {
			return "", fault("read the log of deployment "+s.Request, errs[n])
		}
		if texts[n] == "" {
			for _, i := range statuses[h.ID].Instances {
				if reason := i.Attributes[deployer.AttributeReason]; reason != "" && i.Attributes["guid"] == s.Request {
					texts[n] = framed("stderr", reason, limit)
				}
			}
		}
		out.WriteString(texts[n])
	}
	return out.String(), nil
}

// log is the log of one instance, framed; empty where there is none.
func (d *Deployer) log(ctx context.Context, request string, limit int64) (string, error) {
	got, err := d.client.Logs(ctx, request)
	if gone(err) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	crash := got.CrashText
	if got.Crash != nil && got.Crash.Message != "" {
		crash = strings.TrimSuffix(crash, "\n") + "\n" + got.Crash.Message
	}
	text := got.Text
	if strings.TrimSpace(text) == "" && got.Link != "" {
		text = "the log is kept at " + got.Link
	}
	return framed("stderr", strings.TrimPrefix(crash, "\n"), limit) + framed("stdout", text, limit), nil
}

// framed is the end of a text, from the first whole line of the last limit bytes on, behind the name of its stream.
func framed(stream, text string, limit int64) string {
	if strings.TrimSpace(text) == "" {
		return ""
	}
	text = strings.TrimSuffix(strings.ToValidUTF8(text, "?"), "\n") + "\n"
	if int64(len(text)) > limit {
		text = text[int64(len(text))-max(limit, 0):]
		if _, rest, cut := strings.Cut(text, "\n"); cut {
			text = rest
		}
	}
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return stream + ":\n" + text
}
