// Package result has the name of the link that nix build leaves, which build tools ignore.
package result

// Text says where it comes from.
const Text = "The text of package result."
