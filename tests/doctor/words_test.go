package doctor

import (
	"debug/elf"
	"strings"

	"github.com/seed354a1416/deliveryboy/doctor"
)

// allowed is a rule that permits all that is needed.
const allowed = "USER ALL=(root) NOPASSWD: ALL\n"

// filled has the names of this place.
func filled(s string) string {
	return strings.NewReplacer("USER", st.User, "PROGRAM", st.Binary, "SECOND", st.Second).Replace(s)
}

// problem is an error that has to be found.
func problem(check, what string) doctor.Finding {
	return doctor.Finding{Check: check, Severity: doctor.Error, What: what}
}

// doubt is a warning that has to be found.
func doubt(check, what string) doctor.Finding {
	return doctor.Finding{Check: check, Severity: doctor.Warning, What: what}
}

// remark is a note that has to be found.
func remark(check, what string) doctor.Finding {
	return doctor.Finding{Check: check, Severity: doctor.Note, What: what}
}

// dynamic reports whether the program needs libraries.
func dynamic() bool {
	f, err := elf.Open(st.Binary)
	if err != nil {
		return false
	}
	defer f.Close()
	return f.Section(".interp") != nil
}
