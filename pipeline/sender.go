package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/spillway/spillway/spool"
)

// send runs one output at its own cursor over the spool, until life is over. An
// output that gives up stops its pipeline: only the pipeline's spool knows what
// is still to be delivered.
func (p *Pipeline) send(life context.Context, kill context.CancelCauseFunc, sp *spool.Spool, out *namedOutput) {
	who := "output " + out.id
	defer contain(kill, who)
	cursor, err := sp.Cursor(out.id)
	if err == nil {
		err = out.Run(life, cursor)
	}
	switch {
	case life.Err() != nil, errors.Is(err, spool.ErrClosed):
	case err != nil:
		kill(fmt.Errorf("%s: %w", who, err))
	default:
		kill(fmt.Errorf("%s: ended without being asked to", who))
	}
}
