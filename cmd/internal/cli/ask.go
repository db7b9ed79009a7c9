package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// tell writes to standard error: what is not the answer itself.
func (c *cli) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Err, format, args...)
	return err
}

// agreed asks whoever sits at the terminal, and tells whether the answer is yes. The end of the input is no.
func (c *cli) agreed(format string, args ...any) (bool, error) {
	if err := c.tell(format+" [y/N] ", args...); err != nil {
		return false, err
	}
	answer, err := bufio.NewReader(io.LimitReader(c.In, 100)).ReadString('\n')
	if err != nil && answer == "" {
		return false, nil
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}
