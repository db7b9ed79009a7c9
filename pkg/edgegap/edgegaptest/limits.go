package edgegaptest

import (
	"net/http"
	"strconv"
	"time"
)

// limit counts a call and refuses it when there were too many in the last second.
func (f *Fake) limit(call *request) *reply {
	limits := map[string]int{
		bucketDeploy: f.options.Limits.Deploy, bucketStatus: f.options.Limits.Status,
		bucketList: f.options.Limits.List, bucketHosts: f.options.Limits.Hosts, bucketOther: f.options.Limits.Other,
	}
	allowed := limits[call.route.bucket]
	if allowed <= 0 {
		return nil
	}
	key := call.org.Name + "/" + call.route.bucket
	window := f.windows[key]
	for len(window) > 0 && call.now.Sub(window[0]) >= time.Second {
		window = window[1:]
	}
	if len(window) >= allowed {
		f.windows[key] = window
		refused := f.tooMany(f.options.Refusal, call.now, window[0].Add(time.Second).Sub(call.now))
		return &refused
	}
	f.windows[key] = append(window, call.now)
	return nil
}

// tooMany is a 429 as the refusal wants it.
func (f *Fake) tooMany(how Refusal, now time.Time, pause time.Duration) reply {
	answer := reply{status: http.StatusTooManyRequests, header: map[string]string{}}
	switch how.Body {
	case "html":
		answer.raw, answer.kind = "<html><body><h1>429 Too Many Requests</h1></body></html>", "text/html"
	case "empty":
	default:
		answer.body = map[string]any{"message": "Too many requests"}
	}
	seconds := int((pause + time.Second - 1) / time.Second)
	switch how.RetryAfter {
	case "seconds":
		answer.header["Retry-After"] = strconv.Itoa(seconds)
	case "date":
		answer.header["Retry-After"] = now.Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
	}
	return answer
}
