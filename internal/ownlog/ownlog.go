// Package ownlog makes the process's own log: text on a terminal, JSON
// elsewhere, and no message more often than once a second.
package ownlog

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// New returns a logger that writes to f.
func New(f *os.File, level slog.Leveler) *slog.Logger {
	if term.IsTerminal(int(f.Fd())) {
		return slog.New(calm(slog.NewTextHandler(f, &slog.HandlerOptions{Level: level, ReplaceAttr: shortTime})))
	}
	return NewJSON(f, level)
}

// NewJSON returns a logger that writes one JSON object a line to w.
func NewJSON(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(calm(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: textDuration})))
}

// textDuration writes a duration as people and the configuration do, not as a
// number of nanoseconds.
func textDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, a.Value.Duration().String())
	}
	return a
}

// shortTime leaves out the date, which someone at a terminal knows.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.String(slog.TimeKey, a.Value.Time().Format("15:04:05.000"))
	}
	return a
}

// pause is the least time between two records with the same message from the
// same logger.
const pause = time.Second

// maxTold bounds the messages that are remembered.
const maxTold = 1024

// calmHandler holds back repeats. What was held back is told, as the attribute
// "repeated", with the next record of the same message.
type calmHandler struct {
	slog.Handler
	// origin tells loggers with other attributes apart.
	origin string
	told   *told
}

type told struct {
	mu       sync.Mutex
	messages map[string]*repeats
}

type repeats struct {
	last time.Time
	held int
}

func calm(h slog.Handler) *calmHandler {
	return &calmHandler{Handler: h, told: &told{messages: map[string]*repeats{}}}
}

func (h *calmHandler) Handle(ctx context.Context, r slog.Record) error {
	held, ok := h.told.pass(h.origin+"\x00"+r.Level.String()+"\x00"+r.Message, r.Time)
	if !ok {
		return nil
	}
	if held > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("repeated", held))
	}
	return h.Handler.Handle(ctx, r)
}

// pass says whether the message may be written now, and how often it was held
// back before.
func (t *told) pass(key string, now time.Time) (held int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.messages[key]
	switch {
	case m == nil:
		if len(t.messages) >= maxTold {
			t.forget(now)
		}
		t.messages[key] = &repeats{last: now}
		return 0, true
	case now.Sub(m.last) < pause:
		m.held++
		return 0, false
	}
	held, m.held, m.last = m.held, 0, now
	return held, true
}

func (t *told) forget(now time.Time) {
	for key, m := range t.messages {
		if now.Sub(m.last) >= pause {
			delete(t.messages, key)
		}
	}
	if len(t.messages) >= maxTold {
		clear(t.messages)
	}
}

func (h *calmHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	origin := h.origin
	for _, a := range attrs {
		origin += "\x00" + a.String()
	}
	return &calmHandler{Handler: h.Handler.WithAttrs(attrs), origin: origin, told: h.told}
}

func (h *calmHandler) WithGroup(name string) slog.Handler {
	return &calmHandler{Handler: h.Handler.WithGroup(name), origin: h.origin + "\x00" + name, told: h.told}
}
