package resource

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxXMLDepth  = 64
	maxXMLTokens = 1 << 20
)

// decodeXML reads a document within bounds: foreign bytes must not cost more than their size.
func decodeXML(text []byte, into any) error {
	if len(text) > maxSmallFile {
		return errTooLarge
	}
	depth := 0
	d := newXMLDecoder(text)
	for n := 0; ; n++ {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return newXMLDecoder(text).Decode(into)
		case err != nil:
			return err
		case n > maxXMLTokens:
			return errors.New("it has too many elements")
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		case xml.Directive:
			return errors.New("it has a document type, which is not read")
		}
		if depth > maxXMLDepth {
			return fmt.Errorf("its elements are nested deeper than %d", maxXMLDepth)
		}
	}
}

func newXMLDecoder(text []byte) *xml.Decoder {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "iso-8859-1", "us-ascii":
			latin, err := io.ReadAll(io.LimitReader(input, maxSmallFile))
			runes := make([]rune, len(latin))
			for i, b := range latin {
				runes[i] = rune(b)
			}
			return strings.NewReader(string(runes)), err
		default:
			return nil, fmt.Errorf("its encoding %s is not read; use UTF-8", charset)
		}
	}
	return d
}
