package doctor

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
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

// owners says who else than root could replace a program: each directory, link and file on the way has to be root's, and
// writable by nobody else. There is no exception for directories with the sticky bit: whoever makes a file there first,
// owns it. Where the program does not run with more rights than its user has, its user may own them too.
func owners(program string, asRoot bool) []Finding {
	if inUserNamespace() {
		return nil // the owners that it shows are not the real ones
	}
	var found []Finding
	at, links, rest := "/", 0, strings.Split(program, "/")
	for len(rest) > 0 && links < 40 {
		at, rest = filepath.Join(at, rest[0]), rest[1:]
		info, err := os.Lstat(at)
		if err != nil {
			return found // runnable, or the transport, says it
		}
		if f, bad := replaceable(at, info, asRoot); bad {
			found = append(found, f)
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := os.Readlink(at)
		if err != nil {
			return found
		}
		if links++; len(rest) == 0 && asRoot && links == 1 {
			found = append(found, Finding{Check: checkProgram, Severity: Warning,
				What: fmt.Sprintf("%s is a symbolic link to %s", at, target),
				Fix:  "Name the file itself, in rules and with binary=, so that a changed link changes nothing that runs as root."})
		}
		if at = filepath.Dir(at); filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return found
}

// replaceable says what is wrong with the owner or mode of one step on the way.
func replaceable(at string, info fs.FileInfo, asRoot bool) (Finding, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Check: checkProgram, Severity: Error}
	if !asRoot {
		f.Severity = Warning
	}
	switch mine := !asRoot && int(stat.Uid) == os.Geteuid(); {
	case stat.Uid != 0 && !mine:
		f.What = fmt.Sprintf("%s belongs to uid %d, who can so replace the program", at, stat.Uid)
		f.Fix = "Install the program as root's in root's directories, such as /usr/local/bin, and give its path with binary=."
		return f, true
	case info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o022 != 0 && (asRoot || info.Mode()&fs.ModeSticky == 0):
		f.What = fmt.Sprintf("%s is writable by group or others (mode %04o), who can so replace the program", at, info.Mode().Perm())
		f.Fix = "Install the program where only root can write, such as /usr/local/bin, or run: chmod go-w " + at + "."
		if info.Mode()&fs.ModeSticky != 0 {
			f.What = fmt.Sprintf("in %s everybody can make files (mode 1%03o), and whoever does so first owns the program", at, info.Mode().Perm())
			f.Fix = "Install the program where only root can write, such as /usr/local/bin."
		}
		return f, true
	}
	return Finding{}, false
}
