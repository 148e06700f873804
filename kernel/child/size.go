package child

import (
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// ParseSize reads a number of bytes, which may end with k, m or g, for 1024 and so on; there is no sign.
func ParseSize(text string) (int64, error) {
	digits, shift := text, 0
	if n := len(text); n > 0 {
		if i := strings.IndexByte("kmg", text[n-1]|0x20); i >= 0 {
			digits, shift = text[:n-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || digits[0] == '+' {
		return 0, kernel.Errorf(kernel.Usage, "bufsize %s: it must be a number of bytes; k, m and g behind it mean 1024, 1024² and 1024³", line.Quote(text))
	}
	if n > MaxBufsize>>shift {
		return 0, kernel.Errorf(kernel.Usage, "bufsize %s: it must be between 0 and %dg", text, MaxBufsize>>30)
	}
	return int64(n) << shift, nil
}
