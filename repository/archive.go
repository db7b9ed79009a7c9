package repository

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// A backup is lines of JSON, compressed with gzip, the same for both databases:
//
//	{"skiffBackup":1,"schemaVersion":2,"installation":"…","skiffVersion":"…","created":"…"}
//	{"table":"blobs","columns":["digest","data"]}
//	["9f86d0…",{"blob":70000}]          a row: integers, texts, null; a text that is not UTF-8 is {"text":base64}
//	"UEsDBBQACAg…"                      the bytes of the blob, in lines of base64
//	"…"
//	{"table":"packages","columns":[…],"next":17}         next: the number that the next row gets
//	…
//	{"file":"local/host","size":27}     a file of a deployer, its bytes as those of a blob
//	"…"
//	{"end":{"tables":{"blobs":1,…},"files":1,"sha256":"…"}}
//
// The last line counts what came before it and has the SHA-256 of all bytes before it, uncompressed.

const (
	archiveFormat = 1
	blobLine      = 48 << 10  // bytes of a blob in one line
	lineLimit     = 256 << 20 // bytes of a line: more than a request may bring into a row
	blobLimit     = 1 << 30   // bytes of a blob, as in both databases
	fileLimit     = 64 << 20  // bytes of a deployer's file
)

// header is the first line.
type header struct {
	Format        int       `json:"skiffBackup"`
	SchemaVersion int64     `json:"schemaVersion"`
	Installation  string    `json:"installation"`
	SkiffVersion  string    `json:"skiffVersion"`
	Created       time.Time `json:"created"`
}

