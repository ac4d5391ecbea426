// Package greeting is what the programs share: an internal package, which only this module can import.
package greeting

// From is what program says.
func From(program string) string { return "hello from " + program }
