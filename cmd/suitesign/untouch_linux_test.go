package main

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"
)

// The ballast takes no RAM, also where it lies on memory that was used before.
func TestTheBallastIsNotResident(t *testing.T) {
	b := newBallast()
	few := len(b) / syscall.Getpagesize() / 8 // the system may make one large page of what is touched beside it
	if n := resident(t, b); n > few {
		t.Errorf("%d pages of a new ballast are resident, want none", n)
	}
	for i := range b {
		b[i] = 0
	}
	if n := resident(t, b); n <= few {
		t.Fatal("a ballast that was touched is not resident: this shows nothing")
	}
	untouch(b)
	if n := resident(t, b); n > few {
		t.Errorf("%d pages are resident after untouch, want none", n)
	}
	for i := range b {
		if b[i] != 0 {
			t.Fatalf("byte %d is %d, want 0", i, b[i])
		}
	}
	runtime.KeepAlive(b)
}

// resident counts the pages of b that are in RAM: mincore(2).
func resident(t *testing.T, b []byte) (n int) {
	t.Helper()
	pages := make([]byte, len(b)/syscall.Getpagesize())
	_, _, errno := syscall.Syscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&pages[0])))
	if errno != 0 {
		t.Fatalf("mincore: %v", errno)
	}
	for _, p := range pages {
		n += int(p & 1)
	}
	return n
}
