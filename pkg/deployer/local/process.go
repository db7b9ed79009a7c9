package local

import (
	"bytes"
	"strconv"
)

// process is a live process as the process table has it.
type process struct {
	pid, group, session int
	start               int64 // clock ticks since boot; with boot and pid it names a process for ever
	mark                mark  // zero when it has none, or none that we may read
}

// leads says whether the process is the one we started, rather than one that it started.
func (p process) leads() bool { return p.pid == p.session }

// parseStat reads /proc/<pid>/stat; false for what has ended and waits to be reaped.
// The second field is the program's name in parentheses and may itself hold spaces and parentheses.
func parseStat(stat []byte) (process, bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	pid, _, found := bytes.Cut(stat, []byte(" "))
	if !found || len(fields) < 20 || bytes.ContainsAny(fields[0], "ZXx") {
		return process{}, false
	}
	var p process
	for field, number := range map[*int][]byte{&p.pid: pid, &p.group: fields[2], &p.session: fields[3]} {
		n, err := strconv.Atoi(string(number))
		if err != nil {
			return process{}, false
		}
		*field = n
	}
	start, err := strconv.ParseInt(string(fields[19]), 10, 64)
	p.start = start
	return p, err == nil
}

// markIn finds the mark in an environment block.
func markIn(environ []byte) mark {
	for variable := range bytes.SplitSeq(environ, []byte{0}) {
		if text, ok := bytes.CutPrefix(variable, []byte(ownerVariable+"=")); ok {
			m, _ := parseMark(string(text))
			return m
		}
	}
	return mark{}
}
