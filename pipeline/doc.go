// Package pipeline runs the data path: inputs emit batches, workers process and
// encode them, one appender puts them into the spool in order, and one sender
// per output takes them out again.
//
//	input ──Emit──▶ workers ──────▶ appender ──▶ spool ──▶ sender ──▶ output
//	        turn    any order       in order               own cursor
//
// A batch has one owner at every moment: the input until Emit, then a worker,
// then the appender, which releases it. Every channel is bounded, and a full
// channel is all the backpressure there is.
package pipeline
