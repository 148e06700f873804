package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

const noiseVerb = "noise"

// Noise is a bad line to a worker on this machine: it flips one bit, or cuts the line, at one place of one direction.
type Noise struct {
	What string // "flip", "cut" or "record"
	To   string // "worker" or "caller"; for record the file that gets what passed, with .worker or .caller behind its name
	At   int64  // the bit that is flipped, or how many bytes pass before the cut
}

// Command puts this program, in the part of the line, before the worker.
func (n Noise) Command(argv []string) ([]string, error) {
	return append([]string{st.Binary, noiseVerb, n.What + "," + n.To, strconv.FormatInt(n.At, 10)}, argv...), nil
}

func (n Noise) String() string { return fmt.Sprintf("noise=%s,%s,%d", n.What, n.To, n.At) }

// playNoise is the line.
func playNoise(what, at string, argv []string) int {
	kind, to, _ := strings.Cut(what, ",")
	place, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return 2
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 2
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 2
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 127
	}
	up := &badLine{w: in, kind: kind, at: place, bad: to == "worker"}
	down := &badLine{w: os.Stdout, kind: kind, at: place, bad: to == "caller"}
	go func() {
		_, _ = io.Copy(up, os.Stdin)
		in.Close()
	}()
	_, _ = io.Copy(down, out)
	os.Stdout.Close()
	out.Close()
	err = cmd.Wait()
	if kind == "record" {
		_ = os.WriteFile(to+".worker", up.passed, 0o600)
		_ = os.WriteFile(to+".caller", down.passed, 0o600)
	}
	if err != nil {
		return max(cmd.ProcessState.ExitCode(), 1)
	}
	return 0
}

// badLine passes bytes on, all but one place.
type badLine struct {
	w    io.Writer
	kind string
	at   int64
	bad  bool
	n    int64

	passed []byte
}

var errCut = errors.New("the line is cut")

func (l *badLine) Write(p []byte) (int, error) {
	begin, end := l.n, l.n+int64(len(p))
	l.n = end
	switch byteAt := l.at / 8; {
	case l.kind == "record":
		l.passed = append(l.passed, p...)
	case !l.bad:
	case l.kind == "flip" && byteAt >= begin && byteAt < end:
		p = bytes.Clone(p) // it is the writer's
		p[byteAt-begin] ^= 1 << (l.at % 8)
	case l.kind == "cut" && l.at < end:
		_, _ = l.w.Write(p[:max(l.at-begin, 0)])
		return 0, errCut
	}
	return l.w.Write(p)
}

var converse = registry.Register("converse", func(_ context.Context, words []string, n map[string]int, r io.Reader, ask func(string) (string, error), w io.Writer) (string, int, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return "", 0, fmt.Errorf("read: %w", err)
	}
	answer, err := ask(strings.Join(words, " "))
	if err != nil {
		return "", 0, fmt.Errorf("ask: %w", err)
	}
	if _, err := io.WriteString(w, answer+answer); err != nil {
		return "", 0, fmt.Errorf("write: %w", err)
	}
	return answer + string(b), n["seven"] + len(b), nil
})

