package deploy

import "strings"

// architectures are the names that uname -m has for those of Go. Those of a processor that can have either byte order are
// of the order that Linux uses on it today.
var architectures = map[string]string{
	"x86_64": "amd64", "amd64": "amd64", "i386": "386", "i486": "386", "i586": "386", "i686": "386", "x86": "386",
	"aarch64": "arm64", "arm64": "arm64", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm", "riscv64": "riscv64",
	"ppc64le": "ppc64le", "ppc64": "ppc64", "s390x": "s390x", "loongarch64": "loong64", "mips": "mips", "mips64": "mips64",
}

// systemOf is the GOOS/GOARCH of what uname says; of what is not known it keeps uname's words, which then match nothing.
func systemOf(name, machine string) string {
	arch := architectures[machine]
	if arch == "" {
		arch = machine
	}
	return strings.ToLower(name) + "/" + arch
}
