package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/s2"
)

// shipped runs the bare loop over text and returns what it sent and, for s3, the spool's blocks, checked and joined.
func shipped(t *testing.T, scenario, text string) (sent, spooled string) {
	t.Helper()
	o := bareOptions{scenario: scenario, input: filepath.Join(t.TempDir(), "in"), spool: filepath.Join(t.TempDir(), "spool")}
	if err := os.WriteFile(o.input, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan []byte)
	go func() {
		var all []byte
		if conn, err := listener.Accept(); err == nil {
			all, _ = io.ReadAll(conn)
			conn.Close()
		}
		received <- all
	}()
	o.address = listener.Addr().String()
	if err := runBare(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sent = string(<-received)
	if scenario == "s3" {
		spooled = unspool(t, o.spool)
	}
	return sent, spooled
}

func unspool(t *testing.T, path string) string {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for len(file) > 0 {
		n := int(binary.BigEndian.Uint32(file))
		block := file[spoolHeader : spoolHeader+n]
		if crc32.Checksum(block, castagnoli) != binary.BigEndian.Uint32(file[4:]) {
			t.Fatalf("bad checksum, %d bytes before the end", len(file))
		}
		lines, err := s2.Decode(nil, block)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lines...)
		file = file[spoolHeader+n:]
	}
	return string(all)
}

func TestBareLoopKeepsOrderOverManyBlocks(t *testing.T) {
	var in, want bytes.Buffer
	for seq := int64(0); in.Len() < 10*bareBlock; seq++ {
		line := appendJSONLine(nil, seq, generatedMicros(seq))
		in.Write(append(line, '\n'))
		want.Write(append(line[:len(line)-1], ",\"host\":\"bench\"}\n"...))
	}
	sent, spooled := shipped(t, "s3", in.String())
	if sent != want.String() {
		t.Error("the lines that were sent differ in content or order")
	}
	if spooled != sent {
		t.Error("the spool holds other lines than were sent")
	}
	if sent, _ := shipped(t, "s1", in.String()); sent != in.String() {
		t.Error("raw lines were changed")
	}
}

func TestBareLoopOnOddLines(t *testing.T) {
	for _, c := range []struct{ scenario, in, want string }{
		{"s1", "", ""},
		{"s1", "\n\na\n", "\n\na\n"},
		{"s1", "no newline at the end", "no newline at the end\n"},
		{"s2", "{}\n", "{\"host\":\"bench\"}\n"},
		{"s2", "{\"a\":1} \n", "{\"a\":1,\"host\":\"bench\"}\n"},
		{"s2", "{\"host\":\"own\"}\n", "{\"host\":\"own\"}\n"},
		{"s2", "not JSON\n", "not JSON\n"},
		{"s2", "{\"a\":1\n{\"b\":2}", "{\"a\":1\n{\"b\":2,\"host\":\"bench\"}\n"},
		{"s4", "not a log\n", "not a log\n"},
	} {
		if sent, _ := shipped(t, c.scenario, c.in); sent != c.want {
			t.Errorf("%s of %q: sent %q, want %q", c.scenario, c.in, sent, c.want)
		}
	}
}

func TestBareLoopRefusesALineLongerThanABlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), bareBlock+1), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := openBlocks(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	if block, err := src.next(make([]byte, bareBlock)); err == nil {
		t.Errorf("read %d bytes", len(block))
	}
}

func TestCombinedLinesAreSplit(t *testing.T) {
	const head = `10.0.0.1 - bob [20/Nov/2026:12:00:00 +0000] `
	for _, c := range []struct {
		line, path, agent string
		ok                bool
	}{
		{head + `"GET /a HTTP/1.1" 200 12 "-" "curl/8"`, "/a", "curl/8", true},
		{head + `"GET /a?q=b c HTTP/1.1" 200 12 "-" "curl/8"`, "/a?q=b", "curl/8", true},
		{head + `"GET /a HTTP/1.1" 200 12 "-" "say \"hi\" \\"`, "/a", `say \"hi\" \\`, true},
		{head + `"GET /a HTTP/1.1" 200 12 "-" ""`, "/a", "", true},
		{head + "\"GET /a\tb HTTP/1.1\" 200 12 \"-\" \"x\"", "/a\tb", "x", true},
		{head + `"GET /a HTTP/1.1" 200 - "-" "curl/8"`, "", "", false},
		{head + `"-" 400 0 "-" "-"`, "", "", false},
		{head + `"GET /a HTTP/1.1" 200 12 "-" "open`, "", "", false},
		{head + `"GET /a HTTP/1.1" 200 12 "-"`, "", "", false},
		{`10.0.0.1 - bob "GET /a HTTP/1.1" 200 12 "-" "x"`, "", "", false},
		{``, "", "", false},
	} {
		var l combinedLine
		if ok := l.split([]byte(c.line)); ok != c.ok {
			t.Errorf("%q: split says %t", c.line, ok)
			continue
		}
		if !c.ok {
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(l.appendJSON(nil), &got); err != nil {
			t.Errorf("%q: %v", c.line, err)
		}
		if got["client"] != "10.0.0.1" || got["user"] != "bob" || got["path"] != c.path || got["agent"] != c.agent || got["status"] != 200.0 {
			t.Errorf("%q: %v", c.line, got)
		}
	}
}
