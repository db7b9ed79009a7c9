// Package hal writes and reads HAL+JSON: objects with links and embedded objects.
//
// It writes what Spring HATEOAS and Jackson write, byte for byte: fields in the order of the Go struct, then
// _embedded, _links and page; a relation with several links is an array; pretty printing and escaping are Jackson's.
// It knows nothing of the domain and imports the standard library only.
//
//	r := hal.Resource{Value: metadata}
//	r.Links.Add("self", hal.NewLink("http://localhost:7577/api/packageMetadata/5"))
//	body, err := hal.MarshalIndent(r)
package hal
