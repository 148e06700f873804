package wire

import "strings"

// Verb is the first argument of a worker: "app __deliver" or "app __deliver name,name".
const Verb = "__deliver"

// Argv is the argv that makes program a worker, narrowed to the functions names if there are any.
func Argv(program string, names ...string) []string {
	if len(names) == 0 {
		return []string{program, Verb}
	}
	return []string{program, Verb, strings.Join(names, ",")}
}
