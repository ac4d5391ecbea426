//go:build windows

// Package win has files for Windows alone: elsewhere it is a package without files.
package win

// Name is the system's.
const Name = "Windows "
