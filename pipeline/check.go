package pipeline

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// checker is a component that has a peer. Its error says in the configuration's words
// why the peer cannot be used.
type checker interface {
	Check(ctx context.Context) error
}

// Reached is what came of reaching for a component's peer.
type Reached struct {
	Pipeline string
	// Kind is input or output.
	Kind, ID string
	// Peerless says that the component has no peer to reach.
	Peerless bool
	Err      error
}

// Check reaches for the peers of every component of doc, with a time limit for each.
// Nothing is sent or read. The error is that of building the components.
func Check(ctx context.Context, doc *Document, limit time.Duration, log *slog.Logger) ([]Reached, error) {
	built, err := buildAll(doc, log)
	if err != nil {
		return nil, err
	}
	var all []Reached
	var peers []any
	add := func(pipeline, kind, id string, component any) {
		all = append(all, Reached{Pipeline: pipeline, Kind: kind, ID: id})
		peers = append(peers, component)
	}
	for _, name := range slices.Sorted(maps.Keys(built)) {
		for _, in := range built[name].inputs {
			add(name, "input", in.id, in.Input)
		}
		for _, out := range built[name].outputs {
			add(name, "output", out.id, out.Output)
		}
	}
	var reaching sync.WaitGroup
	for i := range all {
		peer, ok := peers[i].(checker)
		if !ok {
			all[i].Peerless = true
			continue
		}
		reaching.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			all[i].Err = peer.Check(ctx)
		})
	}
	reaching.Wait()
	return all, nil
}
