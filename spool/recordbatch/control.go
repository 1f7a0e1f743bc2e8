package recordbatch

import (
	"encoding/binary"
	"fmt"
)

// AppendControl appends a control batch to dst: one record for each value, of which
// there must be at least one, with the type in its key. It is not compressed.
// timestamp is in Unix milliseconds.
func AppendControl(dst []byte, typ int16, timestamp int64, values ...[]byte) []byte {
	b := Builder{compress: &compressor{codec: None}, buf: make([]byte, HeaderLen)}
	b.Reset(-1, timestamp)
	key := controlKey(typ)
	for _, v := range values {
		b.Close(append(b.Open(), v...), key[:])
	}
	at := len(dst)
	dst, err := b.Finish(dst)
	if err != nil {
		panic(fmt.Sprintf("recordbatch: uncompressed batch: %v", err))
	}
	batch := dst[at:]
	binary.BigEndian.PutUint16(batch[atAttributes:], attrControl)
	seal(batch)
	return dst
}

func controlKey(typ int16) (key [4]byte) {
	binary.BigEndian.PutUint16(key[2:], uint16(typ)) // behind the key's version, 0
	return key
}

// ControlType is the type of a control record, from its key. The error wraps
// [ErrCorrupt]. Later versions of a key keep the type where it is.
func ControlType(key []byte) (int16, error) {
	if len(key) < 4 {
		return 0, corrupt("control key of %d bytes", len(key))
	}
	return int16(binary.BigEndian.Uint16(key[2:])), nil
}
