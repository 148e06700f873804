package argument

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// maxNesting is how deep encoding/json goes; the decoder refuses what is deeper.
const maxNesting = 10_000

// checkTwice refuses an object that has a field twice: encoding/json would take the last one, another reader the first.
// What is no JSON at all is left to the decoder, whose errors are better.
func checkTwice(text []byte) *Error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var open []object
	for {
		token, err := d.Token()
		if err != nil {
			return nil
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			open = open[:len(open)-1]
			closeValue(open)
			if len(open) == 0 {
				return nil
			}
			continue
		}
		if in := last(open); in != nil && in.fields != nil && !in.inValue {
			name := token.(string)
			if in.fields[name] {
				return &Error{Why: fmt.Sprintf("the field %s is given twice", quote(name))}
			}
			in.fields[name], in.inValue = true, true
			continue
		}
		if len(open) > maxNesting {
			return nil
		}
		switch token {
		case json.Delim('{'):
			open = append(open, object{fields: map[string]bool{}})
		case json.Delim('['):
			open = append(open, object{})
		default:
			closeValue(open)
			if len(open) == 0 {
				return nil
			}
		}
	}
}

// object is an object or array whose end has not come yet.
type object struct {
	fields  map[string]bool // seen so far; nil for an array
	inValue bool            // a field's name has come, its value has not
}

func last(open []object) *object {
	if len(open) == 0 {
		return nil
	}
	return &open[len(open)-1]
}

// closeValue notes that a value has ended in what is open.
func closeValue(open []object) {
	if in := last(open); in != nil {
		in.inValue = false
	}
}
