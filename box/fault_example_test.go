package box_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seed354a1416/deliveryboy/box"
)

var errBusy = errors.New("the queue is busy")

// QuotaError is an error type of a program.
type QuotaError struct {
	User  string
	Limit int64
	Err   error
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("%s is over %d bytes: %v", e.User, e.Limit, e.Err)
}
func (e *QuotaError) Unwrap() error { return e.Err }

func init() {
	box.RegisterSentinel("example.errBusy", errBusy)
	box.RegisterError[*QuotaError]()
}

// overThere is what a trip makes of an error: a reply carries the fault, and the caller rebuilds it.
func overThere(err error) error {
	return box.FaultOf(err).Err(box.Origin{Func: "backup", Via: "ssh=db1"})
}

func ExampleRegisterSentinel() {
	err := overThere(fmt.Errorf("backup: %w", errBusy))
	fmt.Println(err)
	fmt.Println(errors.Is(err, errBusy))
	// Output:
	// backup: the queue is busy
	// true
}

func ExampleRegisterError() {
	err := overThere(&QuotaError{User: "www", Limit: 4096, Err: fs.ErrPermission})
	var quota *QuotaError
	if errors.As(err, &quota) {
		fmt.Println(quota.User, quota.Limit, errors.Is(err, fs.ErrPermission))
	}
	// Output: www 4096 true
}

func ExampleRemoteError() {
	_, err := os.Open("/nonexistent/file")
	err = overThere(err)

	var remote *box.RemoteError
	if errors.As(err, &remote) {
		fmt.Println("the function failed:", remote.Kind, remote.Type, remote.Origin.Func, remote.Origin.Via)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		fmt.Println("the file:", path.Path, errors.Is(err, fs.ErrNotExist))
	}
	// Output:
	// the function failed: returned *fs.PathError backup ssh=db1
	// the file: /nonexistent/file true
}

func ExamplePanicError() {
	err := box.PanicFault("no disk", nil).Err(box.Origin{Func: "backup"})
	var p *box.PanicError
	if errors.As(err, &p) {
		fmt.Println(p, p.Value)
	}
	// Output: panic: no disk no disk
}
