package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A sinkProcess is this program running as a sink.
type sinkProcess struct {
	cmd     *exec.Cmd
	release io.Closer      // its standard input
	events  chan sinkEvent // closed at its end
	address string         // where lines go: its own, or the broker's
	topic   string
}

// A sinkDuty is what a sink has to account for.
type sinkDuty struct {
	scenario scenario
	lines    int64
	live     bool          // look at lines as they come, and take their latency
	progress bool          // say all the while how many have come
	idle     time.Duration // silence that ends the waiting
	broker   string        // where the scenario has one
}

// startSink runs this program as the sink of a run. The caller calls finish.
func startSink(ctx context.Context, d sinkDuty) (*sinkProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "sink", "-scenario", d.scenario.name, "-lines", strconv.FormatInt(d.lines, 10),
		"-latency="+strconv.FormatBool(d.live), "-progress="+strconv.FormatBool(d.progress), "-idle", d.idle.String(), "-broker", d.broker)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &sinkProcess{cmd: cmd, release: stdin, events: make(chan sinkEvent, 8)}
	go func() {
		defer close(p.events)
		lines := json.NewDecoder(bufio.NewReader(stdout))
		for {
			var e sinkEvent
			if lines.Decode(&e) != nil {
				return
			}
			p.events <- e
		}
	}()
	if e := <-p.events; e.Event == "listening" {
		p.address, p.topic = e.Address, e.Topic
		return p, nil
	}
	return nil, errors.Join(errors.New("the sink did not start"), p.end())
}

// finish lets the sink read what is on its way, and returns what it has seen.
func (p *sinkProcess) finish() (sinkReport, error) {
	p.release.Close()
	for e := range p.events {
		if e.Event == "report" {
			return *e.Report, p.end()
		}
	}
	return sinkReport{}, errors.Join(errors.New("the sink ended without a report"), p.end())
}

func (p *sinkProcess) end() error {
	p.release.Close()
	for range p.events {
	}
	return p.cmd.Wait()
}

// A shipper is a running tool.
type shipper struct {
	cmd    *exec.Cmd
	log    *os.File // its output
	exited chan struct{}
	err    error   // of its exit; read after exited
	rssMiB float64 // highest resident set seen; read after exited
}

// stopPatience is how long a tool may take to end after SIGTERM before it is killed.
const stopPatience = 15 * time.Second

// startShipper starts a tool's command with its output in logPath. The caller calls stop.
func startShipper(cmd *exec.Cmd, logPath string) (*shipper, error) {
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		log.Close()
		return nil, err
	}
	s := &shipper{cmd: cmd, log: log, exited: make(chan struct{})}
	sampled := make(chan struct{})
	stopSampling := make(chan struct{})
	go func() {
		defer close(sampled)
		s.sampleMemory(stopSampling)
	}()
	go func() {
		s.err = cmd.Wait()
		close(stopSampling)
		<-sampled
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && s.rssMiB == 0 {
			s.rssMiB = float64(usage.Maxrss) / 1024
		}
		close(s.exited)
	}()
	return s, nil
}

// sampleMemory follows the peak resident set. The kernel's own figure at exit begins with the peak of the process that
// forked, so it is taken only of a tool that ended before it could be looked at.
func (s *shipper) sampleMemory(stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		s.rssMiB = max(s.rssMiB, s.peakMiB())
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

// peakMiB is the peak resident set so far.
func (s *shipper) peakMiB() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0 // it has just ended
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kib, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
	if err != nil {
		return 0
	}
	return kib / 1024
}

// stop ends the tool where it has not ended itself. An end of its own is an error unless it went well.
func (s *shipper) stop() error {
	defer s.log.Close()
	select {
	case <-s.exited:
		if s.err != nil {
			return fmt.Errorf("ended by itself: %w\n%s", s.err, s.tail())
		}
		return nil
	default:
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may end at this very moment
	select {
	case <-s.exited:
		return nil
	case <-time.After(stopPatience):
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	return fmt.Errorf("had to be killed %v after SIGTERM\n%s", stopPatience, s.tail())
}

// cpu is the processor time of the tool and the children that it waited for, user and system. Valid once it has ended.
func (s *shipper) cpu() time.Duration {
	state := s.cmd.ProcessState
	return state.UserTime() + state.SystemTime()
}

// tail returns the end of the tool's own output.
func (s *shipper) tail() string {
	text, _ := os.ReadFile(s.log.Name())
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return string(text)
}
