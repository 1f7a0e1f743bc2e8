package recordbatch

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is how the records of a batch are compressed, by its number in the
// batch's attributes.
type Codec uint8

// The codecs.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

func (c Codec) String() string {
	if int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// ParseCodec reads a codec's name.
func ParseCodec(name string) (Codec, error) {
	for i, n := range codecNames {
		if n == name {
			return Codec(i), nil
		}
	}
	return 0, fmt.Errorf("%q is no compression: want %s", name, strings.Join(codecNames[:], ", "))
}

// zstdWindow bounds an encoder's memory to about 0.8 MB; frames are below 1 MiB,
// so a larger window would find little more.
const zstdWindow = 512 << 10

// compressor compresses for one builder. Its parts are made when first needed.
type compressor struct {
	codec Codec
	gzip  *kgzip.Writer
	lz4   *lz4.Writer
	zstd  *zstd.Encoder
	out   appendWriter
}

func newCompressor(c Codec) (*compressor, error) {
	k := &compressor{codec: c}
	switch c {
	case None, Snappy:
	case Gzip:
		k.gzip, _ = kgzip.NewWriterLevel(nil, kgzip.DefaultCompression)
	case LZ4:
		k.lz4 = lz4.NewWriter(nil)
		// Blocks without a checksum: the batch has its own, and old consumers
		// of Kafka do not check it.
		if err := k.lz4.Apply(lz4.ChecksumOption(false), lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block256Kb)); err != nil {
			return nil, err
		}
	case Zstd:
		var err error
		k.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow),
			zstd.WithLowerEncoderMem(true), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
		if err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("recordbatch: %s is unknown", c)
	}
	return k, nil
}

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

// MaxUncompressed bounds what the records of one batch may decompress to. Frames
// stay below 1 MiB but for one giant record; anything near this bound is not
// ours.
const MaxUncompressed = 128 << 20

// decompressor decompresses for one reader.
type decompressor struct {
	src  bytes.Reader
	gzip *gzip.Reader
	lz4  *lz4.Reader
	zstd *zstd.Decoder
}

// append decompresses src behind dst, which must be empty.
func (d *decompressor) append(dst, src []byte, c Codec) ([]byte, error) {
	var err error
	switch c {
	case Snappy:
		n, err := xerialLen(src)
		if err != nil {
			return nil, err
		}
		if dst, err = xerial.DecodeCapped(slices.Grow(dst[:0], max(n, 1)), src); err != nil {
			return nil, corrupt("snappy: %v", err)
		}
		return dst, nil
	case Zstd:
		if d.zstd == nil {
			if d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxUncompressed)); err != nil {
				return nil, err
			}
		}
		if dst, err = d.zstd.DecodeAll(src, dst); err != nil {
			return nil, corrupt("zstd: %v", err)
		}
		return dst, nil
	case Gzip:
		d.src.Reset(src)
		if d.gzip == nil {
			d.gzip, err = gzip.NewReader(&d.src)
		} else {
			err = d.gzip.Reset(&d.src)
		}
		if err != nil {
			return nil, corrupt("gzip: %v", err)
		}
		return drain(dst, d.gzip, c)
	case LZ4:
		d.src.Reset(src)
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(&d.src)
		} else {
			d.lz4.Reset(&d.src)
		}
		return drain(dst, d.lz4, c)
	}
	return append(dst, src...), nil
}

func drain(dst []byte, r io.Reader, c Codec) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > MaxUncompressed:
			return nil, corrupt("%s: more than %d bytes", c, MaxUncompressed)
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return nil, corrupt("%s: %v", c, err)
		}
	}
}
