//go:build go1.21

// Package apprun_handler turns a handler into a whole program: it reads the input from stdin, calls
// the handler once, and reports the result by the protocol of the platform.
//
// The real stdout is kept aside for the result, by a package of its own: it has to come before
// everything of the author's.
package apprun_handler

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"MODULE/apprun_stdout"
)

// Exit statuses of the protocol; the platform knows them by these numbers.
const (
	exitReturnedError = 121
	exitPanicked      = 122
	exitInputRefused  = 123
	exitOutputRefused = 124
)

// Serve runs a handler that takes only its input.
func Serve[In, Out any](handler func(In) (Out, error)) {
	ServeContext(func(_ context.Context, input In) (Out, error) { return handler(input) })
}

// ServeContext runs a handler whose context ends at the deadline of the call.
func ServeContext[In, Out any](handler func(context.Context, In) (Out, error)) {
	stdout := keptStdout()
	ctx, cancel := callContext()
	defer cancel()

	var input In
	if err := decode(os.Stdin, &input); err != nil {
		fail(stdout, exitInputRefused, err.Error())
	}
	output, err := call(stdout, ctx, handler, input)
	if err != nil {
		fail(stdout, exitReturnedError, err.Error())
	}
	document, err := encode(output)
	if err != nil {
		fail(stdout, exitOutputRefused, "the output cannot be written as JSON: "+err.Error())
	}
	finish(stdout, 0, document)
}

func call[In, Out any](
	stdout *os.File, ctx context.Context, handler func(context.Context, In) (Out, error), input In,
) (Out, error) {
	defer func() {
		if reason := recover(); reason != nil {
			message := fmt.Sprint("panic: ", reason)
			fmt.Fprintf(os.Stderr, "%s\n\n%s", message, debug.Stack())
			fail(stdout, exitPanicked, message)
		}
	}()
	return handler(ctx, input)
}

func keptStdout() *os.File {
	if apprun_stdout.Problem != nil {
		fmt.Fprintln(os.Stderr, "stdout cannot be kept for the result:", apprun_stdout.Problem)
		os.Exit(1)
	}
	return os.NewFile(uintptr(apprun_stdout.Kept), "result")
}

// callContext ends at APPRUN_DEADLINE (RFC 3339), where one is given.
func callContext() (context.Context, context.CancelFunc) {
	deadline, err := time.Parse(time.RFC3339, os.Getenv("APPRUN_DEADLINE"))
	if err != nil {
		return context.WithCancel(context.Background())
	}
	return context.WithDeadline(context.Background(), deadline)
}

func encode(output any) ([]byte, error) {
	var document bytes.Buffer
	encoder := json.NewEncoder(&document)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(output)
	return document.Bytes(), err
}

func fail(stdout *os.File, status int, message string) {
	document, err := encode(map[string]string{"error": message})
	if err != nil {
		fmt.Fprintln(os.Stderr, "the error cannot be reported:", err)
	}
	finish(stdout, status, document)
}

func finish(stdout *os.File, status int, document []byte) {
	if _, err := io.Copy(stdout, bytes.NewReader(document)); err != nil {
		fmt.Fprintln(os.Stderr, "the result cannot be handed over:", err)
		os.Exit(1)
	}
	os.Exit(status)
}
