package child

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// An entry is one line of a record: what has changed. A line begins with the checksum of the rest.
type entry struct {
	Version int    `json:"v,omitempty"`
	Spec    *Spec  `json:"spec,omitempty"`    // the first line: it was about to be started
	Bytes   *words `json:"bytes,omitempty"`   // of Spec, what JSON cannot say because it is no text
	Run     *run   `json:"run,omitempty"`     // it was started
	Exit    *exit  `json:"exit,omitempty"`    // it has ended
	Taken   *taken `json:"taken,omitempty"`   // a consumer has taken this much
	Removed bool   `json:"removed,omitempty"` // it is forgotten when it ends
}

// Words are those of a Spec that may be any bytes.
type words struct {
	Args [][]byte `json:"args"`
	Env  [][]byte `json:"env,omitempty"`
	Dir  []byte   `json:"dir,omitempty"`
}

// wordsOf is nil if all of them are text.
func wordsOf(s *Spec) *words {
	if s == nil || !slices.ContainsFunc(slices.Concat(s.Args, s.Env, []string{s.Dir}), func(w string) bool { return !utf8.ValidString(w) }) {
		return nil
	}
	w := &words{Dir: []byte(s.Dir)}
	for _, a := range s.Args {
		w.Args = append(w.Args, []byte(a))
	}
	for _, v := range s.Env {
		w.Env = append(w.Env, []byte(v))
	}
	return w
}

// to puts them where they belong.
func (w *words) to(s *Spec) {
	s.Args, s.Env, s.Dir = nil, nil, string(w.Dir)
	for _, a := range w.Args {
		s.Args = append(s.Args, string(a))
	}
	for _, v := range w.Env {
		s.Env = append(s.Env, string(v))
	}
}

// A run is one process that was started under a name.
type run struct {
	holder.Process
	Boot string    `json:"boot"` // since which start of the machine the numbers count
	At   time.Time `json:"at"`
	UID  int       `json:"uid"`
	GID  int       `json:"gid"`
}

// An exit is how a run has ended.
type exit struct {
	Code  int       `json:"code"`
	Known bool      `json:"known"`
	At    time.Time `json:"at"`
}

// taken is how far a consumer has come.
type taken struct {
	Name string `json:"name"`
	Pos  uint64 `json:"pos"`
	Exit bool   `json:"exit,omitempty"` // the exit code, too
	Used bool   `json:"used,omitempty"` // it has been here
}

const (
	recordVersion = 1
	maxRecord     = 16 << 20 // bytes of a record that is read
	compactAt     = 64 << 10 // bytes that a record may grow before it is written anew
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (e entry) line() ([]byte, error) {
	e.Bytes = wordsOf(e.Spec)
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, "%08x ", crc32.Checksum(text, castagnoli))
	return append(append(b, text...), '\n'), nil
}

// errEmpty is for a record that is nobody's.
var errEmpty = errors.New("it is empty")

// readRecord returns the entries of a record. What was not written to its end is left out, and what follows it, too: a
// record has one writer, and a line that is wrong in its middle is no end; that is an error.
func readRecord(f *os.File) (entries []entry, err error) {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() { // to read a pipe may last for ever
		return nil, errors.Join(errors.New("it is no ordinary file"), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, errEmpty
	}
	if len(data) > maxRecord {
		return nil, fmt.Errorf("it has more than %d bytes", maxRecord)
	}
	if entries, err = parseRecord(data); err != nil {
		return nil, err
	}
	if whole := bytes.LastIndexByte(data, '\n') + 1; whole < len(data) {
		_ = f.Truncate(int64(whole)) // or the next line would be none; where that is not possible, nothing can be written
	}
	return entries, nil
}

func parseRecord(data []byte) (entries []entry, err error) {
	for n := 1; len(data) > 0; n++ {
		text, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			break
		}
		var e entry
		var sum uint32
		if len(text) < 9 || text[8] != ' ' {
			return nil, fmt.Errorf("line %d has no checksum", n)
		}
		if _, err := fmt.Sscanf(string(text[:8]), "%08x", &sum); err != nil || sum != crc32.Checksum(text[9:], castagnoli) {
			return nil, fmt.Errorf("line %d does not match its checksum", n)
		}
		if err := json.Unmarshal(text[9:], &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if n == 1 && (e.Spec == nil || e.Version != recordVersion) {
			return nil, fmt.Errorf("it is of version %d; this program reads %d", e.Version, recordVersion)
		}
		if e.Spec != nil && e.Bytes != nil {
			e.Bytes.to(e.Spec)
		}
		entries, data = append(entries, e), rest
	}
	if len(entries) == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return entries, nil
}
