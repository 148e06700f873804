package doctor

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// runnable says why the program cannot be started from here, by whoever may read it.
func runnable(program string) []Finding {
	bad := func(what, fix string) []Finding {
		return []Finding{{Check: checkProgram, Severity: Error, What: what, Fix: fix}}
	}
	info, err := os.Stat(program)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil // whoever the hop makes of us may see it
	case errors.Is(err, fs.ErrNotExist):
		return bad(program+" is not there", "Install this program there, give its path with binary=, or let --deploy bring it.")
	case err != nil:
		return bad(err.Error(), "Look into what is wrong with this path.")
	case !info.Mode().IsRegular():
		return bad(program+" is no regular file", "Give the path of the program with binary=.")
	case info.Mode().Perm()&0o111 == 0:
		return bad(fmt.Sprintf("%s is not executable (mode %04o)", program, info.Mode().Perm()), "Run: chmod 0755 "+program+".")
	}
	if noexec(program) {
		return bad(program+" is on a file system that is mounted noexec", "Install the program on one that is not, such as /usr/local/bin.")
	}
	if system := builtFor(program); system != "" && system != runtime.GOOS+"/"+runtime.GOARCH {
		return bad(fmt.Sprintf("%s is built for %s, this is %s/%s", program, system, runtime.GOOS, runtime.GOARCH), "Install the build for this system.")
	}
	return nil
}

// builtFor is the system that an ELF file is for, as far as it can be told; empty if it cannot.
func builtFor(program string) string {
	f, err := os.Open(program)
	if err != nil {
		return ""
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil || runtime.GOOS != "linux" {
		return ""
	}
	if !bytes.Equal(magic, []byte(elf.ELFMAG)) {
		return "another kind of system"
	}
	e, err := elf.NewFile(f)
	if err != nil {
		return ""
	}
	arch := map[elf.Machine]string{
		elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm", elf.EM_RISCV: "riscv64",
		elf.EM_S390: "s390x", elf.EM_LOONGARCH: "loong64",
	}[e.Machine]
	if arch == "" {
		return ""
	}
	return "linux/" + arch
}
