package release

import (
	"context"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Platforms gives a page of the platform accounts, in the order of the configuration unless sorted by name or type.
func (s *Service) Platforms(_ context.Context, page skipper.PageRequest) (skipper.Page[skipper.Platform], error) {
	all := make([]skipper.Platform, 0, len(s.accounts))
	for _, a := range s.accounts {
		all = append(all, a.Platform())
	}
	for _, by := range slices.Backward(page.Sort) {
		slices.SortStableFunc(all, func(a, b skipper.Platform) int {
			c := 0
			switch by.Property {
			case "name":
				c = strings.Compare(a.Name, b.Name)
			case "type":
				c = strings.Compare(a.Type, b.Type)
			case "description":
				c = strings.Compare(a.Description, b.Description)
			}
			if by.Descending {
				return -c
			}
			return c
		})
	}
	from := min(page.Page*page.Size, len(all))
	return skipper.Page[skipper.Platform]{Items: all[from:min(from+page.Size, len(all))], Total: len(all)}, nil
}

// Platform gives the platform account with an id; CodeNotFound when there is none.
func (s *Service) Platform(_ context.Context, id string) (skipper.Platform, error) {
	for _, a := range s.accounts {
		if a.ID() == id {
			return a.Platform(), nil
		}
	}
	return skipper.Platform{}, skipper.Errorf(skipper.CodeNotFound, "no platform account has the id %q", id)
}

// PlatformByName gives the platform account of a name; CodeNotFound when there is none.
func (s *Service) PlatformByName(_ context.Context, name string) (skipper.Platform, error) {
	for _, a := range s.accounts {
		if a.Name == name {
			return a.Platform(), nil
		}
	}
	return skipper.Platform{}, skipper.Errorf(skipper.CodeNotFound, "no platform account is named %q", name)
}
