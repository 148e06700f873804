package doctor

import "unsafe"

// pointer is an address as prctl takes it.
func pointer(v *int) uintptr { return uintptr(unsafe.Pointer(v)) }
