package repositorytest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func repositoryTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"EnsureRepository_MakesItOnceAndThenLeavesIt": func(t *testing.T, b *bundle) {
			ctx := t.Context()
			full := skipper.Repository{
				Name: "experimental", URL: "https://example.com", SourceURL: new("https://example.com/src"), Local: true,
				Description: new("Experimental"), RepoOrder: new(7),
			}
			made, was, err := b.EnsureRepository(ctx, full)
			require.NoError(t, err)
			require.True(t, was)
			require.Positive(t, made.ID)
			full.ID = made.ID
			requireEqual(t, full, made)

			present, was, err := b.EnsureRepository(ctx, skipper.Repository{Name: "experimental", URL: "https://other"})
			require.NoError(t, err)
			require.False(t, was)
			requireEqual(t, full, present)

			byID, err := b.Repository(ctx, made.ID)
			require.NoError(t, err)
			requireEqual(t, full, byID)
			byName, err := b.RepositoryByName(ctx, "experimental")
			require.NoError(t, err)
			requireEqual(t, full, byName)
		},
		"Repository_NotThere": func(t *testing.T, b *bundle) {
			_, err := b.Repository(t.Context(), 42)
			requireCode(t, skipper.CodeNotFound, err)
			_, err = b.RepositoryByName(t.Context(), "Local")
			requireCode(t, skipper.CodeNotFound, err)
		},
		"Repositories_SortedAndPaged": func(t *testing.T, b *bundle) {
			for i, order := range []*int{new(3), nil, new(1), new(3)} {
				r := skipper.Repository{Name: fmt.Sprintf("repo-%d", i), URL: "u", RepoOrder: order}
				_, _, err := b.EnsureRepository(t.Context(), r)
				require.NoError(t, err)
			}
			order := skipper.Sort{Property: "repoOrder"}
			require.Equal(t, []string{"repo-0", "repo-1", "repo-2", "repo-3"}, b.repositories(t, pageOf(0, 20)))
			require.Equal(t, []string{"repo-2", "repo-0", "repo-3", "repo-1"}, b.repositories(t, pageOf(0, 20, order)))
			order.Descending = true
			require.Equal(t, []string{"repo-1", "repo-0", "repo-3", "repo-2"}, b.repositories(t, pageOf(0, 20, order)))
			require.Equal(t, []string{"repo-3", "repo-2"}, b.repositories(t, pageOf(1, 2, order)))
		},
	}
}

func (b *bundle) repositories(t *testing.T, request skipper.PageRequest) []string {
	t.Helper()
	page, err := b.Repositories(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, 4, page.Total)
	names := []string{}
	for _, r := range page.Items {
		names = append(names, r.Name)
	}
	return names
}
