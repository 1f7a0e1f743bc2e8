package ownlog

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func lines(t *testing.T, b *bytes.Buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for l := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("%q is no JSON: %v", l, err)
		}
		out = append(out, m)
	}
	b.Reset()
	return out
}

func TestARepeatIsHeldForASecondAndThenCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		log := NewJSON(&b, slog.LevelInfo)
		for range 5 {
			log.Warn("disk full", "free", 1)
		}
		log.Warn("another")
		if got := lines(t, &b); len(got) != 2 {
			t.Fatalf("%d lines, want 2: %v", len(got), got)
		}
		time.Sleep(time.Second)
		log.Warn("disk full", "free", 2)
		got := lines(t, &b)
		if len(got) != 1 || got[0]["repeated"] != 4.0 || got[0]["free"] != 2.0 {
			t.Fatalf("got %v, want one line that counts 4 repeats", got)
		}
	})
}

func TestLoggersOfDifferentComponentsDoNotSilenceEachOther(t *testing.T) {
	var b bytes.Buffer
	log := NewJSON(&b, slog.LevelInfo)
	log.With("pipeline", "a").Info("started")
	log.With("pipeline", "b").Info("started")
	if got := lines(t, &b); len(got) != 2 {
		t.Fatalf("%d lines, want 2", len(got))
	}
}

func TestRememberedMessagesAreBounded(t *testing.T) {
	var b bytes.Buffer
	log := NewJSON(&b, slog.LevelInfo)
	for i := range 3 * maxTold {
		log.Info(strings.Repeat("x", i))
	}
	if n := len(log.Handler().(*calmHandler).told.messages); n > maxTold {
		t.Fatalf("%d messages remembered, want at most %d", n, maxTold)
	}
}

func TestLevelIsKept(t *testing.T) {
	var b bytes.Buffer
	log := NewJSON(&b, slog.LevelWarn)
	log.Info("quiet")
	if b.Len() != 0 {
		t.Fatalf("wrote %q below its level", b.String())
	}
}

func TestDurationsAreReadable(t *testing.T) {
	var b bytes.Buffer
	NewJSON(&b, slog.LevelInfo).Info("still away", "for", 90*time.Second)
	if got := lines(t, &b); got[0]["for"] != "1m30s" {
		t.Fatalf("got %v, want 1m30s", got[0]["for"])
	}
}
