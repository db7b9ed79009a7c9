package edgegap

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

const (
	// MaxPageSize is the largest page that is asked for. Edgegap's own maximum is not documented.
	MaxPageSize = 100
	// idlePages ends a list that never ends: so many pages in a row may bring nothing new.
	idlePages = 3
)

// Paging names a page. The zero value is the first one, of MaxPageSize items.
type Paging struct {
	// Number counts from 1; 0 is 1.
	Number int
	// Limit is how many items a page has, at most MaxPageSize; 0 is MaxPageSize.
	Limit int
}

// Page is a part of a list.
type Page[T any] struct {
	// Items are those of this page.
	Items []T
	// Total counts the items of all pages.
	Total int
	// Number is this page's, from 1.
	Number int
	// Pages is how many there are; 0 if Edgegap did not say.
	Pages int
	// Next is the number of the next page; 0 if this is the last.
	Next int
}

// list says where a list is.
type list struct {
	name  string
	path  string
	key   string // of the array in the answer
	class class
	query url.Values
}

// pageOf reads one page.
func pageOf[T any](ctx context.Context, c *Client, l list, paging Paging) (Page[T], error) {
	if paging.Number < 0 || paging.Limit < 0 || paging.Limit > MaxPageSize {
		return Page[T]{}, invalid(l.name, "page", "page and limit count from 1, a limit is at most %d", MaxPageSize)
	}
	query := url.Values{}
	maps.Copy(query, l.query)
	number := or(paging.Number, 1)
	query.Set("page", strconv.Itoa(number))
	query.Set("limit", strconv.Itoa(or(paging.Limit, MaxPageSize)))
	var members map[string]json.RawMessage
	_, err := c.do(ctx, call{
		name: l.name, method: http.MethodGet, path: l.path, query: query, class: l.class, repeat: true,
	}, &members)
	if err != nil {
		return Page[T]{}, err
	}
	return readPage[T](l, members, number)
}

func readPage[T any](l list, members map[string]json.RawMessage, number int) (Page[T], error) {
	page := Page[T]{Number: number}
	var pagination struct {
		Next      *int  `json:"next_page_number"`
		HasNext   *bool `json:"has_next"`
		Paginator struct {
			Pages int `json:"num_pages"`
		} `json:"paginator"`
	}
	for _, part := range []struct {
		name   string
		target any
	}{
		{l.key, &page.Items},
		{"count", &page.Total}, // older answers
		{"total_count", &page.Total},
		{"pagination", &pagination},
	} {
		raw, found := members[part.name]
		if !found {
			continue
		}
		if err := json.Unmarshal(raw, part.target); err != nil {
			return Page[T]{}, &Error{
				Call: l.name, Kind: KindUnavailable, Status: http.StatusOK, Err: err,
				Message: "the list that was answered cannot be read: " + part.name,
			}
		}
	}
	page.Pages = pagination.Paginator.Pages
	page.Total = max(page.Total, len(page.Items))
	if pagination.HasNext != nil && *pagination.HasNext {
		page.Next = number + 1
		if pagination.Next != nil {
			page.Next = *pagination.Next
		}
	}
	return page, nil
}

// all walks the pages of a list. An item that shows on two pages, because the list grew meanwhile, is given once. The
// walk ends with the first error.
func all[T any](ctx context.Context, c *Client, l list, key func(T) string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		seen := map[string]bool{}
		number, idle := 1, 0
		for number != 0 {
			page, err := pageOf[T](ctx, c, l, Paging{Number: number})
			if err == nil && (idle > idlePages || page.Next != 0 && page.Next <= number) {
				err = &Error{Call: l.name, Kind: KindUnavailable, Status: http.StatusOK, Message: "the list does not end"}
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			idle++
			for _, item := range page.Items {
				name := key(item)
				if seen[name] {
					continue
				}
				seen[name] = true
				idle = 0
				if !yield(item, nil) {
					return
				}
			}
			number = page.Next
		}
	}
}
