//go:build linux

package job

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// playRole is another program that the tests need: one that starts a job and ends, for instance.
func playRole(role, arg string) int {
	via, what, _ := strings.Cut(arg, "|")
	st = stage.Enter(stage.Options{})
	c := once(targetNamed(via).via)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	switch role {
	case "start-report":
		j, err := job.Start(ctx, c, report, what)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%+v\n", err)
			return 1
		}
		fmt.Println(j.ID)
		return 0
	case "start-note":
		id, file, _ := strings.Cut(what, "|")
		j, err := job.Start(ctx, c, quick, Note{File: file, Text: id, Pause: 20 * time.Millisecond}, job.Options{ID: id})
		if err != nil {
			fmt.Fprintf(os.Stderr, "%+v\n", err)
			return 1
		}
		fmt.Println(j.ID)
		return 0
	case "full-disk":
		return playFullDisk(what)
	}
	fmt.Fprintln(os.Stderr, "no such role:", role)
	return 64
}

// another runs this program in a role, as another process, and returns what it prints.
func another(t *testing.T, role, arg string) string {
	t.Helper()
	cmd := exec.CommandContext(short(t), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "JOB_ROLE="+role, "JOB_ARG="+arg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", role, err)
	}
	return strings.TrimSpace(string(out))
}
