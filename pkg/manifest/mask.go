package manifest

import (
	"regexp"
	"strings"
)

// masking is what people see in place of a secret.
const masking = "******"

var (
	// secretName is the last part of a key whose value is a secret: Skipper's own list, and the usual short forms.
	secretName = regexp.MustCompile(`(?i)(?:passwo?r?d|passwd|passphrase|passcode|pwd|secret|token|credential|vcap_services|jaas)` +
		`|(?:^|[^a-z])(?:pass|auth|authorization)$|keys?$`)
	// userInfo is what stands before the host of a URL.
	userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z][A-Za-z0-9+.-]*:)*//)[^/?#\s@]*(?:@[^/?#\s@]*)*@`)
	// secretPair is a secret that is given a name within a value: in a query, an option, or JSON.
	secretPair = regexp.MustCompile(`(?i)((?:passwo?r?d|passwd|passphrase|pwd|secret|token|credentials?|key)(?:["']?\s*[:=]\s*))` +
		`(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[^\s"'&;,}]+)`)
)

// Mask gives the value of a field as people may see it: masked where the field's name says that it is a secret, else
// without the user and password of URLs in it and without the secrets it names itself. null and the empty text stay, so
// that a secret that is missing is seen.
func Mask(name, value string) string {
	if value == "" || value == "null" {
		return value
	}
	if secretName.MatchString(strings.TrimSpace(name)) {
		return masking
	}
	value = userInfo.ReplaceAllString(value, "${1}"+masking+"@")
	return secretPair.ReplaceAllString(value, "${1}"+masking)
}
