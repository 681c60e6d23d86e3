//go:build unix

package pglocal

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// watchdogScript waits for its standard input to end, which the kernel sees to
// when the owner is gone, however it went. $1 is pg_ctl, $2 the data, $3 the way
// to stop, $4 a folder to remove or nothing.
const watchdogScript = `read -r word
[ "$word" = stopped ] && exit 0
for try in 1 2 3 4 5; do
	"$1" stop --silent --pgdata="$2" --mode="$3" --timeout=30 && break
	sleep 1
done
[ -z "$4" ] || rm -rf -- "$4"
`

// watchdog stops a server when the process that owns it ends without doing so.
type watchdog struct {
	cmd  *exec.Cmd
	line io.WriteCloser
}

func watch(a account, p place, b Binaries) (*watchdog, error) {
	mode, remove := "fast", ""
	if p.temporary {
		mode, remove = "immediate", p.dir
	}
	cmd := a.command(context.Background(), "/", "/bin/sh", "-c", watchdogScript, "suitesign-watchdog", b.Path("pg_ctl"), p.data(), mode, remove)
	line, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("watchdog of PostgreSQL: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("watchdog of PostgreSQL: %w", err)
	}
	return &watchdog{cmd: cmd, line: line}, nil
}

// dismiss ends a watchdog that has nothing to watch any more.
func (w *watchdog) dismiss() {
	_, _ = io.WriteString(w.line, "stopped\n")
	_ = w.line.Close()
	for deadline := time.Now().Add(5 * time.Second); !ended(w.cmd) && time.Now().Before(deadline); {
		time.Sleep(poll)
	}
}
