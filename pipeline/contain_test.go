package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool"
)

func TestAPanicInAnAnswerFailsItsPipeline(t *testing.T) {
	for _, sync := range []string{"1s", "always"} {
		t.Run(sync, func(t *testing.T) {
			doc := document(t, t.TempDir(), fmt.Sprintf(`  p:
    inputs: [{count: {answer: oops}}]
    spool: {sync: %s}
    outputs: [{collect: {name: answers}}]
`, sync))
			err := daemon(t, doc, false).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), "pipeline p: input count: panic: oops") {
				t.Errorf("error %v, want the panic and the input", err)
			}
		})
	}
}

func TestAPanicOfAPipelineItselfIsItsOwn(t *testing.T) {
	doc := document(t, t.TempDir(), fmt.Sprintf(counts, 1, t.Name()))
	d := daemon(t, doc, true)
	d.running["p"].cfg = nil
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "pipeline p: panic: ") {
		t.Errorf("error %v, want the panic and the pipeline", err)
	}
}

func TestRefusedDeadLettersBreedNoOthers(t *testing.T) {
	synctest.Test(t, refusedDeadLetters)
}

func refusedDeadLetters(t *testing.T) {
	doc := document(t, t.TempDir(), `  p:
    inputs: [{count: {lines: 10}}]
    processors: [{misbehave: {reject: line-3}}]
    drain_timeout: 50ms
    outputs: [{collect: {name: some}}]
    dead_letters: {refuse: {}}
`)
	d := daemon(t, doc, false)
	stop := startDaemon(t, d)
	waitFor(t, func() bool { return d.Pipelines()[0].Status().Account.Appended >= 10 })
	time.Sleep(time.Minute) // three attempts take half a second
	s := d.Pipelines()[0].Status()
	if s.Account.Appended != 10 || s.Account.Recovered != 0 {
		t.Errorf("%d appended and %d recovered of 10 lines", s.Account.Appended, s.Account.Recovered)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestARefusedRecordIsADeadLetterAndItsNeighboursArrive(t *testing.T) {
	name := t.Name()
	doc := document(t, t.TempDir(), fmt.Sprintf(`  p:
    inputs: [{count: {lines: 20, size: 20}}]
    encode: {codec: raw}
    outputs: [{refuse: {name: %s, refuse: line-7}}]
    dead_letters: {collect: {name: %s-dead}}
`, name, name))
	d := daemon(t, doc, true)
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	balanced(t, d.Pipelines()[0].Status())
	got, dead := collected(name), collected(name+"-dead")
	if len(got) != 19 || got[6] != "line-6" || got[7] != "line-8" {
		t.Errorf("arrived: %q", got)
	}
	if len(dead) != 1 || !strings.Contains(dead[0], `"attempts":3`) || !strings.Contains(dead[0], `"value":"line-7"`) || !strings.Contains(dead[0], `"cause":"no good"`) {
		t.Errorf("dead letters: %q", dead)
	}
}

func TestADeadLetterOfAnUnreadableFrameKeepsItsBytes(t *testing.T) {
	f := spool.NewFrame()
	f.Data, f.Count, f.Base = append(f.Data[:0], "not a record batch"...), 2, 7
	for i, want := range []string{"not a record batch", ""} {
		text, err := refused("p")(spool.Refused{Frame: f, Index: int32(i), Output: "o", Cause: errors.New("unreadable"), Unreadable: true})
		if err != nil {
			t.Fatal(err)
		}
		var letter deadLetter
		if err := json.Unmarshal(text, &letter); err != nil {
			t.Fatal(err)
		}
		if string(letter.Bytes) != want || letter.Cause != "unreadable" || letter.Origin.Offset != 7+int64(i) {
			t.Errorf("letter %d is %s", i, text)
		}
	}
}
