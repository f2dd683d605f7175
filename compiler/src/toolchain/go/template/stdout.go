// Package apprun_stdout keeps the real stdout aside for the result and points file descriptor 1 at
// the log, so a print cannot damage the result.
//
// It stands on syscall alone. Go initialises packages by the order of their import paths, each as soon
// as all that it imports is ready: this one precedes os and fmt, and so whoever prints through them.
package apprun_stdout

import "syscall"

// Kept is the descriptor of the real stdout; Problem says why there is none.
var Kept, Problem = claim()

func claim() (int, error) {
	kept, err := syscall.Dup(1)
	if err != nil {
		return kept, err
	}
	syscall.CloseOnExec(kept)
	return kept, syscall.Dup3(2, 1, 0)
}
