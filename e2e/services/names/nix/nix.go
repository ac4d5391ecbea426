// Package nix has the name of a folder that often holds Nix code, which build tools leave out.
package nix

// Text says where it comes from.
const Text = "The text of package nix."
