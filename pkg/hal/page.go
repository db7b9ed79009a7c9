package hal

import (
	"net/url"
	"strconv"
	"strings"
)

// Page is the page object of Spring: which part of a list this is.
type Page struct {
	Size          int `json:"size"`
	TotalElements int `json:"totalElements"`
	TotalPages    int `json:"totalPages"`
	Number        int `json:"number"` // from 0
}

// NewPage makes the page object of a list with that many elements; size must be above 0.
func NewPage(number, size, total int) Page {
	return Page{Size: size, TotalElements: total, TotalPages: (total + size - 1) / size, Number: number}
}

// AddPage adds first, prev, self, next and last as Spring does: self is the URL of the request as it came; the others
// have page and size removed from its query and appended again, and sort too when sort has values.
func (l *Links) AddPage(self string, page Page, sort []string) {
	hasPrev, hasNext := page.Number > 0, page.Number+1 < page.TotalPages
	to := func(number int) Link { return NewLink(pageURL(self, number, page.Size, sort)) }
	if hasPrev || hasNext {
		l.Add("first", to(0))
	}
	if hasPrev {
		l.Add("prev", to(page.Number-1))
	}
	l.Add("self", Link{Href: self})
	if hasNext {
		l.Add("next", to(page.Number+1))
	}
	if hasPrev || hasNext {
		l.Add("last", to(max(page.TotalPages-1, 0)))
	}
}

func pageURL(self string, number, size int, sort []string) string {
	path, query, _ := strings.Cut(self, "?")
	var params []string
	for param := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(param, "=")
		if name, err := url.QueryUnescape(name); err == nil && replaced(name, sort) || param == "" {
			continue
		}
		params = append(params, param)
	}
	params = append(params, "page="+strconv.Itoa(number), "size="+strconv.Itoa(size))
	for _, s := range sort {
		params = append(params, "sort="+s)
	}
	return path + "?" + strings.Join(params, "&")
}

func replaced(param string, sort []string) bool {
	return param == "page" || param == "size" || param == "sort" && len(sort) > 0
}
