package registry

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

const maxName = 128

// checkName says what is wrong with a name that a program gives; "" if it may stand.
func checkName(name string) string {
	if name == "" || len(name) > maxName {
		return fmt.Sprintf("%d characters; 1 to %d are allowed", len(name), maxName)
	}
	for i, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-", c) >= 0) {
			return fmt.Sprintf("byte %d is %q; only a-z, 0-9, '.', '_' and '-' are allowed", i, string(rune(c)))
		}
	}
	return ""
}

// CheckName reports a name that no function can have, derived names included.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("function name %s: %d characters; 1 to %d are allowed", quote(name), len(name), maxName)
	}
	for i, c := range []byte(name) {
		if !nameByte(c) {
			return fmt.Errorf("function name %s: byte %d is %q; only letters, digits, '.', '_', '/' and '-' are allowed", quote(name), i, string(rune(c)))
		}
	}
	return nil
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._/-", c) >= 0
}

// symbol derives a name from a function's Go symbol: "os.Chown", "main.Server.Restart". What a sudoers line or a shell
// would take for more than a letter is left out; an instantiation of a generic function has a digest of its type
// behind it, since Go's symbol does not tell it from others.
func symbol(fn reflect.Value) (string, error) {
	if !fn.IsValid() || fn.Kind() != reflect.Func || fn.IsNil() {
		return "", fmt.Errorf("a function is needed, not %v", fn)
	}
	full := runtime.FuncForPC(fn.Pointer()).Name()
	name := strings.ReplaceAll(strings.TrimSuffix(full, "-fm"), "[...]", "")
	name = strings.Map(func(r rune) rune {
		if r < 128 && nameByte(byte(r)) {
			return r
		}
		return -1
	}, name)
	if strings.Contains(full, "[...]") || anonymous(full) {
		sum := sha256.Sum256([]byte(layoutOf(fn.Type())))
		name += fmt.Sprintf("-%x", sum[:4])
	}
	if len(name) > maxName { // keep the end: it tells the most
		name = name[len(name)-maxName:]
	}
	return name, CheckName(name)
}

func quote(name string) string {
	if len(name) > 80 {
		name = name[:80] + "…"
	}
	return fmt.Sprintf("%q", name)
}
