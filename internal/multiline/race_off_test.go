//go:build !race

package multiline

const raceBuild = false
