package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A lineFormat makes the lines of an input. A line is a pure function of its sequence number and its time, so the sink
// can make it again and compare.
type lineFormat struct {
	file   string // name of the generated file
	append func(dst []byte, seq, sentMicros int64) []byte
}

var (
	jsonFormat     = lineFormat{"app.log", appendJSONLine}
	combinedFormat = lineFormat{"access.log", appendCombinedLine}
)

// generatedMicros is the time in a generated file's line, in microseconds since 1970: 2,000 lines a second from a fixed day.
func generatedMicros(seq int64) int64 { return 1_795_176_000_000_000 + seq*500 }

// An input is a generated file.
type input struct {
	path  string
	lines int64
	bytes int64
}

// generate writes lines 0, 1, 2 … of a format to a file in dir until it holds at least size bytes. The file is synced,
// so that writing it back does not disturb what is measured, and its pages stay in the cache.
func generate(dir string, f lineFormat, size int64) (in input, err error) {
	in.path = filepath.Join(dir, f.file)
	file, err := os.Create(in.path)
	if err != nil {
		return in, err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(file, 1<<20)
	var line []byte
	for ; in.bytes < size; in.lines++ {
		line = append(f.append(line[:0], in.lines, generatedMicros(in.lines)), '\n')
		in.bytes += int64(len(line))
		if _, err := w.Write(line); err != nil {
			return in, fmt.Errorf("write %s: %w", in.path, err)
		}
	}
	if err := w.Flush(); err != nil {
		return in, fmt.Errorf("write %s: %w", in.path, err)
	}
	return in, file.Sync()
}

// mix is SplitMix64's output function: the source of everything in a line that looks random.
func mix(seq int64) uint64 {
	z := uint64(seq)*0x9e3779b97f4a7c15 + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func pick(choices []string, r uint64) string { return choices[r%uint64(len(choices))] }

var (
	levels  = []string{"info", "info", "info", "debug", "warn", "error"}
	loggers = []string{"checkout.payment", "catalogue.search", "session", "inventory.sync", "mail.queue"}
	// Messages are spelled as they stand in JSON: some need escapes, some hold more than ASCII.
	messages = []string{
		`payment accepted, receipt queued`,
		`order placed, waiting for the warehouse`,
		`template \"welcome\" rendered for locale fr`,
		`cache miss, reading from the replica`,
		`file C:\\exports\\orders.csv closed`,
		`café opening hours refreshed`,
		`upstream answered late\nretrying once`,
		`session renewed for another 30 minutes`,
	}
)

// appendJSONLine appends line seq of an application's log: about 260 bytes of JSON, the sequence number first.
func appendJSONLine(dst []byte, seq, sentMicros int64) []byte {
	r := mix(seq)
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendInt(dst, seq, 10)
	dst = append(dst, `,"sent_us":`...)
	dst = strconv.AppendInt(dst, sentMicros, 10)
	dst = append(dst, `,"timestamp":"`...)
	dst = time.UnixMicro(sentMicros).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	dst = append(dst, `","level":"`...)
	dst = append(dst, pick(levels, r>>3)...)
	dst = append(dst, `","logger":"`...)
	dst = append(dst, pick(loggers, r>>11)...)
	dst = append(dst, `","message":"`...)
	dst = append(dst, pick(messages, r>>19)...)
	dst = append(dst, `","request_id":"`...)
	dst = strconv.AppendUint(dst, r|1<<63, 16)
	dst = append(dst, `","user_id":`...)
	dst = strconv.AppendUint(dst, r>>40%900_000+1000, 10)
	dst = append(dst, `,"duration_ms":`...)
	dst = strconv.AppendFloat(dst, float64(r>>27%80_000)/8, 'f', 3, 64)
	if r>>58%3 == 0 {
		dst = append(dst, `,"http":{"method":"POST","status":`...)
		dst = strconv.AppendUint(dst, 200+r>>50%4, 10)
		return append(dst, `,"retry":false}}`...)
	}
	dst = append(dst, `,"worker":`...)
	dst = strconv.AppendUint(dst, r>>50%16, 10)
	return append(dst, '}')
}

var (
	users    = []string{"-", "-", "-", "alice", "bruno"}
	verbs    = []string{"GET", "GET", "GET", "POST", "HEAD"}
	sections = []string{"catalogue", "basket", "search", "account", "static"}
	statuses = []string{"200", "200", "200", "304", "404", "500"}
	referers = []string{"-", "https://shop.example.com/catalogue/garden?page=3", "https://www.example.com/search?q=lamp"}
	browsers = []string{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1.15", "ExampleBot/2.1 (+https://bot.example.org/about.html)"}
)

const accessTime = "02/Jan/2006:15:04:05 -0700"

// An access is what one line of an access log says.
type access struct {
	client, user, time, method, path, protocol, status, bytes, referer, agent string
}

func accessOf(seq, sentMicros int64) access {
	r := mix(seq)
	return access{
		client:   fmt.Sprintf("203.0.113.%d", r>>3%256),
		user:     pick(users, r>>11),
		time:     time.UnixMicro(sentMicros).UTC().Format(accessTime),
		method:   pick(verbs, r>>15),
		path:     fmt.Sprintf("/%s/item/%d?seq=%d&sent=%d&session=%016x", pick(sections, r>>19), r>>23%100_000, seq, sentMicros, r),
		protocol: "HTTP/1.1",
		status:   pick(statuses, r>>40),
		bytes:    strconv.FormatUint(r>>44%250_000, 10),
		referer:  pick(referers, r>>52),
		agent:    pick(browsers, r>>56),
	}
}

// appendCombinedLine appends line seq of an access log in the combined format, about 260 bytes. The sequence number is
// the first parameter of the path's query.
func appendCombinedLine(dst []byte, seq, sentMicros int64) []byte {
	a := accessOf(seq, sentMicros)
	return fmt.Appendf(dst, `%s - %s [%s] "%s %s %s" %s %s "%s" "%s"`,
		a.client, a.user, a.time, a.method, a.path, a.protocol, a.status, a.bytes, a.referer, a.agent)
}
