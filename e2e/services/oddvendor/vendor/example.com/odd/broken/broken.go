// Package broken compiles on Windows alone, and no file of it says so.
package broken

import (
	"strconv"
	"syscall"
)

// Version is the version of Windows.
func Version() string {
	version, err := syscall.GetVersion()
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(int(version))
}
