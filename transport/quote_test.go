package transport

import (
	"bytes"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// TestQuote pins the text: sudoers rules and forced commands of sshd are compared with it.
func TestQuote(t *testing.T) {
	for _, c := range []struct {
		want string
		argv []string
	}{
		{"/opt/app __deliver pkg.install", []string{"/opt/app", "__deliver", "pkg.install"}},
		{"/opt/app a=b,c:d@e%f+g-h.i_j", []string{"/opt/app", "a=b,c:d@e%f+g-h.i_j"}},
		{"'app' -x", []string{"app", "-x"}},
		{"'if' ''", []string{"if", ""}},
		{"'A=b'", []string{"A=b"}},
		{"'-x'", []string{"-x"}},
		{"/a 'b c' '=x' '$x' '~'", []string{"/a", "b c", "=x", "$x", "~"}},
		{`/a 'it'\''s' 'a'\\'b'`, []string{"/a", "it's", `a\b`}},
		{"/a 'x\ny' '\xff'", []string{"/a", "x\ny", "\xff"}},
	} {
		if got := quoteCommand(c.argv); got != c.want {
			t.Errorf("quoteCommand(%q) = %s, want %s", c.argv, got, c.want)
		}
	}
}

// throughShell returns the words that a shell makes of the quoted ones.
func throughShell(t *testing.T, shell string, words []string) []string {
	t.Helper()
	cmd := exec.Command(shell)
	cmd.Stdin = strings.NewReader("printf '%s\\0' " + quoteCommand(append([]string{"x"}, words...)) + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", shell, err, stderr.String())
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return got[1:]
}

// TestQuoteRandom is the differential: 100 000 random byte strings, without NUL, through real shells.
func TestQuoteRandom(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	const alphabet = "'\"\\$`\n \t;&|<>(){}[]*?~#!=%-ab\x01\x7f\x80\xff"
	for _, shell := range []string{"dash", "bash"} {
		if _, err := exec.LookPath(shell); err != nil {
			t.Logf("%s is not here", shell)
			continue
		}
		for range 50 {
			words := make([]string, 1000)
			for i := range words {
				word := make([]byte, random.IntN(24))
				for j := range word {
					word[j] = alphabet[random.IntN(len(alphabet))]
					if random.IntN(4) == 0 {
						word[j] = byte(1 + random.IntN(255))
					}
				}
				words[i] = string(word)
			}
			got := throughShell(t, shell, words)
			if len(got) != len(words) {
				t.Fatalf("seed %d: %s: %d words, want %d", seed, shell, len(got), len(words))
			}
			for i := range words {
				if got[i] != words[i] {
					t.Fatalf("seed %d: %s: %q became %q", seed, shell, words[i], got[i])
				}
			}
		}
	}
}

// unquote is a second reader of the quoting, so that fuzzing need not start a shell each time.
func unquote(text string) (words []string) {
	var word strings.Builder
	started, quoted := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\'':
			quoted, started = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '\\':
			i++
			word.WriteByte(text[i])
			started = true
		case c == ' ':
			words = append(words, word.String())
			word.Reset()
			started = false
		default:
			if !plainByte(c) {
				return nil
			}
			word.WriteByte(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	if quoted {
		return nil
	}
	return words
}

func FuzzQuote(f *testing.F) {
	for _, word := range []string{"", "a b", "'", `\'; id #`, "$(id)", "\n", "=x", "-c", "\xff"} {
		f.Add("/opt/app", word)
		f.Add(word, word)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		argv := []string{first, second}
		if checkArgv(argv) != nil {
			return
		}
		if got := unquote(quoteCommand(argv)); len(got) != 2 || got[0] != first || got[1] != second {
			t.Fatalf("%q became %q", argv, got)
		}
		for _, word := range loginSafe(argv) {
			if word == "" || strings.ContainsAny(word, "$\n") {
				t.Fatalf("sudo -i would change %q", word)
			}
		}
		words, err := splitWords("command", joinWords(argv))
		if err != nil || len(words) != 2 || words[0] != first || words[1] != second {
			t.Fatalf("%q written as %q reads back as %q, %v", argv, joinWords(argv), words, err)
		}
	})
}
