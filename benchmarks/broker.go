package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A kafkaBroker is a real Kafka of the bench's own, of one process, on free ports of the loopback.
type kafkaBroker struct {
	address   string
	version   string
	classpath string
	dir       string
	config    string

	cmd   *exec.Cmd
	ended chan struct{}
}

// findKafka returns the classpath of the newest Kafka that make brokers has installed.
func findKafka() (classpath string, err error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errors.New("there is no java")
	}
	home := os.Getenv("SPILLWAY_BROKERS")
	if home == "" {
		home = ".brokers"
	}
	if !filepath.IsAbs(home) {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		home = filepath.Join(root, home)
	}
	// A folder with a pom is complete.
	found, _ := filepath.Glob(filepath.Join(home, "kafka-*", "pom.xml"))
	if len(found) == 0 {
		return "", fmt.Errorf("there is no Kafka in %s; make brokers installs it", home)
	}
	return filepath.Join(filepath.Dir(slices.Max(found)), "*"), nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod here or above, and SPILLWAY_BROKERS is not an absolute path")
		}
		dir = filepath.Dir(dir)
	}
}

// startKafka makes a broker with no data in dir and returns when it serves. The caller calls kill.
func startKafka(ctx context.Context, dir string) (*kafkaBroker, error) {
	classpath, err := findKafka()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &kafkaBroker{version: kafkaVersion(classpath), classpath: classpath, dir: dir, config: filepath.Join(dir, "server.properties")}
	ports, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	b.address = ports[0]
	if err := os.WriteFile(b.config, kafkaProperties(filepath.Join(dir, "data"), b.address, ports[1]), 0o600); err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id)
	id[0] &= 0x7f // or the text could begin with a dash
	format := b.java(ctx, "kafka.tools.StorageTool", "format", "--cluster-id", base64.RawURLEncoding.EncodeToString(id), "--config", b.config)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format Kafka's storage: %w\n%s", err, out)
	}
	return b, b.start(ctx)
}

// java runs a program of Kafka's with the heap and the collector that its own scripts would choose, but for the size:
// a bench's topics are few.
func (b *kafkaBroker) java(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "java", append([]string{
		"-Xms512m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:-UsePerfData", "-Djava.io.tmpdir=" + b.dir,
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", b.classpath,
	}, args...)...)
}

// kafkaReadiness is how long a broker may take to start, also beside other work.
const kafkaReadiness = 90 * time.Second

// start starts the broker, for the first time or on the data of its former life, and returns when it serves.
func (b *kafkaBroker) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	b.cmd = b.java(ctx, "kafka.Kafka", b.config)
	b.cmd.Stdout, b.cmd.Stderr = log, log
	// In a group of its own, so that an interrupt at the terminal does not take it from under a run.
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	b.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		defer close(b.ended)
		// The kernel takes the end of the thread that started a child for the end of its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := b.cmd.Start()
		started <- err
		if err == nil {
			_ = b.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if err := b.awaitReady(ctx); err != nil {
		b.kill()
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("start Kafka: %w\n%s", err, text[max(0, len(text)-2000):])
	}
	return nil
}

func (b *kafkaBroker) awaitReady(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.DialTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, kafkaReadiness)
	defer cancel()
	for {
		err := serves(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-b.ended:
			return fmt.Errorf("it ended: %v", b.cmd.ProcessState)
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

// serves asks once whether the broker is a member of its own cluster and gives out identities, which it does last.
func serves(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	members, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if len(members.Brokers) == 0 {
		return errors.New("it is not a member of its cluster yet")
	}
	identity, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(identity.ErrorCode)
}

// kill ends the broker as kill -9 does. What it has acknowledged stays in the kernel's page cache.
func (b *kafkaBroker) kill() {
	select {
	case <-b.ended: // its process id may be another's by now
	default:
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
}

// kafkaProperties are Kafka's defaults, but for what a single broker and topics that come and go need.
func kafkaProperties(data, address, controller string) []byte {
	var text bytes.Buffer
	for _, property := range []string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + controller,
		"listeners=PLAINTEXT://" + address + ",CONTROLLER://" + controller,
		"advertised.listeners=PLAINTEXT://" + address,
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name=PLAINTEXT",
		"controller.listener.names=CONTROLLER",
		// After a kill it may join its own cluster again once its former life's session is over.
		"broker.session.timeout.ms=2000",
		"broker.heartbeat.interval.ms=500",
		"log.dirs=" + data,
		"auto.create.topics.enable=false",
		"offsets.topic.replication.factor=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		// A run's topic is gone before the next run's has grown.
		"log.segment.delete.delay.ms=1000",
	} {
		fmt.Fprintln(&text, property)
	}
	return text.Bytes()
}

// freeAddresses are ports on which nobody listens. They lie below those that the system gives to clients, or a client
// that dials a broker that is away could be given that very port, and keep the broker from coming back.
func freeAddresses(n int) (addresses []string, err error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	var seed [2]byte
	rand.Read(seed[:])
	for port := 20000 + (int(seed[0])<<8|int(seed[1]))%8000; port < 32000 && len(addresses) < n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		held = append(held, l)
		addresses = append(addresses, l.Addr().String())
	}
	if len(addresses) < n {
		return nil, errors.New("no port is free")
	}
	return addresses, nil
}

// kafkaVersion is what a classpath says of the Kafka in it.
func kafkaVersion(classpath string) string {
	return strings.TrimPrefix(filepath.Base(filepath.Dir(classpath)), "kafka-")
}
