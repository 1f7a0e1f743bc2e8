//go:build failpoints

// Package failpoint lets a test end the process at a named point of the code.
// Builds without the tag "failpoints" contain none of it.
package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled says that this build has failpoints.
const Enabled = true

var (
	point string
	nth   int64
	hits  atomic.Int64
	off   = map[string]bool{}
)

// SPILLWAY_FAILPOINT=name:n kills the process when it comes to the named point
// for the n-th time; the name is first written to the file SPILLWAY_FAILPOINT_LOG.
// SPILLWAY_DISABLE=a,b switches off parts of the promise that ask for [Disabled].
func init() {
	name, count, _ := strings.Cut(os.Getenv("SPILLWAY_FAILPOINT"), ":")
	point, nth = name, 1
	if n, err := strconv.ParseInt(count, 10, 64); err == nil && n > 0 {
		nth = n
	}
	for _, part := range strings.Split(os.Getenv("SPILLWAY_DISABLE"), ",") {
		off[part] = true
	}
}

// Due counts a pass over the named point and says whether this one is the one
// to die at, for points that have something to do half-way first.
func Due(name string) bool {
	return name == point && hits.Add(1) == nth
}

// Hit dies here if it is the named point's turn.
func Hit(name string) {
	if Due(name) {
		Die(name)
	}
}

// Die ends the process as kill -9 does.
func Die(name string) {
	if log := os.Getenv("SPILLWAY_FAILPOINT_LOG"); log != "" {
		if f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			fmt.Fprintln(f, name)
			f.Close()
		}
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Disabled says that a test wants this part of the promise switched off, to see
// that its absence is noticed.
func Disabled(part string) bool { return off[part] }
