package kafka

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/spool/recordbatch"
)

// produced are the values in a produce request.
func produced(t testing.TB, r kmsg.Request) []string {
	var values []string
	var records recordbatch.Reader
	for _, topic := range r.(*kmsg.ProduceRequest).Topics {
		for _, p := range topic.Partitions {
			if err := records.Reset(p.Records); err != nil {
				t.Error(err)
			}
			for records.Next() {
				values = append(values, string(records.Record().Value))
			}
			if err := records.Err(); err != nil {
				t.Error(err)
			}
		}
	}
	return values
}

func decode(t *testing.T, text string) error {
	t.Helper()
	n, err := config.Parse("test", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return config.Decode(n, Default())
}

// says tells whether an error has this text; none if the text is empty.
func says(err error, text string) bool {
	return text == "" && err == nil || text != "" && err != nil && strings.Contains(err.Error(), text)
}
