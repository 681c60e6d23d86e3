//go:build unix

package pglocal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// account is the user that the server runs as.
type account struct {
	name     string
	other    bool   // not the caller: the caller is root
	uid, gid uint32 // of another
}

// serverAccount answers with the caller, or, for root, with the owner of data
// that is there already, else with postgres or nobody.
func serverAccount(data string) (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{name: "uid " + strconv.Itoa(uid)}, nil
	}
	if info, err := os.Lstat(data); err == nil && owner(info) != 0 {
		if u, err := user.LookupId(strconv.Itoa(owner(info))); err == nil {
			return accountOf(u)
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return accountOf(u)
		}
	}
	return account{}, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody to run it as")
}

func accountOf(u *user.User) (account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return account{name: u.Username, other: true, uid: uint32(uid), gid: uint32(gid)}, nil
}

func owner(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// command prepares a program that runs as the account, in a session of its own:
// a Ctrl-C at the terminal is for the caller, who stops the server when it is
// done with it. The environment is not passed on: it may hold secrets, and PG…
// variables would change what the programs do.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // PostgreSQL's own programs, and sh
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC"}
	for _, key := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(key); ok {
			cmd.Env = append(cmd.Env, key+"="+v)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a.other {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// run runs a program to its end; what it printed becomes the error.
func (a account) run(ctx context.Context, dir, program string, args ...string) error {
	out, err := a.command(ctx, dir, program, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s as %s: %w: %s", filepath.Base(program), a.name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// reaches reports whether the account can enter dir: by trying, for modes, ACLs
// and mounts all have a say.
func (a account) reaches(ctx context.Context, dir string, b Binaries) bool {
	return !a.other || a.run(ctx, dir, b.Path("pg_ctl"), "--version") == nil
}

// mkdir makes a folder that only the account can enter.
func (a account) mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	if a.other {
		return a.own(path)
	}
	return nil
}

// own gives a file to the account.
func (a account) own(path string) error { return os.Lchown(path, int(a.uid), int(a.gid)) }
