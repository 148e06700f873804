package registry

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"unsafe"
)

// anchor marks where this program's own image is in memory.
var anchor byte

// captures says why a function value holds more than code; "" if it does not, as far as that can be seen.
//
// A function value points to a block that starts with the code's address. For plain functions and for literals that
// capture nothing, the compiler lays that block down in the program's image. For a literal that captures, and for a
// method value, the block is made at run time, on the heap, and the copy of the program on the far side has none of it.
func captures(fn reflect.Value) string {
	name := runtime.FuncForPC(fn.Pointer()).Name()
	if strings.HasSuffix(name, "-fm") {
		return fmt.Sprintf("%s is a method value, bound to a receiver that would not travel: register the method expression, as in T.Method", strings.TrimSuffix(name, "-fm"))
	}
	if math.MaxUint == math.MaxUint32 {
		return "" // the heap of a 32-bit program may be next to its image
	}
	f := fn.Interface()
	block := uintptr(*(*unsafe.Pointer)(unsafe.Add(unsafe.Pointer(&f), unsafe.Sizeof(uintptr(0)))))
	here := uintptr(unsafe.Pointer(&anchor))
	const image = 1 << 30
	if max(block, here)-min(block, here) > image {
		return fmt.Sprintf("%s is a closure: the variables that it captures would not travel; pass them as arguments", name)
	}
	return ""
}

var anonymousName = regexp.MustCompile(`\.func\d+(\.\d+)*$|\.glob\.\.`)

// anonymous reports whether a symbol is that of a function literal.
func anonymous(name string) bool { return anonymousName.MatchString(name) }
