package main

// A scenario is a duty that every tool is given in equal measure. Its folder under cases holds each tool's
// configuration and says what equal means.
type scenario struct {
	name  string
	input lineFormat
	check lineCheck
}

// scenarioNamed finds a scenario; the error is a usageError.
func scenarioNamed(name string) (scenario, error) {
	switch name {
	case "s1":
		return scenario{name, jsonFormat, rawCheck{}}, nil
	case "s2", "s3":
		return scenario{name, jsonFormat, hostCheck{}}, nil
	case "s4":
		return scenario{name, combinedFormat, parsedCheck{}}, nil
	default:
		return scenario{}, usagef("unknown scenario %q; there are s1, s2, s3, s4 and isolation", name)
	}
}
