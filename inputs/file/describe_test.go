package file

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/spillway/spillway/record"
)

func TestRecordsAreToldOfTheirFile(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxLine = 20
	b.cfg.FileFields = []string{"path", "name", "offset"}
	b.cfg.PathPattern = b.path("{service}.{n:int}.log")
	long := strings.Repeat("x", 30)
	b.write("web.7.log", "one\n"+long+"\ntwo\r\nlast")
	b.write("other.log", "three\n")
	b.once()
	got := 0
	for _, l := range b.out.Lines() {
		name := "web.7.log"
		want := map[string]string{"service": "web", "n": "7"}
		if l.Text == "three" {
			name, want = "other.log", map[string]string{}
		}
		want["log.file.name"], want["log.file.path"] = name, b.path(name)
		want["log.file.offset"] = fmt.Sprint(l.Offset)
		if l.Text == long[:20] {
			want[truncatedField] = "true"
		}
		if !maps.Equal(l.Fields, want) {
			t.Errorf("%q has %v, want %v", l.Text, l.Fields, want)
		}
		got++
	}
	b.want("one", long[:20], "two", "last", "three")
	if got != 5 {
		t.Errorf("%d records", got)
	}
}

// Fields of the file must not cost an allocation for each record, nor bytes of its
// neighbours.
func TestManyRecordsAreToldOfTheirFile(t *testing.T) {
	b := newBench(t)
	b.cfg.FileFields = []string{"path", "offset"}
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	b.write("a.log", text.String())
	b.once()
	for i, l := range b.out.Lines() {
		if want := fmt.Sprint("line ", i); l.Text != want || l.Fields["log.file.offset"] != fmt.Sprint(strings.Index(text.String(), want+"\n")) || l.Fields["log.file.path"] != b.path("a.log") {
			t.Fatalf("%+v, want %q with its offset", l, want)
		}
	}
}

func TestPathPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, path, want string }{
		{"/var/log/{service}/*.log", "/var/log/web/access.log", "service=web:string"},
		{"/var/log/{service}/*.log", "/var/log/web/old/access.log", ""},
		{"/var/log/{a}-{b}.log", "/var/log/x-y-z.log", "a=x:string b=y-z:string"},
		{"/srv/**/logs/{app}.log", "/srv/a/b/logs/c.log", "app=c:string"},
		{"/srv/**/logs/{app}.log", "/srv/logs/c.log", "app=c:string"},
		{"/**/{n:int}.log", "/a/12.log", "n=12:int"},
		{"/**/{n:int}.log", "/a/x12.log", ""},
		{"/**/{n:int}.log", "/a/1234567890123456789.log", ""},
		{"/a.b/{c}", "/axb/c", ""},
		{
			"/var/log/pods/{k8s.namespace.name}_{k8s.pod.name}_{k8s.pod.uid}/{k8s.container.name}/{k8s.container.restart_count:int}.log",
			"/var/log/pods/shop_web-5d8f-x7k2p_0e1c-44/nginx/3.log",
			"k8s.namespace.name=shop:string k8s.pod.name=web-5d8f-x7k2p:string k8s.pod.uid=0e1c-44:string k8s.container.name=nginx:string k8s.container.restart_count=3:int",
		},
	} {
		p, err := parsePathPattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		b := record.NewBatch()
		var got []string
		for _, f := range p.fields(nil, b, c.path) {
			kind := "string"
			if f.Kind == record.Int {
				kind = "int"
			}
			got = append(got, fmt.Sprintf("%s=%s:%s", b.Bytes(f.Name), b.Bytes(f.Value), kind))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s of %s: %q, want %q", c.pattern, c.path, s, c.want)
		}
		b.Release()
	}
	for pattern, want := range map[string]string{
		"logs/{a}.log": "not absolute", "/logs/*.log": "takes nothing", "/{}.log": "names no field", "/{a:float}.log": "a text, or an int",
	} {
		if _, err := parsePathPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, err, want)
		}
	}
}
