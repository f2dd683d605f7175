package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHandler(t *testing.T) { require.NoError(t, nil) }
