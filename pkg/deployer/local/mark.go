package local

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// ownerVariable is the environment variable that marks a process as ours.
const ownerVariable = "SKIFF_OWNER"

// mark says whose a process is, and enough of how it was started to take it over without any other record.
type mark struct {
	owner deployer.Owner
	id    string // deployment id
	index int
	nonce string // drawn for each instance
	hash  string // deployer.SpecHash
	port  int
	dir   string
}

// String is installation/account/release/version/app/id/index/nonce/hash/port/dir, each escaped so that it has no slash.
func (m mark) String() string {
	parts := []string{
		m.owner.Installation, m.owner.Account, m.owner.Release, strconv.Itoa(m.owner.Version), m.owner.App,
		m.id, strconv.Itoa(m.index), m.nonce, m.hash, strconv.Itoa(m.port), m.dir,
	}
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// parseMark reads what String writes; any process may set the variable, so any text may come.
func parseMark(text string) (mark, bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 11 {
		return mark{}, false
	}
	for i := range parts {
		plain, err := url.PathUnescape(parts[i])
		if err != nil {
			return mark{}, false
		}
		parts[i] = plain
	}
	var numbers [3]int
	for i, at := range []int{3, 6, 9} {
		n, err := strconv.Atoi(parts[at])
		if err != nil || n < 0 {
			return mark{}, false
		}
		numbers[i] = n
	}
	return mark{
		owner: deployer.Owner{
			Installation: parts[0], Account: parts[1], Release: parts[2], Version: numbers[0], App: parts[4],
		},
		id: parts[5], index: numbers[1], nonce: parts[7], hash: parts[8], port: numbers[2], dir: parts[10],
	}, true
}

// ours says whether a mark is of this deployer's account, and of the deployment.
func (d *Deployer) ours(m mark, id string) bool {
	return m.owner.Installation == d.Installation && m.owner.Account == d.Account && m.id == id
}
