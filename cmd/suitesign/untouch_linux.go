package main

import "syscall"

// untouch gives the memory of what is all zeros back to the system, which brings zeros
// again should anybody look. If it will not, no harm is done.
func untouch(b []byte) { _ = syscall.Madvise(b, syscall.MADV_DONTNEED) }
