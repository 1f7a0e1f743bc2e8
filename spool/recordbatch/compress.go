package recordbatch

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// zstdWindow bounds an encoder's memory to about 0.8 MB; frames are below 1 MiB,
// so a larger window would find little more.
const zstdWindow = 512 << 10

// compressor compresses for one builder, and has the parts that its codec needs.
type compressor struct {
	codec Codec
	gzip  *gzip.Writer
	lz4   *lz4.Writer
	zstd  *zstd.Encoder
	out   appendWriter
}

func newCompressor(c Codec) (*compressor, error) {
	k := &compressor{codec: c}
	var err error
	switch c {
	case None, Snappy:
	case Gzip:
		k.gzip = gzip.NewWriter(nil)
	case LZ4:
		k.lz4 = lz4.NewWriter(nil)
		err = k.lz4.Apply(lz4.ChecksumOption(false), lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block256Kb))
	case Zstd:
		k.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	default:
		err = fmt.Errorf("recordbatch: %s is unknown", c)
	}
	return k, err
}

// append appends src to dst, compressed.
func (k *compressor) append(dst, src []byte) ([]byte, error) {
	switch k.codec {
	case Snappy:
		return appendXerial(dst, src), nil
	case Gzip:
		k.out.b = dst
		k.gzip.Reset(&k.out)
		return k.stream(k.gzip, src)
	case LZ4:
		k.out.b = dst
		k.lz4.Reset(&k.out)
		return k.stream(k.lz4, src)
	case Zstd:
		return k.zstd.EncodeAll(src, dst), nil
	}
	return append(dst, src...), nil
}

func (k *compressor) stream(w io.WriteCloser, src []byte) ([]byte, error) {
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	err := w.Close()
	dst := k.out.b
	k.out.b = nil
	return dst, err
}

type appendWriter struct{ b []byte }

func (w *appendWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
