package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// others are the CPU of what a replica shares its machine with.
type others struct{ postgres, us time.Duration }

func (o others) since(before others, n int) string {
	per := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3/float64(n)) }
	return per(o.postgres-before.postgres) + ", " + per(o.us-before.us)
}

// othersCPU reads them: PostgreSQL's processes, and this one, in which the simulator runs.
func othersCPU(ctx context.Context, pool *pgxpool.Pool) (o others, err error) {
	backend, err := counted(ctx, pool, `SELECT pg_backend_pid()`)
	if err != nil {
		return o, err
	}
	postmaster, _, err := statOf(int(backend))
	if err != nil {
		return o, err
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return o, err
	}
	for _, f := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			continue
		}
		parent, cpu, err := statOf(pid)
		if err == nil && (parent == postmaster || pid == postmaster) { // who has ended meanwhile is in the postmaster's own
			o.postgres += cpu
		}
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return o, err
	}
	o.us = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	return o, nil
}

// statOf reads a process's parent and its CPU time, that of ended children included (proc_pid_stat(5)).
func statOf(pid int) (parent int, cpu time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const ppid, utime, cstime = 4 - 3, 14 - 3, 17 - 3
	if len(fields) <= cstime {
		return 0, 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	if parent, err = strconv.Atoi(fields[ppid]); err != nil {
		return 0, 0, err
	}
	for _, f := range fields[utime : cstime+1] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, err
		}
		cpu += time.Duration(n) * time.Second / 100
	}
	return parent, cpu, nil
}
