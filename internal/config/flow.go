package config

import (
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// joinPlain mends what the scanner gets wrong in flow style: it takes every colon for the end of a key, so that
// [127.0.0.1:9092] becomes a map. In YAML a colon ends a plain key only before a blank or a bracket, brace or comma. The
// pieces of such a text are joined again; where a person may have meant a key ({a:b}), the file is refused instead.
func joinPlain(src *source, tokens token.Tokens) (token.Tokens, error) {
	var flow []token.Type // the open brackets and braces
	joined := tokens[:0:0]
	for i := 0; i < len(tokens); i++ {
		tk := tokens[i]
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow = append(flow, tk.Type)
		case token.MappingEndType, token.SequenceEndType:
			flow = flow[:max(0, len(flow)-1)]
		case token.MappingValueType:
			if len(flow) == 0 || i+1 == len(tokens) || !endsInside(tk, tokens[i+1]) {
				break
			}
			after := tokens[i+1]
			key := last(joined)
			if key != nil && !plain(key) {
				key = nil
			}
			if key == nil && quotedOrClosed(last(joined)) {
				break // "a":1 and [a]:1 need no blank
			}
			inKey := flow[len(flow)-1] == token.MappingStartType && startsKey(joined, key)
			text, ok := join(key, tk, after)
			if inKey || !ok {
				return nil, tokenPosition(src, tk).errorf("",
					"a colon inside a text is ambiguous here; write a blank after it, or put the text in quotes")
			}
			if key != nil {
				joined = joined[:len(joined)-1]
			}
			tk = text
			i++
		}
		if len(flow) > 0 && plain(tk) && strings.Contains(tk.Value, ": ") {
			return nil, tokenPosition(src, tk).errorf("", "the text %s holds a colon and a blank; put it in quotes", quote(tk.Value))
		}
		joined = append(joined, tk)
	}
	for i, tk := range joined {
		tk.Prev, tk.Next = nil, nil
		if i > 0 {
			tk.Prev, joined[i-1].Next = joined[i-1], tk
		}
	}
	return joined, nil
}

func last(tokens token.Tokens) *token.Token {
	if len(tokens) == 0 {
		return nil
	}
	return tokens[len(tokens)-1]
}

// endsInside reports whether a colon stands inside a text by what follows it: no blank, bracket, brace or comma.
func endsInside(colon, after *token.Token) bool {
	if after.Position.Line != colon.Position.Line || after.Position.Column != colon.Position.Column+1 {
		return false
	}
	switch after.Type {
	case token.MappingStartType, token.MappingEndType, token.SequenceStartType, token.SequenceEndType, token.CollectEntryType:
		return false
	}
	return true
}

// startsKey reports whether the text that a colon belongs to stands where a map has a key: after a brace or comma.
func startsKey(before token.Tokens, text *token.Token) bool {
	if text != nil {
		before = before[:len(before)-1]
	}
	return last(before).Type != token.MappingValueType
}

// plain reports whether a token is a scalar without quotes.
func plain(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.IntegerType, token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
		token.FloatType, token.InfinityType, token.NanType, token.BoolType, token.NullType:
		return true
	}
	return false
}

func quotedOrClosed(tk *token.Token) bool {
	switch tk.Type {
	case token.SingleQuoteType, token.DoubleQuoteType, token.SequenceEndType, token.MappingEndType:
		return true
	}
	return false
}

// join makes one text of what stands before a colon (nil: nothing), the colon, and what follows. It fails where the
// pieces are not on one line or the last is no plain text.
func join(before, colon, after *token.Token) (text *token.Token, ok bool) {
	if !plain(after) {
		return nil, false
	}
	if before == nil {
		return token.String(":"+after.Value, colon.Origin+after.Origin, colon.Position), true
	}
	blanks := colon.Position.Column - before.Position.Column - utf8.RuneCountInString(before.Value)
	if before.Position.Line != colon.Position.Line || blanks < 0 {
		return nil, false
	}
	value := before.Value + strings.Repeat(" ", blanks) + ":" + after.Value
	return token.String(value, before.Origin+colon.Origin+after.Origin, before.Position), true
}
