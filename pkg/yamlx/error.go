package yamlx

import (
	"fmt"
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
