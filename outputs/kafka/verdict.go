package kafka

import (
	"errors"
	"net"

	"github.com/segmentio/kafka-go"
)

// verdict is what a broker's answer obliges a sender to do.
type verdict uint8

const (
	// taken: the batch is on the broker.
	taken verdict = iota
	// again: it may be or not; the same batch goes out under the same identity.
	again
	// forgotten: the broker does not know what came before the batch, and takes
	// it only under a new identity.
	forgotten
	// fenced: the producer is dead, and another one must send the batch.
	fenced
	// smaller: the batch is too large.
	smaller
	// refused: for what is in it.
	refused
)

// judge sorts the error of an attempt, the request's or the broker's. maybe says
// that the broker may have taken the batch in spite of it: so may one that has ceased to
// lead the partition while it waited for the replicas.
func judge(err error) (v verdict, maybe bool) {
	var code kafka.Error
	var op *net.OpError
	switch {
	case err == nil:
		return taken, false
	case errors.As(err, &code):
	case errors.As(err, &op) && op.Op == "dial": // nothing was sent
		return again, false
	default:
		return again, true
	}
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return smaller, false
	case kafka.InvalidMessage, kafka.InvalidTimestamp, kafka.InvalidRecord:
		return refused, false
	case kafka.OutOfOrderSequenceNumber, kafka.UnknownProducerId:
		return forgotten, false
	case kafka.InvalidProducerEpoch, kafka.InvalidProducerIDMapping, kafka.ProducerFenced, kafka.InvalidTransactionState,
		kafka.TransactionalIDNotFound:
		return fenced, false
	case kafka.DuplicateSequenceNumber:
		return taken, false
	case kafka.LeaderNotAvailable, kafka.NotEnoughReplicas,
		kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.SASLAuthenticationFailed,
		kafka.UnsupportedCompressionType, kafka.UnsupportedForMessageFormat, kafka.InvalidRequiredAcks, kafka.InvalidTopic:
		return again, false
	}
	return again, true
}
