package transports

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// Behind ssh, su and the like a command is one string, of 128 KiB at most on Linux; each shell on the way may make it
// several times as long, and sudo -i doubles it once more where nobody sees it.
const (
	maxLine   = 60 << 10
	usualWord = 24
	longWord  = 4 << 10
	manyArgv  = 500 // at once, where they fit
)

// randomWord has all bytes but NUL, and those more often that mean something to a shell.
func randomWord(random *rand.Rand) string {
	const alphabet = "'\"\\$`\n \t;&|<>(){}[]*?~#!=%-^ab\r\x01\x7f\x80\xff"
	length := random.IntN(usualWord)
	if random.IntN(200) == 0 {
		length = random.IntN(longWord)
	}
	word := make([]byte, length)
	for i := range word {
		word[i] = alphabet[random.IntN(len(alphabet))]
		if random.IntN(3) == 0 {
			word[i] = byte(1 + random.IntN(255))
		}
	}
	return string(word)
}

// randomArgv is one to four words, and a last one that shows where it ends.
func randomArgv(random *rand.Rand, n int) []string {
	argv := make([]string, 1+random.IntN(4), 6)
	for i := range argv {
		argv[i] = randomWord(random)
	}
	return append(argv, "end of "+strconv.Itoa(n))
}

// longest is the longest word of what a transport would run.
func longest(t *testing.T, via transport.Transport, argv []string) int {
	t.Helper()
	steps, err := transport.Explain(via, argv)
	if err != nil {
		return maxLine + 1 // too long for one argument
	}
	most := 0
	for _, word := range steps[0].Argv {
		most = max(most, len(word))
	}
	return most
}

// TestRandomArgv sends random argv through real shells, as many at a time as fit, and wants them back byte for byte.
func TestRandomArgv(t *testing.T) {
	prepare(t)
	st.NeedSSH(t)
	for name, via := range map[string]transport.Transport{
		"sh":           transport.Template{Words: []string{"sh", "-c", "{command}"}},
		"su":           transport.Su{User: st.User},
		"ssh":          sshAs(st.User),
		"ssh, ssh, su": transport.Chain{sshAs(st.User), sshAs(st.Second), transport.Su{}},
		"sudo login":   transport.Sudo{Login: true},
		"runuser":      transport.Runuser{User: st.User},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			count := 5000
			if len(transport.Hops(via)) > 1 {
				count /= 10 // a connection for each start
			}
			if n, err := strconv.Atoi(os.Getenv("TRANSPORTS_ARGV")); err == nil {
				count = n
			}
			sendRandom(t, via, count)
		})
	}
}

func sendRandom(t *testing.T, via transport.Transport, count int) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	starts := 0
	for sent := 0; sent < count; starts++ {
		var argvs [][]string
		for len(argvs) < min(manyArgv, count-sent) {
			argvs = append(argvs, randomArgv(random, sent+len(argvs)))
		}
		for longest(t, via, transporttest.PrintWords(slices.Concat(argvs...))) > maxLine {
			argvs = fewer(argvs)
		}
		roundTrip(t, via, slices.Concat(argvs...), seed)
		sent += len(argvs)
	}
	t.Logf("%d argv in %d starts", count, starts)
}

// fewer is half of them; of one, its words made shorter: several shells may make 4 KiB too long for the system.
func fewer(argvs [][]string) [][]string {
	if len(argvs) > 1 {
		return argvs[:len(argvs)/2]
	}
	for i, word := range argvs[0] {
		argvs[0][i] = word[:(len(word)+1)/2]
	}
	return argvs
}

func roundTrip(t *testing.T, via transport.Transport, words []string, seed uint64) {
	t.Helper()
	cmd := transporttest.Local(t, via, transporttest.PrintWords(words))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("seed %d: %v: %.500s", seed, err, stderr.String())
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	if len(got) != len(words) {
		t.Fatalf("seed %d: %d words arrived, want %d", seed, len(got), len(words))
	}
	for i, word := range words {
		if got[i] != word {
			t.Errorf("seed %d: word %d arrived as %.200q, want %.200q", seed, i, got[i], word)
		}
	}
}