// exchange opens a session over a bad line, makes calls of many kinds and closes it. The error is typed, and everything
// that came without one is right; else wrong says what is not.
func exchange(ctx context.Context, via transport.Transport) (err error, wrong string) { //nolint:revive // the error is one of two results
	s, err := delivery.Open(ctx, via, session.Options{Stderr: io.Discard, Stdout: io.Discard, Patience: 2 * time.Second, Grace: 200 * time.Millisecond})
	if err != nil {
		return err, ""
	}
	defer s.Close()
	var asked string
	var written strings.Builder
	got, n, err := converse.On(s)(ctx, []string{"a", "b"}, map[string]int{"seven": 7}, strings.NewReader("stream"), func(q string) (string, error) {
		asked = q
		return "yes", nil
	}, &written)
	switch {
	case asked != "" && asked != "a b":
		return err, fmt.Sprintf("the callback got %q", asked)
	case !strings.HasPrefix("yesyes", written.String()):
		return err, fmt.Sprintf("the writer got %q", written.String())
	case err != nil:
		return err, ""
	case got != "yesstream" || n != 13 || asked == "" || written.String() != "yesyes":
		return nil, fmt.Sprintf("the call gave %q, %d; asked %q; wrote %q", got, n, asked, written.String())
	}
	if n, err := add.On(s)(ctx, 5); err != nil || n != 5 {
		if err == nil {
			return nil, fmt.Sprintf("the second call gave %d", n)
		}
		return err, ""
	}
	if _, err := refuse.On(s)(ctx, "no disk"); err == nil || kindOf(err) == box.Returned && err.Error() != "no disk" {
		return nil, fmt.Sprintf("the error arrived as %v", err)
	} else if err.Error() != "no disk" {
		return err, ""
	}
	return nil, ""
}

func kindOf(err error) box.Kind {
	var r *box.RemoteError
	if errors.As(err, &r) {
		return r.Kind
	}
	return -1
}

// typed reports whether an error is one that a program can tell from others.
func typed(err error) bool {
	var e *box.DeliveryError
	var r *box.RemoteError
	var lost *session.LostError
	return errors.As(err, &e) || errors.As(err, &r) || errors.As(err, &lost)
}

// recorded is what passes in one exchange in which nothing goes wrong.
func recorded(t *testing.T) (toWorker, toCaller []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "line")
	if err, wrong := exchange(limited(t), Noise{What: "record", To: file}); err != nil || wrong != "" {
		t.Fatalf("without noise: %v %s", err, wrong)
	}
	toWorker, err := os.ReadFile(file + ".worker")
	must(t, err)
	toCaller, err = os.ReadFile(file + ".caller")
	must(t, err)
	return toWorker, toCaller
}

// TestBadLine flips bits and cuts the line in the handshake and in the calls, between a real session and its worker. CI
// takes a sample, another one in each run; SESSION_FULL=1 takes every bit and every cut.
func TestBadLine(t *testing.T) {
	toWorker, toCaller := recorded(t)
	up, down := int64(len(toWorker)), int64(len(toCaller))
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	var all []Noise
	for _, c := range []struct {
		to   string
		size int64
	}{{"worker", up}, {"caller", down}} {
		for at := range c.size {
			all = append(all, Noise{"cut", c.to, at})
			for bit := range int64(8) {
				all = append(all, Noise{"flip", c.to, at*8 + bit})
			}
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:sized(min(len(all), 160), len(all))]
	t.Logf("%d bytes to the worker, %d back; %d faults, seed %d", up, down, len(all), seed)
	before := used(t)
	var mu sync.Mutex
	var slowest time.Duration
	var slow Noise
	right := 0
	work := make(chan Noise)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for n := range work {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				begin := time.Now()
				err, wrong := exchange(ctx, n)
				took := time.Since(begin)
				cancel()
				mu.Lock()
				if took > slowest {
					slowest, slow = took, n
				}
				if err == nil {
					right++
				}
				mu.Unlock()
				switch {
				case wrong != "":
					t.Errorf("%s: %s (%v)", n, wrong, err)
				case errors.Is(err, context.DeadlineExceeded) && took > 59*time.Second:
					t.Errorf("%s: it hung: %v", n, err)
				case err != nil && !typed(err):
					t.Errorf("%s: an error without a type: %T %v", n, err, err)
				}
			}
		})
	}
	for _, n := range all {
		work <- n
	}
	close(work)
	wg.Wait()
	t.Logf("%d faults did no harm, the others gave typed errors; the slowest took %s: %s", right, slowest, slow)
	before.remains(t, "bad lines")
	st.WaitForSurvivors(t, 0, tooLong, "bad lines")
}
