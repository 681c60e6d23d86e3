//go:build unix && !linux

package pglocal

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
)

// serves reports whether a process was started for the data.
func serves(ctx context.Context, pid int, data string) bool {
	out, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), " -D "+data+" ")
}
