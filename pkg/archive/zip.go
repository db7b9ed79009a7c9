package archive

import (
	"archive/zip"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func tooLarge(format string, args ...any) error {
	return skipper.Errorf(skipper.CodeTooLarge, format, args...)
}

// errNotThere says that the zip has no folder of the right name, in the words clients know.
func errNotThere() error {
	return skipper.Errorf(skipper.CodeInvalid, "Package is expected to be unpacked, but it doesn't exist")
}

// unzip reads all files of a zip: the one root folder, and the files by their path in it.
func unzip(packed []byte) (root string, all files, err error) {
	if len(packed) > MaxPacked {
		return "", nil, tooLarge("the package file is larger than %d bytes", MaxPacked)
	}
	// Counted before the directory is read, which costs memory for each entry it names.
	if bytes.Count(packed, []byte("PK\x01\x02")) > MaxEntries {
		return "", nil, tooLarge("the package file has more than %d entries", MaxEntries)
	}
	reader, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // insecure paths are refused below, by name
		return "", nil, skipper.Errorf(skipper.CodeInvalid, "the package file is not a zip archive: %w", err)
	}
	u := unpacker{all: files{}}
	for _, entry := range reader.File {
		if strings.HasPrefix(entry.Name, "__MACOSX/") { // macOS adds such a folder of its own
			continue
		}
		if err := u.add(entry); err != nil {
			return "", nil, err
		}
	}
	if u.root == "" {
		return "", nil, errNotThere()
	}
	return u.root, u.all, nil
}

type unpacker struct {
	root string
	all  files
	size int64
}

func (u *unpacker) add(entry *zip.File) error {
	if err := checkName(entry.Name); err != nil {
		return err
	}
	root, name, inFolder := strings.Cut(entry.Name, "/")
	if !inFolder || u.root != "" && root != u.root {
		return skipper.Errorf(skipper.CodeInvalid, "the package file must have exactly one root folder, "+
			"NAME-VERSION, with all in it; found %q beside", entry.Name)
	}
	u.root = root
	mode := entry.Mode()
	switch {
	case mode.IsDir() || name == "":
		return nil
	case !mode.IsRegular():
		return skipper.Errorf(skipper.CodeInvalid, "the package file has %q, which is not a plain file", entry.Name)
	case u.all[name] != nil:
		return skipper.Errorf(skipper.CodeInvalid, "the package file has %q twice", entry.Name)
	}
	content, err := u.inflate(entry)
	if err != nil {
		return err
	}
	u.all[name] = content
	return nil
}

// checkName refuses names that lead outside, or mean different things on different systems.
func checkName(name string) error {
	trimmed := strings.TrimSuffix(name, "/")
	if !fs.ValidPath(trimmed) || trimmed == "." || strings.ContainsAny(name, "\\\x00") || !utf8.ValidString(name) ||
		len(name) > 1 && name[1] == ':' {
		return skipper.Errorf(skipper.CodeInvalid, "the package file has an entry with the name %q, "+
			"which is not a path below its root folder", name)
	}
	return nil
}

// inflate reads one entry and counts what comes out; what the entry says of its size is not believed.
func (u *unpacker) inflate(entry *zip.File) ([]byte, error) {
	reader, err := entry.Open()
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the package file's %q cannot be read: %w", entry.Name, err)
	}
	content, err := io.ReadAll(io.LimitReader(reader, MaxUnpacked-u.size+1))
	err = errors.Join(err, reader.Close())
	if u.size += int64(len(content)); u.size > MaxUnpacked {
		return nil, tooLarge("the package file unpacks to more than %d bytes", MaxUnpacked)
	}
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the package file's %q cannot be read: %w", entry.Name, err)
	}
	return content, nil
}

// The header of an entry: the first day a zip can name, UTF-8 names, nothing that a reader newer than of 1993 needs.
const (
	firstDay   = 1<<5 | 1
	utf8Names  = 0x800
	zipVersion = 20
)

// pack writes files below a root folder, in the order of their names, with a fixed time and as they are: what a
// compressor makes of them changes with its version.
func pack(all files, root string) ([]byte, error) {
	var packed bytes.Buffer
	writer := zip.NewWriter(&packed)
	for _, name := range all.names() {
		size := uint64(len(all[name]))
		w, err := writer.CreateRaw(&zip.FileHeader{
			Name: root + "/" + name, Method: zip.Store, Flags: utf8Names,
			CreatorVersion: zipVersion, ReaderVersion: zipVersion,
			ModifiedDate: firstDay, //nolint:staticcheck // CreateRaw takes the fields as they are written
			CRC32:        crc32.ChecksumIEEE(all[name]), CompressedSize64: size, UncompressedSize64: size,
		})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(all[name]); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	if packed.Len() > MaxPacked {
		return nil, tooLarge("the package is larger than %d bytes when packed", MaxPacked)
	}
	return packed.Bytes(), nil
}
