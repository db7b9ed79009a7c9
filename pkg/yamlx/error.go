package yamlx

import (
	"fmt"
	"regexp"
	"strconv"
)

// Error says what is wrong with a YAML text.
type Error struct {
	Line    int // from 1; 0 when it concerns the whole text
	Message string
}

// Error gives the message with its line.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

func errorf(line int, format string, args ...any) *Error {
	return &Error{Line: line, Message: fmt.Sprintf(format, args...)}
}

// parserError takes the line out of the parser's text, which is its only way to tell it.
func parserError(err error) *Error {
	match := regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`).FindStringSubmatch(err.Error())
	if match == nil {
		return errorf(0, "%s", err)
	}
	line, err := strconv.Atoi(match[1])
	if err != nil {
		line = 0 // the parser named none
	}
	return errorf(line, "%s", match[2])
}
