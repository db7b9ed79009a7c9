package yamlx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// FormatFloat writes a number as Java's Double.toString: 1.0, 1.0E10, 1.0E-5, Infinity, NaN.
func FormatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0 || math.Abs(f) >= 1e-3 && math.Abs(f) < 1e7:
		return withPoint(strconv.FormatFloat(f, 'f', -1, 64))
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	sign := ""
	if exponent[0] == '-' {
		sign = "-"
	}
	return withPoint(mantissa) + "E" + sign + strings.TrimLeft(exponent, "+-0")
}

func withPoint(digits string) string {
	if strings.Contains(digits, ".") {
		return digits
	}
	return digits + ".0"
}

// formatYAMLFloat differs from Java's text only where YAML has words of its own.
func formatYAMLFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".NaN"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	default:
		return FormatFloat(f)
	}
}

// formatTime writes a time as SnakeYAML: milliseconds only when there are any.
func formatTime(t time.Time) string {
	t = t.UTC()
	// Java's calendar counts the years before 1 backwards, and SnakeYAML prints that count: 2 BC is 0002.
	if year := t.Year(); year < 1 {
		t = t.AddDate(1-2*year, 0, 0)
	}
	text := t.Format("2006-01-02T15:04:05")
	if ms := t.Nanosecond() / int(time.Millisecond); ms != 0 {
		text += fmt.Sprintf(".%03d", ms)
	}
	return text + "Z"
}
