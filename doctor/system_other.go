//go:build !linux

package doctor

import (
	"context"
	"os"
)

func system(context.Context) []Finding {
	return []Finding{{Check: checkKernel, Severity: Note, What: notChecked + "limits, mounts, free space and the kernel: that is done on Linux only",
		Fix: "Look at ulimit -a, df and mount by hand."}}
}

func writersByACL(string) (aclWriters, bool) { return aclWriters{}, false }

func setuid(string) []Finding { return nil }

func privileged() bool { return os.Geteuid() == 0 }

func inUserNamespace() bool { return false }

func noNewPrivileges() []Finding { return nil }

func noexec(string) bool { return false }
