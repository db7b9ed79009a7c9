package handler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	defaultSize = 20
	maxSize     = 1000
)

// pageRequest reads page, size and sort as Spring does: what cannot be read takes its default, and properties that
// cannot be sorted by are dropped.
func (r request) pageRequest(sortable []string) skipper.PageRequest {
	size := atoi(r.query.Get("size"))
	if size < 1 {
		size = defaultSize
	}
	return skipper.PageRequest{
		Page: max(atoi(r.query.Get("page")), 0), Size: min(size, maxSize), Sort: sortOf(r.query["sort"], sortable),
	}
}

func atoi(s string) int {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0
	}
	return int(n)
}

// sortOf reads values as name,version,desc,ignorecase.
func sortOf(values, sortable []string) []skipper.Sort {
	var sorts []skipper.Sort
	for _, value := range values {
		var properties []string
		var order skipper.Sort
		for part := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.TrimSpace(part)) {
			case "asc", "":
			case "desc":
				order.Descending = true
			case "ignorecase":
				order.IgnoreCase = true
			default:
				properties = append(properties, strings.ReplaceAll(strings.TrimSpace(part), "_", "."))
			}
		}
		for _, order.Property = range properties {
			twice := slices.ContainsFunc(sorts, func(s skipper.Sort) bool { return s.Property == order.Property })
			if slices.Contains(sortable, order.Property) && !twice {
				sorts = append(sorts, order)
			}
		}
	}
	return sorts
}

// sortValues writes an order for the links to other pages: properties in the same direction stand together.
func sortValues(sorts []skipper.Sort) []string {
	var values []string
	for i, s := range sorts {
		direction := ",asc"
		if s.Descending {
			direction = ",desc"
		}
		if i > 0 && sorts[i-1].Descending == s.Descending {
			last := len(values) - 1
			values[last] = strings.TrimSuffix(values[last], direction) + "," + s.Property + direction
			continue
		}
		values = append(values, s.Property+direction)
	}
	return values
}
