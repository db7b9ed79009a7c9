package yamlx

import (
	"encoding/base64"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// tag is the type of a scalar, as it is spelled in a text.
type tag string

const (
	tagStr       tag = "!!str"
	tagNull      tag = "!!null"
	tagBool      tag = "!!bool"
	tagInt       tag = "!!int"
	tagFloat     tag = "!!float"
	tagTimestamp tag = "!!timestamp"
	tagBinary    tag = "!!binary"
	tagMerge     tag = "!!merge"
)

// The longest texts that are looked at as something other than text; a longer number is none.
const (
	maxNumber    = 1024
	maxTimestamp = 50
)

// The patterns of YAML 1.1 in SnakeYAML's reading.
var (
	intPattern = regexp.MustCompile(`^(?:[-+]?0b_*[01][01_]*|[-+]?0_*[0-7][0-7_]*|[-+]?(?:0|[1-9][0-9_]*)|` +
		`[-+]?0x_*[0-9a-fA-F][0-9a-fA-F_]*|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$`)
	floatPattern = regexp.MustCompile(`^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|` +
		`\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|` +
		`[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$`)
	timestampPattern = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}` +
		`:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$`)
)

// resolve gives the type of an unquoted scalar.
func resolve(text string) tag {
	switch text {
	case "", "~", "null", "Null", "NULL", " ":
		return tagNull
	case "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE",
		"on", "On", "ON", "off", "Off", "OFF":
		return tagBool
	case "<<":
		return tagMerge
	}
	if c := text[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' || len(text) > maxNumber {
		return tagStr
	}
	return resolveNumber(text)
}

// resolveNumber tells numbers and times from texts that begin like one. Most are no work for a pattern.
func resolveNumber(text string) tag {
	digits := 0
	point, exponent, word := false, false, false
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			point = true
		case c == 'e' || c == 'E':
			exponent = true
		case strings.IndexByte("-+_:xbacdfABCDF", c) >= 0:
			// of numbers of some sort
		default:
			word = true
		}
	}
	switch {
	case digits == len(text) && text[0] != '0' && !word:
		return tagInt
	case !word && !point && intPattern.MatchString(text):
		return tagInt
	case (point || exponent) && floatPattern.MatchString(text):
		return tagFloat
	case len(text) >= len("2006-1-2") && len(text) <= maxTimestamp && text[4] == '-' && timestampPattern.MatchString(text):
		return tagTimestamp
	default:
		return tagStr
	}
}

// parseScalar makes the value of a scalar of a known type; ok is false when the text is none of that type.
func parseScalar(t tag, text string) (v Value, ok bool) {
	switch t {
	case tagStr:
		return text, true
	case tagNull:
		return nil, true
	case tagBool:
		return parseBool(text)
	case tagInt:
		return parseInt(text)
	case tagFloat:
		return parseFloat(text)
	case tagTimestamp:
		return parseTime(text)
	case tagBinary:
		return parseBinary(text)
	default:
		return nil, false
	}
}

func parseBool(text string) (Value, bool) {
	switch strings.ToLower(text) {
	case "yes", "true", "on":
		return true, true
	case "no", "false", "off":
		return false, true
	default:
		return nil, false
	}
}

func cutSign(text string) (sign int64, rest string) {
	switch {
	case strings.HasPrefix(text, "-"):
		return -1, text[1:]
	case strings.HasPrefix(text, "+"):
		return 1, text[1:]
	default:
		return 1, text
	}
}

func parseInt(text string) (Value, bool) {
	sign, digits := cutSign(strings.ReplaceAll(text, "_", ""))
	base := 10
	switch {
	case digits == "0":
	case strings.HasPrefix(digits, "0b"):
		base, digits = 2, digits[2:]
	case strings.HasPrefix(digits, "0x"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(digits, "0"):
		base, digits = 8, digits[1:]
	case len(digits) > maxNumber:
		return nil, false
	case strings.Contains(digits, ":"):
		return sexagesimal(sign, digits)
	}
	if digits == "" || digits[0] == '-' || digits[0] == '+' || len(digits) > maxNumber {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, false
	}
	n.Mul(n, big.NewInt(sign))
	if n.IsInt64() {
		return n.Int64(), true
	}
	return n, true
}

// sexagesimal reads 1:30:00. The reference counts in 32 bits, and so do its manifests.
func sexagesimal(sign int64, text string) (Value, bool) {
	var sum int32
	for part := range strings.SplitSeq(text, ":") {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, false
		}
		sum = sum*60 + int32(n) //nolint:gosec // wraps as Java's int
	}
	return sign * int64(sum), true
}

func parseFloat(text string) (Value, bool) {
	sign, digits := cutSign(strings.ReplaceAll(text, "_", ""))
	switch strings.ToLower(digits) {
	case ".inf":
		return math.Inf(int(sign)), true
	case ".nan":
		return math.NaN(), true
	}
	if len(digits) > maxNumber {
		return nil, false
	}
	sum := 0.0
	for part := range strings.SplitSeq(digits, ":") {
		if strings.ContainsAny(part, "xXpPiInN") { // Go reads more than YAML has
			return nil, false
		}
		f, err := strconv.ParseFloat(part, 64)
		if err != nil && !math.IsInf(f, 0) { // out of range is infinite, as in Java
			return nil, false
		}
		sum = sum*60 + f
	}
	return float64(sign) * sum, true
}

var timestamp = regexp.MustCompile(`^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2})` +
	`:([0-9]{2})(?:\.([0-9]*))?(?:[ \t]*(?:Z|([-+])([0-9]{1,2})(?::?([0-9]{2}))?))?)?$`)

// parseTime reads a date or a time; without a zone it is UTC. Months and days beyond their range roll over.
func parseTime(text string) (Value, bool) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, true
	}
	m := timestamp.FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	number := func(i int) int {
		n, err := strconv.Atoi(m[i])
		if err != nil {
			return 0 // the part is missing: the pattern lets only digits through
		}
		return n
	}
	zone := time.UTC
	if m[8] != "" {
		offset := number(9)*3600 + number(10)*60
		if m[8] == "-" {
			offset = -offset
		}
		zone = time.FixedZone("", offset)
	}
	fraction, err := strconv.ParseFloat("0."+m[7]+"0", 64)
	if err != nil {
		return nil, false
	}
	ms := int(math.Round(fraction * 1000))
	t := time.Date(number(1), time.Month(number(2)), number(3), number(4), number(5), number(6), 0, zone)
	return t.Add(time.Duration(ms) * time.Millisecond).UTC(), true
}

func parseBinary(text string) (Value, bool) {
	packed := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, text)
	b, err := base64.StdEncoding.DecodeString(packed)
	return b, err == nil
}
