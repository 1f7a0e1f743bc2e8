package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// A lineCheck knows what a scenario's lines must look like at the sink.
type lineCheck interface {
	// marker stands before the sequence number.
	marker() []byte
	// cheap looks at every line.
	cheap(line []byte) bool
	// whole compares a line with what the generator makes of its sequence number and time.
	whole(line []byte, seq, sentMicros int64) error
}

// rawCheck: the line arrives byte for byte.
type rawCheck struct{}

func (rawCheck) marker() []byte { return []byte(`"seq":`) }

func (rawCheck) cheap(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`{"seq":`)) && line[len(line)-1] == '}'
}

func (rawCheck) whole(line []byte, seq, sentMicros int64) error {
	if !bytes.Equal(line, appendJSONLine(nil, seq, sentMicros)) {
		return errors.New("differs from the line that was written")
	}
	return nil
}

// hostCheck: the line arrives as JSON with every value it had, and host beside them. A tool may add others.
type hostCheck struct{}

func (hostCheck) marker() []byte { return []byte(`"seq":`) }

func (hostCheck) cheap(line []byte) bool {
	if line[0] != '{' || line[len(line)-1] != '}' {
		return false
	}
	if bytes.HasSuffix(line, []byte(`"host":"bench"}`)) {
		return true
	}
	_, value, ok := bytes.Cut(line, []byte(`"host":`))
	return ok && bytes.HasPrefix(bytes.TrimLeft(value, " "), []byte(`"bench"`))
}

func (hostCheck) whole(line []byte, seq, sentMicros int64) error {
	want, err := decodeObject(appendJSONLine(nil, seq, sentMicros))
	if err != nil {
		return err
	}
	want["host"] = "bench"
	return compare(line, want)
}

// parsedCheck: the line arrives as JSON with the fields of the combined format. Status and bytes may be numbers or
// strings, the time may be in RFC 3339, and a user of "-" may be null or left out.
type parsedCheck struct{}

func (parsedCheck) marker() []byte { return []byte(`seq=`) }

func (parsedCheck) cheap(line []byte) bool { return line[0] == '{' && line[len(line)-1] == '}' }

func (parsedCheck) whole(line []byte, seq, sentMicros int64) error {
	got, err := decodeObject(line)
	if err != nil {
		return err
	}
	a := accessOf(seq, sentMicros)
	for key, want := range map[string]string{
		"client": a.client, "user": a.user, "time": a.time, "method": a.method, "path": a.path, "protocol": a.protocol,
		"status": a.status, "bytes": a.bytes, "referer": a.referer, "agent": a.agent,
	} {
		value := got[key]
		if value == nil && want == "-" {
			continue
		}
		if text := fmt.Sprint(value); text != want && !(key == "time" && sameSecond(text, sentMicros)) {
			return fmt.Errorf("%s is %q and should be %q", key, text, want)
		}
	}
	return nil
}

func sameSecond(text string, micros int64) bool {
	t, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && t.Unix() == micros/1_000_000
}

// compare says which of the wanted members a JSON line lacks or has changed.
func compare(line []byte, want map[string]any) error {
	got, err := decodeObject(line)
	if err != nil {
		return err
	}
	for key, value := range want {
		if !sameValue(got[key], value) {
			return fmt.Errorf("%s is %v and should be %v", key, got[key], value)
		}
	}
	return nil
}

func decodeObject(line []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one JSON value")
	}
	return m, nil
}

// sameValue compares what JSON says: numbers by value and not by spelling, objects by their members.
func sameValue(got, want any) bool {
	switch want := want.(type) {
	case json.Number:
		number, ok := got.(json.Number)
		if !ok {
			return false
		}
		a, aok := new(big.Rat).SetString(number.String())
		b, bok := new(big.Rat).SetString(want.String())
		return aok && bok && a.Cmp(b) == 0
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(want) {
			return false
		}
		for key, value := range want {
			if !sameValue(object[key], value) {
				return false
			}
		}
		return true
	default:
		return got == want
	}
}

// A numberFinder finds the number behind a marker. Lines of one tool are alike, so it looks first where it found the
// last one.
type numberFinder struct {
	marker []byte
	hint   int
}

func (f *numberFinder) find(line []byte) (n int64, ok bool) {
	i := f.hint
	if i > len(line) || !bytes.HasPrefix(line[i:], f.marker) {
		if i = bytes.Index(line, f.marker); i < 0 {
			return 0, false
		}
		f.hint = i
	}
	i += len(f.marker)
	for i < len(line) && line[i] == ' ' {
		i++
	}
	start := i
	for ; i < len(line) && line[i]-'0' <= 9 && i-start < 18; i++ {
		n = n*10 + int64(line[i]-'0')
	}
	return n, i > start
}
