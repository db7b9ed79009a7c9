package templates

import "unicode/utf16"

// hashed is a key with its hash in Java.
type hashed struct {
	key  string
	hash uint32
}

// hashOrder gives the order in which a Java HashMap iterates over keys put in one after the other: loops in templates
// follow it, and manifests are compared byte for byte.
func hashOrder(keys []string) []string {
	table := make([][]hashed, 16)
	for i, key := range keys {
		h := hashed{key, spread(key)}
		bucket := int(h.hash) & (len(table) - 1)
		table[bucket] = append(table[bucket], h)
		// A crowded bucket of a small table makes Java double the table, and so does a table filled by three quarters.
		if len(table[bucket]) > 8 && len(table) < 64 {
			table = double(table)
		}
		if i+1 > len(table)*3/4 {
			table = double(table)
		}
	}
	order := make([]string, 0, len(keys))
	for _, bucket := range table {
		for _, h := range bucket {
			order = append(order, h.key)
		}
	}
	return order
}

// spread is String.hashCode, with its upper half mixed into the lower as HashMap does.
func spread(key string) uint32 {
	var h uint32
	for _, c := range key {
		if high, low := utf16.EncodeRune(c); high != '\ufffd' {
			h = 31*h + uint32(high) //nolint:gosec // runes are not negative
			c = low
		}
		h = 31*h + uint32(c) //nolint:gosec // runes are not negative
	}
	return h ^ h>>16
}

func double(table [][]hashed) [][]hashed {
	doubled := make([][]hashed, 2*len(table))
	for _, bucket := range table {
		for _, h := range bucket {
			i := int(h.hash) & (len(doubled) - 1)
			doubled[i] = append(doubled[i], h)
		}
	}
	return doubled
}
