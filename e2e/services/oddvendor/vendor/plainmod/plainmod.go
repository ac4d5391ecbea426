// Package plainmod is a module whose path has no dot: it looks like a package of the standard library.
package plainmod

// Text says where it comes from.
const Text = "hello from plainmod"
