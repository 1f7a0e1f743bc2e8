package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the test binary stand in for the program where a bench starts itself again, and for a shipper that
// makes a mistake.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "sink", "bare", "bare-kafka", "writer":
			main()
		case "faulty":
			os.Exit(exitCode(faultyMain(os.Args[2], os.Args[3], os.Args[4]), os.Stderr))
		}
	}
	// Under the race detector every process would sleep for a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// faultyLine is where a faulty shipper goes wrong. It is one of the lines that the sink compares whole.
const faultyLine = sampleEvery

// faultyMain ships a file as it is, but for one fault.
func faultyMain(fault, path, address string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines) > faultyLine { // the latency phase starts with one line, and is left in peace
		bad := lines[faultyLine]
		switch fault {
		case "lose":
			lines[faultyLine] = nil
		case "double":
			lines = append(lines, bad)
		case "garble":
			lines[faultyLine] = bytes.Replace(bad, []byte(`"level":"`), []byte(`"level":"x`), 1)
		case "tear":
			lines = append(lines, bad[:20])
		case "crash":
			return errors.New("crashed as told")
		}
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write(bytes.Join(lines, nil))
	return err
}

// faultyTool ships raw lines with a fault. A growing file is left to the bare loop.
func faultyTool(fault string) tool {
	t := bareTool()
	bare := t.command
	t.name = "faulty"
	t.command = func(ctx context.Context, d duty) (*exec.Cmd, func(), error) {
		if d.Follow {
			return bare(ctx, d)
		}
		return exec.CommandContext(ctx, os.Args[0], "faulty", fault, d.Input, d.Address), nil, nil
	}
	return t
}
