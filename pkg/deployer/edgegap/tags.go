package edgegap

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

// The tags of a deployment, each of [a-z0-9-] and at most 20 characters:
//
//	skipper           for people
//	sk-o-<10 hex>     owner: installation and account
//	sk-d-<12 hex>     deployment id
//	sk-h-<15 hex>     begin of the spec hash
//	sk-i-<n>          index of the instance
//	sk-n-<15 hex>     nonce of the attempt: 8 digits of the time in seconds, 7 of chance
//	sk-w<n>-<text>    part n of whose it is: release, version, application and deployment id, escaped
const (
	peopleTag   = "skipper"
	idPrefix    = "sk-d-"
	hashPrefix  = "sk-h-"
	indexPrefix = "sk-i-"
	noncePrefix = "sk-n-"
	whosePrefix = "sk-w"

	whosePart   = 14 // characters of one part
	whoseDigits = "0123456789abcdefghijklmnopqrstuvwxyz"
)

func digest(length int, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])[:length]
}

func ownerTag(installation, account string) string {
	return "sk-o-" + digest(10, installation, account)
}

func idTag(id string) string { return idPrefix + digest(12, id) }

func hashTag(specHash string) string {
	if len(specHash) > 15 {
		specHash = specHash[:15]
	}
	return hashPrefix + specHash
}

// newNonce names an attempt; it holds its time, which is how old a deployment is when nothing else tells.
func newNonce(now time.Time) string {
	chance := make([]byte, 4)
	_, _ = rand.Read(chance)                                                        // never fails
	return fmt.Sprintf("%08x", uint32(now.Unix())) + hex.EncodeToString(chance)[:7] //nolint:gosec // until the year 2106
}

// nonceTime is when an attempt was made; zero for what is no nonce of ours.
func nonceTime(nonce string) time.Time {
	if len(nonce) != 15 {
		return time.Time{}
	}
	seconds, err := strconv.ParseUint(nonce[:8], 16, 32)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// tagsOf are those of one attempt.
func (d *Deployer) tagsOf(p plan, index int, nonce string) []string {
	tags := []string{
		peopleTag, d.owner, idTag(p.id), hashTag(p.hash), indexPrefix + strconv.Itoa(index), noncePrefix + nonce,
	}
	return append(append(tags, whoseTags(p.request.Owner, p.id)...), p.spec.tags...)
}

// whoseTags spell out what the other tags are digests of.
func whoseTags(o deployer.Owner, id string) []string {
	text := escape(o.Release) + "-" + strconv.Itoa(o.Version) + "-" + escape(o.App)
	if id != o.Release+"."+o.App+"-v"+strconv.Itoa(o.Version) {
		text += "-" + escape(id)
	}
	var tags []string
	for part := range slices.Chunk([]byte(text), whosePart) {
		if len(tags) == len(whoseDigits) {
			return nil // Validate has said so
		}
		tags = append(tags, whosePrefix+whoseDigits[len(tags):len(tags)+1]+"-"+string(part))
	}
	return tags
}

// whose reads whoseTags; false when parts are missing.
func (d *Deployer) whose(tags []string) (deployer.Owner, string, bool) {
	parts := make([]string, len(whoseDigits))
	for _, tag := range tags {
		rest, ok := strings.CutPrefix(tag, whosePrefix)
		if ok && len(rest) > 2 && rest[1] == '-' && strings.Contains(whoseDigits, rest[:1]) {
			parts[strings.Index(whoseDigits, rest[:1])] = rest[2:]
		}
	}
	fields := strings.Split(strings.Join(parts, ""), "-")
	if len(fields) < 3 || len(fields) > 4 {
		return deployer.Owner{}, "", false
	}
	version, err := strconv.Atoi(fields[1])
	if err != nil {
		return deployer.Owner{}, "", false
	}
	o := deployer.Owner{
		Installation: d.Installation, Account: d.Account, Release: unescape(fields[0]), Version: version,
		App: unescape(fields[2]),
	}
	id := o.Release + "." + o.App + "-v" + fields[1]
	if len(fields) == 4 {
		id = unescape(fields[3])
	}
	return o, id, slices.Contains(tags, idTag(id))
}

// escape leaves small letters but x, and digits; any other byte is x and two hexadecimal digits.
func escape(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		if b >= 'a' && b <= 'w' || b == 'y' || b == 'z' || b >= '0' && b <= '9' {
			out.WriteByte(b)
		} else {
			fmt.Fprintf(&out, "x%02x", b)
		}
	}
	return out.String()
}

var escaped = regexp.MustCompile(`x[0-9a-f]{2}`)

func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(s string) string {
		b, _ := strconv.ParseUint(s[1:], 16, 8) // two hexadecimal digits
		return string([]byte{byte(b)})
	})
}

// mark is what the tags of a listed deployment say.
type mark struct {
	id, hash, nonce string // tags, but for the nonce
	index           int
}

// markOf reads the tags of a deployment; false for one that is not ours.
func (d *Deployer) markOf(tags []string) (mark, bool) {
	m := mark{index: -1}
	for _, tag := range tags {
		switch {
		case strings.HasPrefix(tag, idPrefix):
			m.id = tag
		case strings.HasPrefix(tag, hashPrefix):
			m.hash = tag
		case strings.HasPrefix(tag, noncePrefix):
			m.nonce = tag[len(noncePrefix):]
		case strings.HasPrefix(tag, indexPrefix):
			if n, err := strconv.Atoi(tag[len(indexPrefix):]); err == nil && n >= 0 {
				m.index = n
			}
		}
	}
	return m, m.id != "" && m.index >= 0 && m.nonce != "" && slices.Contains(tags, d.owner)
}

// reserved tells tags that are ours to give.
func reserved(tag string) bool { return tag == peopleTag || strings.HasPrefix(tag, "sk-") }

// checkTag says what is wrong with a tag of a user's.
func checkTag(tag string) error {
	if len(tag) > edgegap.MaxTagLength || !regexp.MustCompile(`^[A-Za-z0-9_.-]+$`).MatchString(tag) {
		return fmt.Errorf("%q is not a tag; use 1 to %d letters, digits, dots, dashes and underscores", tag,
			edgegap.MaxTagLength)
	}
	if reserved(tag) {
		return fmt.Errorf("the tag %q is one of ours; choose another", tag)
	}
	return nil
}
