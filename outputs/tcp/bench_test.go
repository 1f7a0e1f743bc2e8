package tcp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
)

// BenchmarkSend delivers frames of 256 KiB to a reader in this process that
// throws them away; one operation is one frame.
func BenchmarkSend(b *testing.B) {
	for _, framing := range []string{"newline", "length"} {
		for _, size := range []int{200, 2000} {
			for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.Snappy} {
				b.Run(fmt.Sprintf("%s/%dB/%v", framing, size, codec), func(b *testing.B) {
					benchmarkSend(b, framing, size, codec)
				})
			}
		}
	}
}

func benchmarkSend(b *testing.B, framing string, size int, codec recordbatch.Codec) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 256<<10)
		for err == nil {
			_, err = c.Read(buf)
		}
	}()
	cfg := Default()
	cfg.Address, cfg.Framing = l.Addr().String(), framing
	frames := outputstest.NewLoop(b, codec, 256<<10/size, size)
	out := outputs.Output(build(b, cfg))
	b.SetBytes(256 << 10)
	b.ReportAllocs()
	frames.Left = b.N
	if err := out.Run(context.Background(), frames); !errors.Is(err, spool.ErrClosed) {
		b.Fatal(err)
	}
}
