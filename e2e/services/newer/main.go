// Newer wants a Go that there is not yet: a build must fail, and say so.
package main

func main() {}
