package deployer

import (
	"regexp"
	"strconv"
	"strings"
)

// Megabytes reads a size as 512, 512m or 1g; ErrInvalid in Skipper's words when it is none.
func Megabytes(size string) (int, error) {
	m := regexp.MustCompile(`(?i)^(\d{1,9})([mg]?)$`).FindStringSubmatch(size)
	if m == nil {
		return 0, Errorf(ErrInvalid,
			"Could not parse '%s' as a byte size. Expected a number with optional 'm' or 'g' suffix", size)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, Errorf(ErrInvalid, "%s is no number: %w", m[1], err)
	}
	if strings.EqualFold(m[2], "g") {
		n *= 1024
	}
	return n, nil
}
