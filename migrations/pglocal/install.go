//go:build unix

package pglocal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// clusterConfig is a folder that Debian's postgresql-common reads before it makes
// a cluster; a variable for the tests.
var clusterConfig = "/etc/postgresql-common/createcluster.d"

// Install installs PostgreSQL from Debian's packages, which takes root. What apt
// prints goes to out. Anywhere else the error is ErrNoPostgres and says what to do.
func Install(ctx context.Context, out io.Writer) error {
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return noPostgres(nil)
	}
	undo, err := withoutMainCluster()
	if err != nil {
		return fmt.Errorf("install PostgreSQL: %w", err)
	}
	defer undo()
	for _, args := range [][]string{
		{"update"},
		{"install", "-y", "--no-install-recommends", "postgresql"},
	} {
		cmd := exec.CommandContext(ctx, apt, args...) //nolint:gosec // the system's own
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil {
			return errors.Join(noPostgres(nil), fmt.Errorf("apt-get %s: %w", args[0], err))
		}
	}
	return nil
}

// withoutMainCluster keeps the package from making and starting a cluster "main"
// on port 5432: nobody asked for that one. The setting is taken back afterwards,
// for it would hold for later versions, too.
func withoutMainCluster() (undo func(), err error) {
	made := missing(clusterConfig)
	if err := os.MkdirAll(clusterConfig, 0o755); err != nil { //nolint:gosec // as the package makes it
		return nil, err
	}
	file := filepath.Join(clusterConfig, "suitesign-install.conf")
	if err := os.WriteFile(file, []byte("create_main_cluster = false\n"), 0o644); err != nil { //nolint:gosec // configuration is read by all
		return nil, err
	}
	return func() {
		_ = os.Remove(file)
		if made { // and only if it is empty
			_ = os.Remove(clusterConfig)
		}
	}, nil
}

func missing(dir string) bool {
	_, err := os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}
