package askpass

import "strings"

// English makes sudo, su, doas and ssh say in English what went wrong, which is what transport.Diagnose reads. All else of
// the user's language stays.
func English(env []string) []string {
	out := make([]string, 0, len(env)+1)
	for _, entry := range env {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "LC_MESSAGES", "LANGUAGE":
		case "LC_ALL":
			out = append(out, "LANG="+value)
		default:
			out = append(out, entry)
		}
	}
	return append(out, "LC_MESSAGES=C")
}
