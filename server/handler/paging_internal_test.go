package handler

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// A database takes only so many terms in an order; a second one for the same property says nothing.
func TestSortOf_TakesAPropertyOnce(t *testing.T) {
	t.Parallel()
	values := append([]string{"version,name,desc"}, slices.Repeat([]string{"name,name"}, 3000)...)
	require.Equal(t, []skipper.Sort{{Property: "version", Descending: true}, {Property: "name", Descending: true}},
		sortOf(values, []string{"name", "version"}))
}
