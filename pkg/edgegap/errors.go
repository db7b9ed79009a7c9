package edgegap

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Kind sorts errors by what a caller can do about them.
type Kind string

// The kinds of errors.
const (
	// KindInvalid: the request is not right (400, 422, or found before it was sent); change it.
	KindInvalid Kind = "invalid"
	// KindUnauthorized: the token is missing, wrong, deleted or not allowed to do this (401, 403).
	KindUnauthorized Kind = "unauthorized"
	// KindNotFound: what the call names does not exist (404; for Status also the 400 that Edgegap answers instead).
	KindNotFound Kind = "not_found"
	// KindGone: the deployment has ended (410).
	KindGone Kind = "gone"
	// KindConflict: the name is taken (409).
	KindConflict Kind = "conflict"
	// KindImage: the image of a version cannot be pulled (424).
	KindImage Kind = "image"
	// KindUnallocated: no server was found (422 of a deploy). A deployment exists, in ERROR, and Error.RequestID is its
	// id: stop it.
	KindUnallocated Kind = "unallocated"
	// KindRateLimited: 429, also after the repetitions. Nothing happened.
	KindRateLimited Kind = "rate_limited"
	// KindUnavailable: Edgegap failed (5xx), did not answer, or answered what cannot be read.
	KindUnavailable Kind = "unavailable"
	// KindCancelled: the caller's context ended first.
	KindCancelled Kind = "cancelled"
)

// Error is what Edgegap refused, or why its answer did not arrive. It holds no token.
type Error struct {
	// Call is the call in words, as "deploy" or "create version".
	Call string
	// Kind sorts it.
	Kind Kind
	// Status is the HTTP status; 0 if there was no answer or the request was not sent.
	Status int
	// Message says what is wrong, in Edgegap's words where it answered; at most 500 bytes.
	Message string
	// Field names the part of the request that is wrong, as it is spelled there; empty if that cannot be told.
	Field string
	// Details is what a v2 answer adds to its message; nil mostly.
	Details json.RawMessage
	// RequestID is the deployment that a failed deploy left (KindUnallocated).
	RequestID string
	// RetryAfter is the pause Edgegap asked for; 0 if it named none.
	RetryAfter time.Duration
	// MayHaveHappened tells that the call may have had its effect although it failed: look before asking again.
	MayHaveHappened bool
	// Err is the cause, where the failure is not an answer; errors.Is finds the context's errors in it.
	Err error
}

// Error gives one line for people.
func (e *Error) Error() string {
	var text strings.Builder
	text.WriteString(e.Call)
	if e.Status != 0 {
		fmt.Fprintf(&text, ": Edgegap answered %d", e.Status)
	}
	text.WriteString(": " + e.Message)
	if e.Field != "" && !strings.Contains(e.Message, e.Field) {
		fmt.Fprintf(&text, " (%s)", e.Field)
	}
	return text.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of an error of this package; empty for nil and for others.
func KindOf(err error) Kind {
	if e, is := errors.AsType[*Error](err); is {
		return e.Kind
	}
	return ""
}

// MayHaveHappened tells whether a failed call may have had its effect. A deploy that may have happened must be looked
// for, by a tag, before it is asked for again.
func MayHaveHappened(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.MayHaveHappened
}

const maxMessage = 500

// invalid is an error found before anything was sent.
func invalid(call, field, format string, args ...any) *Error {
	return &Error{Call: call, Kind: KindInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// kindOf sorts an HTTP status.
func kindOf(status int) Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return KindUnauthorized
	case http.StatusNotFound:
		return KindNotFound
	case http.StatusGone:
		return KindGone
	case http.StatusConflict:
		return KindConflict
	case http.StatusFailedDependency:
		return KindImage
	case http.StatusTooManyRequests:
		return KindRateLimited
	}
	if status >= 500 {
		return KindUnavailable
	}
	return KindInvalid
}

// answerError reads an error answer. Gateways answer HTML or nothing at all: that is no reason to fail here.
func answerError(call string, status int, header http.Header, body []byte, now time.Time) *Error {
	e := &Error{
		Call: call, Kind: kindOf(status), Status: status,
		RetryAfter: retryAfter(header.Get("Retry-After"), now), MayHaveHappened: status >= 500,
	}
	var answer struct {
		Message   json.RawMessage `json:"message"`
		Details   json.RawMessage `json:"details"`
		RequestID string          `json:"request_id"`
	}
	if status < 400 {
		e.Message = "the answer is a redirect, which is not followed; give the base URL that answers itself"
		return e
	}
	if json.Unmarshal(body, &answer) == nil {
		e.Message, e.RequestID = messageText(answer.Message), answer.RequestID
		if len(answer.Details) <= 4096 && string(answer.Details) != "null" {
			e.Details = answer.Details
		}
		e.Field = fieldOf(e.Details, e.Message)
	} else {
		e.Message = string(body)
	}
	e.Message = clean(e.Message)
	if e.Message == "" {
		e.Message = or(http.StatusText(status), "no message")
	}
	return e
}

// messageText reads a message, which is a text, or in some answers a list of texts.
func messageText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// clean makes one short line of a text that somebody else wrote.
func clean(text string) string {
	if len(text) > 4*maxMessage {
		text = text[:4*maxMessage]
	}
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "")
	}
	return text
}

var (
	quotedField   = regexp.MustCompile(`^'([A-Za-z0-9_.]{1,64})' is a required property`)
	trailingField = regexp.MustCompile(`- '([A-Za-z0-9_.]{1,64})'$`)
)

// fieldOf finds the part of the request that an answer is about. The shape of "details" is not documented: a member
// "field" is taken, else the only member's name; else what the message quotes.
func fieldOf(details json.RawMessage, message string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(details, &members) == nil && len(members) > 0 {
		var field string
		if json.Unmarshal(members["field"], &field) == nil {
			return clean(field)
		}
		if len(members) == 1 {
			for name := range members {
				return clean(name)
			}
		}
	}
	for _, pattern := range []*regexp.Regexp{quotedField, trailingField} {
		if match := pattern.FindStringSubmatch(message); match != nil {
			return match[1]
		}
	}
	return ""
}

// without hides texts that must not be seen, should an answer repeat them.
func (e *Error) without(secrets ...string) {
	for _, secret := range secrets {
		if len(secret) < 6 {
			continue
		}
		e.Message = strings.ReplaceAll(e.Message, secret, "[hidden]")
		e.Field = strings.ReplaceAll(e.Field, secret, "[hidden]")
		if strings.Contains(string(e.Details), secret) {
			e.Details = nil
		}
	}
}

// retryAfter reads the header: seconds or a date; 0 for neither.
func retryAfter(text string, now time.Time) time.Duration {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0
	}
	var seconds float64
	if err := json.Unmarshal([]byte(text), &seconds); err == nil {
		return time.Duration(min(max(seconds, 0), 86400) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// is tells whether an error answered with one of these statuses.
func is(err error, statuses ...int) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains(statuses, e.Status)
}

func asError(err error, target **Error) bool { return errors.As(err, target) }

// hide takes a secret of the request out of an error, should the answer repeat it.
func hide(err error, secret Secret) error {
	var e *Error
	if asError(err, &e) {
		e.without(string(secret))
	}
	return err
}
