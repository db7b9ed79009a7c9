package hal_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/hal"
)

func TestMarshalBareIndent(t *testing.T) {
	t.Parallel()
	type named struct {
		Name string `json:"name"`
	}
	item := hal.Resource{Value: named{"one"}}
	item.Links.Add("install", hal.NewLink("/install/{id}"), hal.NewLink("/install"))
	item.Links.Add("self", hal.Link{Href: "/1"})
	page := hal.NewPage(0, 20, 1)
	list := hal.Resource{Embedded: &hal.Embedded{Rel: "items", Items: []hal.Resource{item}}, Page: &page}
	list.Links.Add("self", hal.Link{Href: "/"})
	for name, tc := range map[string]struct {
		value any
		want  string
	}{
		"value": {named{"one"}, `{
  "name" : "one",
  "links" : [ ]
}`},
		"empty": {hal.Resource{}, `{
  "links" : [ ]
}`},
		"list": {list, `{
  "links" : [ {
    "rel" : "self",
    "href" : "/"
  } ],
  "content" : [ {
    "name" : "one",
    "links" : [ {
      "rel" : "install",
      "href" : "/install/{id}"
    }, {
      "rel" : "install",
      "href" : "/install"
    }, {
      "rel" : "self",
      "href" : "/1"
    } ]
  } ],
  "page" : {
    "size" : 20,
    "totalElements" : 1,
    "totalPages" : 1,
    "number" : 0
  }
}`},
		"empty list": {hal.Resource{Embedded: &hal.Embedded{Rel: "items"}}, `{
  "links" : [ ],
  "content" : [ ]
}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := hal.MarshalBareIndent(tc.value)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(tc.want, string(got)))
		})
	}
	_, err := hal.MarshalBareIndent([]int{1})
	require.Error(t, err, "only objects can have links")
}
