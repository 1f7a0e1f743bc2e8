package record

// cleanText says whether s stands for itself between JSON quotes. Text that is not ASCII is left to the encoder, which
// checks that it is UTF-8.
func cleanText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
