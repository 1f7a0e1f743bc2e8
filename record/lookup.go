package record

// lookup finds name as a path into one of the record's JSON fields.
func (r Record) lookup(name string) (Value, bool) { return Value{}, false }
