package box

import (
	"net"
	"os"
	"reflect"
	"sync"
	"syscall"
	"unsafe"
)

// shape is how a type travels that its exported fields do not tell.
type shape struct {
	put func(*fieldWriter, reflect.Value) error
	get func(*fieldReader, reflect.Value) error
}

func shapeOf(t reflect.Type) (shape, bool) {
	s, ok := shapes()[t]
	return s, ok
}

// shapes is assigned in init, because the shapes use the writer and the reader that use them.
var shapes func() map[reflect.Type]shape

func init() {
	shapes = sync.OnceValue(func() map[reflect.Type]shape {
		return map[reflect.Type]shape{
			reflect.TypeFor[syscall.Errno]():   {putErrno, getErrno},
			reflect.TypeFor[os.ProcessState](): {putProcessState, getProcessState},
			reflect.TypeFor[net.Addr]():        {putAddr, getAddr},
			reflect.TypeFor[reflect.Type]():    {putType, getType},
			reflect.TypeFor[reflect.Value]():   {putReflected, getReflected},
			reflect.TypeFor[PanicError]():      {putPanic, getPanic},
		}
	})
}

// hiddenField is an unexported field that can be set.
func hiddenField(v reflect.Value, name string) (reflect.Value, error) {
	f := v.FieldByName(name)
	if !f.IsValid() || !f.CanAddr() {
		return reflect.Value{}, errBadFields
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem(), nil
}
