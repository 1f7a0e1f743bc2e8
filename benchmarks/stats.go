package main

import "slices"

// median returns the middle of values, or the mean of the two middle ones; 0 where there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratio divides; it is 0 where there is nothing to divide by, so that a missing yardstick is never passed.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