// part is any line that is neither row nor bytes; one of Table, File and End is set.
type part struct {
	Table   string   `json:"table,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Next    int64    `json:"next,omitempty"`
	File    string   `json:"file,omitempty"`
	Size    int64    `json:"size,omitempty"`
	End     *trailer `json:"end,omitempty"`
}

// trailer is the last line.
type trailer struct {
	Tables map[string]int64 `json:"tables"` // rows
	Files  int              `json:"files"`
	SHA256 string           `json:"sha256"`
}

// special is a value that is no JSON text, number or null.
type special struct {
	Blob *int64  `json:"blob,omitempty"` // so many bytes follow the row
	Text *string `json:"text,omitempty"` // base64
}

// archiveWriter writes a backup.
type archiveWriter struct {
	zip   *gzip.Writer
	out   *bufio.Writer // into sum and zip
	sum   hash.Hash
	lines *json.Encoder
	count trailer
	table string
}

func newArchiveWriter(w io.Writer) *archiveWriter {
	a := &archiveWriter{sum: sha256.New(), count: trailer{Tables: map[string]int64{}}}
	a.zip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is a good one
	a.out = bufio.NewWriterSize(io.MultiWriter(a.sum, a.zip), 64<<10)
	a.lines = json.NewEncoder(a.out)
	a.lines.SetEscapeHTML(false)
	return a
}

// begin begins a table.
func (a *archiveWriter) begin(t tableShape, next int64) error {
	a.table = t.name
	a.count.Tables[t.name] = 0
	return a.lines.Encode(part{Table: t.name, Columns: t.names(), Next: next})
}

// row writes a row and the blobs that it has.
func (a *archiveWriter) row(values []any, blobs [][]byte) error {
	a.count.Tables[a.table]++
	err := a.lines.Encode(values)
	for _, b := range blobs {
		err = errors.Join(err, a.bytes(b))
	}
	return err
}

func (a *archiveWriter) file(name string, content []byte) error {
	a.count.Files++
	if err := a.lines.Encode(part{File: name, Size: int64(len(content))}); err != nil {
		return err
	}
	return a.bytes(content)
}

func (a *archiveWriter) bytes(b []byte) error {
	text := make([]byte, 0, base64.StdEncoding.EncodedLen(blobLine)+3)
	for len(b) > 0 {
		n := min(len(b), blobLine)
		text = append(base64.StdEncoding.AppendEncode(append(text[:0], '"'), b[:n]), '"', '\n')
		if _, err := a.out.Write(text); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// end writes the last line and flushes; it gives what was counted.
func (a *archiveWriter) end() (trailer, error) {
	if err := a.out.Flush(); err != nil {
		return a.count, err
	}
	a.count.SHA256 = hex.EncodeToString(a.sum.Sum(nil))
	if err := a.lines.Encode(part{End: &a.count}); err != nil {
		return a.count, err
	}
	return a.count, errors.Join(a.out.Flush(), a.zip.Close())
}

// archiveReader reads a backup. Its errors are sentences: what is read may be any file, or a part of one.
type archiveReader struct {
	in     *bufio.Reader
	sum    hash.Hash
	header header
	keep   bool // the bytes of blobs and files
	count  trailer
	table  string
	spare  map[int][]byte // memory for the next blob, by column
}

func damaged(format string, args ...any) error {
	return skipper.Errorf(skipper.CodeInvalid, "the backup is damaged: "+format, args...)
}

// newArchiveReader reads the first line.
func newArchiveReader(r io.Reader) (*archiveReader, error) {
	none := skipper.Errorf(skipper.CodeInvalid, "this is no backup that skiff made")
	zip, err := gzip.NewReader(bufio.NewReaderSize(r, 64<<10))
	if err != nil {
		return nil, none
	}
	a := &archiveReader{
		in: bufio.NewReaderSize(zip, 128<<10), sum: sha256.New(), count: trailer{Tables: map[string]int64{}},
		spare: map[int][]byte{},
	}
	line, err := a.line()
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(line, &a.header) != nil || a.header.Format < 1 || a.header.SchemaVersion < 1 {
		return nil, none
	}
	if a.header.Format > archiveFormat {
		return nil, skipper.Errorf(skipper.CodeInvalid,
			"the backup has format %d and this skiff knows %d at most; use the skiff that made it", a.header.Format, archiveFormat)
	}
	a.sum.Write(line)
	return a, nil
}

// line reads a line, with its end.
func (a *archiveReader) line() ([]byte, error) {
	var long []byte
	for {
		some, err := a.in.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return some, nil
		case err == nil:
			return append(long, some...), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, damaged("it ends too early or was changed: %w", err)
		case len(long)+len(some) > lineLimit:
			return nil, damaged("a line is longer than %d bytes", lineLimit)
		}
		long = append(long, some...)
	}
}

// next reads what follows: a row, or with a nil row the beginning of a table or a file, or the end. What the end says
// has been checked.
func (a *archiveReader) next() (part, []json.RawMessage, error) {
	line, err := a.line()
	if err != nil {
		return part{}, nil, err
	}
	if line[0] == '[' {
		a.sum.Write(line)
		a.count.Tables[a.table]++
		var row []json.RawMessage
		if err := json.Unmarshal(bytes.Clone(line), &row); err != nil {
			return part{}, nil, damaged("a row of %s cannot be read", a.table)
		}
		return part{}, row, nil
	}
	var p part
	if err := json.Unmarshal(line, &p); err != nil {
		return part{}, nil, damaged("a line after %q cannot be read", a.table)
	}
	switch {
	case p.End != nil:
		return p, nil, a.check(*p.End)
	case p.Table != "":
		a.table = p.Table
		a.count.Tables[p.Table] += 0
	case p.File != "":
		a.count.Files++
	default:
		return part{}, nil, damaged("a line after %q has no meaning", a.table)
	}
	a.sum.Write(line)
	return p, nil, nil
}

// check compares the last line with what was read, and sees to it that nothing follows.
func (a *archiveReader) check(end trailer) error {
	if got := hex.EncodeToString(a.sum.Sum(nil)); got != end.SHA256 {
		return damaged("its checksum is %.12s… and should be %.12s…", got, end.SHA256)
	}
	if !maps.Equal(end.Tables, a.count.Tables) || end.Files != a.count.Files {
		return damaged("it does not hold as many rows as it says")
	}
	if _, err := a.in.ReadByte(); !errors.Is(err, io.EOF) { // reads gzip's own checksum, too
		return damaged("something follows its end")
	}
	return nil
}

// bytes reads the bytes of a blob or a file into memory, which grows as needed; without keep, it only looks at them.
func (a *archiveReader) bytes(memory []byte, size, limit int64) ([]byte, error) {
	if size < 0 || size > limit {
		return nil, damaged("a part of it has %d bytes, and %d is the most", size, limit)
	}
	out, had := memory[:0], int64(0)
	if a.keep {
		out = slices.Grow(out, int(size)) // only then: what was not checked may claim any size
	}
	for had < size {
		line, err := a.line()
		if err != nil {
			return nil, err
		}
		a.sum.Write(line)
		if len(line) < 3 || line[0] != '"' || line[len(line)-2] != '"' {
			return nil, damaged("bytes are missing after %q", a.table)
		}
		before := len(out)
		if out, err = base64.StdEncoding.AppendDecode(out, line[1:len(line)-2]); err != nil {
			return nil, damaged("the bytes after %q cannot be read", a.table)
		}
		had += int64(len(out) - before)
		if !a.keep {
			out = out[:0]
		}
	}
	if had != size {
		return nil, damaged("there are more bytes after %q than it says", a.table)
	}
	if out == nil {
		out = []byte{} // nil would be null
	}
	return out, nil
}

// values makes of a row what a database takes, by the kinds of the columns. Blobs stay good until it is called again.
func (a *archiveReader) values(row []json.RawMessage, columns []columnShape) ([]any, error) {
	if len(row) != len(columns) {
		return nil, damaged("a row of %s has %d values and should have %d", a.table, len(row), len(columns))
	}
	out := make([]any, len(row))
	for i, c := range columns {
		value, err := a.value(row[i], c.kind, i)
		if err != nil {
			return nil, err
		}
		out[i] = value
	}
	return out, nil
}

func (a *archiveReader) value(raw json.RawMessage, k kind, at int) (any, error) {
	if string(raw) == "null" {
		return nil, nil //nolint:nilnil // null is a value
	}
	var number int64
	var text string
	var other special
	switch {
	case k == kindInteger && json.Unmarshal(raw, &number) == nil:
		return number, nil
	case k == kindText && json.Unmarshal(raw, &text) == nil:
		return text, nil
	case k == kindInteger || json.Unmarshal(raw, &other) != nil:
	case k == kindText && other.Text != nil:
		if b, err := base64.StdEncoding.DecodeString(*other.Text); err == nil {
			return string(b), nil
		}
	case k == kindBlob && other.Blob != nil:
		b, err := a.bytes(a.spare[at], *other.Blob, blobLimit)
		if err == nil {
			a.spare[at] = b
		}
		return b, err
	}
	return nil, damaged("a value of %s is not of its column's kind", a.table)
}
