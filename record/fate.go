package record

// Drop marks r as not to be delivered and says why; it stays in the batch so
// that it can be counted.
func (r Record) Drop(why Reason) { r.row().reason = why }

// Reject sends r to the dead letters because of cause.
func (r Record) Reject(cause string) {
	w := r.row()
	w.reason, w.cause = Rejected, r.b.Text(cause)
}

// RejectBytes is [Record.Reject] for a cause that the caller goes on to reuse.
func (r Record) RejectBytes(cause []byte) {
	w := r.row()
	w.reason, w.cause = Rejected, r.b.Copy(cause)
}

// Fate says what is to become of r: [Kept], [Rejected], or why it was dropped.
func (r Record) Fate() Reason { return r.row().reason }

// Cause is why r was rejected.
func (r Record) Cause() []byte { return r.b.Bytes(r.row().cause) }

// Reason says why a record does not reach the outputs.
type Reason uint8

// The reasons. Filtered records were meant to go; the others are counted as
// dropped, by reason, except rejected ones, which become dead letters.
const (
	Kept Reason = iota
	Filtered
	ParseFailed
	EncodeFailed
	Rejected
	Reasons // how many there are
)

var reasonNames = [Reasons]string{"kept", "filtered", "parse_failed", "encode_failed", "rejected"}

func (r Reason) String() string { return reasonNames[r] }
