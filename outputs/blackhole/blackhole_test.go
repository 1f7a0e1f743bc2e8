package blackhole

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func build(t *testing.T, c *Config) outputs.Output {
	t.Helper()
	out, err := New(c, outputstest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestContract(t *testing.T) {
	outputstest.Contract(t, func(t *testing.T) outputstest.Target {
		return outputstest.Target{Output: func() outputs.Output { return build(t, Default()) }}
	})
}

func TestDelayIsTakenByEachFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := outputstest.NewLog(t, recordbatch.None)
		log.Append("a", "b")
		log.Append("c")
		log.Close()
		start := time.Now()
		build(t, &Config{Delay: time.Minute}).Run(t.Context(), log.Open())
		if took := time.Since(start); took != 2*time.Minute || log.Frontier() != 3 {
			t.Errorf("two frames took %v, frontier %d; wanted 2m, 3", took, log.Frontier())
		}
	})
}
