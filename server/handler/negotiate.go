package handler

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Media types of answers.
const (
	typeHAL        = "application/hal+json"
	typeJSON       = "application/json"
	typeALPS       = "application/alps+json"
	typeSchema     = "application/schema+json"
	typeActuator   = "application/vnd.spring-boot.actuator.v3+json"
	typeActuatorV2 = "application/vnd.spring-boot.actuator.v2+json"
	typeEvents     = "text/event-stream"
	typeText       = "text/plain"
)

// negotiate chooses the media type of an answer as Spring 5.3 does: for every range of Accept in order, every
// producible type in order; then the highest quality. False when nothing is acceptable.
func negotiate(header http.Header, producible []string) (string, bool) {
	accept := strings.Join(header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		accept = "*/*"
	}
	chosen, best := "", 0.0
	for part := range strings.SplitSeq(accept, ",") {
		mediaRange, quality := parseRange(part)
		if quality <= best {
			continue // of equal ones the first is taken
		}
		if i := slices.IndexFunc(producible, func(t string) bool { return inRange(t, mediaRange) }); i >= 0 {
			chosen, best = producible[i], quality
		}
	}
	return chosen, chosen != ""
}

// accepts says that a type is acceptable, be it as the last choice.
func accepts(header http.Header, mediaType string) bool {
	_, acceptable := negotiate(header, []string{mediaType})
	return acceptable
}

func parseRange(part string) (string, float64) {
	mediaRange, params, err := mime.ParseMediaType(part)
	if err != nil {
		mediaRange, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
	}
	quality := 1.0
	if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
		quality = q
	}
	return strings.TrimSpace(mediaRange), quality
}

// inRange compares a concrete type with a range such as */*, application/* or application/*+json. A lone * is what
// Java's own HTTP client sends for anything.
func inRange(mediaType, mediaRange string) bool {
	if mediaRange == "*" || mediaRange == "*/*" || mediaRange == mediaType {
		return true
	}
	major, minor, _ := strings.Cut(mediaRange, "/")
	typeMajor, typeMinor, _ := strings.Cut(mediaType, "/")
	if major != typeMajor {
		return false
	}
	suffix, isSuffix := strings.CutPrefix(minor, "*+")
	return minor == "*" || isSuffix && strings.HasSuffix(typeMinor, "+"+suffix)
}
