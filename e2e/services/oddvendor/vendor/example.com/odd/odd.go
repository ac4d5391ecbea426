// Package odd imports packages for Windows alone. The vendor folder has them too: go mod vendor takes every system's.
package odd

// Text says where it comes from.
const Text = "hello from odd"
