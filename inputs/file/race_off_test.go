//go:build !race

package file

const raceBuild = false
