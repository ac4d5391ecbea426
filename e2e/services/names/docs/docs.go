// Package docs embeds files that look like documentation, which build tools leave out.
package docs

import _ "embed"

// README is README.md.
//
//go:embed README.md
var README string

// Page is page.html.
//
//go:embed page.html
var Page string
