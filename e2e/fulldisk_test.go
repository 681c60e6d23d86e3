package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A smallDisk is what a PostgreSQL of the test's keeps its data on, and can be filled.
type smallDisk struct {
	t    *testing.T
	pg   *ownServer
	real bool // a file system of its own, and not a trigger that speaks as if
}

// newSmallDisk starts a PostgreSQL on one. Root mounts it; who may not gets a server
// that refuses to store callbacks in the words of a full disk, which is all that the
// product sees of it.
func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	d := &smallDisk{t: t, pg: unstartedServer(t)}
	mount := filepath.Dir(d.pg.dir)
	out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=160m,mode=0755,nosuid,nodev", "tmpfs", mount).CombinedOutput()
	if d.real = err == nil; d.real {
		t.Cleanup(func() {
			if d.pg.Server != nil {
				_ = d.pg.Stop(context.Background())
			}
			if out, err := exec.CommandContext(context.Background(), "umount", "--lazy", mount).CombinedOutput(); err != nil {
				t.Errorf("umount %s: %v\n%s", mount, err, out)
			}
		})
	} else {
		t.Logf("no file system can be mounted here, so a trigger takes the part of the full disk: %v %s", err, out)
	}
	d.pg.start()
	return d
}

func (d *smallDisk) ballast() string { return filepath.Join(filepath.Dir(d.pg.dir), "ballast") }

// fill leaves no space.
func (d *smallDisk) fill() {
	d.t.Helper()
	if !d.real {
		execute(d.t, d.pg.URL("postgres"), `CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			RAISE EXCEPTION 'could not extend file "base/1/1": No space left on device' USING ERRCODE = 'disk_full'; END $$`)
		execute(d.t, d.pg.URL("postgres"), `CREATE OR REPLACE TRIGGER full_disk BEFORE INSERT ON callback_events FOR EACH ROW EXECUTE FUNCTION full_disk()`)
		return
	}
	f, err := os.OpenFile(d.ballast(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 { // to the last byte
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
}

// free gives the space back.
func (d *smallDisk) free() {
	d.t.Helper()
	if !d.real {
		execute(d.t, d.pg.URL("postgres"), `DROP TRIGGER full_disk ON callback_events`)
		return
	}
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

// crashFull has the server write on until it has no place for its log, and waits until it ended over that.
func (d *smallDisk) crashFull() {
	d.t.Helper()
	eventually(d.t, 60*time.Second, func() error {
		d.fill() // whatever it gave back meanwhile
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, d.pg.URL("postgres"))
		if err != nil {
			return d.gone(err)
		}
		defer conn.Close(ctx)
		for range 20 { // files of the log, and what makes the next one be written to
			if _, err := conn.Exec(ctx, `SELECT pg_switch_wal(), pg_logical_emit_message(true, 'full', 'x')`); err != nil {
				return err
			}
		}
		return errors.New("the server still has space for its log")
	})
}

// gone is nil where nobody listens, and else why it is not.
func (d *smallDisk) gone(err error) error {
	if _, stat := os.Stat(filepath.Join(d.pg.Dir(), "data", "postmaster.pid")); errors.Is(stat, os.ErrNotExist) {
		return nil
	}
	return err
}

// The disk is full: what cannot be stored is not acknowledged, the operator is told,
// pages are signed all the while, and once there is space everything works again
// by itself.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d := newSmallDisk(t)
	w := newWorld(t, options{database: d.pg.URL("postgres"), environ: unlimited})
	r := w.replicas[0]
	s := w.suite("ww-full", "third_party", "corp.example.com")
	w.install(s.ID, "wwfull", pageURL)
	tr := newTraffic(t)
	tr.sign(r, s, "wwfull")
	// The log has a file to go on with: it is the table that has no space.
	execute(t, w.database, `SELECT pg_switch_wal()`)
	execute(t, w.database, `CHECKPOINT`)

	var acked []string
	serial := 0
	push := func() answer {
		t.Helper()
		serial++
		message := s.event("change_contact", time.Now(), "UserID", fmt.Sprint(serial), "Text", strings.Repeat("x", 20_000))
		a, err := s.push(r, "command", s.ID, message)
		if err != nil {
			t.Fatal(err)
		}
		if a.status == http.StatusOK {
			acked = append(acked, message)
		}
		return a
	}
	refused := func() {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			d.fill() // whatever was given back meanwhile
			a := push()
			if a.status == http.StatusOK {
				return errors.New("there was space for one more callback")
			}
			wantProblem(t, "a callback that there is no space for", a, http.StatusInternalServerError, "callback_not_stored")
			return nil
		})
	}
	for range 10 {
		refused()
	}
	if !strings.Contains(r.output(), "No space left on device") {
		t.Error("the log does not say that there is no space left on the device")
	}
	warned(t, r, "no space left")
	d.free()
	again := func(what string) {
		t.Helper()
		eventually(t, 30*time.Second, func() error {
			if a := push(); string(a.body) != "success" {
				return fmt.Errorf("a callback %s = %s", what, a)
			}
			return nil
		})
	}
	again("when there is space")
	w.install(s.ID, "wwlater", "")
	w.waitSigned(r, pageURL, s.ID, "wwlater", 30*time.Second)

	if d.real { // no trigger can take this part: PostgreSQL ends when its log has no space
		d.crashFull()
		a := push()
		wantProblem(t, "a callback without the database", a, http.StatusInternalServerError, "callback_not_stored")
		d.free()
		_ = d.pg.Stop(context.Background())
		d.pg.start() // as whoever made the space would
		again("when the database is back")
	}
	tr.end()
	tr.wantSigned()
	if n := stored(t, w.database, acked); n != len(acked) {
		t.Errorf("%d of %d acknowledged callbacks are stored", n, len(acked))
	}
}
