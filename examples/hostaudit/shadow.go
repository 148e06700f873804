package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// PasswordQuery asks how old the passwords of this machine are, and how well they are kept.
type PasswordQuery struct {
	File string    // default /etc/shadow
	Now  time.Time // default now
}

// PasswordReport is the answer. It never holds a hash.
type PasswordReport struct {
	Accounts []Account
	Findings
}

// An Account is one line of the shadow file, without its secret.
type Account struct {
	Name    string
	State   string // "usable", "locked", "none" (no password can match) or "empty" (anyone may log in)
	Hash    string // the kind of hash, such as "yescrypt"; empty where there is none
	Age     int    // days since the password was changed; -1 if the file does not say
	MaxAge  int    // days until it must be changed; -1 for never
	Expires int    // days until the account ends, negative if it has ended; 0 with Ends false
	Ends    bool
}

// String is the report in a few words.
func (r PasswordReport) String() string {
	usable := 0
	for _, a := range r.Accounts {
		if a.State == "usable" {
			usable++
		}
	}
	return fmt.Sprintf("%d accounts, %d with a usable password", len(r.Accounts), usable)
}

// auditPasswords needs root: that is the point of a shadow file.
func auditPasswords(ctx context.Context, q PasswordQuery) (PasswordReport, error) {
	if q.File == "" {
		q.File = "/etc/shadow"
	}
	if q.Now.IsZero() {
		q.Now = time.Now()
	}
	data, info, err := readFile(q.File)
	if err != nil {
		return PasswordReport{}, fmt.Errorf("passwords: %w", err)
	}
	report := parseShadow(string(data), int(q.Now.Unix()/86400))
	if why := weakness(info); why != "" {
		report.add(High, q.File, why, "chown root:shadow and chmod 0640")
	}
	if info.Mode().Perm()&0o007 != 0 {
		report.add(High, q.File, "open to everyone ("+info.Mode().String()+"): the hashes can be copied and guessed", "chmod 0640")
	}
	return report, ctx.Err()
}

// parseShadow reads the lines of a shadow file; today is in days since 1970.
func parseShadow(text string, today int) PasswordReport {
	var report PasswordReport
	seen := map[string]bool{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		where := fmt.Sprintf("line %d", number)
		fields := strings.Split(line, ":")
		if len(fields) != 9 || fields[0] == "" {
			// The line is not quoted: a hash may be anywhere in it.
			report.add(Warn, where, fmt.Sprintf("%d fields instead of 9", len(fields)), "repair it with vipw -s")
			continue
		}
		account := parseAccount(fields, today)
		if seen[account.Name] {
			report.add(Warn, account.Name, "has a second line ("+where+")", "remove one with vipw -s")
		}
		seen[account.Name] = true
		report.Accounts = append(report.Accounts, account)
		report.judge(account, fields[2] == "0")
	}
	return report
}

func parseAccount(fields []string, today int) Account {
	a := Account{Name: plain(fields[0]), Age: -1, MaxAge: -1}
	a.State, a.Hash = passwordState(fields[1])
	if changed, ok := days(fields[2]); ok {
		a.Age = max(today-changed, -1)
	}
	if most, ok := days(fields[4]); ok && most < 99999 {
		a.MaxAge = most
	}
	if end, ok := days(fields[7]); ok {
		a.Ends, a.Expires = true, end-today
	}
	return a
}

// days reads a field of days. A number that no calendar needs is as good as none.
func days(field string) (int, bool) {
	n, err := strconv.Atoi(field)
	return n, err == nil && n >= 0 && n < 10_000_000
}

// judge adds what there is to say about one account.
func (r *PasswordReport) judge(a Account, mustChange bool) {
	switch {
	case a.State == "empty":
		r.add(High, a.Name, "empty password: anyone may log in", "passwd -l "+a.Name)
		return
	case a.State != "usable":
		return
	case weakHashes[a.Hash]:
		r.add(High, a.Name, a.Hash+" hash: guessed in hours", "set a new password; use yescrypt in /etc/login.defs")
	case a.Hash == "unknown":
		r.add(Warn, a.Name, "hash of an unknown kind", "look at it with vipw -s")
	}
	switch {
	case a.Ends && a.Expires < 0:
		r.add(Note, a.Name, fmt.Sprintf("account ended %d days ago", -a.Expires), "remove it if nobody needs it")
	case mustChange:
		r.add(Note, a.Name, "password must be changed at the next login", "")
	case a.MaxAge >= 0 && a.Age > a.MaxAge:
		r.add(Warn, a.Name, fmt.Sprintf("password expired %d days ago", a.Age-a.MaxAge), "change or lock it")
	case a.Age > 365:
		r.add(Note, a.Name, fmt.Sprintf("password is %d days old", a.Age), "change it")
	}
}

var weakHashes = map[string]bool{"DES": true, "extended DES": true, "MD5": true, "SHA-1": true, "NT": true, "Sun MD5": true}

// hashKinds are the ids of crypt(5).
var hashKinds = map[string]string{
	"1": "MD5", "2a": "bcrypt", "2b": "bcrypt", "2x": "bcrypt", "2y": "bcrypt", "3": "NT", "5": "SHA-256", "6": "SHA-512",
	"7": "scrypt", "y": "yescrypt", "gy": "gost-yescrypt", "md5": "Sun MD5", "sha1": "SHA-1", "argon2id": "argon2id",
}

var (
	desHash         = regexp.MustCompile(`^[./0-9A-Za-z]{13}$`)
	extendedDESHash = regexp.MustCompile(`^_[./0-9A-Za-z]{19}$`)
	hashID          = regexp.MustCompile(`^\$([a-z0-9]+)[$,]`)
)

// passwordState classifies the second field, the hash, and lets nothing of it out.
func passwordState(field string) (state, kind string) {
	if field == "" {
		return "empty", ""
	}
	hash := strings.TrimLeft(field, "!")
	state = "usable"
	if hash != field {
		state = "locked"
	}
	switch {
	case hash == "" || strings.HasPrefix(hash, "*"):
		return "none", ""
	case desHash.MatchString(hash):
		return state, "DES"
	case extendedDESHash.MatchString(hash):
		return state, "extended DES"
	}
	if id := hashID.FindStringSubmatch(hash); id != nil && hashKinds[id[1]] != "" {
		return state, hashKinds[id[1]]
	}
	if len(hash) < 13 {
		return "none", "" // too short to be the result of any crypt: words such as "x" or "LK"
	}
	return state, "unknown"
}
