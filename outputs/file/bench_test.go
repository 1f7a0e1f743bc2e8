package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// BenchmarkWrite delivers frames of 256 KiB to a file that rotates at 64 MiB and
// keeps one; one operation is one frame. Without the syncs it shows the
// processor's part.
func BenchmarkWrite(b *testing.B) {
	for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.Snappy} {
		for _, sync := range []struct {
			name string
			call func(int) error
		}{{"synced", unix.Fdatasync}, {"unsynced", func(int) error { return nil }}} {
			b.Run(fmt.Sprintf("%v/%s", codec, sync.name), func(b *testing.B) {
				cfg := Default()
				cfg.Path = config.Path(filepath.Join(b.TempDir(), "out.log"))
				cfg.Rotate = Rotate{MaxBytes: 64 << 20, Keep: 1}
				frames := outputstest.NewLoop(b, codec, 256<<10/200, 200)
				out := &Output{cfg: cfg, env: outputstest.Env(b), fdatasync: sync.call}
				b.SetBytes(256 << 10)
				b.ReportAllocs()
				frames.Left = b.N
				b.ResetTimer()
				if err := out.Run(b.Context(), frames); !errors.Is(err, spool.ErrClosed) {
					b.Fatal(err)
				}
			})
		}
	}
}
