package cli

import (
	"fmt"
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
	answer := strings.ToLower(c.answer())
	return answer == "y" || answer == "yes", nil
}

// answer reads one line of whoever sits at the terminal. It takes no more than that line: what follows is for others.
func (c *cli) answer() string {
	const longest = 100
	line, one := []byte{}, make([]byte, 1)
	for len(line) < longest {
		n, err := c.In.Read(one)
		if n == 1 && one[0] == '\n' || err != nil {
			break
		}
		line = append(line, one[:n]...)
	}
	return strings.TrimSpace(string(line))
}
