package regex

import (
	"testing"

	"github.com/spillway/spillway/processors/processorstest"
)

func TestCases(t *testing.T) { processorstest.Run(t) }
