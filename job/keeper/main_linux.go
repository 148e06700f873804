package keeper

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/job/store"
)

const role = "job"

func init() { detached.Role(role, main) }

// What the arguments of a keeper begin with.
const (
	keepOne  = "keep" // and the identifier; files: its lock, and a pipe each to hear the word to go and to answer
	fillSlot = "slot" // and the queue and the slot's number; file: its lock
)

// expireEvery is how often a keeper that has done its work looks for jobs whose time is over.
const expireEvery = 10 * time.Minute

const (
	exitUsage = 64
	exitOS    = 71
)

func main(args []string) int {
	isolate()
	s, err := store.Open()
	if err != nil {
		return exitOS
	}
	defer s.Close()
	defer func() {
		if s.Due(expireEvery) {
			_ = s.Expire() // what it could not take away, a later one will
		}
	}()
	switch {
	case len(args) == 2 && args[0] == keepOne:
		return mainOne(s, args[1])
	case len(args) == 3 && args[0] == fillSlot:
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return exitUsage
		}
		return mainSlot(s, args[1], n)
	}
	return exitUsage
}

// mainOne keeps one job, when whoever started it says that it is ordered.
func mainOne(s *store.Store, id string) int {
	lock, hear, answer := detached.File(0), detached.File(1), detached.File(2)
	defer lock.Close()
	var word [1]byte
	if _, err := hear.Read(word[:]); err != nil {
		return exitOS // it was not
	}
	_ = hear.Close()
	j, err := s.Find(id)
	if err == nil {
		defer j.Close()
		err = keep(j, hooks{ready: func() error {
			_, err := answer.WriteString("+")
			return errors.Join(err, answer.Close())
		}})
	}
	if err != nil {
		_, _ = answer.Write(append([]byte{'-'}, box.EncodeFault(box.FaultOf(err))...))
		return exitOS
	}
	return 0
}

// A Process that keeps a job.
type Process struct {
	PID    int
	word   *os.File // to begin
	answer *os.File
}

// maxComplaint is how long the answer of a keeper may be that cannot do its work.
const maxComplaint = 64 << 10

// Start starts the keeper of a job whose lock this process holds, and hands that to it. It waits for Go: the job can be
// ordered meanwhile.
func Start(j *store.Job) (*Process, error) {
	hear, word, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hear.Close()
	answer, says, err := os.Pipe()
	if err != nil {
		_ = word.Close()
		return nil, err
	}
	defer says.Close()
	pid, err := detached.Start(role, []string{keepOne, j.ID}, j.Lock(), hear, says)
	if err != nil {
		_ = word.Close()
		_ = answer.Close()
		return nil, err
	}
	return &Process{PID: pid, word: word, answer: answer}, nil
}

// Stop has the keeper end without having done anything.
func (p *Process) Stop() {
	_ = p.word.Close()
	_ = p.answer.Close()
}

// Go has the keeper begin. It returns when nothing can fail any more but the function.
func (p *Process) Go() error {
	defer p.Stop()
	if _, err := p.word.WriteString("!"); err != nil {
		return fmt.Errorf("job: its keeper %d has ended: %w", p.PID, err)
	}
	_ = p.answer.SetReadDeadline(time.Now().Add(orderWait))
	buf := make([]byte, maxComplaint)
	n, late := 0, false
	for n < len(buf) {
		m, err := p.answer.Read(buf[n:])
		n += m
		if err != nil {
			late = errors.Is(err, os.ErrDeadlineExceeded)
			break
		}
	}
	switch {
	case n == 0 && late:
		return fmt.Errorf("job: its keeper %d did not answer within %s: %w", p.PID, orderWait, store.ErrOrdering)
	case n > 0 && buf[0] == '+':
		return nil
	case n > 1 && buf[0] == '-':
		f, err := box.DecodeFault(buf[1:n])
		if err != nil {
			return fmt.Errorf("job: its keeper %d: %w", p.PID, err)
		}
		return f.Err(box.Origin{})
	}
	return fmt.Errorf("job: its keeper %d ended without a word", p.PID)
}
