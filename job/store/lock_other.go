//go:build !linux

package store

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked")

var errSystem = errors.New("jobs are kept on Linux only: this system has no locks that belong to an open file")

func lock(*os.File) error { return errSystem }

func isLocked(*os.File) (bool, error) { return false, errSystem }

func reserve(*os.File, int64) error { return errSystem }
