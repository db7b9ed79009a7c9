package repository

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// row is one row of a table, which tells what it means in the domain.
type row[T any] interface{ domain() T }

// each gives rows as what they mean; an empty list, never nil, for none.
func each[R row[T], T any](rows []R) []T {
	items := make([]T, 0, len(rows))
	for _, r := range rows {
		items = append(items, r.domain())
	}
	return items
}

// column is what a list can be sorted by.
type column struct {
	name     string
	text     bool
	nullable bool
}

// list is a part of what matches, sorted as asked, or in the order of otherwise.
func list[R row[T], T any](
	ctx context.Context, matching gorm.ChainInterface[R],
	request skipper.PageRequest, columns map[string]column, otherwise string,
) (skipper.Page[T], error) {
	if request.Page < 0 || request.Size < 1 {
		return skipper.Page[T]{}, skipper.Errorf(skipper.CodeInvalid, "page must be 0 or more and size 1 or more")
	}
	total, err := matching.Count(ctx, "*")
	if err != nil || request.Page > int(total)/request.Size { // also keeps the offset from running over
		return skipper.Page[T]{Items: []T{}, Total: int(total)}, err
	}
	// The ids first: sorting whole rows would drag every package and manifest along.
	order := orderBy(request.Sort, columns, otherwise)
	ids := matching.Select("id").Order(order).Limit(request.Size).Offset(request.Page * request.Size)
	rows, err := matching.Where("id IN (?)", ids).Order(order).Find(ctx)
	return skipper.Page[T]{Items: each(rows), Total: int(total)}, err
}

// orderBy makes the ORDER BY. Properties that are not known are dropped, as Spring Data REST does; the id comes last,
// so that no item is on two pages. Without a value is last ascending and first descending, as in PostgreSQL.
func orderBy(sorts []skipper.Sort, columns map[string]column, otherwise string) string {
	var terms []string
	for _, sort := range sorts {
		c, known := columns[sort.Property]
		if !known {
			continue
		}
		term := c.name
		if sort.IgnoreCase && c.text {
			term = "lower(" + term + ")"
		}
		terms = append(terms, term+direction(sort.Descending, c.nullable))
	}
	if len(terms) == 0 {
		return otherwise
	}
	return strings.Join(append(terms, "id"), ", ")
}

func direction(descending, nullable bool) string {
	switch {
	case descending && nullable:
		return " DESC NULLS FIRST"
	case descending:
		return " DESC"
	case nullable:
		return " NULLS LAST"
	}
	return ""
}
