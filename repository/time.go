package repository

import (
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// micros gives the microseconds since 1970; 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment is the inverse of micros.
func moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

func optionalMicros(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	m := micros(*t)
	return &m
}

func optionalMoment(micros *int64) *time.Time {
	if micros == nil {
		return nil
	}
	t := moment(*micros)
	return &t
}

func wireMicros(t *skipper.Time) *int64 {
	if t == nil {
		return nil
	}
	return optionalMicros(&t.Time)
}

func wireMoment(micros *int64) *skipper.Time {
	if micros == nil {
		return nil
	}
	return &skipper.Time{Time: moment(*micros)}
}
