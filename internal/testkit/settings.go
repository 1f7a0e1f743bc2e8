package testkit

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// Seed is the seed of a random test: SPILLWAY_SEED, or a new one. It is logged,
// so that a failure can be run again.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(Number(t, "SPILLWAY_SEED", int(rand.Uint32())))
	t.Logf("SPILLWAY_SEED=%d", seed)
	return seed
}

// Number is the value of an environment variable that makes a test longer or
// repeats it, or otherwise if it is not set.
func Number(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// WaitFor waits until done says so, and fails the test after the limit. What is
// waited for is named in the failure.
func WaitFor(t testing.TB, what string, limit time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}
