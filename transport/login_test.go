package transport

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// loginShells run one string, as sshd has them do it. Those that the stage installs must be there in CI.
var loginShells = map[string][]string{
	"dash": {"-c"}, "bash": {"-c"}, "tcsh": {"-f", "-c"}, "fish": {"--no-config", "-c"}, "zsh": {"-f", "-c"}, "ksh": {"-c"},
}

func needShell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if stays := name == "dash" || name == "bash" || name == "tcsh"; stays && os.Getenv("CI") == "true" {
		t.Fatal("CI must have " + name)
	}
	t.Skip("NOT TESTED, no " + name)
	return ""
}

// TestALineBreakEndsNoCommand: csh would run what stands behind one in a word, also in quotes.
func TestALineBreakEndsNoCommand(t *testing.T) {
	t.Parallel()
	for name, options := range loginShells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			words := []string{"/usr/bin/printf", `%s\0`, "one\ntouch injected\ntwo", "!!", "!x", "", "a'\n'b", "$HOME\n`id`"}
			got := runLine(t, needShell(t, name), options, dir, words)
			if len(got) != len(words)-2 || strings.Join(got, "\x00") != strings.Join(words[2:], "\x00") {
				t.Errorf("%q arrived as %q", words[2:], got)
			}
			if left, err := filepath.Glob(dir + "/injected"); err != nil || len(left) > 0 {
				t.Errorf("a word was run: %q, %v", left, err)
			}
		})
	}
}

// TestLoginLineRandom sends random bytes, also where no word has a line break.
func TestLoginLineRandom(t *testing.T) {
	t.Parallel()
	var control string // all that could stand for a line break
	for c := byte(1); c < ' '; c++ {
		control += string(c)
	}
	const alphabet = "'\"\\$`\n \t;&|<>(){}[]*?~#!=%-^@ab\r\x01\x7f\x80\xff"
	for name, options := range loginShells {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shell := needShell(t, name)
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 0))
			for range 40 {
				words := []string{"/usr/bin/printf", `%s\0`}
				breaks := random.IntN(2) == 0
				for range 50 {
					word := make([]byte, random.IntN(20))
					for i := range word {
						word[i] = alphabet[random.IntN(len(alphabet))]
						if word[i] == '\n' && !breaks {
							word[i] = '!'
						}
					}
					words = append(words, string(word))
				}
				if random.IntN(4) == 0 {
					words[len(words)-1] = control
				}
				got := runLine(t, shell, options, t.TempDir(), append(words, "end"))
				for i, word := range words[2:] {
					if len(got) != len(words)-1 || got[i] != word {
						t.Fatalf("seed %d: %d words of %d; word %d of %q: %q", seed, len(got), len(words)-1, i, words, got)
					}
				}
			}
		})
	}
}

func runLine(t *testing.T, shell string, options []string, dir string, words []string) []string {
	t.Helper()
	cmd := exec.Command(shell, append(options[:len(options):len(options)], loginLine(words))...)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=/usr/bin:/bin", "LC_ALL=C"}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}
