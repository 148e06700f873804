package pool

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed354a1416/deliveryboy/process"
)

// Requests of the conversation in JSON; SPEC.md has all of it.

const (
	maxLine    = 1 << 20 // bytes of a request, with the end of its line
	maxID      = 1<<53 - 1
	maxSeconds = 24 * 60 * 60
)

var (
	errLine    = fmt.Errorf("the line has more than %d bytes", maxLine)
	errNoEnd   = errors.New("the last line has no end")
	errObject  = errors.New("it is no JSON object")
	errStrings = errors.New("it must be an array of strings")
)

// A line is what a client asks for: a command, or the end of one.
type line struct {
	id      int64 // -1: it could not be read
	kill    int64 // the id of the command to end; -1: none
	config  process.Config
	stdin   []byte
	timeout time.Duration // 0: none
	whole   bool
}

// readLine reads a line, and gives it without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(text)+len(part) > maxLine {
			return nil, errLine
		}
		text = append(text, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(text[:len(text)-1], []byte("\r")), nil
		case err == io.EOF && len(text) > 0: //nolint:errorlint // a Reader gives io.EOF itself
			return nil, errNoEnd
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// parseLine reads a request: each key at most once, and none that is not known. With an error, the id is what was found.
func parseLine(text []byte) (line, error) {
	l := line{id: -1, kill: -1}
	if !utf8.Valid(text) {
		return l, errors.New("it is not UTF-8")
	}
	seen := map[string]bool{}
	var wrong error // the first thing that is; the id may come behind it
	err := eachKey(text, func(key string, value json.RawMessage) {
		err := errors.New("it comes twice")
		if !seen[key] {
			err = l.set(key, value)
		}
		if seen[key] = true; err != nil && wrong == nil {
			wrong = fmt.Errorf("key %.80q: %w", key, err)
		}
	})
	switch {
	case err != nil:
		l.id = -1
		return l, err
	case wrong != nil:
		return l, wrong
	case l.id < 0:
		return l, errors.New(`key "id": it is missing`)
	}
	return l, l.check(seen)
}

// eachKey gives the keys of an object, with their values, to a function.
func eachKey(text []byte, take func(key string, value json.RawMessage)) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errObject
	}
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return errObject
		}
		take(key, value)
	}
	if _, err := d.Token(); err != nil {
		return errObject
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // a Decoder gives io.EOF itself
		return errors.New("more follows the object")
	}
	return nil
}

// set takes in the value of a key.
func (l *line) set(key string, value json.RawMessage) (err error) {
	switch key {
	case "id":
		l.id, err = readID(value)
	case "kill":
		l.kill, err = readID(value)
	case "run":
		l.config.Argv, err = readStrings(value)
	case "shell":
		l.config.Cmdline, err = readString(value)
		l.config.Shell = true
	case "dir":
		l.config.Dir, err = readString(value)
	case "env":
		l.config.Env, err = readEnv(value)
	case "stdin":
		if value[0] != '"' || json.Unmarshal(value, &l.stdin) != nil {
			err = errors.New("it must be a string of base64")
		}
	case "timeout":
		var seconds float64
		if value[0] == 'n' || json.Unmarshal(value, &seconds) != nil || seconds < 0.001 || seconds > maxSeconds {
			return fmt.Errorf("it must be a number of seconds between 0.001 and %d", maxSeconds)
		}
		l.timeout = time.Duration(math.Round(seconds * float64(time.Second)))
	case "whole":
		if value[0] == 'n' || json.Unmarshal(value, &l.whole) != nil {
			err = errors.New("it must be true or false")
		}
	default:
		err = errors.New("it is not known")
	}
	return err
}

// check refuses what does not go together.
func (l *line) check(seen map[string]bool) error {
	switch {
	case seen["kill"] && len(seen) > 2:
		return errors.New(`beside "kill" there can only be "id"`)
	case seen["kill"]:
		return nil
	case seen["run"] == seen["shell"]:
		return errors.New(`give one of "run", "shell" and "kill"`)
	case seen["run"] && len(l.config.Argv) == 0:
		return errors.New(`key "run": it is empty`)
	case seen["shell"] && l.config.Cmdline == "":
		return errors.New(`key "shell": it is empty`)
	}
	return l.config.Check()
}

func readID(value json.RawMessage) (int64, error) {
	var n int64
	if value[0] == 'n' || json.Unmarshal(value, &n) != nil || n < 0 || n > maxID {
		return -1, fmt.Errorf("it must be a whole number between 0 and %d", int64(maxID))
	}
	return n, nil
}

// readString refuses what is no character: encoding/json puts another one in its place.
func readString(value json.RawMessage) (string, error) {
	var s string
	if value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return "", errors.New("it must be a string")
	}
	const odd = "\ufffd"
	if n := strings.Count(s, odd); n > 0 && n > strings.Count(string(value), odd)+strings.Count(strings.ToLower(string(value)), `\ufffd`) {
		return "", errors.New("half of a surrogate pair is in it")
	}
	return s, nil
}

func readStrings(value json.RawMessage) (list []string, err error) {
	var raw []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &raw) != nil {
		return nil, errStrings
	}
	for _, v := range raw {
		if v[0] != '"' {
			return nil, errStrings
		}
		s, err := readString(v)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func readEnv(value json.RawMessage) (map[string]string, error) {
	env := map[string]string{}
	var wrong error
	err := eachKey(value, func(name string, v json.RawMessage) {
		text, err := readString(v)
		if _, twice := env[name]; twice {
			err = errors.New("it comes twice")
		}
		if env[name] = text; err != nil && wrong == nil {
			wrong = fmt.Errorf("variable %.80q: %w", name, err)
		}
	})
	if err != nil {
		err = errors.New("it must be an object of strings")
	}
	return env, errors.Join(err, wrong)
}
