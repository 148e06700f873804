package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Account is a user of the system.
type Account struct {
	Name     string   `json:"name"`
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`       // of the primary group
	FullName string   `json:"full_name"` // the comment field
	Home     string   `json:"home"`
	Shell    string   `json:"shell"`    // empty if the user is not in /etc/passwd
	Groups   []string `json:"groups"`   // names, or numbers without a name; by user.lookup only
	Password string   `json:"password"` // set, locked or none; empty if not asked for, or not in /etc/shadow
}

// UserLookup finds a user by name, or else by number.
func UserLookup(_ context.Context, nameOrID string) (Account, error) {
	a, err := findUser("user.lookup: user", nameOrID)
	if err != nil {
		return Account{}, err
	}
	for _, local := range localUsers() {
		if local.Name == a.Name {
			a.Shell = local.Shell
		}
	}
	return a, nil
}

// findUser finds a user; what is the beginning of an error.
func findUser(what, nameOrID string) (Account, error) {
	u, err := user.Lookup(nameOrID)
	id, notNumber := strconv.ParseUint(nameOrID, 10, 32)
	if err != nil && notNumber == nil {
		u, err = user.LookupId(strconv.FormatUint(id, 10))
	}
	if err != nil {
		return Account{}, unknown(what, nameOrID, err)
	}
	return account(u)
}

var errUnknown = errors.New("not known here")

// unknown says that there is no such user or group, or why that could not be found out.
func unknown(what, nameOrID string, err error) error {
	var (
		noUser  user.UnknownUserError
		noUID   user.UnknownUserIdError
		noGroup user.UnknownGroupError
		noGID   user.UnknownGroupIdError
	)
	if errors.As(err, &noUser) || errors.As(err, &noUID) || errors.As(err, &noGroup) || errors.As(err, &noGID) {
		return fmt.Errorf("%s %s: %w: give a name or number of this host", what, quote(nameOrID), errUnknown)
	}
	return fmt.Errorf("%s %s: %w", what, quote(nameOrID), err)
}

func account(u *user.User) (Account, error) {
	a := Account{Name: u.Username, FullName: u.Name, Home: u.HomeDir}
	var err error
	if a.UID, err = strconv.Atoi(u.Uid); err == nil {
		a.GID, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		return Account{}, fmt.Errorf("user %s: %w", quote(u.Username), err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return Account{}, fmt.Errorf("user %s: groups: %w", quote(u.Username), err)
	}
	n := names{}
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			return Account{}, fmt.Errorf("user %s: group: %w", quote(u.Username), err)
		}
		a.Groups = append(a.Groups, n.group(gid))
	}
	slices.Sort(a.Groups)
	return a, nil
}

// UserQuery asks for the users of a host.
type UserQuery struct {
	Password bool `json:"password"` // also tell the state of each password; needs root
}

// UserList lists the users of /etc/passwd, in its order; those of a directory service are not in it. It never tells a
// password or its hash.
func UserList(_ context.Context, q UserQuery) ([]Account, error) {
	if _, err := os.Stat(passwdFile); err != nil {
		return nil, fmt.Errorf("user.list: %w", err)
	}
	users := localUsers()
	if !q.Password {
		return users, nil
	}
	states, err := passwordStates()
	if err != nil {
		return nil, fmt.Errorf("user.list: password: %w", err)
	}
	for i := range users {
		users[i].Password = states[users[i].Name]
	}
	return users, nil
}

const (
	passwdFile = "/etc/passwd"
	shadowFile = "/etc/shadow"
)

// localUsers are the users of /etc/passwd; none if it cannot be read.
func localUsers() []Account {
	var users []Account
	for _, f := range records(passwdFile, 7) {
		uid, uidErr := strconv.Atoi(f[2])
		gid, gidErr := strconv.Atoi(f[3])
		if uidErr != nil || gidErr != nil {
			continue
		}
		fullName, _, _ := strings.Cut(f[4], ",")
		users = append(users, Account{Name: f[0], UID: uid, GID: gid, FullName: fullName, Home: f[5], Shell: f[6]})
	}
	return users
}

// passwordStates tells for each user of /etc/shadow whether there is a password.
func passwordStates() (map[string]string, error) {
	f, err := os.Open(shadowFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("this system has no %s: %w", shadowFile, errors.ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	f.Close()
	states := map[string]string{}
	for _, f := range records(shadowFile, 2) {
		switch hash := f[1]; {
		case hash == "":
			states[f[0]] = "none"
		case strings.HasPrefix(hash, "!"), strings.HasPrefix(hash, "*"):
			states[f[0]] = "locked"
		default:
			states[f[0]] = "set"
		}
	}
	return states, nil
}

// records are the lines of a file of fields with colons between them; lines with fewer than least fields are left out.
func records(path string, least int) [][]string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all [][]string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) >= least && fields[0] != "" && fields[0][0] != '#' && fields[0][0] != '+' && fields[0][0] != '-' {
			all = append(all, fields)
		}
	}
	return all
}
