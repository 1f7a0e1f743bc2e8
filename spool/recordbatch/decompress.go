package recordbatch

import (
	"bytes"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// MaxUncompressed bounds what the records of one batch may decompress to, in bytes,
// and so what a reader allocates, whatever the compressed bytes claim. Frames stay
// below 1 MiB but for one giant record; anything near this bound is not ours.
const MaxUncompressed = 128 << 20

// decompressor decompresses for one reader. Its parts are made when first needed.
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
