package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/argument"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/target"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/internal/doorway"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/mtls"
)

// Exit statuses of this command; those from 64 follow sysexits.h.
const (
	exitFailed      = 1
	exitPanicked    = 2
	exitUsage       = 64
	exitData        = 65
	exitUnavailable = 69
	exitProtocol    = 76
	exitPermission  = 77
	exitConfig      = 78
	exitSignal      = 128
)

// exits says what each exit status means. The first entry that knows an error decides.
var exits = []struct {
	status  string // as the manual names it
	meaning string
	of      func(error) int // 0 if it is not this one
}{
	{"128+n", "signal n ended the command, the function, or a program that the function ran", signalStatus},
	{"69", "doctor could not pass a hop", impassableStatus},
	{"64", "the command line is wrong", usageStatus},
	{"77", "the server of a pool does not do that for this user, or is not trusted", poolPermission},
	{"69", "the server of a pool is full, ends, or a command took too long for it", poolUnavailable},
	{"65", "an argument is no value of its type, or cannot be packed", dataStatus},
	{"65", "a bundle, or a program for one, is not what it should be", bundleStatus},
	{"69", "the call did not end in time", lateStatus},
	{"64", "a command of the kernel is wrong", kernelStatus(kernel.Usage, exitUsage)},
	{"77", "the kernel serves other users, or does not do that for this one", kernelDenied},
	{"69", "no kernel runs, or another one does, or it does not have what is asked for", kernelUnavailable},
	{"69", "a job is not there, is lost, could not be run, or is not as far as that needs", jobStatus},
	{"n", "the function, or the program, failed with an exit status of its own: that of a program, or of os.Exit", ownStatus},
	{"2", "the function panicked", panicStatus},
	{"1", "the function failed", failedStatus},
	{"76", "the far side runs another build, or says what cannot be understood", protocolStatus},
	{"77", "the transport is not permitted", permissionStatus},
	{"78", "the transport, a file of targets or for a program, or a server is set up wrongly", configStatus},
	{"69", "the transport failed, or no reply came", unavailableStatus},
	{"1", "doctor found errors", findingsStatus},
	{"1", "something else went wrong", func(error) int { return exitFailed }},
}

// exitStatus is the exit status for an error.
func exitStatus(err error) int {
	if err == nil {
		return 0
	}
	for _, e := range exits {
		if status := e.of(err); status != 0 {
			return status
		}
	}
	return exitFailed
}

func signalStatus(err error) int {
	if by := (*signalError)(nil); errors.As(err, &by) {
		return exitSignal + int(by.signal)
	}
	if exit := (*process.ExitError)(nil); errors.As(err, &exit) && exit.Signal != "" {
		return exitSignal + signalNumber(exit.Signal)
	}
	remote := remoteOf(err)
	if remote == nil {
		return 0
	}
	switch remote.Kind {
	case box.Killed:
		return exitSignal + signalNumber(remote.Signal)
	case box.OutOfMemory:
		return exitSignal + int(syscall.SIGKILL)
	}
	return 0
}

// signalNumber is the number of a signal on this system; SIGKILL's if it is not known here.
func signalNumber(name string) int {
	if n := unix.SignalNum(name); n != 0 {
		return int(n)
	}
	for n := syscall.Signal(1); n < 65; n++ {
		if strings.EqualFold(n.String(), name) {
			return int(n)
		}
	}
	return int(syscall.SIGKILL)
}

func usageStatus(err error) int {
	if errors.As(err, new(*usageError)) || errors.As(err, new(*argument.CountError)) || errors.As(err, new(*delivery.ServeOptionError)) {
		return exitUsage
	}
	return 0
}

func dataStatus(err error) int {
	if errors.As(err, new(*argument.Error)) || errors.As(err, new(*noFormError)) {
		return exitData
	}
	d := deliveryOf(err)
	if d == nil {
		return 0
	}
	var encoding *box.EncodingError
	if errors.As(d.Err, new(*box.PackingError)) || errors.As(d.Err, &encoding) && strings.HasPrefix(encoding.What, "arg") {
		return exitData
	}
	return 0
}

func lateStatus(err error) int {
	var ended *endedError
	if errors.As(err, new(*timeoutError)) || errors.As(err, &ended) && ended.outcome == job.TimedOut {
		return exitUnavailable
	}
	return 0
}

// jobStatus is for what went wrong between this command and a job, and not in the job's function.
func jobStatus(err error) int {
	var ended *endedError
	switch remote := remoteOf(err); {
	case remote != nil && strings.HasPrefix(remote.Origin.Func, jobFunctions),
		errors.As(err, new(*stateError)), errors.As(err, new(*job.LostError)),
		errors.As(err, &ended) && ended.outcome == job.Broken:
		return exitUnavailable
	}
	return 0
}

func ownStatus(err error) int {
	if ended := (*programError)(nil); errors.As(err, &ended) {
		return max(ended.err.ExitCode(), exitFailed)
	}
	remote := remoteOf(err)
	if remote == nil {
		return 0
	}
	var exit *process.ExitError
	switch {
	case remote.Kind == box.Exited:
		// A function that leaves with os.Exit(0) brought no result: a script must not take that for success.
		return max(remote.Code, exitFailed)
	case remote.Kind == box.Returned && errors.As(err, &exit):
		return max(exit.ExitCode(), 0)
	}
	return 0
}

func panicStatus(err error) int {
	if remote := remoteOf(err); remote != nil && (remote.Kind == box.Panicked || remote.Kind == box.Crashed) {
		return exitPanicked
	}
	return 0
}

func failedStatus(err error) int {
	if remoteOf(err) != nil {
		return exitFailed
	}
	return 0
}

func protocolStatus(err error) int {
	d := deliveryOf(err)
	if d != nil && (errors.As(d.Err, new(*box.VersionSkewError)) || errors.As(d.Err, new(*box.EncodingError))) {
		return exitProtocol
	}
	return 0
}

func permissionStatus(err error) int {
	var t *box.TransportError
	if !errors.As(err, &t) {
		return 0
	}
	if errors.Is(t.Err, transport.ErrUnsafe) || hasReason(t, transport.ReasonPassword, transport.ReasonWrong, transport.ReasonNotAllowed,
		transport.ReasonNoTerminal, transport.ReasonNoPrivilege, transport.ReasonAuth, transport.ReasonNoLogin,
		transport.ReasonHostKey, transport.ReasonHostChanged, transport.ReasonExpired, transport.ReasonRevoked, transport.ReasonAuthority,
		transport.ReasonWrongName, transport.ReasonWrongKey) {
		return exitPermission
	}
	return 0
}

func configStatus(err error) int {
	var t *box.TransportError
	if errors.Is(err, delivery.ErrOpen) || errors.Is(err, mtls.ErrFile) || errors.As(err, new(*target.Error)) || errors.As(err, new(*configFileError)) || errors.As(err, new(*doorway.DirError)) || errors.As(err, &t) && hasReason(t, transport.ReasonConfig, transport.ReasonMisset) {
		return exitConfig
	}
	return 0
}

func unavailableStatus(err error) int {
	if errors.As(err, new(*box.TransportError)) || deliveryOf(err) != nil || errors.Is(err, context.DeadlineExceeded) {
		return exitUnavailable
	}
	return 0
}

// hasReason reports whether a transport failed for one of these reasons. The text may have advice behind it.
func hasReason(t *box.TransportError, reasons ...string) bool {
	return slices.ContainsFunc(reasons, func(r string) bool { return strings.HasPrefix(t.Reason, r) })
}

// remoteOf is the function's own failure; nil if the box did not arrive.
func remoteOf(err error) *box.RemoteError {
	var remote *box.RemoteError
	if errors.As(err, &remote) {
		return remote
	}
	return nil
}

// deliveryOf is the failure of the delivery itself; nil if the function failed.
func deliveryOf(err error) *box.DeliveryError {
	var d *box.DeliveryError
	if remoteOf(err) == nil && errors.As(err, &d) {
		return d
	}
	return nil
}
