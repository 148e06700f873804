//go:build !linux

package doctor

import (
	"context"
	"os"
)

func system(context.Context) []Finding { return nil }

func privileged() bool { return os.Geteuid() == 0 }

func inUserNamespace() bool { return false }

func noNewPrivileges() []Finding { return nil }

func noexec(string) bool { return false }
