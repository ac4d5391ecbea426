package odd

import (
	"example.com/odd/broken"
	"example.com/odd/win"
)

// System describes Windows.
func System() string { return win.Name + broken.Version() }
