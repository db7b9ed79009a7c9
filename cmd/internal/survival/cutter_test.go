package survival

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// cutter stands between a server and PostgreSQL and breaks a connection at each n-th COMMIT that it sees.
type cutter struct {
	dir   string // of its socket
	to    string // the socket of PostgreSQL
	heard bool   // the database gets the COMMIT, and its answer is lost
	every atomic.Int64
	seen  atomic.Int64
	cuts  atomic.Int64

	mu    sync.Mutex
	open  map[net.Conn]bool
	group sync.WaitGroup
}

const socketName = ".s.PGSQL.5432"

func newCutter(t *testing.T, to string, heard bool) *cutter {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "skcut") //nolint:usetesting // the path of a socket has 107 bytes at most
	require.NoError(t, err)
	c := &cutter{dir: dir, to: filepath.Join(to, socketName), heard: heard, open: map[net.Conn]bool{}}
	listener, err := net.Listen("unix", filepath.Join(dir, socketName))
	require.NoError(t, err)
	c.group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.group.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		c.mu.Lock()
		for conn := range c.open {
			_ = conn.Close()
		}
		c.mu.Unlock()
		c.group.Wait()
		_ = os.RemoveAll(dir)
	})
	return c
}

func (c *cutter) keep(conn net.Conn) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, conn)
		_ = conn.Close()
	}
}

// serve passes messages on in both directions until one side is gone.
func (c *cutter) serve(front net.Conn) {
	defer c.keep(front)()
	back, err := net.Dial("unix", c.to)
	if err != nil {
		return
	}
	defer c.keep(back)()
	var silent atomic.Bool // the answer to a COMMIT is lost
	answered := make(chan struct{})
	c.group.Go(func() {
		defer close(answered)
		defer func() { _ = front.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := back.Read(buffer)
			if n > 0 && silent.Load() {
				return
			}
			if n > 0 {
				if _, err := front.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
	c.forward(bufio.NewReader(front), back, &silent, answered)
}

func (c *cutter) forward(from *bufio.Reader, back net.Conn, silent *atomic.Bool, answered <-chan struct{}) {
	for first := true; ; first = false {
		message, err := next(from, first)
		if err != nil {
			return
		}
		if commits(message) && c.due() {
			if !c.heard {
				return // the connection closes, and the transaction is rolled back
			}
			silent.Store(true)
			if _, err := back.Write(message); err == nil {
				<-answered
			}
			return
		}
		if _, err := back.Write(message); err != nil {
			return
		}
	}
}

func (c *cutter) due() bool {
	every := c.every.Load()
	if every == 0 || c.seen.Add(1)%every != 0 {
		return false
	}
	c.cuts.Add(1)
	return true
}

// next reads a message of the front end: a type, but for the first one, and a length that counts itself.
func next(from *bufio.Reader, first bool) ([]byte, error) {
	head := 5
	if first {
		head = 4
	}
	message := make([]byte, head)
	if _, err := io.ReadFull(from, message); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(message[head-4:])
	if length < 4 || length > 64<<20 {
		return nil, errors.New("no message of PostgreSQL")
	}
	message = append(message, make([]byte, length-4)...)
	_, err := io.ReadFull(from, message[head:])
	return message, err
}

// commits says whether a message is a query COMMIT, simple or prepared.
func commits(message []byte) bool {
	if message[0] != 'Q' && message[0] != 'P' {
		return false
	}
	return strings.Contains(strings.ToLower(string(message[5:])), "commit")
}
