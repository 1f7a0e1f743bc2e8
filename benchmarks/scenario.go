package main

// A scenario is a duty that every tool is given in equal measure. Its folder under cases holds each tool's
// configuration and says what equal means.
type scenario struct {
	name  string
	input lineFormat
	check lineCheck
	kafka bool // the lines go to a broker instead of a socket
}

// scenarioNamed finds a scenario; the error is a usageError.
func scenarioNamed(name string) (scenario, error) {
	switch name {
	case "s1":
		return scenario{name: name, input: jsonFormat, check: rawCheck{}}, nil
	case "s2", "s3":
		return scenario{name: name, input: jsonFormat, check: hostCheck{}}, nil
	case "s4":
		return scenario{name: name, input: combinedFormat, check: parsedCheck{}}, nil
	case "s5", "s6":
		return scenario{name: name, input: jsonFormat, check: hostCheck{}, kafka: true}, nil
	default:
		return scenario{}, usagef("unknown scenario %q; there are s1 to s6 and isolation", name)
	}
}
