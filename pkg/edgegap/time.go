package edgegap

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Time is a time as Edgegap writes it: "2026-04-22 12:00:46.444265" in UTC without a zone, or ISO 8601. A null, or a
// text that is no time, reads as the zero time: it is no reason to lose the rest of an answer. It is written as RFC
// 3339, the zero time as null.
type Time struct{ time.Time }

// metricsTime is how times are spelled in requests.
const metricsTime = "2006-01-02 15:04:05.000000"

// UnmarshalJSON reads any of the spellings.
func (t *Time) UnmarshalJSON(data []byte) error {
	t.Time = time.Time{}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return nil //nolint:nilerr // what is no text is no time
	}
	for _, layout := range []string{"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00"} {
		if parsed, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return nil
}

// MarshalJSON writes RFC 3339, or null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Format(time.RFC3339Nano))
}

// Integer is a whole number that Edgegap may also answer as null, as a text or with a fraction; what is no number
// reads as 0.
type Integer int

// UnmarshalJSON reads any of the spellings.
func (i *Integer) UnmarshalJSON(data []byte) error {
	*i = 0
	number, err := strconv.ParseFloat(string(bytes.Trim(data, `" `)), 64)
	if err == nil && math.Abs(number) < 1<<31 {
		*i = Integer(number)
	}
	return nil
}
