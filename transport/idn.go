package transport

import (
	"strings"
	"unicode/utf8"
)

// toASCII is the punycode form (RFC 3492) of a host name, to show in an error what a name really says. It only
// lower-cases, so it is no substitute for IDNA. It gives up on text that is no UTF-8 or too long for a host.
func toASCII(host string) (string, bool) {
	if !utf8.ValidString(host) || len(host) > 4*maxHost {
		return "", false
	}
	labels := strings.Split(strings.ToLower(host), ".")
	for i, label := range labels {
		if !isASCII(label) {
			labels[i] = "xn--" + punycode([]rune(label))
		}
	}
	ascii := strings.Join(labels, ".")
	if len(ascii) > maxHost || CheckHost(ascii) != nil {
		return "", false
	}
	return ascii, true
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// The parameters of RFC 3492, section 5.
const (
	punyBase, punyMin, punyMax = 36, 1, 26
	punySkew, punyDamp         = 38, 700
	punyBias, punyFirst        = 72, 128
)

// punycode encodes a label as in RFC 3492, section 6.3. Labels are short, so the sums cannot overflow.
func punycode(label []rune) string {
	var out []byte
	for _, r := range label {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	done := basic
	if basic > 0 {
		out = append(out, '-')
	}
	next, delta, bias := rune(punyFirst), 0, punyBias
	for done < len(label) {
		least := rune(utf8.MaxRune)
		for _, r := range label {
			if r >= next && r < least {
				least = r
			}
		}
		delta += int(least-next) * (done + 1)
		next = least
		for _, r := range label {
			if r < next {
				delta++
			}
			if r == next {
				out = punyNumber(out, delta, bias)
				bias = punyAdapt(delta, done+1, done == basic)
				delta = 0
				done++
			}
		}
		delta++
		next++
	}
	return string(out)
}

// punyNumber appends delta as a generalised variable-length integer.
func punyNumber(out []byte, delta, bias int) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := punyBase; ; k += punyBase {
		t := min(max(k-bias, punyMin), punyMax)
		if delta < t {
			return append(out, digits[delta])
		}
		out = append(out, digits[t+(delta-t)%(punyBase-t)])
		delta = (delta - t) / (punyBase - t)
	}
}

func punyAdapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (punyBase-punyMin)*punyMax/2; k += punyBase {
		delta /= punyBase - punyMin
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}
