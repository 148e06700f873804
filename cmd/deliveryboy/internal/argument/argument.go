// Package argument turns the words of a command line into the arguments of a function.
//
// Each word is one JSON value, decoded strictly into the parameter's type: a field that the type has not, a field given
// twice, and a value of another kind are errors. Two types are kinder to people:
//
//   - A parameter that is a string takes a word as it is: root, 007, or null. Only a word that begins with a double
//     quote is read as JSON, so JSON can always be given.
//   - A time.Duration is written with its unit, as in 30s.
//
// The word "-" stands for what comes on stdin, and "@file" for what is in a file; a string that is one of these is
// written as JSON, "@home". A last parameter that is a struct may be left out: it is then the zero value, the default of
// everything. A variadic function takes any number of words for its last parameter.
package argument

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
)

// MaxSize is how many bytes one argument may have.
const MaxSize = 100 << 20

// An Error says which argument is wrong, and why.
type Error struct {
	Index     int    // of the word, from 1
	Word      string // as it was given
	Path      string // the field inside it, as in ".opts.limit"; may be empty
	Why       string
	Signature string // of the function
	Err       error  // the cause, if there is one
}

func (e *Error) Error() string {
	text := fmt.Sprintf("argument %d%s %s: %s", e.Index, plain.Cut(e.Path, 80), quote(e.Word), e.Why)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Signature != "" {
		text += "; the function is " + e.Signature
	}
	return text
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// A CountError says that there are too many or too few arguments.
type CountError struct {
	Got, Want int
	Signature string
}

func (e *CountError) Error() string {
	few := "too many"
	if e.Got < e.Want {
		few = "too few"
	}
	return fmt.Sprintf("%s arguments: %d given, %d wanted; the function is %s", few, e.Got, e.Want, e.Signature)
}

// A Reader reads the arguments of one call.
type Reader struct {
	Stdin         io.Reader // what the word "-" stands for
	StdinTerminal bool      // nobody pipes anything in: "-" is an error instead of a wait

	stdinTaken int // the index of the argument that took it
}

// Read reads words as the arguments of a function of type fn, without its leading context. The error is an *[Error] or a
// *[CountError].
func (r *Reader) Read(fn reflect.Type, params []reflect.Type, words []string) ([]reflect.Value, error) {
	types, err := r.types(fn, params, len(words))
	if err != nil {
		return nil, err
	}
	var args []reflect.Value
	for i, word := range words {
		v, err := r.one(types[i], i+1, word)
		if err != nil {
			err.Signature = fn.String()
			return nil, err
		}
		args = append(args, v)
	}
	return gather(fn, params, args), nil
}

// types are the types of n words.
func (r *Reader) types(fn reflect.Type, params []reflect.Type, n int) ([]reflect.Type, error) {
	types := params
	if fn.IsVariadic() {
		last := len(params) - 1
		types = append([]reflect.Type(nil), params[:last]...)
		for len(types) < n {
			types = append(types, params[last].Elem())
		}
	}
	mayMiss := 0
	if last := len(types) - 1; !fn.IsVariadic() && last >= 0 && types[last].Kind() == reflect.Struct && !isText(types[last]) {
		mayMiss = 1
	}
	if n > len(types) || n < len(types)-mayMiss {
		return nil, &CountError{Got: n, Want: len(types), Signature: fn.String()}
	}
	return types, nil
}

// gather makes args what the function takes: a slice of what is variadic, a zero value of what was left out.
func gather(fn reflect.Type, params []reflect.Type, args []reflect.Value) []reflect.Value {
	last := len(params) - 1
	if fn.IsVariadic() {
		rest := reflect.MakeSlice(params[last], 0, len(args)-last)
		rest = reflect.Append(rest, args[last:]...)
		return append(args[:last:last], rest)
	}
	if len(args) == last {
		args = append(args, reflect.Zero(params[last]))
	}
	return args
}

// one reads one argument.
func (r *Reader) one(t reflect.Type, index int, word string) (reflect.Value, *Error) {
	text, err := r.text(index, word)
	if err != nil {
		return reflect.Value{}, err
	}
	v, err := decode(t, text)
	if err != nil {
		err.Index, err.Word = index, word
	}
	return v, err
}

// text is the text that a word stands for.
func (r *Reader) text(index int, word string) ([]byte, *Error) {
	fail := func(why string, err error) *Error { return &Error{Index: index, Word: word, Why: why, Err: err} }
	var from io.Reader
	name, isFile := strings.CutPrefix(word, "@")
	switch {
	case word == "-" && r.stdinTaken > 0:
		return nil, fail(fmt.Sprintf("stdin was read for argument %d already; put one of them into a file and give @file",
			r.stdinTaken), nil)
	case word == "-" && r.StdinTerminal:
		return nil, fail("stdin is a terminal; pipe the value in, or give @file", nil)
	case word == "-":
		r.stdinTaken = index
		from = r.Stdin
	case isFile:
		f, err := os.Open(name)
		if err != nil {
			return nil, fail("the file cannot be read; a text that begins with @ is written as JSON, in double quotes", err)
		}
		defer f.Close()
		from = f
	default:
		from = strings.NewReader(word)
	}
	text, err := io.ReadAll(io.LimitReader(from, MaxSize+1))
	if err != nil {
		return nil, fail("cannot be read", err)
	}
	if len(text) > MaxSize {
		return nil, fail(fmt.Sprintf("it has more than %d bytes, the most that an argument may have; let the function read a file",
			MaxSize), nil)
	}
	return text, nil
}

// quote is s for an error: quoted, and cut at 80 bytes.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
