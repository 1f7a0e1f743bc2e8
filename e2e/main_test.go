// Package e2e runs the real binary against real files and real signals. Nothing
// here imports what it tests.
package e2e

import (
	"os"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }
