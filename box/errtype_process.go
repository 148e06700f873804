package box

import (
	"reflect"
	"syscall"

	"golang.org/x/sys/unix"
)

// The status of a process travels as exit code or as signal by name, because signals have other numbers elsewhere. Its
// resource usage stays behind.
func putProcessState(w *fieldWriter, v reflect.Value) error {
	pid, status := v.FieldByName("pid"), v.FieldByName("status")
	if !isProcessState(pid, status) {
		return errBadFields
	}
	ws := syscall.WaitStatus(status.Uint())
	if !ws.Exited() && !ws.Signaled() {
		return errBadFields
	}
	if err := w.value(pid); err != nil {
		return err
	}
	if ws.Exited() {
		w.string("")
		w.uint(uint64(ws.ExitStatus()))
		return nil
	}
	w.string(unix.SignalName(ws.Signal()))
	w.uint(uint64(ws.Signal()))
	w.flag(ws.CoreDump())
	return nil
}

func getProcessState(r *fieldReader, v reflect.Value) error {
	pid, err := hiddenField(v, "pid")
	if err != nil {
		return err
	}
	status, err := hiddenField(v, "status")
	if err != nil || !isProcessState(pid, status) {
		return errBadFields
	}
	if err := r.value(pid); err != nil {
		return err
	}
	ws, err := r.waitStatus()
	status.SetUint(uint64(ws))
	return err
}

// isProcessState says whether an os.ProcessState is laid out as we know it.
func isProcessState(pid, status reflect.Value) bool {
	return pid.IsValid() && pid.Kind() == reflect.Int &&
		status.IsValid() && status.Type() == reflect.TypeFor[syscall.WaitStatus]() && status.Kind() == reflect.Uint32
}

func (r *fieldReader) waitStatus() (syscall.WaitStatus, error) {
	name, err := r.bytes()
	if err != nil {
		return 0, err
	}
	n, err := r.uint()
	if err != nil || n > 255 {
		return 0, errBadFields
	}
	var ws syscall.WaitStatus
	if len(name) == 0 {
		if ws = syscall.WaitStatus(n << 8); !ws.Exited() || ws.ExitStatus() != int(n) {
			return 0, errBadFields
		}
		return ws, nil
	}
	signal := unix.SignalNum(string(name))
	ws = syscall.WaitStatus(signal & 0x7f)
	core, err := r.flag()
	if core {
		ws |= 0x80
	}
	if err != nil || signal == 0 || !ws.Signaled() || ws.Signal() != signal || ws.CoreDump() != core {
		return 0, errBadFields
	}
	return ws, nil
}
