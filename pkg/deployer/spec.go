package deployer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// SpecHash is a digest of all that a request asks for, except whose it is: equal requests, equal hash.
func SpecHash(r Request) string {
	b, err := json.Marshal(struct { // maps marshal with sorted keys
		Name, Group            string
		Properties, Deployment map[string]string
		Resource               any
		Count                  int
		Indexed                bool
	}{r.Name, r.Group, r.Properties, r.Deployment, r.Resource, r.Count, r.Indexed})
	if err != nil { // strings, numbers and maps of strings always marshal
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
