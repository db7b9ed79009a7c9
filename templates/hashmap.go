package templates

import "unicode/utf16"

// hashOrder gives the order in which a Java HashMap iterates over keys put in one after the other: loops in templates
// follow it, and manifests are compared byte for byte.
func hashOrder(keys []string) []string {
	table := make([][]string, 16)
	for i, key := range keys {
		bucket := int(spread(key)) & (len(table) - 1)
		table[bucket] = append(table[bucket], key)
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
		order = append(order, bucket...)
	}
	return order
}

// spread is String.hashCode, with its upper half mixed into the lower as HashMap does.
func spread(key string) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(key)) {
		h = 31*h + uint32(unit)
	}
	return h ^ h>>16
}

func double(table [][]string) [][]string {
	doubled := make([][]string, 2*len(table))
	for _, bucket := range table {
		for _, key := range bucket {
			i := int(spread(key)) & (len(doubled) - 1)
			doubled[i] = append(doubled[i], key)
		}
	}
	return doubled
}
